//! What the worker does besides running cycles, each a transaction of its own.

use crate::board::{failed_calls, slots};
use crate::ledger::retention::{self, PurgeProgress, Purged};
use crate::ledger::{self, Run, Status, Trigger, uptime};
use crate::postgres::process::unix_millis;
use crate::postgres::{Db, Failure, Scope, as_owner};
use crate::settings;
use std::time::Duration;

/// How long a worker waits before its first run: to the end of the interval in which its
/// predecessor ran, and for the time the exchange asked for.
pub fn wait_before_first_run() -> Result<Duration, Failure> {
    let (last_run, standing) =
        as_owner(Scope::Worker, c"signal_hub: reading the last runs", |db| {
            Ok((ledger::last_worker_run(db)?, ledger::standing(db)?))
        })?;
    let now = unix_millis();
    let interval = settings::interval();
    let rest = last_run.map_or(0, |last| last + interval.as_millis() as i64 - now);
    // A last run in the future means that the clock was set back: one interval is the most to
    // wait for then.
    let rest = Duration::from_millis(rest.max(0) as u64).min(interval);
    let asked = standing.retry_at.map_or(0, |until| until - now);
    Ok(rest.max(Duration::from_millis(asked.max(0) as u64)))
}

/// Whether the session that created the extension, or pg_restore, is still at restoring a dump
/// into this database.
pub fn restore_is_running(restorer_pid: i32) -> Result<bool, Failure> {
    as_owner(Scope::Worker, c"signal_hub: waiting for a restore", |db| {
        ledger::restore_is_running(db, restorer_pid)
    })
}

/// Puts the failed calls of this database on record. Returns for how long the exchange asked one
/// of them to be left alone.
pub fn record_failed_calls() -> Result<Option<Duration>, Failure> {
    let notes = failed_calls::notes_of(slots::this_database());
    if notes.is_empty() {
        return Ok(None);
    }
    as_owner(Scope::Worker, c"signal_hub: recording failed calls", |db| {
        for note in &notes {
            let run = Run {
                started_at: note.started_at,
                finished_at: Some(note.finished_at),
                retry_at: note.retry_at,
                ..Run::default()
            };
            let failure = note.failure();
            ledger::record_run(db, Trigger::Manual, &run, &Status::Failed(&failure))?;
        }
        Ok(())
    })?;
    // Only now: what could not be recorded is tried again.
    failed_calls::remove_notes(&notes);
    let until = notes.iter().filter_map(|note| note.retry_at).max();
    Ok(until.map(|until| Duration::from_millis((until - unix_millis()).max(0) as u64)))
}

/// Notes for `signal_uptime` that runs are switched off.
pub fn account_for_disabled_run() -> Result<(), Failure> {
    as_owner(Scope::Worker, c"signal_hub: accounting for runs", |db| {
        uptime::account(db, uptime::Event::Disabled, unix_millis())
    })
}

/// Removes a batch of the history that outlived its retention; true when there may be more.
pub fn purge_runs(purged: &mut Purged) -> Result<bool, Failure> {
    purge(purged, retention::purge_runs)
}

/// The same of signals and what was delivered of them.
pub fn purge_signals(progress: &mut PurgeProgress, purged: &mut Purged) -> Result<bool, Failure> {
    purge(purged, |db, purged| {
        retention::purge_signals(db, progress, purged)
    })
}

/// Purges a batch, and adds what it removed to `purged` when that is committed.
fn purge(
    purged: &mut Purged,
    batch: impl FnOnce(&Db, &mut Purged) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let mut with_batch = *purged;
    let more = as_owner(Scope::Worker, c"signal_hub: purging", |db| {
        let more = batch(db, &mut with_batch)?;
        // What a crash brings back is removed again.
        db.commit_without_waiting_for_disk();
        Ok(more)
    })?;
    *purged = with_batch;
    Ok(more)
}
