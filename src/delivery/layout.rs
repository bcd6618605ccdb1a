//! What a fan-out does differently where the tables of subscribers are on several servers. Here is
//! the way of one server; [`sharded`](super::sharded) has the other.

use super::Role;
use super::range::{self, Range};
use super::sharded::Sharded;
use crate::postgres::installation;
use crate::postgres::{Db, Failure};
use pgrx::datum::{DatumWithOid, Uuid};
use std::time::Duration;

/// The values that a statement is given, as it comes to need them.
pub struct Values<'a>(pub Vec<DatumWithOid<'a>>);

impl<'a> Values<'a> {
    /// Adds one; returns what it is called in the statement.
    pub fn add(&mut self, value: impl Into<DatumWithOid<'a>>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}

/// What a statement says of the signal that it delivers.
pub struct Signal {
    /// A WITH clause, or nothing.
    pub with: String,
    /// What stands for each of [`SIGNAL`].
    pub columns: Vec<String>,
    /// The time of now.
    pub now: String,
    /// Further columns of the new rows, and their values, each behind a comma.
    pub further: [String; 2],
}

/// The columns of a signal that a batch needs, with how they are computed from `signals`: $4 is
/// whether prices are delivered, and a mark for late joiners belongs at the end of metadata.
pub const SIGNAL: [(&str, &str); 12] = [
    ("symbol", "symbol"),
    ("signal_type", "signal_type"),
    ("strategy", "strategy"),
    ("confidence", "confidence"),
    ("quality_score", "quality_score"),
    ("expires_at", "expires_at"),
    ("created_at", "created_at"),
    ("changed_since", "created_at - interval '5 minutes'"),
    ("entry_price", "CASE WHEN $4 THEN entry_price END"),
    ("take_profit", "CASE WHEN $4 THEN take_profit END"),
    ("stop_loss", "CASE WHEN $4 THEN stop_loss END"),
    (
        "metadata",
        "jsonb_build_object(
             'generatedBy', 'signal_hub',
             'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
             'strategy', strategy, 'reason', reason, 'why', why,
             'changePercent', price_change_percent)
             || CASE WHEN forecast IS NULL THEN '{}' ELSE jsonb_build_object('forecast', forecast) END",
    ),
];

impl Signal {
    /// What stands for a column of [`SIGNAL`].
    pub fn column(&self, name: &str) -> &str {
        let place = SIGNAL.iter().position(|(column, _)| *column == name);
        place
            .and_then(|place| self.columns.get(place))
            .map_or("NULL", String::as_str)
    }

    /// A condition on a row `g` of `signals`, with what stands for its columns: a value that is
    /// computed once, where a query of the row would be run for each subscriber.
    pub fn columns_in(&self, condition: &str) -> String {
        SIGNAL
            .iter()
            .fold(condition.to_owned(), |condition, (name, _)| {
                condition.replace(&format!("g.{name}"), self.column(name))
            })
    }
}

/// Where a statement looks for the subscribers of a range.
pub struct Subscribers {
    /// A WITH clause, or nothing.
    pub with: &'static str,
    /// The table, which the statement calls `u`.
    pub table: &'static str,
    /// A condition on it, behind an AND, or nothing.
    pub condition: String,
}

/// The way of a layout.
pub trait Layout {
    /// How a batch gets at its signal. `mark` is added to its metadata; the statement has the
    /// signal as $5, and as $4 whether prices are delivered.
    fn signal(
        &self,
        db: &Db,
        values: &mut Values,
        signal_id: i64,
        full_details: bool,
        mark: &str,
    ) -> Result<Signal, Failure>;

    /// The subscribers of a range; of a second round, those who changed since the signal, which
    /// the statement has as $5.
    fn subscribers(
        &self,
        db: &Db,
        values: &mut Values,
        signal_id: i64,
        changed_only: bool,
    ) -> Result<Subscribers, Failure>;

    /// Whether anybody has preferences of which a condition is true, as an expression.
    fn somebody_prefers(&self, db: &Db, condition: &str) -> Result<String, Failure>;

