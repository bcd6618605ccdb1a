//! The worker: one process per database that has the extension. It beats its heart, runs the
//! cycle when it is due, and leaves when the extension does.

use crate::cycle::{self, Beat, Outcome};
use crate::delivery::{self, Delivered, Role};
use crate::failed_calls;
use crate::failure::Failure;
use crate::heartbeat::{self, Phase, ShortText, Slot, Stage};
use crate::installation::Installation;
use crate::lock;
use crate::process;
use crate::retention::{Hindrance, Walk};
use crate::schedule::Schedule;
use crate::settings;
use crate::transaction::{Scope, idle};
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Time between two signs of life, and between two looks whether the extension is still there and
/// nobody waits for the database. DROP DATABASE waits for 5 s.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Time before a fan-out that had to stop is taken up again.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// Fan-outs in a row that stop for a lock before that is worth a word: some 15 s.
const TELL_WHEN_HELD_UP: u32 = 10;
/// Time from the start of a worker to its first purge.
const FIRST_PURGE: Duration = Duration::from_secs(10);
/// Time between two purges, unless the last one left something.
const PURGE_EVERY: Duration = Duration::from_secs(10 * 60);
/// Longest time spent on it between two heartbeats, but for the last batch.
const PURGE_SPELL: Duration = Duration::from_millis(200);

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
    /// Fan-outs in a row that had to stop for a lock.
    held_up: u32,
    purge_at: Instant,
    purge_walk: Walk,
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
            held_up: 0,
            purge_at: Instant::now() + FIRST_PURGE,
            purge_walk: Walk::default(),
            trouble: None,
        }
    }

    /// Returns when the extension is gone, or to make way.
    fn live(mut self) {
        loop {
            heartbeat::beat(Stage::Waiting);
            self.take_up_settings();
            let requests = this_slot().requests;
            match look() {
                Ok(Look::Wanted) => return leave_as(Phase::Parked),
                Ok(Look::NotInstalled) => {
                    if self.retire(requests) {
                        return;
                    }
                    // CREATE EXTENSION committed after the look.
                    continue;
                }
                Ok(Look::Installed(found)) if found.is_of_this_release() => {
                    if self
                        .installation
                        .replace(found.id())
                        .is_some_and(|id| id != found.id())
                    {
                        // Dropped and created again between two looks.
                        forget_failed_calls();
                        publish_trouble("");
                        self = Self {
                            installation: Some(found.id()),
                            ..Self::new()
                        };
                    }
                    self.work();
                }
                // signal_health says what to do; work goes on once it is done.
                Ok(Look::Installed(_)) => {}
                Err(failure) => self.tell(&failure),
            }
            heartbeat::beat(Stage::Waiting);
            idle(self.time_to_next());
        }
    }

    /// A fan-out may have read them anew meanwhile, so they are compared each time.
    fn take_up_settings(&mut self) {
        process::reload_settings_if_asked();
        let now = Instant::now();
        let url = settings::endpoint().base_url;
        if let Some(schedule) = &mut self.schedule {
            schedule.set_interval(settings::interval(), now);
            if url != self.exchange_url {
                // What the old host asked for is not the new one's wish.
                schedule.beat_now(now);
            }
        }
        self.exchange_url = url;
    }

    /// What is due now.
    fn work(&mut self) {
        if self.schedule.is_none() {
            match first_beat() {
                Ok(None) => return,
                Ok(Some(wait)) => {
                    self.schedule = Some(Schedule::new(settings::interval(), Instant::now() + wait))
                }
                Err(failure) => return self.tell(&failure),
            }
        }
        self.record_failed_calls();
        if self.undelivered {
            self.after_delivery(delivery::deliver_all(Role::Worker));
        }
        let beat = Instant::now();
        if self
            .schedule
            .as_mut()
            .is_some_and(|schedule| schedule.take_beat(beat))
            && settings::enabled()
        {
            self.run(beat);
            heartbeat::note_work();
        }
        self.purge();
    }

    /// Purges when it is time to, for a spell: the next beat is not to wait.
    fn purge(&mut self) {
        let began = Instant::now();
        if began < self.purge_at {
            return;
        }
        let mut more_signals = true;
        while more_signals && began.elapsed() < PURGE_SPELL {
            more_signals = self.purge_signals();
        }
        // Behind the spell: a lock on the history takes no time from it.
        let more_runs = self.purge_runs();
        if !more_runs && !more_signals {
            self.purge_at = began + PURGE_EVERY;
        }
    }

    fn purge_runs(&mut self) -> bool {
        match cycle::purge_runs() {
            Ok(more) => more,
            Err(failure) if failure.is_lock_not_available() => true,
            Err(failure) => {
                self.tell(&failure);
                false
            }
        }
    }

    fn purge_signals(&mut self) -> bool {
        match cycle::purge_signals(&mut self.purge_walk) {
            Ok(more) => more,
            Err(failure) => match self.purge_walk.give_way(&failure) {
                Hindrance::Smaller => true,
                Hindrance::Lasting if failure.is_lock_not_available() => true,
                hindrance => {
                    self.tell(&failure);
                    hindrance == Hindrance::PassedOver
                }
            },
        }
    }

    fn record_failed_calls(&mut self) {
        match cycle::record_failed_calls() {
            Ok(None) => {}
            Ok(Some(leave_alone)) => {
                if let Some(schedule) = &mut self.schedule {
                    schedule.hold_until(Instant::now() + leave_alone);
                }
            }
            // Somebody has the table locked: they are noted until that is over.
            Err(failure) if failure.is_lock_not_available() => {}
            Err(failure) => self.tell(&failure),
        }
    }

    fn run(&mut self, beat: Instant) {
        match cycle::run_beat() {
            Ok(None) => {}
            // What was left undelivered before a skipped run still is.
            Ok(Some(Beat::Ran(outcome))) if !outcome.success => {}
            Ok(Some(Beat::Ran(Outcome { delivered, .. }))) => {
                if delivered.error.is_none() && !delivered.incomplete {
                    self.recover();
                }
                self.after_delivery(delivered);
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

    /// A lock that somebody holds for a moment is no trouble; one that holds deliveries up again
    /// and again is.
    fn after_delivery(&mut self, delivered: Delivered) {
        self.undelivered = delivered.incomplete;
        let waits_for = delivered.waits_for;
        self.held_up = waits_for.as_ref().map_or(0, |_| self.held_up + 1);
        let lasting = waits_for.filter(|_| self.held_up >= TELL_WHEN_HELD_UP);
        if let Some(failure) = delivered.error.or(lasting) {
            self.tell(&failure);
        }
    }

    /// Until the next thing to do; publishes when the next run is.
    fn time_to_next(&self) -> Duration {
        let to_beat = self
            .schedule
            .as_ref()
            .map(|s| s.next().saturating_duration_since(Instant::now()));
        let next_run = to_beat.map_or(0, |wait| {
            heartbeat::now() + wait.as_micros() as heartbeat::Micros
        });
        update_slot(|slot| slot.next_run = next_run);
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

    /// Leaves the slot, unless a worker was asked for since `requests` was read.
    fn retire(&self, requests: u32) -> bool {
        let mut retired = false;
        update_slot(|slot| {
            if slot.requests == requests {
                slot.phase = Phase::NotInstalled;
                retired = true;
            }
        });
        if retired {
            forget_failed_calls();
        }
        // A worker that was only sent to look says nothing.
        if retired && self.schedule.is_some() {
            log!("signal_hub: the extension was dropped, the worker leaves");
        }
        retired
    }
}

/// What a look at the database finds.
enum Look {
    /// DROP DATABASE or the like waits for this session to go.
    Wanted,
    NotInstalled,
    Installed(Installation),
}

fn look() -> Result<Look, Failure> {
    Scope::Worker.atomically(c"signal_hub: looking for the extension", || {
        if lock::database_is_wanted() {
            return Ok(Look::Wanted);
        }
        Ok(Installation::find()?.map_or(Look::NotInstalled, Look::Installed))
    })
}

/// How long to wait for the first beat; `None` while a dump is being restored. A run amid its
/// rows would judge by half a memory, and be in their way.
fn first_beat() -> Result<Option<Duration>, Failure> {
    let restorer_pid = this_slot().restorer_pid;
    if restorer_pid != 0 {
        if cycle::restore_is_running(restorer_pid)? {
            return Ok(None);
        }
        update_slot(|slot| slot.restorer_pid = 0);
    }
    cycle::wait_before_first_beat().map(Some)
}

fn this_slot() -> Slot {
    heartbeat::slot(heartbeat::this_database()).unwrap_or_default()
}

fn update_slot(change: impl FnOnce(&mut Slot)) {
    heartbeat::update(heartbeat::this_database(), change);
}

fn leave_as(phase: Phase) {
    update_slot(|slot| slot.phase = phase);
}

/// Calls of an extension that is gone are no longer of interest.
fn forget_failed_calls() {
    failed_calls::remove(&failed_calls::of(heartbeat::this_database()));
}

fn publish_trouble(line: &str) {
    update_slot(|slot| {
        slot.trouble = ShortText::new(line);
    });
}
