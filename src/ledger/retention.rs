//! Removes what has outlived its retention, in batches small enough to go between two beats.
//!
//! Expired rows of `user_signals` are found by walking its primary key: who is the next user, and
//! which of their rows have the numbers of expired signals. That takes no index of its own, which
//! every delivery would pay for, and touches neighbouring pages, since everybody's rows of one
//! signal were written in the order of users.

use super::{sharded, uptime};
use crate::postgres::installation::Layout;
use crate::postgres::{Db, Failure};
use crate::settings;
use pgrx::datum::Uuid;
use std::time::Duration;

/// Users looked at in one batch. Someone with 30 signals a day has as many rows to remove a day.
const USERS: i64 = 500;
/// Signals removed in one pass: the most rows that a user can lose in a batch.
const SIGNALS: i64 = 100;
/// Rows of the history removed at most in one batch.
const RUNS: i64 = 10_000;
/// Age of runs that are added to the counters; a call by hand may be in a transaction that long.
const COUNTED_AFTER: Duration = Duration::from_secs(3600);
/// Age up to which a run is waited for whose signals are not all delivered.
const FINISHED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What the runs between two numbers came to. signal_metrics has this query, too.
const COUNT_RUNS: &str = include_str!("../../sql/queries/count_runs.sql");

/// What a purge has removed so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    signals: usize,
    deliveries: usize,
    runs: usize,
}

impl Purged {
    /// What was removed, in words; `None` when nothing was.
    pub fn line(&self) -> Option<String> {
        (*self != Self::default()).then(|| {
            format!(
                "purged {} rows of signals, {} of user_signals and {} of signal_runs",
                self.signals, self.deliveries, self.runs
            )
        })
    }
}

/// How far the purge of signals is.
#[derive(Debug, Default)]
pub struct PurgeProgress {
    pass: Option<Pass>,
    /// Whether the pass under way, or the last one, left rows behind.
    rows_left: bool,
    /// Of the signals up to this number some could not be removed: they are left alone until
    /// others expire.
    passed_over: i64,
}

/// One pass over all users, which removes a stretch of signals.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// The retention by which it was begun.
    age: Duration,
    /// Rows of these signals are removed.
    expired: Expired,
    place: Place,
    next_batch: Batch,
}

/// How far one pass is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Behind this user, or before the first.
    Users(Option<Uuid>),
    /// Nobody has rows of them any more: the signals themselves, from this number on.
    Signals(i64),
}

/// What the next batch does with the users, or the signals, that come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// Removes the rows of this many, one at least.
    Remove(i64),
    /// Leaves the rows of a single one, which something keeps.
    PassOverOne,
}

impl Batch {
    /// How many users or signals it deals with.
    fn size(self) -> i64 {
        match self {
            Self::Remove(size) => size,
            Self::PassOverOne => 1,
        }
    }

    /// After a success: twice as many, `most` at the most. After one was passed over, one.
    fn larger(self, most: i64) -> Self {
        match self {
            Self::Remove(size) => Self::Remove(size.saturating_mul(2).clamp(1, most.max(1))),
            Self::PassOverOne => Self::Remove(1),
        }
    }

    /// After a failure: half as many, down to passing over a single one.
    fn smaller(self) -> Self {
        match self {
            Self::Remove(size) if size > 1 => Self::Remove(size / 2),
            Self::Remove(_) | Self::PassOverOne => Self::PassOverOne,
        }
    }
}

/// What follows from a batch that failed.
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

impl PurgeProgress {
    /// Whether something has expired and could not be removed: rows, or signals. It is tried again
    /// together with the next that expire.
    pub fn passed_something_over(&self) -> bool {
        self.passed_over > 0 || self.rows_left
    }

    /// Makes the next batch smaller when the last one failed because of a row: one that somebody
    /// has locked, or that a foreign key or a trigger keeps, must not keep the others.
    pub fn after_failure(&mut self, failure: &Failure) -> Hindrance {
        let Some(pass) = &mut self.pass else {
            return Hindrance::Lasting;
        };
        let is_about_rows = failure.is_of_the_row() || failure.is_lock_not_available();
        if pass.next_batch == Batch::PassOverOne || !is_about_rows {
            return Hindrance::Lasting;
        }
        pass.next_batch = pass.next_batch.smaller();
        match pass.next_batch {
            Batch::PassOverOne => {
                self.rows_left = true;
                Hindrance::PassedOver
            }
            Batch::Remove(_) => Hindrance::Smaller,
        }
    }
}

/// What later runs and signal_health go by stays at any age: the last run, the last good one, and
/// those whose exchange is still to be left alone. Returns whether there is more to do.
pub fn purge_runs(db: &Db, purged: &mut Purged) -> Result<bool, Failure> {
    let age = settings::run_retention();
    count_old_runs(db, age)?;
    let Some(age) = age else {
        return Ok(false);
    };
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
    purged.runs += removed;
    Ok(removed as i64 == RUNS)
}

