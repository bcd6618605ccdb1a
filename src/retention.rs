//! Removes what has outlived its retention, in batches small enough to go
//! between two beats.
//!
//! Expired rows of `user_signals` are found by walking its primary key: who is
//! the next user, and which of their rows have numbers up to the last expired
//! one. That takes no index of its own, which every delivery would pay for, and
//! touches neighbouring pages, since everybody's rows of one signal were written
//! in the order of users.

use crate::failure::Failure;
use crate::installation::Installation;
use crate::settings;
use pgrx::datum::Uuid;
use std::time::Duration;

/// Users looked at in one step. Someone with 30 signals a day has as many rows
/// to remove a day.
const USERS: i64 = 500;
/// Signals removed in one walk: the most rows that a user can lose in a step.
const SIGNALS: i64 = 100;
/// Rows of the history removed at most in one step.
const RUNS: i64 = 10_000;

/// How far a walk through all users is.
#[derive(Debug, Default)]
pub struct Walk {
    /// Rows of signals up to this number are removed; `None` between two walks.
    expired: Option<i64>,
    /// The last user looked at; `None` at the start.
    user_id: Option<Uuid>,
    /// Up to which number the last complete walk removed.
    done: i64,
}

/// Removes a batch of everything. Returns whether there is more to do.
pub fn purge(db: &Installation, walk: &mut Walk) -> Result<bool, Failure> {
    let more_runs = purge_runs(db, settings::run_retention())?;
    let more_signals = match settings::signal_retention() {
        Some(age) => purge_signals(db, age, walk)?,
        None => false,
    };
    Ok(more_runs || more_signals)
}

fn purge_runs(db: &Installation, age: Duration) -> Result<bool, Failure> {
    let removed = db.run(
        "DELETE FROM @extschema@.signal_runs WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM @extschema@.signal_runs WHERE started_at < clock_timestamp() - $1 * interval '1 second' LIMIT $2))",
        &[age.as_secs_f64().into(), RUNS.into()],
    )?;
    Ok(removed as i64 == RUNS)
}

fn purge_signals(db: &Installation, age: Duration, walk: &mut Walk) -> Result<bool, Failure> {
    let expired = match walk.expired {
        Some(expired) => expired,
        None => last_expired(db, age)?,
    };
    if expired <= walk.done {
        return Ok(false);
    }
    walk.expired = Some(expired);
    walk.user_id = purge_users(db, expired, walk.user_id)?;
    if walk.user_id.is_some() {
        return Ok(true);
    }
    // Nobody has a row of them any more.
    db.run(
        "DELETE FROM @extschema@.signals WHERE signal_id <= $1 AND delivered_at IS NOT NULL",
        &[expired.into()],
    )?;
    *walk = Walk {
        done: expired,
        ..Walk::default()
    };
    // There may be more of them than one walk removes.
    Ok(true)
}

/// The last of the signals that are all older than `age`, or of the first of them
/// when they are many. Those of the current UTC day stay: the day's quotas are
/// counted by them.
fn last_expired(db: &Installation, age: Duration) -> Result<i64, Failure> {
    let last = db.read(
        "WITH expired AS (
             SELECT coalesce((SELECT min(signal_id) - 1 FROM @extschema@.signals
                               WHERE created_at >= least(clock_timestamp() - $1 * interval '1 second',
                                                         date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')
                                  OR delivered_at IS NULL),
                             (SELECT max(signal_id) FROM @extschema@.signals), 0) AS signal_id)
         SELECT coalesce((SELECT s.signal_id FROM @extschema@.signals s WHERE s.signal_id <= e.signal_id
                           ORDER BY s.signal_id OFFSET $2 - 1 LIMIT 1), e.signal_id)
           FROM expired e",
        &[age.as_secs_f64().into(), SIGNALS.into()],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    Ok(last.into_iter().next().unwrap_or_default())
}

/// Removes the expired rows of some users behind `after`. Returns the last of
/// them; `None` when there is nobody left.
fn purge_users(
    db: &Installation,
    expired: i64,
    after: Option<Uuid>,
) -> Result<Option<Uuid>, Failure> {
    let last = db.walking(|db| {
        db.write(
            "WITH RECURSIVE users AS (
                 SELECT (SELECT e.user_id FROM @extschema@.user_signals e
                          WHERE e.user_id >= $1 AND (e.user_id > $1 OR NOT $2) ORDER BY e.user_id LIMIT 1) AS user_id, 1 AS number
                  UNION ALL
                 SELECT (SELECT e.user_id FROM @extschema@.user_signals e
                          WHERE e.user_id > u.user_id ORDER BY e.user_id LIMIT 1), u.number + 1
                   FROM users u WHERE u.user_id IS NOT NULL AND u.number < $3
             ), removed AS (
                 DELETE FROM @extschema@.user_signals e USING users u WHERE e.user_id = u.user_id AND e.signal_id <= $4
             )
             SELECT user_id FROM users WHERE number = $3",
            &[
                after.unwrap_or(Uuid::from_bytes([0; 16])).into(),
                after.is_some().into(),
                USERS.into(),
                expired.into(),
            ],
            |row| Ok(row.get(1)?),
        )
    })?;
    Ok(last.into_iter().next().flatten())
}
