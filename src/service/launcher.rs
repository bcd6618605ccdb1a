//! The launcher: one process per server that keeps one worker running in every database that has
//! the extension.
//!
//! It is connected to no database, so it cannot see which ones have the extension. It starts a
//! worker once in each database it has not met; a worker that finds no extension says so on the
//! board and leaves, and that database is not tried again until CREATE EXTENSION asks for a
//! worker there, or some minutes have passed: CREATE DATABASE ... TEMPLATE and COMMIT PREPARED
//! bring the extension in silently.

use crate::board::slots::{self, Micros, Phase, Restorer, SLOTS, Slot};
use crate::postgres::transaction::idle;
use crate::postgres::{Failure, Scope, process, server_starts, wanted};
use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::prelude::*;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Time between two rounds when nothing wakes the launcher.
const ROUND: Duration = Duration::from_secs(5);
/// How long a database without the extension is left in peace.
const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);
/// A worker that has not reported by then was not started.
const START_TIMEOUT_US: Micros = 15_000_000;
/// A worker that takes longer to connect to its database may have somebody in its way.
const CONNECTS_LATE_US: Micros = 1_000_000;
/// Most workers that are being started at a time, so that probing many databases does not
/// use up max_worker_processes.
const STARTS_AT_ONCE: usize = 2;
/// Time for DROP DATABASE to get hold of a database whose worker made way.
const PARKED_US: Micros = 1_000_000;
const SHORTEST_PAUSE_US: Micros = 100_000;
const LONGEST_PAUSE_US: Micros = 5_000_000;
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
    slots::enter_launcher();
    // Also when no client asks while this start lasts.
    server_starts::starts();
    let mut without_extension = HashSet::new();
    let mut forget_at = Instant::now() + FORGET_AFTER;
    let mut starts = Starts::default();
    loop {
        process::reload_settings_if_asked();
        if Instant::now() >= forget_at {
            without_extension.clear();
            forget_at += FORGET_AFTER;
        }
        match connectable_databases() {
            Ok(databases) => manage_workers(&databases, &mut without_extension, &mut starts),
            Err(failure) => warning!(
                "signal_hub launcher could not read pg_database: {}",
                failure.line()
            ),
        }
        idle(time_to_next_round(&starts));
    }
}

/// How starting goes. Each warning is logged once, until its cause has gone.
#[derive(Default)]
struct Starts {
    warned_of_slots: bool,
    warned_of_processes: bool,
    /// While no process can be had: time between two tries, and the next one.
    pause: Micros,
    not_before: Micros,
}

/// One round: forgets databases that are gone, requests workers for new ones, starts what is due.
fn manage_workers(
    databases: &HashSet<u32>,
    without_extension: &mut HashSet<u32>,
    starts: &mut Starts,
) {
    without_extension.retain(|database| databases.contains(database));
    for slot in slots::in_use() {
        let gone = !databases.contains(&slot.database);
        match slot.phase {
            Phase::NotInstalled => {
                without_extension.insert(slot.database);
                slots::release(slot.database, Phase::NotInstalled);
            }
            phase @ (Phase::Dead | Phase::Wanted | Phase::Parked) if gone => {
                slots::release(slot.database, phase);
            }
            Phase::Wanted => {
                without_extension.remove(&slot.database);
            }
            _ => {}
        }
    }
    let slots = slots::in_use();
    let known: HashSet<u32> = slots.iter().map(|slot| slot.database).collect();
    // A few at a time: most databases give their slot back at once.
    let busy = |slot: &&Slot| matches!(slot.phase, Phase::Wanted | Phase::Starting);
    let room = STARTS_AT_ONCE.saturating_sub(slots.iter().filter(busy).count());
    let out_of_slots = databases
        .iter()
        .filter(|database| !known.contains(database) && !without_extension.contains(database))
        .take(room)
        .any(|database| !slots::request_worker(*database, Restorer::default()));
    if out_of_slots && !starts.warned_of_slots {
        warning!("signal_hub runs in {SLOTS} databases already and starts no more workers");
    }
    starts.warned_of_slots = out_of_slots;

    let now = slots::now();
    let slots = slots::in_use();
    let mut starting = slots
        .iter()
        .filter(|slot| slot.phase == Phase::Starting)
        .count();
    for slot in slots {
        match slot.phase {
            Phase::Starting if now - slot.phase_since > START_TIMEOUT_US => {
                slots::update(slot.database, |slot| declare_dead(slot, now));
            }
            Phase::Running if is_connecting(&slot) && now - slot.phase_since > CONNECTS_LATE_US => {
                if let Err(failure) = wanted::send_away_from(slot.database) {
                    warning!(
                        "signal_hub launcher could not see who keeps a worker from starting: {}",
                        failure.line()
                    );
                }
            }
            Phase::Dead if slot.retry_at < slot.phase_since => {
                slots::update(slot.database, |slot| {
                    slot.retry_at = now + restart_delay(slot.early_deaths)
                });
            }
            _ if starting < STARTS_AT_ONCE && due(&slot, starts).is_some_and(|due| now >= due) => {
                start(&slot, now, starts);
                starting += 1;
            }
            _ => {}
        }
    }
}

