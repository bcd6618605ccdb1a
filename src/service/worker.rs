//! The worker: one process per database that has the extension. It beats its heart, runs the
//! cycle when it is due, and leaves when the extension does.

use super::adopted::Adopted;
use super::chores;
use super::purge::Purge;
use super::schedule::Schedule;
use super::this_slot::{forget_failed_calls, leave_as, recovered, report, this_slot, update_slot};
use crate::board::slots::{self, Phase, Restorer, Stage};
use crate::board::trouble::{Troubles, Work};
use crate::cycle::Settled;
use crate::cycle::scheduled::{Ended, run_scheduled};
use crate::cycle::stops;
use crate::delivery::{self, Delivered, Role};
use crate::postgres::report::warn;
use crate::postgres::transaction::idle;
use crate::postgres::{Failure, Installation, Scope, process, wanted};
use crate::settings;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// Time between two heartbeats, and between two checks whether the extension is still there and
/// nobody waits for the database. DROP DATABASE waits for 5 s.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Time before a fan-out that had to stop is taken up again.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// The same where all rows of a tier were refused, which takes some attempts to find out.
const RESUME_HELD_BACK_AFTER: Duration = Duration::from_secs(5);
/// Fan-outs in a row that stop for a lock before that is reported: some 15 s.
const REPORT_WHEN_HELD_UP: u32 = 10;

/// Entry point of a worker process; the argument is the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn signal_hub_worker_main(database: pg_sys::Datum) {
    process::take_up_signals();
    let database = database.value() as u32;
    if slots::enter_worker(database) {
        process::connect_to_database(database);
        Worker::new().run();
    }
}

struct Worker {
    /// The installation that the worker serves, by its id.
    installation: Option<u32>,
    schedule: Option<Schedule>,
    /// The exchanges with their base URLs, as the settings have them.
    exchanges: Vec<String>,
    /// When to deliver what is left undelivered; `None` when nothing is.
    resume_at: Option<Instant>,
    /// Fan-outs in a row that had to stop for a lock.
    held_up: u32,
    purge: Purge,
    adopted: Adopted,
}

impl Worker {
    fn new() -> Self {
        Self {
            installation: None,
            schedule: None,
            exchanges: configured_exchanges(),
            // A predecessor may have been stopped in the middle of one.
            resume_at: Some(Instant::now()),
            held_up: 0,
            purge: Purge::new(),
            adopted: Adopted::new(),
        }
    }

    /// Returns when the extension is gone, or to make way for somebody who needs the database.
    fn run(mut self) {
        loop {
            slots::record_heartbeat(Stage::Waiting);
            self.take_up_settings();
            let requests = this_slot().requests;
            let wait = match find_extension() {
                Ok(Found::DatabaseIsWanted) => return leave_as(Phase::Parked),
                Ok(Found::NotInstalled) => {
                    if self.retire(requests) {
                        return;
                    }
                    // CREATE EXTENSION committed after the check.
                    continue;
                }
                // Signals are made where the nodes are coordinated, as signal_health says.
                Ok(Found::Installed(found)) if found.is_node() => HEARTBEAT,
                Ok(Found::Installed(found)) if found.is_of_this_release() => {
                    if self
                        .installation
                        .replace(found.id())
                        .is_some_and(|id| id != found.id())
                    {
                        // Dropped and created again between two checks.
                        forget_failed_calls();
                        update_slot(|slot| slot.troubles = Troubles::default());
                        self = Self {
                            installation: Some(found.id()),
                            ..Self::new()
                        };
                    }
                    self.do_what_is_due()
                }
                // signal_health says what to do; work goes on once it is done.
                Ok(Found::Installed(_)) => HEARTBEAT,
                Err(failure) => {
                    report(Work::Preparing, &failure);
                    HEARTBEAT
                }
            };
            slots::record_heartbeat(Stage::Waiting);
            self.publish_next_run();
            idle(wait);
        }
    }

