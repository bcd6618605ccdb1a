//! Removes what has outlived its retention, in batches small enough to go
//! between two beats.
//!
//! Expired rows of `user_signals` are found by walking its primary key: who is
//! the next user, and which of their rows have the numbers of expired signals.
//! That takes no index of its own, which every delivery would pay for, and
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

/// How far a walk through all users is; nothing between two walks.
#[derive(Debug, Default)]
pub struct Walk(Option<UnderWay>);

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    /// The retention by which it was begun.
    age: Duration,
    /// Rows of these signals are removed.
    expired: Expired,
    /// The last user looked at.
    user_id: Uuid,
}

/// A stretch of signals that have all expired, by their numbers, both included.
#[derive(Debug, Clone, Copy)]
struct Expired {
    first: i64,
    last: i64,
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

/// What later runs and signal_health go by stays at any age: the last run, the last
/// good one, and those whose exchange is still to be left alone.
fn purge_runs(db: &Installation, age: Duration) -> Result<bool, Failure> {
    let removed = db.run(
        "DELETE FROM @extschema@.signal_runs WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM @extschema@.signal_runs
              WHERE started_at < clock_timestamp() - $1 * interval '1 second'
                AND (retry_at > clock_timestamp()) IS NOT TRUE
                AND run_id <> (SELECT max(run_id) FROM @extschema@.signal_runs)
                AND run_id IS DISTINCT FROM (SELECT run_id FROM @extschema@.signal_runs WHERE status = 'ok' ORDER BY run_id DESC LIMIT 1)
              LIMIT $2))",
        &[age.as_secs_f64().into(), RUNS.into()],
    )?;
    Ok(removed as i64 == RUNS)
}

fn purge_signals(db: &Installation, age: Duration, walk: &mut Walk) -> Result<bool, Failure> {
    // What was begun by another retention may remove what is now to be kept.
    let under_way = walk.0.filter(|walk| walk.age == age);
    let (expired, after) = match under_way {
        Some(walk) => (walk.expired, Some(walk.user_id)),
        None => match first_expired(db, age)? {
            Some(expired) => (expired, None),
            None => return Ok(false),
        },
    };
    let reached = purge_users(db, expired, after)?;
    walk.0 = reached.map(|user_id| UnderWay {
        age,
        expired,
        user_id,
    });
    if walk.0.is_some() {
        return Ok(true);
    }
    // Nobody has a row of them any more.
    let removed = db.run(
        "DELETE FROM @extschema@.signals WHERE signal_id BETWEEN $1 AND $2",
        &[expired.first.into(), expired.last.into()],
    )?;
    // There may be more of them than one walk removes; but not when a trigger
    // keeps these.
    Ok(removed > 0)
}

/// The first stretch of signals older than `age`, or the beginning of it when they
/// are many. Where the clock was wrong for a while, what was recorded meanwhile has
/// its own age, and parts the signals before it from those behind it.
///
/// Age is told by the last time at which the exchange bore this server's clock out
/// (`last_seen_at` is true to the hour), lest a clock that jumps ahead delete all.
///
/// Those of the current UTC day stay, and those of the day of the oldest signal
/// that is not delivered: the day's quotas are counted by them.
fn first_expired(db: &Installation, age: Duration) -> Result<Option<Expired>, Failure> {
    let found = db.read(
        "WITH clock AS MATERIALIZED (
             SELECT least(clock_timestamp(), (SELECT max(last_seen_at) + interval '1 hour' FROM @extschema@.signal_symbols)) AS now
         ), kept AS MATERIALIZED (
             SELECT least(c.now - $1 * interval '1 second',
                          date_trunc('day', least(c.now, (SELECT min(created_at) FROM @extschema@.signals WHERE delivered_at IS NULL))
                                            AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS since
               FROM clock c
         ), oldest AS MATERIALIZED (
             SELECT min(signal_id) AS signal_id FROM @extschema@.signals WHERE created_at < (SELECT since FROM kept)
         )
         -- From behind the signal that is kept before it: there may be rows of signals that are no more.
         SELECT coalesce((SELECT max(s.signal_id) FROM @extschema@.signals s WHERE s.signal_id < o.signal_id), 0) + 1,
                least((SELECT min(s.signal_id) - 1 FROM @extschema@.signals s
                        WHERE s.signal_id > o.signal_id AND s.created_at >= (SELECT since FROM kept)),
                      coalesce((SELECT s.signal_id FROM @extschema@.signals s WHERE s.signal_id >= o.signal_id
                                 ORDER BY s.signal_id OFFSET $2 - 1 LIMIT 1),
                               (SELECT max(s.signal_id) FROM @extschema@.signals s)))
           FROM oldest o WHERE o.signal_id IS NOT NULL",
        &[age.as_secs_f64().into(), SIGNALS.into()],
        |row| {
            Ok(Expired {
                first: row.get(1)?.unwrap_or_default(),
                last: row.get(2)?.unwrap_or_default(),
            })
        },
    )?;
    Ok(found.into_iter().next())
}

/// Removes the expired rows of some users behind `after`. Returns the last of
/// them; `None` when there is nobody left.
fn purge_users(
    db: &Installation,
    expired: Expired,
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
                 DELETE FROM @extschema@.user_signals e USING users u WHERE e.user_id = u.user_id AND e.signal_id BETWEEN $4 AND $5
             )
             SELECT user_id FROM users WHERE number = $3",
            &[
                after.unwrap_or(Uuid::from_bytes([0; 16])).into(),
                after.is_some().into(),
                USERS.into(),
                expired.first.into(),
                expired.last.into(),
            ],
            |row| Ok(row.get(1)?),
        )
    })?;
    Ok(last.into_iter().next().flatten())
}
