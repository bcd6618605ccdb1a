//! What the worker does when it is time for a run, and what it is to do besides.

use super::{Outcome, Progress, as_owner, fetch_timed, record};
use crate::delivery::{self, Delivered, Role};
use crate::failed_calls;
use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::ledger::{self, Run, Status, Trigger};
use crate::market::{MarketError, backoff};
use crate::process::{self, unix_millis};
use crate::retention::{self, Walk};
use crate::settings;
use crate::transaction::{self, Scope};
use std::time::Duration;

/// What a beat of the worker came to.
pub enum Beat {
    Ran(Outcome),
    /// The failure is on record; the exchange, if it was its fault, is to be left alone for
    /// `leave_alone`, counted from the start of the beat.
    Failed {
        failure: Failure,
        leave_alone: Option<Duration>,
    },
}

/// Runs a cycle of the worker and puts it on record, whatever comes of it. `None` while signals
/// are paused.
pub fn run_beat() -> Result<Option<Beat>, Failure> {
    let scope = Scope::Worker;
    let mut progress = Progress::begin();
    let planned = as_owner(scope, c"signal_hub: planning a run", |db| {
        Ok((ledger::plan(db)?, db.try_lock_cycle()))
    });
    let (plan, locked) = match planned {
        Ok(planned) => planned,
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    if plan.paused.is_some() {
        return Ok(None);
    }
    if !locked {
        return stopped(&progress, Failure::another_cycle()).map(Some);
    }
    heartbeat::beat(Stage::Fetching);
    process::report_activity(Some(c"signal_hub: fetching tickers"));
    let fetched = match fetch_timed(scope, &plan, &mut progress) {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(error)) => {
            let failures = plan.standing.consecutive_failures + 1;
            let delay =
                backoff::delay(&error, failures, settings::interval(), plan.standing.jitter);
            // What the exchange asks for counts from its reply, the rest from the beat.
            let answered_after = match error {
                MarketError::LeftAlone { .. } => progress.began.elapsed(),
                _ => Duration::ZERO,
            };
            return fail(&progress, error.into(), Some(answered_after + delay)).map(Some);
        }
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    heartbeat::beat(Stage::Recording);
    let recorded = match record(scope, Trigger::Worker, &plan, fetched, &mut progress) {
        Ok(Some(recorded)) => recorded,
        Ok(None) => return Ok(None),
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    let delivered = if plan.undelivered || recorded.signals_generated > 0 {
        delivery::deliver_all(Role::Worker)
    } else {
        Delivered::default()
    };
    Ok(Some(Beat::Ran(recorded.into_outcome(delivered))))
}

/// Puts a beat on record that something other than the exchange stopped: as skipped when somebody
/// else has a lock that it needs, else as failed.
fn stopped(progress: &Progress, failure: Failure) -> Result<Beat, Failure> {
    if !failure.is_lock_not_available() {
        return fail(progress, failure, None);
    }
    let mut outcome = Outcome::not_run(failure.message);
    let run = Run {
        message: Some(outcome.message.clone()),
        ..progress.run()
    };
    outcome.run_id = Some(as_owner(
        Scope::Worker,
        c"signal_hub: recording a skipped run",
        |db| ledger::record_run(db, Trigger::Worker, &run, &Status::Skipped),
    )?);
    Ok(Beat::Ran(outcome))
}

/// Puts a failed beat on record.
fn fail(
    progress: &Progress,
    failure: Failure,
    leave_alone: Option<Duration>,
) -> Result<Beat, Failure> {
    let run = Run {
        retry_at: leave_alone
            .map(|delay| progress.started_at.saturating_add(delay.as_millis() as i64)),
        ..progress.run()
    };
    as_owner(Scope::Worker, c"signal_hub: recording a failed run", |db| {
        ledger::record_run(db, Trigger::Worker, &run, &Status::Failed(&failure))
    })?;
    Ok(Beat::Failed {
        failure,
        leave_alone,
    })
}

/// What the first beat of a worker is to wait for: the end of the interval in which its
/// predecessor ran, and the time the exchange asked for.
pub fn wait_before_first_beat() -> Result<Duration, Failure> {
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
    let told = standing.retry_at.map_or(0, |until| until - now);
    Ok(rest.max(Duration::from_millis(told.max(0) as u64)))
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
    let notes = failed_calls::of(heartbeat::this_database());
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
    failed_calls::remove(&notes);
    let until = notes.iter().filter_map(|note| note.retry_at).max();
    Ok(until.map(|until| Duration::from_millis((until - unix_millis()).max(0) as u64)))
}

/// Removes a batch of the history that outlived its retention; true when there may be more.
pub fn purge_runs() -> Result<bool, Failure> {
    purging(retention::purge_runs)
}

/// The same of signals and what was delivered of them.
pub fn purge_signals(walk: &mut Walk) -> Result<bool, Failure> {
    purging(|db| retention::purge_signals(db, walk))
}

fn purging(purge: impl FnOnce(&Installation) -> Result<bool, Failure>) -> Result<bool, Failure> {
    let scope = Scope::Worker;
    scope.atomically(c"signal_hub: purging", || {
        let more = Installation::current()?.as_owner(scope, purge)?;
        // What a crash brings back is removed again.
        transaction::commit_without_waiting();
        Ok(more)
    })
}