    /// A fan-out may have reloaded the settings meanwhile, so they are compared each time.
    fn take_up_settings(&mut self) {
        process::reload_settings_if_asked();
        let now = Instant::now();
        let exchanges = configured_exchanges();
        if let Some(schedule) = &mut self.schedule {
            schedule.set_interval(settings::interval(), now);
            if exchanges != self.exchanges {
                // The time that the old host asked for does not apply to the new one.
                schedule.beat_now(now);
            }
        }
        self.exchanges = exchanges;
        match settings::troubles() {
            Some(troubles) => report(Work::Configuring, &Failure::bad_settings(troubles)),
            None => recovered(Work::Configuring),
        }
    }

    /// Returns how long to wait before looking again.
    fn do_what_is_due(&mut self) -> Duration {
        if self.schedule.is_none() {
            match wait_before_first_run() {
                Ok(None) => return HEARTBEAT,
                Ok(Some(wait)) => {
                    self.schedule = Some(Schedule::new(settings::interval(), Instant::now() + wait))
                }
                Err(failure) => {
                    report(Work::Preparing, &failure);
                    return HEARTBEAT;
                }
            }
        }
        recovered(Work::Preparing);
        self.record_failed_calls();
        if self.resume_at.is_some_and(|at| at <= Instant::now()) {
            self.after_delivery(delivery::deliver_all(Role::Worker));
        }
        let beat = Instant::now();
        if self
            .schedule
            .as_mut()
            .is_some_and(|schedule| schedule.take_beat(beat))
        {
            // A run may take long, and whoever asks meanwhile is told of the one after it.
            self.publish_next_run();
            if settings::enabled() {
                self.run_cycle(beat);
                slots::mark_worked();
            } else if let Err(failure) = chores::account_for_disabled_run()
                && !failure.is_lock_not_available()
            {
                report(Work::Preparing, &failure);
            }
        }
        self.purge.run_if_due();
        self.adopted.run_if_due();
        self.time_to_next()
    }

    fn record_failed_calls(&mut self) {
        let recorded = chores::record_failed_calls();
        let recorded = recorded.and_then(|asked| Ok(asked.max(stops::record()?)));
        match recorded {
            Ok(None) => recovered(Work::RecordingCalls),
            Ok(Some(leave_alone)) => {
                recovered(Work::RecordingCalls);
                if let (Some(schedule), [_]) = (&mut self.schedule, self.exchanges.as_slice()) {
                    schedule.hold_until(Instant::now() + leave_alone);
                }
            }
            // Somebody has the table locked: the notes stay until it is free.
            Err(failure) if failure.is_lock_not_available() => {}
            Err(failure) => report(Work::RecordingCalls, &failure),
        }
    }

    fn run_cycle(&mut self, beat: Instant) {
        match run_scheduled() {
            Ok(None) => {}
            // What was left undelivered before a skipped run still is.
            Ok(Some(Ended::Ran(outcome))) if !outcome.success => {}
            Ok(Some(Ended::Ran(outcome))) => {
                recovered(Work::Running);
                match outcome.unusable.is_empty() {
                    true => recovered(Work::Reading),
                    false => report(
                        Work::Reading,
                        &Failure::new("22003", outcome.unusable.join("; ")),
                    ),
                }
                self.after_delivery(outcome.delivered);
                self.after_settling(outcome.settled);
            }
            Ok(Some(Ended::Failed {
                failure,
                leave_alone,
            })) => {
                report(Work::Running, &failure);
                if let (Some(delay), Some(schedule)) = (leave_alone, &mut self.schedule) {
                    schedule.postpone(beat + delay);
                }
            }
            // Not even the record could be written.
            Err(failure) => report(Work::Running, &failure),
        }
    }

