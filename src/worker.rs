//! The worker: one process per database that has the extension. It beats its
//! heart, runs the cycle when it is due, and leaves when the extension does.

use crate::cycle::{self, Beat};
use crate::failure::Failure;
use crate::heartbeat::{self, Phase, ShortText, Stage};
use crate::installation::Installation;
use crate::process;
use crate::schedule::Schedule;
use crate::settings;
use crate::transaction::{Scope, idle};
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Time between two signs of life, and between two looks whether the extension
/// is still there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Time before a fan-out that had to stop is taken up again.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// Time between two purges, unless the last one left something.
const PURGE_EVERY: Duration = Duration::from_secs(10 * 60);

/// Entry point of a worker process; the argument is the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn signal_hub_worker_main(database: pg_sys::Datum) {
    process::take_up_signals();
    let database = database.value() as u32;
    if heartbeat::enter_worker(database) {
        process::connect_to_database(database);
        Worker::new().live();
    }
}

struct Worker {
    /// What the worker has been working for.
    installation: Option<u32>,
    schedule: Option<Schedule>,
    exchange_url: String,
    /// Whether signals are left undelivered.
    undelivered: bool,
    purge_at: Instant,
    /// The last failure told to the log; told once until it is over.
    trouble: Option<String>,
}

impl Worker {
    fn new() -> Self {
        Self {
            installation: None,
            schedule: None,
            exchange_url: settings::endpoint().base_url,
            // A predecessor may have been stopped in the middle of one.
            undelivered: true,
            purge_at: Instant::now() + PURGE_EVERY,
            trouble: None,
        }
    }

    /// Returns when the extension is gone.
    fn live(mut self) {
        loop {
            heartbeat::beat(Stage::Waiting);
            self.take_up_settings();
            match Scope::Worker
                .atomically(c"signal_hub: looking for the extension", Installation::find)
            {
                Ok(None) => return self.retire(),
                Ok(Some(found)) if found.is_of_this_release() => {
                    if self
                        .installation
                        .replace(found.id())
                        .is_some_and(|id| id != found.id())
                    {
                        // Dropped and created again between two looks.
                        self = Self {
                            installation: Some(found.id()),
                            ..Self::new()
                        };
                    }
                    self.work();
                }
                // signal_health says what to do; work goes on once it is done.
                Ok(Some(_)) => {}
                Err(failure) => self.tell(&failure),
            }
            heartbeat::beat(Stage::Waiting);
            idle(self.time_to_next());
        }
    }

    fn take_up_settings(&mut self) {
        if !process::reload_settings_if_asked() {
            return;
        }
        let now = Instant::now();
        let url = settings::endpoint().base_url;
        if let Some(schedule) = &mut self.schedule {
            schedule.set_interval(settings::interval(), now);
            if url != self.exchange_url {
                // What the old host asked for is not the new one's wish.
                schedule.postpone(now);
            }
        }
        self.exchange_url = url;
    }

    /// What is due now.
    fn work(&mut self) {
        if self.undelivered {
            let delivered = cycle::deliver(Scope::Worker);
            self.after_delivery(delivered.error.as_ref(), delivered.incomplete);
        }
        if self.schedule.is_none() {
            match cycle::wait_before_first_beat() {
                Ok(wait) => {
                    self.schedule = Some(Schedule::new(settings::interval(), Instant::now() + wait))
                }
                Err(failure) => return self.tell(&failure),
            }
        }
        let beat = Instant::now();
        if self
            .schedule
            .as_mut()
            .is_some_and(|schedule| schedule.take_beat(beat))
            && settings::enabled()
        {
            self.run(beat);
            heartbeat::update(heartbeat::this_database(), |slot| slot.has_worked = true);
        }
        if Instant::now() >= self.purge_at {
            let more = cycle::purge().unwrap_or_else(|failure| {
                self.tell(&failure);
                false
            });
            self.purge_at = Instant::now() + if more { HEARTBEAT } else { PURGE_EVERY };
        }
    }

    fn run(&mut self, beat: Instant) {
        match cycle::run_beat() {
            Ok(None) => {}
            Ok(Some(Beat::Ran(outcome))) => {
                if outcome.success {
                    self.recover();
                }
                self.after_delivery(outcome.delivery_error.as_ref(), outcome.incomplete);
            }
            Ok(Some(Beat::Failed {
                failure,
                leave_alone,
            })) => {
                self.tell(&failure);
                if let (Some(delay), Some(schedule)) = (leave_alone, &mut self.schedule) {
                    schedule.postpone(beat + delay);
                }
            }
            // Not even the record could be written.
            Err(failure) => self.tell(&failure),
        }
    }

    fn after_delivery(&mut self, error: Option<&Failure>, incomplete: bool) {
        self.undelivered = incomplete;
        if let Some(failure) = error {
            self.tell(failure);
        }
    }

    /// Until the next thing to do; publishes when the next run is.
    fn time_to_next(&self) -> Duration {
        let to_beat = self
            .schedule
            .as_ref()
            .map(|s| s.next().saturating_duration_since(Instant::now()));
        let next_run = to_beat.map_or(0, |wait| {
            heartbeat::now() + wait.as_micros() as heartbeat::Timestamp
        });
        heartbeat::update(heartbeat::this_database(), |slot| slot.next_run = next_run);
        let resume = self.undelivered.then_some(RESUME_AFTER);
        [to_beat, resume]
            .into_iter()
            .flatten()
            .fold(HEARTBEAT, Duration::min)
    }

    fn tell(&mut self, failure: &Failure) {
        let line = failure.line();
        if self.trouble.as_ref() != Some(&line) {
            warning!("signal_hub: {line} (SQLSTATE {})", failure.sqlstate);
            publish_trouble(&line);
            self.trouble = Some(line);
        }
    }

    fn recover(&mut self) {
        if self.trouble.take().is_some() {
            publish_trouble("");
            log!("signal_hub: recovered");
        }
    }

    fn retire(&self) {
        // A worker that was only sent to look says nothing.
        if self.schedule.is_some() {
            log!("signal_hub: the extension was dropped, the worker leaves");
        }
        heartbeat::update(heartbeat::this_database(), |slot| {
            slot.phase = Phase::NotInstalled
        });
    }
}

fn publish_trouble(line: &str) {
    heartbeat::update(heartbeat::this_database(), |slot| {
        slot.trouble = ShortText::new(line);
    });
}
