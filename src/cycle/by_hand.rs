//! What a session calls: a run in its own transaction, and a preview of what one would do.

use super::fetch::{Fetched, Unanswered, fetch, fetch_timed};
use super::settle::{Settled, settle_due};
use super::stages::{Outcome, Recorded, RunTimes, judge, look_ahead, record};
use super::stops;
use crate::board::failed_calls;
use crate::board::slots;
use crate::delivery::{self, Role};
use crate::ledger::{self, Plan, Trigger};
use crate::postgres::process::unix_millis;
use crate::postgres::{Db, Failure, Scope, as_owner, catch, process, server_starts, transaction};
use crate::settings;
use market::{MarketError, UnixMillis, backoff};
use std::time::{Duration, Instant};
use strategy::Explanation;

/// How long a caller waits for another cycle of the database to end, before it is told that one
/// is running.
const CALLER_PATIENCE: Duration = Duration::from_secs(2);
const CALLER_RETRY: Duration = Duration::from_millis(20);

/// Runs a cycle in the caller's transaction.
///
/// # Errors
/// Whatever fails; the caller's transaction is then as it was.
pub fn run_by_hand() -> Result<Outcome, Failure> {
    let scope = Scope::Caller;
    process::refuse_if_read_only(c"generate_signals_now()");
    // Without a launcher, whoever delivers first records this start of the server.
    server_starts::starts();
    if transaction::has_one_snapshot() {
        return Err(Failure::one_snapshot());
    }
    let busy = || {
        Ok(Outcome::not_run(
            "another cycle is running in this database; nothing was done",
        ))
    };
    // By a trigger on our tables: each row that it wrote would begin another cycle.
    if transaction::is_called_by_our_own_work() {
        return busy();
    }
    let patience_ends = Instant::now() + CALLER_PATIENCE;
    while !as_owner(scope, c"", Db::try_lock_cycle)? {
        if Instant::now() >= patience_ends {
            return busy();
        }
        process::wait(CALLER_RETRY, None);
    }
    let mut times = RunTimes::begin();
    let mut plan = as_owner(scope, c"", ledger::plan)?;
    stops::heed(&mut plan);
    if let Some(paused) = plan.paused {
        return Ok(Outcome::not_run(format!("{paused}; nothing was done")));
    }
    refuse_if_asked_to_wait(&plan)?;
    look_ahead(scope, &mut plan)?;
    failed_calls::with_note_on_failure(times.started_at, || {
        let fetched = match fetch_timed(scope, &plan, &mut times) {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(unanswered)) => {
                let until = asked_to_wait_until(&plan, &unanswered);
                return Err((unanswered.failure(&plan), until));
            }
            Err(failure) => return Err((failure, None)),
        };
        fetched.tell(&mut plan);
        catch(|| finish_by_hand(scope, &plan, fetched, &mut times))
            .map_err(|failure| (failure, None))
    })
}

/// What a call does with the exchange's reply.
fn finish_by_hand(
    scope: Scope,
    plan: &Plan,
    fetched: Fetched,
    times: &mut RunTimes,
) -> Result<Outcome, Failure> {
    transaction::set_constraints_immediate();
    let Some(recorded) = record(scope, Trigger::Manual, plan, fetched, times)? else {
        return Ok(Outcome::not_run(
            "signals were paused meanwhile; nothing was done",
        ));
    };
    let mut delivered = delivery::deliver_all(Role::Caller);
    delivery::serve_late_joiners(Role::Caller, &mut delivered);
    match delivered.error {
        // Refused rows are on record, and what is held back goes out later; anything else is the
        // caller's to know.
        Some(failure) if delivered.incomplete && !delivered.is_held_back() => Err(failure),
        _ => {
            let settled = settle_without_worker(scope, plan, &recorded);
            if let Some(failure) = settled.failure.as_ref().filter(|f| f.is_canceled()) {
                return Err(failure.clone());
            }
            Ok(recorded.into_outcome(delivered, settled))
        }
    }
}

/// Settles what is due, unless a worker runs in this database, which does it by itself: a caller
/// then waits for signals alone.
fn settle_without_worker(scope: Scope, plan: &Plan, recorded: &Recorded) -> Settled {
    if slots::runs_worker(slots::this_database()) {
        return Settled::default();
    }
    let until = Instant::now() + settings::http_timeout();
    settle_due(scope, plan, recorded, until)
}

fn refuse_if_asked_to_wait(plan: &Plan) -> Result<(), Failure> {
    match plan.standing.retry_at {
        Some(until) if plan.standing.asked_to_wait => {
            let seconds = (until - unix_millis()).max(0) / 1000;
            let failure = match plan.exchanges.len() {
                1 => Failure::new("08004", "the exchange asked to be left alone")
                    .detail(format!(
                        "It is not asked again for {seconds} s; signal_runs.retry_at has the time."
                    ))
                    .hint("Wait, or set signal_hub.exchange_url to another host of the exchange."),
                _ => Failure::new("08004", "all exchanges asked to be left alone")
                    .detail(format!(
                        "None is asked again for {seconds} s; signal_exchanges.retry_at has the times."
                    ))
                    .hint("Wait, or add another exchange to signal_hub.exchanges."),
            };
            Err(failure)
        }
        _ => Ok(()),
    }
}

/// Until when the only exchange is to be left alone, from now, as it says stop.
fn asked_to_wait_until(plan: &Plan, unanswered: &Unanswered) -> Option<UnixMillis> {
    let error @ MarketError::LeftAlone { .. } = unanswered.of_the_only_one(plan)? else {
        return None;
    };
    let delay = backoff::delay(error, 1, Duration::ZERO, 0.5);
    Some(unix_millis().saturating_add(delay.as_millis() as i64))
}

/// Fetches what the plan asks for and judges it, writing nothing. Where several strategies are
/// enabled, what is said of a symbol begins with the name of the one that says it.
///
/// # Errors
/// Whatever fails.
pub fn preview() -> Result<Vec<Explanation>, Failure> {
    let scope = Scope::Caller;
    let mut plan = as_owner(scope, c"", ledger::plan)?;
    stops::heed(&mut plan);
    refuse_if_asked_to_wait(&plan)?;
    let fetched = fetch(scope, &plan)?.map_err(|unanswered| unanswered.failure(&plan))?;
    let judged = as_owner(scope, c"", |db| judge(db, &plan, &fetched))?;
    let mut explanations = Vec::new();
    for of_strategy in &judged {
        for verdict in &of_strategy.verdicts {
            let mut explanation = verdict.explain();
            if judged.len() > 1 {
                explanation.why = format!("{}: {}", of_strategy.strategy, explanation.why);
            }
            explanations.push(explanation);
        }
    }
    Ok(explanations)
}
