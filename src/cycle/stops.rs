//! Exchanges that say stop to a session: whatever becomes of its transaction, they are left alone.

use super::asking::Said;
use crate::board::stops;
use crate::ledger::exchanges::NewStanding;
use crate::ledger::{self, Plan};
use crate::postgres::process::unix_millis;
use crate::postgres::{Failure, Scope, as_owner};
use crate::settings::{self, Configured};
use market::{MarketError, backoff};
use std::time::Duration;

fn identity(exchange: &Configured) -> (&str, &str) {
    (exchange.name(), exchange.url())
}

/// Keeps what exchanges said to a session, where that was stop.
pub fn keep(scope: Scope, plan: &Plan, said: &[(usize, Said)]) {
    if scope == Scope::Worker {
        // What it is told, it puts on record itself.
        return;
    }
    for (place, said) in said {
        if let (Said::Failed(error @ MarketError::LeftAlone { .. }), Some(exchange)) =
            (said, plan.exchanges.get(*place))
        {
            let delay = backoff::delay(error, 1, Duration::ZERO, 0.5);
            let until = unix_millis().saturating_add(delay.as_millis() as i64);
            stops::leave(identity(exchange), until, &error.message());
        }
    }
}

/// Has a plan take what exchanges said to sessions for what is on record.
pub fn heed(plan: &mut Plan) {
    let now = unix_millis();
    let mut is_new = false;
    for (exchange, known) in plan.exchanges.iter().zip(&mut plan.on_record) {
        let Some(stop) = stops::of(identity(exchange), now) else {
            continue;
        };
        let until = stop.until(now);
        let standing = &mut known.standing;
        if !(standing.asked_to_wait && standing.retry_at >= Some(until)) {
            *standing = standing.after_stop(until);
            known.error = stop.error();
            is_new = true;
        }
        if plan.exchanges.len() == 1 && plan.standing.retry_at < Some(until) {
            plan.standing.retry_at = Some(until);
            plan.standing.asked_to_wait = true;
        }
    }
    if is_new && plan.exchanges.len() > 1 {
        plan.standing.stand_as(&plan.on_record);
    }
}

/// Puts on record what exchanges said to sessions of this database. Returns for how long the only
/// exchange is to be left alone from now on.
///
/// # Errors
/// Those of the database.
pub fn record() -> Result<Option<Duration>, Failure> {
    let now = unix_millis();
    // What is wrong with the setting is said elsewhere.
    let exchanges = settings::exchanges().unwrap_or_default();
    let standing = |exchange: &Configured| stops::of(identity(exchange), now);
    if let [only] = exchanges.as_slice() {
        let left = standing(only).map(|stop| stop.until(now).saturating_sub(now));
        return Ok(left.map(|left| Duration::from_millis(left.max(0) as u64)));
    }
    let is_new = |exchange| standing(exchange).is_some_and(|stop| !stop.is_on_record());
    if !exchanges.iter().any(is_new) {
        return Ok(None);
    }
    as_owner(Scope::Worker, c"signal_hub: recording exchanges", |db| {
        let on_record = ledger::exchanges::on_record(db, &exchanges)?;
        let known = exchanges.iter().zip(&on_record).enumerate();
        let new: Vec<NewStanding> = known
            .filter_map(|(place, (exchange, known))| {
                let stop = standing(exchange).filter(|stop| !stop.is_on_record())?;
                let (before, until) = (&known.standing, stop.until(now));
                let is_known = before.asked_to_wait && before.retry_at >= Some(until);
                (!is_known).then(|| NewStanding {
                    place,
                    standing: before.after_stop(until),
                    error: stop.error(),
                })
            })
            .collect();
        ledger::exchanges::enter(db, &exchanges, &new)
    })?;
    for exchange in exchanges.iter().filter(|exchange| is_new(exchange)) {
        stops::is_recorded(identity(exchange));
    }
    Ok(None)
}