    /// A lock that somebody holds for a moment is not reported; one that holds deliveries up again
    /// and again is.
    ///
    /// Subscribers who were passed over are logged; signal_health finds them in the tables.
    fn after_delivery(&mut self, delivered: Delivered) {
        let pause = match delivered.is_held_back() {
            true => RESUME_HELD_BACK_AFTER,
            false => RESUME_AFTER,
        };
        self.resume_at = delivered.incomplete.then(|| Instant::now() + pause);
        if let Some(refusal) = &delivered.refusal {
            warn(&format!(
                "signal_hub: gave up {} delivery(s), such as: {} (SQLSTATE {})",
                delivered.passed_over,
                refusal.line(),
                refusal.sqlstate
            ));
        }
        let waits_for = delivered.waits_for;
        self.held_up = waits_for.as_ref().map_or(0, |_| self.held_up + 1);
        let lasting = waits_for.filter(|_| self.held_up >= REPORT_WHEN_HELD_UP);
        match delivered.error.or(lasting) {
            Some(failure) => report(Work::Delivering, &failure),
            None if !delivered.incomplete => recovered(Work::Delivering),
            None => {}
        }
    }

    /// What could not be settled is tried again by itself. An exchange that says stop when it is
    /// asked for candles is not asked for tickers either.
    fn after_settling(&mut self, settled: Settled) {
        if let (Some(leave_alone), Some(schedule)) = (settled.leave_alone, &mut self.schedule) {
            schedule.hold_until(Instant::now() + leave_alone);
        }
        match settled.failure {
            Some(failure) => report(Work::Settling, &failure),
            None if !settled.in_trouble => recovered(Work::Settling),
            None => {}
        }
    }

    fn publish_next_run(&self) {
        let next_run = self
            .time_to_beat()
            .map_or(0, |wait| slots::now() + wait.as_micros() as slots::Micros);
        update_slot(|slot| slot.next_run = next_run);
    }

    /// Until the next thing to do, where there is something that this worker may do.
    fn time_to_next(&self) -> Duration {
        let resume = self
            .resume_at
            .map(|at| at.saturating_duration_since(Instant::now()));
        [self.time_to_beat(), resume]
            .into_iter()
            .flatten()
            .fold(HEARTBEAT, Duration::min)
    }

    /// Until the next run; `None` before it is known.
    fn time_to_beat(&self) -> Option<Duration> {
        let schedule = self.schedule.as_ref()?;
        Some(schedule.next().saturating_duration_since(Instant::now()))
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
        // A worker that was only started to check logs nothing.
        if retired && self.schedule.is_some() {
            log!("signal_hub: the extension was dropped, the worker leaves");
        }
        retired
    }
}

/// Empty when the setting cannot be used.
fn configured_exchanges() -> Vec<String> {
    let configured = settings::exchanges().unwrap_or_default().into_iter();
    let named = configured.map(|it| format!("{}={}", it.name(), it.endpoint.base_url));
    named.collect()
}

/// What a check of the database finds.
enum Found {
    /// DROP DATABASE or the like waits for this session to go.
    DatabaseIsWanted,
    NotInstalled,
    Installed(Installation),
}

fn find_extension() -> Result<Found, Failure> {
    Scope::Worker.atomically(c"signal_hub: looking for the extension", || {
        if wanted::database_is_wanted()? {
            return Ok(Found::DatabaseIsWanted);
        }
        Ok(Installation::find()?.map_or(Found::NotInstalled, Found::Installed))
    })
}

/// How long to wait for the first run; `None` while a dump is being restored. A run amid its rows
/// would judge by half a memory, and be in their way.
fn wait_before_first_run() -> Result<Option<Duration>, Failure> {
    let restorer = this_slot().restorer;
    if restorer.pid != 0 {
        let waits_for = chores::restores(restorer)?;
        update_slot(|slot| {
            slot.waits_for_restore_by = waits_for.unwrap_or(0);
            if waits_for.is_none() {
                slot.restorer = Restorer::default();
            }
        });
        if waits_for.is_some() {
            return Ok(None);
        }
    }
    chores::wait_before_first_run().map(Some)
}