/// When a worker is to be started in the slot; `None` when one is there, or no longer needed.
fn due(slot: &Slot, starts: &Starts) -> Option<Micros> {
    let due = match slot.phase {
        Phase::Wanted => slot.phase_since,
        Phase::Dead => slot.retry_at,
        Phase::Parked => slot.phase_since + PARKED_US,
        _ => return None,
    };
    Some(due.max(starts.not_before))
}

/// Whether its worker has begun and not beaten yet.
fn is_connecting(slot: &Slot) -> bool {
    slot.phase == Phase::Running && slot.last_heartbeat == slot.phase_since
}

fn declare_dead(slot: &mut Slot, now: Micros) {
    if slot.phase == Phase::Starting {
        slot.phase = Phase::Dead;
        slot.phase_since = now;
        slot.early_deaths = slot.early_deaths.saturating_add(1);
    }
}

/// Hands a worker for the slot's database to the postmaster.
fn start(slot: &Slot, now: Micros, starts: &mut Starts) {
    let after_death = slot.phase == Phase::Dead;
    // Before registering: the worker may be up before the call returns.
    slots::update(slot.database, |slot| {
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
    if registered {
        starts.pause = 0;
        starts.not_before = 0;
        if starts.warned_of_processes {
            slots::set_out_of_processes(false);
        }
        starts.warned_of_processes = false;
        return;
    }
    slots::update(slot.database, |now_starting| {
        now_starting.phase = slot.phase;
        now_starting.phase_since = slot.phase_since;
        now_starting.restarts = slot.restarts;
    });
    // The postmaster takes a moment to give the place of a worker that ended to the next; a
    // lasting shortage is logged.
    starts.pause = (starts.pause * 2).clamp(SHORTEST_PAUSE_US, LONGEST_PAUSE_US);
    starts.not_before = now + starts.pause;
    if starts.pause == LONGEST_PAUSE_US && !starts.warned_of_processes {
        warning!(
            "signal_hub could not start a worker: no background worker slot is free; increase max_worker_processes"
        );
        starts.warned_of_processes = true;
        slots::set_out_of_processes(true);
    }
}

/// 1 s after the first death, doubling while the worker keeps dying before it has got anything
/// done, up to a minute.
fn restart_delay(early_deaths: u32) -> Micros {
    let doublings = early_deaths.saturating_sub(1).min(10);
    (FIRST_RESTART_DELAY_US << doublings).min(LONGEST_RESTART_DELAY_US)
}

/// Until the next restart is due, or the next round.
fn time_to_next_round(starts: &Starts) -> Duration {
    let now = slots::now();
    let slots = slots::in_use();
    let starting = slots
        .iter()
        .filter(|slot| slot.phase == Phase::Starting)
        .count();
    // A worker that gets under way, or leaves, wakes the launcher.
    let next = match starting < STARTS_AT_ONCE {
        true => slots.iter().filter_map(|slot| due(slot, starts)).min(),
        false => None,
    };
    let connecting = slots.iter().any(is_connecting);
    let late = connecting.then_some(now + CONNECTS_LATE_US);
    [next, late]
        .into_iter()
        .flatten()
        .min()
        .map_or(ROUND, |due| {
            Duration::from_micros((due - now).max(10_000) as u64).min(ROUND)
        })
}

/// Databases a worker can connect to. Templates are left alone: a worker there would be in the
/// way of CREATE DATABASE.
fn connectable_databases() -> Result<HashSet<u32>, Failure> {
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
