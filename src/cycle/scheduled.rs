//! A run that the worker starts because it is due.

use super::settle::settle_due;
use super::stages::{Outcome, RunTimes, fetch_timed, look_ahead, record};
use crate::board::slots::{self, Stage};
use crate::delivery::{self, Delivered, Role};
use crate::ledger::{self, Run, Status, Trigger, uptime};
use crate::postgres::{Failure, Scope, as_owner, process};
use crate::settings;
use market::{MarketError, backoff};
use std::time::Duration;

/// How a scheduled run ended.
pub enum Ended {
    Ran(Box<Outcome>),
    /// The failure is on record; the exchange, if it was its fault, is to be left alone for
    /// `leave_alone`, counted from the start of the run.
    Failed {
        failure: Failure,
        leave_alone: Option<Duration>,
    },
}

/// Runs a cycle of the worker and puts it on record, whatever comes of it. `None` while signals
/// are paused.
pub fn run_scheduled() -> Result<Option<Ended>, Failure> {
    let scope = Scope::Worker;
    let mut times = RunTimes::begin();
    let planned = as_owner(scope, c"signal_hub: planning a run", |db| {
        let plan = ledger::plan(db)?;
        if plan.paused.is_some() {
            uptime::account(db, uptime::Event::Paused, times.started_at)?;
        }
        Ok((plan, db.try_lock_cycle()?))
    });
    let (mut plan, locked) = match planned {
        Ok(planned) => planned,
        Err(failure) => return record_stopped(&times, failure).map(Some),
    };
    if plan.paused.is_some() {
        return Ok(None);
    }
    if !locked {
        return record_stopped(&times, Failure::another_cycle()).map(Some);
    }
    if let Err(failure) = look_ahead(scope, &mut plan) {
        return record_stopped(&times, failure).map(Some);
    }
    slots::record_heartbeat(Stage::Fetching);
    process::report_activity(Some(c"signal_hub: fetching tickers"));
    let fetched = match fetch_timed(scope, &plan, &mut times) {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(error)) => {
            let failures = plan.standing.consecutive_failures + 1;
            let delay =
                backoff::delay(&error, failures, settings::interval(), plan.standing.jitter);
            // What the exchange asks for counts from its reply, the rest from the start.
            let answered_after = match error {
                MarketError::LeftAlone { .. } => times.began.elapsed(),
                _ => Duration::ZERO,
            };
            return record_failed(&times, error.into(), Some(answered_after + delay)).map(Some);
        }
        Err(failure) => return record_stopped(&times, failure).map(Some),
    };
    slots::record_heartbeat(Stage::Recording);
    let recorded = match record(scope, Trigger::Worker, &plan, fetched, &mut times) {
        Ok(Some(recorded)) => recorded,
        Ok(None) => return Ok(None),
        Err(failure) => return record_stopped(&times, failure).map(Some),
    };
    let mut delivered = if plan.undelivered || recorded.signals_generated > 0 {
        delivery::deliver_all(Role::Worker)
    } else {
        Delivered::default()
    };
    delivery::serve_late_joiners(Role::Worker, &mut delivered);
    // Half of the time until the next run is for deliveries and this; what is not settled by then
    // comes after the next run.
    let until = times.began + settings::interval() / 2;
    let settled = settle_due(scope, &plan, &recorded, until);
    let outcome = recorded.into_outcome(delivered, settled);
    Ok(Some(Ended::Ran(Box::new(outcome))))
}

/// Records a run that something other than the exchange stopped: as skipped when somebody else has
/// a lock that it needs, else as failed.
fn record_stopped(times: &RunTimes, failure: Failure) -> Result<Ended, Failure> {
    if !failure.is_lock_not_available() {
        return record_failed(times, failure, None);
    }
    let mut outcome = Outcome::not_run(failure.message);
    let run = Run {
        message: Some(outcome.message.clone()),
        ..times.run()
    };
    outcome.run_id = Some(as_owner(
        Scope::Worker,
        c"signal_hub: recording a skipped run",
        |db| ledger::record_run(db, Trigger::Worker, &run, &Status::Skipped),
    )?);
    Ok(Ended::Ran(Box::new(outcome)))
}

/// Records a failed run.
fn record_failed(
    times: &RunTimes,
    failure: Failure,
    leave_alone: Option<Duration>,
) -> Result<Ended, Failure> {
    let run = Run {
        retry_at: leave_alone
            .map(|delay| times.started_at.saturating_add(delay.as_millis() as i64)),
        ..times.run()
    };
    as_owner(Scope::Worker, c"signal_hub: recording a failed run", |db| {
        ledger::record_run(db, Trigger::Worker, &run, &Status::Failed(&failure))
    })?;
    Ok(Ended::Failed {
        failure,
        leave_alone,
    })
}
