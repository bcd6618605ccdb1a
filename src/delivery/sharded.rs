//! The fan-out over shards. Each batch is one statement that the shards run whole: it joins tables
//! that are sharded alike, and takes all that it says of the signal, which is here, as values.
//!
//! A batch costs two commits on each node and a task for each shard, however few rows it has, so
//! batches are large: so large that each takes a second or more. Where one ends is not asked of
//! all shards, but estimated by a sample of the keys: that they are of different sizes does no
//! harm. Rows that are prepared on a node become visible a moment after the commit here, or later
//! when something fails in between; a signal is called delivered once they all are.

use super::Role;
use super::layout::{Layout, SIGNAL, Signal, Subscribers, Values};
use super::range::{self, Range};
use super::second_round;
use crate::ledger::keys;
use crate::postgres::process::now;
use crate::postgres::{Db, Failure, citus};
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use std::cell::Cell;
use std::time::Duration;

/// Subscribers in a batch, at least.
const BATCH: i64 = 100_000;
/// Subscribers in a batch, at most.
const LARGEST_BATCH: i64 = 6_400_000;
/// What a batch costs whatever its size is about 0.1 s: from this time on it is a small part.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// Rows are visible, and the worker beats, only when a batch ends.
const TOO_LONG: Duration = Duration::from_secs(3);
/// From this size on, about as many subscribers will do.
const ABOUT: i64 = 1_000;

thread_local! {
    /// Subscribers in the next batch of this process.
    static SIZE: Cell<i64> = const { Cell::new(BATCH) };
}

/// The size of the next batch, after one of `size` that had this many rows and took this time.
fn next_size(size: i64, rows: i64, time: Duration) -> i64 {
    // Fewer rows say nothing about as many subscribers.
    if rows < size / 2 {
        size
    } else if time < LONG_ENOUGH {
        (size * 2).min(LARGEST_BATCH)
    } else if time > TOO_LONG {
        (size / 2).max(BATCH)
    } else {
        size
    }
}

/// The tables of subscribers are sharded by `user_id`, and those of signals are here.
pub struct Sharded;

impl Layout for Sharded {
    fn signal(
        &self,
        db: &Db,
        values: &mut Values,
        signal_id: i64,
        full_details: bool,
        mark: &str,
    ) -> Result<Signal, Failure> {
        let computed: Vec<String> = SIGNAL.iter().map(|column| read_as(column, mark)).collect();
        let rows = db.read(
            &format!(
                "SELECT {} FROM @extschema@.signals WHERE signal_id = $2",
                computed.join(", ").replace("$4", "$1")
            ),
            &[full_details.into(), signal_id.into()],
            |row| {
                let mut columns = Vec::with_capacity(SIGNAL.len());
                for (place, (name, _)) in SIGNAL.iter().enumerate() {
                    columns.push(match is_time(name) {
                        true => values.add(row.get::<TimestampWithTimeZone>(place + 1)?),
                        false => written_as(name, &values.add(row.get::<String>(place + 1)?)),
                    });
                }
                Ok(columns)
            },
        )?;
        let columns = rows.into_iter().next();
        let columns = columns.ok_or_else(|| Failure::internal("a signal to deliver is gone"))?;
        let now = values.add(now());
        Ok(Signal {
            with: String::new(),
            columns,
            further: [", created_at".to_owned(), format!(", {now}")],
            now,
        })
    }

    fn subscribers(
        &self,
        db: &Db,
        values: &mut Values,
        signal_id: i64,
        changed_only: bool,
    ) -> Result<Subscribers, Failure> {
        let condition = match changed_only {
            true => {
                let since = values.add(second_round::changed_since(db, signal_id)?);
                format!("AND u.updated_at <> u.created_at AND u.updated_at > {since}")
            }
            false => String::new(),
        };
        Ok(Subscribers {
            with: "",
            table: "@extschema@.user_subscriptions",
            condition,
        })
    }

