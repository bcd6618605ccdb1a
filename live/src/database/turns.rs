//! Limits what one subscriber may ask of the database at the same time, so that connections stay
//! free for others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Reads and writes of one subscriber at the same time; further ones wait.
const AT_ONCE: usize = 2;

/// By subscriber: those who ask or wait.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<Uuid, Arc<Semaphore>>>);

/// Holds a turn until it is dropped.
pub struct Turn<'a> {
    turns: &'a Turns,
    user: Uuid,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for the subscriber's turn.
    pub async fn take(&self, user: Uuid) -> Turn<'_> {
        let semaphore = self.with_waiting(|taken| {
            let new = || Arc::new(Semaphore::new(AT_ONCE));
            Arc::clone(taken.entry(user).or_insert_with(new))
        });
        // Made before the wait, so that its drop tidies up if the wait is given up.
        let mut turn = Turn {
            turns: self,
            user,
            permit: None,
        };
        // It fails for a closed semaphore only, and these are never closed.
        turn.permit = semaphore.acquire_owned().await.ok();
        turn
    }

    fn with_waiting<T>(&self, work: impl FnOnce(&mut HashMap<Uuid, Arc<Semaphore>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        self.turns.with_waiting(|taken| {
            let others = taken.get(&self.user).map(Arc::strong_count);
            if others == Some(1) {
                taken.remove(&self.user);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_subscriber_who_asks_too_much_waits_and_others_do_not() {
        let turns = Turns::default();
        let (greedy, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = turns.take(greedy).await;
        let _second = turns.take(greedy).await;
        assert!(turns.take(greedy).now_or_never().is_none());
        assert!(turns.take(other).now_or_never().is_some());
        drop(first);
        assert!(turns.take(greedy).now_or_never().is_some());
        drop(_second);
        assert!(turns.0.lock().expect("no panic").is_empty());
    }
}