/// Adds runs that will hardly change any more to the counters of signal_metrics: these must not fall
/// when runs are purged, and need not count the same runs again whenever somebody reads them.
fn count_old_runs(db: &Db, age: Option<Duration>) -> Result<(), Failure> {
    let at_most = |limit: Duration| age.map_or(limit, |age| age.min(limit)).as_secs_f64();
    let found = db.read(
        "SELECT c.through, max(r.run_id)
           FROM (SELECT coalesce(max(through), 0) AS through FROM @extschema@.signal_run_totals) c
           JOIN @extschema@.signal_runs r ON r.run_id > c.through
          WHERE r.started_at < clock_timestamp() - $1 * interval '1 second'
            AND r.run_id < coalesce((
                    SELECT min(o.run_id) FROM @extschema@.signal_runs o
                     WHERE o.run_id > c.through AND o.finished_at IS NULL
                       AND o.started_at > clock_timestamp() - $2 * interval '1 second'), 9223372036854775807)
          GROUP BY c.through",
        &[
            at_most(COUNTED_AFTER).into(),
            at_most(FINISHED_AFTER).into(),
        ],
        |row| Ok((row.get::<i64>(1)?, row.get::<i64>(2)?)),
    )?;
    let Some((counted, last)) = found.into_iter().next() else {
        return Ok(());
    };
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_run_totals AS t (name, labels, value, through)
             SELECT n.name, n.labels, n.value, $2 FROM ({COUNT_RUNS}) n
                 ON CONFLICT (name, labels)
                 DO UPDATE SET value = t.value + excluded.value, through = excluded.through"
        ),
        &[counted.into(), last.into()],
    )?;
    Ok(())
}

/// Removes a batch of expired signals and their rows. Returns whether there is more to do.
pub fn purge_signals(
    db: &Db,
    progress: &mut PurgeProgress,
    purged: &mut Purged,
) -> Result<bool, Failure> {
    let Some(age) = settings::signal_retention() else {
        return Ok(false);
    };
    uptime::purge(db, age)?;
    // What was begun by another retention may remove what is now to be kept.
    let begun = progress.pass.filter(|pass| pass.age == age);
    let pass = match begun {
        Some(pass) => pass,
        None => match first_expired(db, age, progress.passed_over)? {
            Some(expired) => {
                progress.rows_left = false;
                Pass {
                    age,
                    expired,
                    place: Place::Users(None),
                    next_batch: Batch::Remove(USERS),
                }
            }
            None => return Ok(false),
        },
    };
    // Known before anything is tried, for `after_failure`.
    progress.pass = Some(pass);
    let Expired { first, last } = pass.expired;
    let next = match pass.place {
        Place::Users(after) => {
            let (last_user, removed) = purge_users(db, pass.expired, after, pass.next_batch)?;
            purged.deliveries += removed;
            match last_user {
                Some(user_id) => Pass {
                    place: Place::Users(Some(user_id)),
                    next_batch: pass.next_batch.larger(USERS),
                    ..pass
                },
                None => Pass {
                    place: Place::Signals(first),
                    next_batch: Batch::Remove(last - first + 1),
                    ..pass
                },
            }
        }
        Place::Signals(from) => {
            let to = (from + pass.next_batch.size() - 1).min(last);
            if let Batch::Remove(_) = pass.next_batch {
                purged.signals += db.run(
                    "DELETE FROM @extschema@.signals WHERE signal_id BETWEEN $1 AND $2",
                    &[from.into(), to.into()],
                )?;
            }
            Pass {
                place: Place::Signals(to + 1),
                next_batch: pass.next_batch.larger(i64::MAX),
                ..pass
            }
        }
    };
    let is_complete = matches!(next.place, Place::Signals(number) if number > last);
    if is_complete {
        let is_any_left = is_any_left(db, pass.expired)?;
        progress.passed_over = if is_any_left { last } else { 0 };
    }
    progress.pass = Some(next).filter(|_| !is_complete);
    Ok(true)
}

/// Whether any of these signals is kept, by a trigger, a foreign key or a lock.
fn is_any_left(db: &Db, expired: Expired) -> Result<bool, Failure> {
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
/// Age is measured from the last time at which the exchange's clock agreed with this server's
/// (`last_seen_at` is true to the hour), so that a clock that jumps ahead deletes nothing.
///
/// Those of the current UTC day stay, and those of the day of the oldest signal that is not
/// delivered: the day's quotas are counted by them.
fn first_expired(db: &Db, age: Duration, passed_over: i64) -> Result<Option<Expired>, Failure> {
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

/// Deals with the expired rows of the users behind `after` as `batch` says. Returns the last of
/// these users, `None` when there is nobody left, and how many rows were removed.
fn purge_users(
    db: &Db,
    expired: Expired,
    after: Option<Uuid>,
    batch: Batch,
) -> Result<(Option<Uuid>, usize), Failure> {
    let range = (expired.first, expired.last);
    match (db.layout(), batch) {
        (Layout::Sharded, Batch::Remove(size)) => {
            return sharded::purge_users(db, range, after, size);
        }
        (Layout::Sharded, Batch::PassOverOne) => {
            return Ok((sharded::next_user(db, after)?, 0));
        }
        (Layout::OneServer | Layout::Node, _) => {}
    }
    let last = db.walking_indexes(|db| {
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
                 RETURNING true
             )
             SELECT (SELECT user_id FROM users WHERE number = $3), (SELECT count(*) FROM removed)",
            &[
                after.unwrap_or(Uuid::from_bytes([0; 16])).into(),
                after.is_some().into(),
                batch.size().into(),
                expired.first.into(),
                expired.last.into(),
                (batch == Batch::PassOverOne).into(),
            ],
            |row| {
                let removed = row.get::<i64>(2)?.unwrap_or_default();
                Ok((row.get(1)?, usize::try_from(removed).unwrap_or_default()))
            },
        )
    })?;
    Ok(last.into_iter().next().unwrap_or_default())
}