    /// Where the first `size` active subscribers of a range end, about or exactly, and who comes
    /// after them: `None` when there are no more, and the range's end is the end.
    fn bounds(
        &self,
        db: &Db,
        signal_id: i64,
        range: &Range,
        size: i64,
    ) -> Result<(Uuid, Option<Uuid>), Failure>;

    /// Subscribers in a batch, where `set` are set.
    fn batch(&self, set: i64) -> i64;

    /// Told how long a batch of this many rows took, its commit included.
    fn took(&self, rows: i64, time: Duration);

    /// Below which number all transactions that write subscribers have ended, when those of this
    /// server have below `here`.
    fn ended_below(&self, here: i64) -> i64;

    /// Called before a signal is taken up: what a crash left half done is brought to its end.
    fn take_up(&self, role: Role) -> Result<(), Failure>;

    /// Whether a signal of which nothing is left may be called delivered by a transaction that has
    /// written this many rows.
    fn may_finish(&self, role: Role, rows: i64) -> Result<bool, Failure>;
}

/// The layout of the tables.
pub fn of(db: &Db) -> &'static dyn Layout {
    match db.layout() {
        installation::Layout::Sharded => &Sharded,
        installation::Layout::OneServer | installation::Layout::Node => &OneServer,
    }
}

/// All tables are here.
struct OneServer;

impl Layout for OneServer {
    fn signal(
        &self,
        _db: &Db,
        _values: &mut Values,
        _signal_id: i64,
        _full_details: bool,
        mark: &str,
    ) -> Result<Signal, Failure> {
        let computed: Vec<String> = SIGNAL
            .iter()
            .map(|(name, from)| match *name {
                "metadata" => format!("{from} {mark} AS {name}"),
                _ => format!("{from} AS {name}"),
            })
            .collect();
        Ok(Signal {
            with: format!(
                "signal AS MATERIALIZED (SELECT {} FROM @extschema@.signals WHERE signal_id = $5)",
                computed.join(", ")
            ),
            columns: SIGNAL
                .iter()
                .map(|(name, _)| format!("(SELECT {name} FROM signal)"))
                .collect(),
            now: "clock_timestamp()".to_owned(),
            further: Default::default(),
        })
    }

    fn subscribers(
        &self,
        _db: &Db,
        _values: &mut Values,
        _signal_id: i64,
        changed_only: bool,
    ) -> Result<Subscribers, Failure> {
        // Who changed is found by index, once per statement. Rows are stamped before they become
        // visible; the margin covers transactions that are long in committing.
        let (with, table) = match changed_only {
            true => (
                "changed AS MATERIALIZED (
                    SELECT * FROM @extschema@.user_subscriptions
                     WHERE updated_at <> created_at
                       AND updated_at > (SELECT created_at - interval '5 minutes' FROM @extschema@.signals WHERE signal_id = $5))",
                "changed",
            ),
            false => ("", "@extschema@.user_subscriptions"),
        };
        Ok(Subscribers {
            with,
            table,
            condition: String::new(),
        })
    }

    fn somebody_prefers(&self, _db: &Db, condition: &str) -> Result<String, Failure> {
        // The order makes it a look at the index of these rows, where there are none as well.
        Ok(format!(
            "(SELECT user_id FROM @extschema@.user_preferences WHERE {condition}
               ORDER BY user_id LIMIT 1) IS NOT NULL"
        ))
    }

    fn bounds(
        &self,
        db: &Db,
        signal_id: i64,
        range: &Range,
        size: i64,
    ) -> Result<(Uuid, Option<Uuid>), Failure> {
        range::exact_bounds(db, signal_id, range, size)
    }

    fn batch(&self, set: i64) -> i64 {
        set
    }

    fn took(&self, _rows: i64, _time: Duration) {}

    fn ended_below(&self, here: i64) -> i64 {
        here
    }

    fn take_up(&self, _role: Role) -> Result<(), Failure> {
        Ok(())
    }

    fn may_finish(&self, _role: Role, _rows: i64) -> Result<bool, Failure> {
        Ok(true)
    }
}
