//! The launcher: one process per server that keeps one worker running in every
//! database that has the extension.
//!
//! It is connected to no database, so it cannot see which ones have the
//! extension. It starts a worker once in each database it has not met; a worker
//! that finds no extension says so on the board and leaves, and that database is
//! not tried again until CREATE EXTENSION asks for a worker there, or some
//! minutes have passed: CREATE DATABASE ... TEMPLATE and COMMIT PREPARED bring
//! the extension in silently.

use crate::heartbeat::{self, Micros, Phase, SLOTS, Slot};
use crate::process;
use crate::transaction::{Scope, idle};
use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How often pg_database is looked at when nothing wakes the launcher.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// How long a database without the extension is left in peace.
const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);
/// A worker that has not reported by then was not started.
const START_TIMEOUT_US: Micros = 15_000_000;
/// At most so many workers are being started at a time, so that probing many
/// databases does not use up max_worker_processes.
const STARTS_AT_ONCE: usize = 2;
/// Time for DROP DATABASE to get hold of a database whose worker made way.
const PARKED_US: Micros = 1_000_000;
const FIRST_RESTART_DELAY_US: Micros = 1_000_000;
const LONGEST_RESTART_DELAY_US: Micros = 60_000_000;

/// Registers the launcher with the postmaster; called while preloading.
pub fn register() {
    BackgroundWorkerBuilder::new("signal_hub launcher")
        .set_library("signal_hub")
        .set_function("signal_hub_launcher_main")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(1)))
        .load();
}

/// Entry point of the launcher process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn signal_hub_launcher_main(_arg: pg_sys::Datum) {
    process::take_up_signals();
    process::connect_to_no_database();
    heartbeat::enter_launcher();
    let mut without_extension = HashSet::new();
    let mut forget_at = Instant::now() + FORGET_AFTER;
    let mut warned = Warned::default();
    loop {
        process::reload_settings_if_asked();
        if Instant::now() >= forget_at {
            without_extension.clear();
            forget_at += FORGET_AFTER;
        }
        match databases() {
            Ok(databases) => look_after(&databases, &mut without_extension, &mut warned),
            Err(failure) => warning!(
                "signal_hub launcher could not read pg_database: {}",
                failure.line()
            ),
        }
        idle(next_look());
    }
}

/// Warnings are said once, until the trouble is over.
#[derive(Default)]
struct Warned {
    no_slot: bool,
    no_process: bool,
}

/// One round: forget what is gone, meet what is new, start what is due.
fn look_after(databases: &HashSet<u32>, without_extension: &mut HashSet<u32>, warned: &mut Warned) {
    without_extension.retain(|database| databases.contains(database));
    for slot in heartbeat::slots() {
        let gone = !databases.contains(&slot.database);
        match slot.phase {
            Phase::NotInstalled => {
                without_extension.insert(slot.database);
                heartbeat::release(slot.database, Phase::NotInstalled);
            }
            phase @ (Phase::Dead | Phase::Wanted | Phase::Parked) if gone => {
                heartbeat::release(slot.database, phase);
            }
            Phase::Wanted => {
                without_extension.remove(&slot.database);
            }
            _ => {}
        }
    }
    let slots = heartbeat::slots();
    let known: HashSet<u32> = slots.iter().map(|slot| slot.database).collect();
    // A few at a time: most databases give their slot back at once.
    let busy = |slot: &&Slot| matches!(slot.phase, Phase::Wanted | Phase::Starting);
    let room = STARTS_AT_ONCE.saturating_sub(slots.iter().filter(busy).count());
    let out_of_slots = databases
        .iter()
        .filter(|database| !known.contains(database) && !without_extension.contains(database))
        .take(room)
        .any(|database| !heartbeat::want(*database, 0));
    if out_of_slots && !warned.no_slot {
        warning!("signal_hub runs in {SLOTS} databases already and starts no more workers");
    }
    warned.no_slot = out_of_slots;

    let now = heartbeat::now();
    let slots = heartbeat::slots();
    let mut starting = slots
        .iter()
        .filter(|slot| slot.phase == Phase::Starting)
        .count();
    for slot in slots {
        match slot.phase {
            Phase::Starting if now - slot.phase_since > START_TIMEOUT_US => {
                heartbeat::update(slot.database, |slot| declare_dead(slot, now));
            }
            Phase::Dead if slot.retry_at < slot.phase_since => {
                heartbeat::update(slot.database, |slot| {
                    slot.retry_at = now + restart_delay(slot.early_deaths)
                });
            }
            Phase::Dead if now >= slot.retry_at && starting < STARTS_AT_ONCE => {
                start(&slot, now, warned);
                starting += 1;
            }
            Phase::Wanted if starting < STARTS_AT_ONCE => {
                start(&slot, now, warned);
                starting += 1;
            }
            Phase::Parked if now - slot.phase_since >= PARKED_US && starting < STARTS_AT_ONCE => {
                start(&slot, now, warned);
                starting += 1;
            }
            _ => {}
        }
    }
}

