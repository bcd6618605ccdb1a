//! What the worker does besides running cycles, each a transaction of its own.

use crate::board::failed_calls;
use crate::board::slots::{self, Restorer};
use crate::ledger::retention::{self, PurgeProgress, Purged};
use crate::ledger::{self, Run, Status, Trigger, uptime};
use crate::postgres::other_role;
use crate::postgres::process::unix_millis;
use crate::postgres::statements::read_catalogs_with;
use crate::postgres::{Db, Failure, Scope, as_owner};
use crate::settings;
use pgrx::pg_sys;
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

/// The process that is still at restoring a dump into this database: the session that created the
/// extension, until it has done nothing for five minutes, as a psql that was left open; or another
/// one of pg_restore. Whoever is no superuser and not the same role as that
/// session only claims to be pg_restore.
pub fn restores(restorer: Restorer) -> Result<Option<i32>, Failure> {
    Scope::Worker.atomically(c"signal_hub: waiting for a restore", || {
        read_catalogs_with(
            "SELECT a.pid FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
              WHERE a.pid = $1
                AND NOT (a.state = 'idle' AND a.state_change < clock_timestamp() - interval '5 minutes')
                 OR a.datname = current_database() AND a.application_name = 'pg_restore'
                AND (a.usesysid = $2 OR r.rolsuper)
              ORDER BY a.pid <> $1 LIMIT 1",
            &[restorer.pid.into(), pg_sys::Oid::from(restorer.role).into()],
        )
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

/// Looks again at users whose adopted subscription ended by time. Nothing where none is adopted.
///
/// It is done with the rights that the triggers have which follow the application's table: those of
/// the owner of their function. The owner of our tables may be a role that may not read that table.
///
/// At most a batch of them, behind `after`; returns where the next begins, or nothing when nobody is
/// left.
pub fn renew_adopted_subscriptions(after: &str) -> Result<Option<String>, Failure> {
    Scope::Worker.atomically(c"signal_hub: adopted subscriptions", || {
        other_role::renew_adopted(after)
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
