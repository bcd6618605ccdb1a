//! A run that the worker starts because it is due.

use super::aside;
use super::fetch::{Unanswered, fetch_timed};
use super::settle::settle_due;
use super::stages::{Outcome, RunTimes, look_ahead, record};
use super::stops;
use crate::board::slots::{self, Stage};
use crate::delivery::{self, Delivered, Role};
use crate::ledger::{self, Plan, Run, Status, Trigger, uptime};
use crate::postgres::{Db, Failure, Scope, as_owner, process};
use crate::settings;
use market::choice::{Standing, next_at};
use market::{MarketError, backoff};
use std::time::{Duration, Instant};

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
    stops::heed(&mut plan);
    slots::record_heartbeat(Stage::Fetching);
    process::report_activity(Some(c"signal_hub: fetching tickers"));
    let fetched = match fetch_timed(scope, &plan, &mut times) {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(unanswered)) => return record_unanswered(&times, &plan, &unanswered).map(Some),
        Err(failure) => return record_stopped(&times, failure).map(Some),
    };
    fetched.tell(&mut plan);
    let aside = aside::due(&plan, &fetched);
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
    let mut settled = settle_due(scope, &plan, &recorded, until);
    if !aside.is_empty() && settled.leave_alone.is_none() {
        // A run that took long leaves them a little time all the same.
        let until = until.max(Instant::now() + settings::interval() / 4);
        match aside.ask(&plan, recorded.run_id, until) {
            Ok(leave_alone) => settled.leave_alone = settled.leave_alone.max(leave_alone),
            Err(failure) if failure.is_lock_not_available() => {}
            // The run is good all the same.
            Err(failure) => settled.failure = settled.failure.or(Some(failure)),
        }
    }
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

/// Records a run that no exchange has answered, and how these stand.
fn record_unanswered(
    times: &RunTimes,
    plan: &Plan,
    unanswered: &Unanswered,
) -> Result<Ended, Failure> {
    let leave_alone = match unanswered.of_the_only_one(plan) {
        Some(error) => leave_the_only_one_alone(times, plan, error),
        None => leave_all_alone(times, plan, unanswered),
    };
    let failure = unanswered.failure(plan);
    record_failed_with(times, failure, Some(leave_alone), |db| {
        ledger::exchanges::enter(db, &plan.exchanges, &unanswered.standings)
    })
}

/// For how long, from the start of the run. What the exchange asks for counts from its reply, the
/// rest from the start.
fn leave_the_only_one_alone(times: &RunTimes, plan: &Plan, error: &MarketError) -> Duration {
    let failures = plan.standing.consecutive_failures + 1;
    let delay = backoff::delay(error, failures, settings::interval(), plan.standing.jitter);
    match error {
        MarketError::LeftAlone { .. } => times.began.elapsed() + delay,
        _ => delay,
    }
}

/// Until the first of several exchanges may be asked again, from the start of the run.
fn leave_all_alone(times: &RunTimes, plan: &Plan, unanswered: &Unanswered) -> Duration {
    let known = plan.on_record.iter().map(|known| known.standing.clone());
    let mut standings: Vec<Standing> = known.collect();
    for new in &unanswered.standings {
        if let Some(standing) = standings.get_mut(new.place) {
            *standing = new.standing.clone();
        }
    }
    let wait = next_at(&standings).map_or(0, |at| at.saturating_sub(times.started_at));
    Duration::from_millis(wait.try_into().unwrap_or(0)).max(settings::interval())
}

/// Records a failed run.
fn record_failed(
    times: &RunTimes,
    failure: Failure,
    leave_alone: Option<Duration>,
) -> Result<Ended, Failure> {
    record_failed_with(times, failure, leave_alone, |_| Ok(()))
}

/// The same, with something else in its transaction.
fn record_failed_with(
    times: &RunTimes,
    failure: Failure,
    leave_alone: Option<Duration>,
    with: impl Fn(&Db) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let run = Run {
        retry_at: leave_alone
            .map(|delay| times.started_at.saturating_add(delay.as_millis() as i64)),
        ..times.run()
    };
    as_owner(Scope::Worker, c"signal_hub: recording a failed run", |db| {
        ledger::record_run(db, Trigger::Worker, &run, &Status::Failed(&failure))?;
        with(db)
    })?;
    Ok(Ended::Failed {
        failure,
        leave_alone,
    })
}