fn declare_dead(slot: &mut Slot, now: Micros) {
    if slot.phase == Phase::Starting {
        slot.phase = Phase::Dead;
        slot.phase_since = now;
        slot.early_deaths = slot.early_deaths.saturating_add(1);
    }
}

/// Hands a worker for the slot's database to the postmaster.
fn start(slot: &Slot, now: Micros, warned: &mut Warned) {
    let after_death = slot.phase == Phase::Dead;
    // Before registering: the worker may be up before the call returns.
    heartbeat::update(slot.database, |slot| {
        slot.phase = Phase::Starting;
        slot.phase_since = now;
        slot.restarts += i64::from(after_death);
    });
    let registered = BackgroundWorkerBuilder::new("signal_hub worker")
        .set_library("signal_hub")
        .set_function("signal_hub_worker_main")
        .enable_spi_access()
        .set_restart_time(None)
        .set_argument(pg_sys::Oid::from(slot.database).into_datum())
        .load_dynamic()
        .is_ok();
    if !registered {
        heartbeat::update(slot.database, |slot| {
            slot.restarts -= i64::from(after_death);
            declare_dead(slot, now);
        });
        if !warned.no_process {
            warning!(
                "signal_hub could not start a worker: no background worker slot is free; increase max_worker_processes"
            );
        }
    }
    warned.no_process = !registered;
}

/// 1 s after the first death, doubling while the worker keeps dying before it
/// has ended a cycle, up to a minute.
fn restart_delay(early_deaths: u32) -> Micros {
    let doublings = early_deaths.saturating_sub(1).min(10);
    (FIRST_RESTART_DELAY_US << doublings).min(LONGEST_RESTART_DELAY_US)
}

/// Until the next restart is due, or the next look around.
fn next_look() -> Duration {
    let now = heartbeat::now();
    heartbeat::slots()
        .iter()
        .filter_map(|slot| match slot.phase {
            Phase::Dead => Some(slot.retry_at),
            Phase::Parked => Some(slot.phase_since + PARKED_US),
            _ => None,
        })
        .map(|due| Duration::from_micros((due - now).max(10_000) as u64))
        .chain([LOOK_AROUND])
        .min()
        .unwrap_or(LOOK_AROUND)
}

/// Databases a worker can connect to. Templates are left alone: a worker there
/// would be in the way of CREATE DATABASE.
fn databases() -> Result<HashSet<u32>, crate::failure::Failure> {
    Scope::Worker.atomically(c"signal_hub: reading pg_database", || {
        Ok(process::connectable_databases())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_only_while_the_worker_keeps_dying() {
        assert_eq!(restart_delay(0), 1_000_000);
        assert_eq!(restart_delay(1), 1_000_000);
        assert_eq!(restart_delay(2), 2_000_000);
        assert_eq!(restart_delay(7), 60_000_000);
        assert_eq!(restart_delay(u32::MAX), 60_000_000);
    }
}
