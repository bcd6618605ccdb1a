//! The tasks that run as long as the service.

use futures_util::future::select_all;
use tokio::task::JoinHandle;

/// Each with what it does, in words for a message.
#[derive(Default)]
pub struct Tasks(Vec<(&'static str, JoinHandle<()>)>);

impl Tasks {
    /// Starts one.
    pub fn start(&mut self, what: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push((what, tokio::spawn(task)));
    }

    /// Waits until one ends, which none does before the service ends, unless it panics. Returns what
    /// it did.
    pub async fn ended(&mut self) -> &'static str {
        let waiting = self.0.iter_mut().map(|(what, task)| {
            Box::pin(async {
                // The panic is on record already.
                let _ = task.await;
                *what
            })
        });
        select_all(waiting).await.0
    }

    /// Waits until one has finished what it does at the end.
    pub async fn finish(&mut self, what: &str) {
        if let Some((_, task)) = self.0.iter_mut().find(|(known, _)| *known == what) {
            let _ = task.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn whichever_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.start("waits", pending());
        tasks.start("ends", ready(()));
        tasks.start("waits too", pending());
        assert_eq!(tasks.ended().await, "ends");
    }
}
