//! The purge of what has outlived its retention, between the runs of a worker.

use super::chores;
use super::this_slot::{recovered, report, this_slot};
use crate::board::trouble::Work;
use crate::ledger::retention::{Hindrance, PurgeProgress, Purged};
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Time from the start of a worker to its first purge.
const FIRST_PURGE: Duration = Duration::from_secs(10);
/// Time between two purges, unless the last one left something.
const PURGE_EVERY: Duration = Duration::from_secs(10 * 60);
/// Time between two purges while they fail, so that it shows soon when the cause is gone.
const PURGE_AGAIN_AFTER: Duration = Duration::from_secs(15);
/// Longest time spent on purging between two heartbeats, the last batch aside.
const PURGE_SPELL: Duration = Duration::from_millis(200);

/// The purge of one worker.
pub struct Purge {
    due_at: Instant,
    progress: PurgeProgress,
    /// What was purged since that was last logged.
    purged: Purged,
}

impl Purge {
    pub fn new() -> Self {
        Self {
            due_at: Instant::now() + FIRST_PURGE,
            progress: PurgeProgress::default(),
            purged: Purged::default(),
        }
    }

    /// Purges when it is time to, and only for a short time, so that the next run need not wait.
    pub fn run_if_due(&mut self) {
        let began = Instant::now();
        if began < self.due_at {
            return;
        }
        let mut more_signals = true;
        while more_signals && began.elapsed() < PURGE_SPELL {
            more_signals = self.purge_signals();
        }
        // Behind the spell: a lock on the history takes no time from it.
        let more_runs = self.purge_runs();
        if !more_runs && !more_signals {
            let failing = this_slot().troubles.is_set(Work::PurgingRuns)
                || this_slot().troubles.is_set(Work::PurgingSignals);
            self.due_at = began
                + match failing {
                    true => PURGE_AGAIN_AFTER,
                    false => PURGE_EVERY,
                };
            if let Some(line) = std::mem::take(&mut self.purged).line() {
                log!("signal_hub: {line}");
            }
        }
    }

    fn purge_runs(&mut self) -> bool {
        match chores::purge_runs(&mut self.purged) {
            Ok(more) => {
                recovered(Work::PurgingRuns);
                more
            }
            Err(failure) if failure.is_lock_not_available() => true,
            Err(failure) => {
                report(Work::PurgingRuns, &failure);
                false
            }
        }
    }

    fn purge_signals(&mut self) -> bool {
        match chores::purge_signals(&mut self.progress, &mut self.purged) {
            Ok(more) => {
                // What was passed over is reported until a whole pass went well.
                if !more && !self.progress.passed_something_over() {
                    recovered(Work::PurgingSignals);
                }
                more
            }
            Err(failure) => match self.progress.after_failure(&failure) {
                Hindrance::Smaller => true,
                Hindrance::Lasting if failure.is_lock_not_available() => true,
                hindrance => {
                    report(Work::PurgingSignals, &failure);
                    hindrance == Hindrance::PassedOver
                }
            },
        }
    }
}