    fn somebody_prefers(&self, db: &Db, condition: &str) -> Result<String, Failure> {
        let anybody = db.read(
            &format!("SELECT user_id FROM @extschema@.user_preferences WHERE {condition} LIMIT 1"),
            &[],
            |_| Ok(()),
        )?;
        Ok((!anybody.is_empty()).to_string())
    }

    fn bounds(
        &self,
        db: &Db,
        signal_id: i64,
        range: &Range,
        size: i64,
    ) -> Result<(Uuid, Option<Uuid>), Failure> {
        if range.changed_only || size < ABOUT {
            return range::exact_bounds(db, signal_id, range, size);
        }
        let next = keys::after(db, range.next, size, Some(&range.tier))?;
        Ok(match next {
            Some(next) if next.as_bytes() <= range.last.as_bytes() => {
                (keys::before(next), Some(next))
            }
            _ => (range.last, None),
        })
    }

    fn batch(&self, set: i64) -> i64 {
        set.max(SIZE.get())
    }

    fn took(&self, rows: i64, time: Duration) {
        SIZE.set(next_size(SIZE.get(), rows, time));
    }

    /// A node counts its own transactions, and what this server reads of them it does not know.
    fn ended_below(&self, _here: i64) -> i64 {
        0
    }

    /// Rows of a transaction that is half done on a node would be in the way of writing them again.
    fn take_up(&self, role: Role) -> Result<(), Failure> {
        match role {
            Role::Worker => citus::make_all_visible(),
            Role::Caller | Role::Helper => Ok(()),
        }
    }

    /// What a caller writes commits as a whole. Where a node fails in the middle of that, its rows
    /// become visible when Citus recovers them, and nothing tells of it until then.
    fn may_finish(&self, role: Role, rows: i64) -> Result<bool, Failure> {
        if role == Role::Caller {
            return Ok(true);
        }
        if rows > 0 {
            return Ok(false);
        }
        citus::make_all_visible()?;
        Ok(true)
    }
}

fn is_time(name: &str) -> bool {
    matches!(name, "expires_at" | "created_at" | "changed_since")
}

/// How a column of a signal is read: times as such, all else as a text.
fn read_as((name, from): &(&str, &str), mark: &str) -> String {
    match *name {
        name if is_time(name) => (*from).to_owned(),
        "take_profit" => format!("array_to_string({from}, ',')"),
        "metadata" => format!("({from} {mark})::text"),
        _ => format!("({from})::text"),
    }
}

/// The value of a column that was read as a text. Nothing in it depends on settings, so that the
/// planner makes a constant of it.
fn written_as(name: &str, value: &str) -> String {
    match name {
        "take_profit" => format!("string_to_array({value}, ',')::numeric[]"),
        "metadata" => format!("{value}::jsonb"),
        "confidence" | "quality_score" | "entry_price" | "stop_loss" => format!("{value}::numeric"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where batches of a server settle that writes so many rows in a second.
    fn settled(rows_per_second: f64) -> i64 {
        let mut size = BATCH;
        for _ in 0..20 {
            let time = 0.1 + size as f64 / rows_per_second;
            size = next_size(size, size, Duration::from_secs_f64(time));
        }
        size
    }

    #[test]
    fn batches_grow_until_one_takes_a_second() {
        assert_eq!(settled(60_000.0), 100_000);
        assert_eq!(settled(150_000.0), 200_000);
        assert_eq!(settled(1_000_000.0), 1_600_000);
        assert_eq!(settled(1e9), LARGEST_BATCH);
    }

    #[test]
    fn a_batch_that_takes_too_long_is_halved_and_one_with_few_rows_says_nothing() {
        let long = Duration::from_secs(4);
        assert_eq!(next_size(400_000, 400_000, long), 200_000);
        assert_eq!(next_size(BATCH, BATCH, long), BATCH);
        assert_eq!(next_size(BATCH, 10, Duration::from_millis(20)), BATCH);
    }
}
