//! The fan-out over shards. Each batch is one statement that the shards run whole: it joins tables
//! that are sharded alike, and takes all that it says of the signal, which is here, as values.
//!
//! A batch costs two commits on each node and a task for each shard, however few rows it has, so
//! batches are large. Where one ends is not asked of all shards, but estimated by a sample of the
//! keys: that they are of different sizes does no harm. Rows that are prepared on a node become
//! visible a moment after the commit here, or later when something fails in between; a signal is
//! called delivered once they all are.

use super::Role;
use super::layout::{Layout, SIGNAL, Signal, Subscribers, Values};
use super::range::{self, Range};
use super::second_round;
use crate::ledger::keys;
use crate::postgres::process::now;
use crate::postgres::{Db, Failure, citus};
use pgrx::datum::{TimestampWithTimeZone, Uuid};

/// Subscribers in a batch, at least: the overhead is then a small part of the time.
const BATCH: i64 = 100_000;
/// From this size on, about as many subscribers will do.
const ABOUT: i64 = 1_000;

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
        set.max(BATCH)
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
