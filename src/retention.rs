//! Removes what has outlived its retention, in batches small enough to go between two beats.
//!
//! Expired rows of `user_signals` are found by walking its primary key: who is the next user, and
//! which of their rows have the numbers of expired signals. That takes no index of its own, which
//! every delivery would pay for, and touches neighbouring pages, since everybody's rows of one
//! signal were written in the order of users.

use crate::failure::Failure;
use crate::installation::Installation;
use crate::settings;
use pgrx::datum::Uuid;
use std::time::Duration;

/// Users looked at in one step. Someone with 30 signals a day has as many rows to remove a day.
const USERS: i64 = 500;
/// Signals removed in one walk: the most rows that a user can lose in a step.
const SIGNALS: i64 = 100;
/// Rows of the history removed at most in one step.
const RUNS: i64 = 10_000;

/// How far the purge of signals is.
#[derive(Debug, Default)]
pub struct Walk {
    under_way: Option<UnderWay>,
    /// Of the signals up to this number some could not be removed: they are left alone until
    /// others expire.
    passed_over: i64,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    /// The retention by which it was begun.
    age: Duration,
    /// Rows of these signals are removed.
    expired: Expired,
    place: Place,
    /// Users, or numbers of signals, of the next step; 0 passes over a single one.
    step: i64,
}

/// How far one walk is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Behind this user, or before the first.
    Users(Option<Uuid>),
    /// Nobody has rows of them any more: the signals themselves, from this number on.
    Signals(i64),
}

/// What becomes of a step that failed.
#[derive(Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It is tried again, smaller.
    Smaller,
    /// It was about a single row, which stays.
    PassedOver,
    /// It was not about rows.
    Lasting,
}

/// A stretch of signals that have all expired, by their numbers, both included.
#[derive(Debug, Clone, Copy)]
struct Expired {
    first: i64,
    last: i64,
}

impl Walk {
    /// Makes way for what hindered the last step: a row that somebody holds, or that a foreign
    /// key or a trigger keeps, is to keep no other.
    pub fn give_way(&mut self, failure: &Failure) -> Hindrance {
        let Some(walk) = &mut self.under_way else {
            return Hindrance::Lasting;
        };
        if walk.step == 0 || !(failure.is_of_the_row() || failure.is_lock_not_available()) {
            return Hindrance::Lasting;
        }
        walk.step /= 2;
        match walk.step {
            0 => Hindrance::PassedOver,
            _ => Hindrance::Smaller,
        }
    }
}

