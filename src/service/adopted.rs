//! Adopted subscriptions that ended by time alone: their user may have another, which counts from
//! then on. Whatever the application writes is followed by triggers, and needs no worker.

use super::chores;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// When one worker looks next.
pub struct Adopted {
    due_at: Instant,
}

impl Adopted {
    pub fn new() -> Self {
        Self {
            due_at: Instant::now(),
        }
    }

    /// Looks when it is time to.
    pub fn run_if_due(&mut self) {
        let now = Instant::now();
        if now < self.due_at {
            return;
        }
        self.due_at = now + LOOK_EVERY;
        if let Err(failure) = chores::renew_adopted_subscriptions() {
            log!(
                "signal_hub: could not look at adopted subscriptions that ended: {}",
                failure.line()
            );
        }
    }
}
