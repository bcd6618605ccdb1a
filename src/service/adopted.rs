//! Adopted subscriptions that ended by time alone: their user may have another, which counts from
//! then on. Whatever the application writes is followed by triggers, and needs no worker.

use super::chores;
use super::this_slot::{recovered, report};
use crate::board::slots;
use crate::board::trouble::Work;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// Time until the next one after a failure, so that a remedy shows.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Time for one look; what is left goes on with the next cycle.
const AT_ONCE: Duration = Duration::from_secs(1);

/// When one worker looks next, and where.
pub struct Adopted {
    due_at: Instant,
    /// Behind whom: those before were looked at after the end of their subscription.
    after: String,
}

impl Adopted {
    pub fn new() -> Self {
        Self {
            due_at: Instant::now(),
            after: String::new(),
        }
    }

    /// Looks when it is time to.
    pub fn run_if_due(&mut self) {
        let began = Instant::now();
        if began < self.due_at {
            return;
        }
        while began.elapsed() < AT_ONCE {
            match chores::renew_adopted_subscriptions(&self.after) {
                Ok(Some(last)) => {
                    self.after = last;
                    slots::mark_worked();
                    continue;
                }
                Ok(None) => recovered(Work::Adopting),
                // Somebody has the table locked: at the next look.
                Err(failure) if failure.is_lock_not_available() => {}
                Err(failure) => {
                    report(Work::Adopting, &failure);
                    self.due_at = began + LOOK_AGAIN;
                    return;
                }
            }
            self.due_at = began + LOOK_EVERY;
            return;
        }
    }
}
