//! How often browsers may ask for their subscription to be moved. Anybody can ask, without a token, so
//! nothing that is asked for may keep others from it.

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Old subscriptions are told apart by so many numbers, so that what is kept of them is bounded.
const NUMBERS: u64 = 16_384;
/// For each of them: at once, and per minute after that.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(6).expect("not zero");
/// How long one waits for those before it.
const FOR_TURN: Duration = Duration::from_secs(5);

/// See the head of this file.
pub struct Moves {
    limit: DefaultKeyedRateLimiter<u64>,
    // Nobody outside can choose subscriptions that have the number of another one.
    hasher: RandomState,
    turn: Arc<Semaphore>,
}

impl Default for Moves {
    fn default() -> Self {
        let quota = Quota::per_minute(PER_MINUTE).allow_burst(AT_ONCE);
        Self {
            limit: RateLimiter::keyed(quota),
            hasher: RandomState::new(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Moves {
    /// Counts that the subscription at this endpoint is to be moved; false when that was asked for too
    /// often.
    pub fn take(&self, endpoint: &str) -> bool {
        let number = self.hasher.hash_one(endpoint) % NUMBERS;
        self.limit.check_key(&number).is_ok()
    }

    /// One at a time, so that the database is asked what else the service asks it after one of them
    /// at most. `None` when that takes too long.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turn).acquire_owned();
        // It fails for a closed semaphore only, and this one is never closed.
        tokio::time::timeout(FOR_TURN, turn).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_for_one_subscription_keeps_no_other_from_moving() {
        let moves = Moves::default();
        let taken = (0..100)
            .filter(|_| moves.take("https://push.example/one"))
            .count();
        assert!((5..=6).contains(&taken), "{taken}");
        let others = (0..100).filter(|n| moves.take(&format!("https://push.example/{n}")));
        // By chance, one of them may have the same number.
        assert!(others.count() >= 98);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let moves = Moves::default();
        for n in 0..3 * NUMBERS {
            moves.take(&n.to_string());
        }
        assert!(moves.limit.len() as u64 <= NUMBERS);
    }
}