/// What later runs and signal_health go by stays at any age: the last run, the last good one, and
/// those whose exchange is still to be left alone. Returns whether there is more to do.
pub fn purge_runs(db: &Installation) -> Result<bool, Failure> {
    let age = settings::run_retention();
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

/// Removes a batch of expired signals and their rows. Returns whether there is more to do.
pub fn purge_signals(db: &Installation, walk: &mut Walk) -> Result<bool, Failure> {
    let Some(age) = settings::signal_retention() else {
        return Ok(false);
    };
    // What was begun by another retention may remove what is now to be kept.
    let under_way = walk.under_way.filter(|walk| walk.age == age);
    let now = match under_way {
        Some(walk) => walk,
        None => match first_expired(db, age, walk.passed_over)? {
            Some(expired) => UnderWay {
                age,
                expired,
                place: Place::Users(None),
                step: USERS,
            },
            None => return Ok(false),
        },
    };
    // Known before anything is tried, to give way by.
    walk.under_way = Some(now);
    let Expired { first, last } = now.expired;
    let next = match now.place {
        Place::Users(after) => match purge_users(db, now.expired, after, now.step)? {
            Some(user_id) => UnderWay {
                place: Place::Users(Some(user_id)),
                step: (now.step * 2).clamp(1, USERS),
                ..now
            },
            None => UnderWay {
                place: Place::Signals(first),
                step: last - first + 1,
                ..now
            },
        },
        Place::Signals(next) => {
            let done = next + (now.step - 1).min(last - next);
            db.run(
                "DELETE FROM @extschema@.signals WHERE signal_id BETWEEN $1 AND $2",
                &[next.into(), done.into()],
            )?;
            UnderWay {
                place: Place::Signals(done.max(next) + 1),
                step: now.step.saturating_mul(2).max(1),
                ..now
            }
        }
    };
    let is_over = matches!(next.place, Place::Signals(number) if number > last);
    if is_over && is_any_left(db, now.expired)? {
        walk.passed_over = last;
    }
    walk.under_way = Some(next).filter(|_| !is_over);
    Ok(true)
}

/// Whether any of these signals is kept, by a trigger, a foreign key or a lock.
fn is_any_left(db: &Installation, expired: Expired) -> Result<bool, Failure> {
    let found = db.read(
        "SELECT FROM @extschema@.signals WHERE signal_id BETWEEN $1 AND $2 LIMIT 1",
        &[expired.first.into(), expired.last.into()],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}

/// The first stretch of signals older than `age`, or the beginning of it when they are many.
/// Where the clock was wrong for a while, what was recorded meanwhile has its own age, and parts
/// the signals before it from those behind it.
///
/// Age is told by the last time at which the exchange bore this server's clock out
/// (`last_seen_at` is true to the hour), lest a clock that jumps ahead delete all.
///
/// Those of the current UTC day stay, and those of the day of the oldest signal that is not
/// delivered: the day's quotas are counted by them.
fn first_expired(
    db: &Installation,
    age: Duration,
    passed_over: i64,
) -> Result<Option<Expired>, Failure> {
    let found = db.read(
        "WITH clock AS MATERIALIZED (
             SELECT least(clock_timestamp(), (SELECT max(last_seen_at) + interval '1 hour' FROM @extschema@.signal_symbols)) AS now
         ), kept AS MATERIALIZED (
             SELECT least(c.now - $1 * interval '1 second',
                          date_trunc('day', least(c.now, (SELECT min(created_at) FROM @extschema@.signals WHERE delivered_at IS NULL))
                                            AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS since
               FROM clock c
         ), oldest AS MATERIALIZED (
             SELECT min(signal_id) AS signal_id FROM @extschema@.signals WHERE created_at < (SELECT since FROM kept) AND signal_id > $3
         )
         -- From behind the signal before it that has not expired: there may be rows of signals that
         -- are no more, and signals that could not be removed.
         SELECT coalesce((SELECT max(s.signal_id) FROM @extschema@.signals s
                           WHERE s.signal_id < o.signal_id AND s.created_at >= (SELECT since FROM kept)), 0) + 1,
                least((SELECT min(s.signal_id) - 1 FROM @extschema@.signals s
                        WHERE s.signal_id > o.signal_id AND s.created_at >= (SELECT since FROM kept)),
                      coalesce((SELECT s.signal_id FROM @extschema@.signals s WHERE s.signal_id >= o.signal_id
                                 ORDER BY s.signal_id OFFSET $2 - 1 LIMIT 1),
                               (SELECT max(s.signal_id) FROM @extschema@.signals s)))
           FROM oldest o WHERE o.signal_id IS NOT NULL",
        &[
            age.as_secs_f64().into(),
            SIGNALS.into(),
            passed_over.into(),
        ],
        |row| {
            Ok(Expired {
                first: row.get(1)?.unwrap_or_default(),
                last: row.get(2)?.unwrap_or_default(),
            })
        },
    )?;
    Ok(found.into_iter().next())
}

/// Removes the expired rows of so many users behind `after`, or of none and passes over one.
/// Returns the last of them; `None` when there is nobody left.
fn purge_users(
    db: &Installation,
    expired: Expired,
    after: Option<Uuid>,
    users: i64,
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
                 DELETE FROM @extschema@.user_signals e USING users u
                  WHERE e.user_id = u.user_id AND e.signal_id BETWEEN $4 AND $5 AND NOT $6
             )
             SELECT user_id FROM users WHERE number = $3",
            &[
                after.unwrap_or(Uuid::from_bytes([0; 16])).into(),
                after.is_some().into(),
                users.max(1).into(),
                expired.first.into(),
                expired.last.into(),
                (users == 0).into(),
            ],
            |row| Ok(row.get(1)?),
        )
    })?;
    Ok(last.into_iter().next().flatten())
}
