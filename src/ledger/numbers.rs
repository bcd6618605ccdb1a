//! Numbers of runs, signals and ranges: a sequence must not be behind what is numbered by it.
//!
//! Logical replication copies rows and no sequences, so a server that was upgraded with it begins
//! at 1 again. TRUNCATE ... RESTART IDENTITY does so too, and a restored `user_signals` may have
//! the rows of signals that this ledger never had: a new signal of such a number would look as if
//! it had been delivered.

use super::sharded;
use crate::postgres::installation::Layout;
use crate::postgres::{Db, Failure};
use pgrx::prelude::*;

/// Each numbered table with its column and its sequence.
const NUMBERED: [(&str, &str, &str); 3] = [
    ("signal_runs", "run_id", "signal_runs_run_id_seq"),
    ("signals", "signal_id", "signals_signal_id_seq"),
    (
        "signal_delivery_ranges",
        "range_id",
        "signal_delivery_ranges_range_id_seq",
    ),
];

/// Moves each sequence that is behind its table to the table's highest number, and logs that.
///
/// # Errors
/// What the statements raise.
pub fn catch_up(db: &Db) -> Result<(), Failure> {
    let each: Vec<String> = NUMBERED
        .iter()
        .map(|(table, column, sequence)| {
            format!(
                "SELECT '{table}', t.highest, s.last_value
                   FROM (SELECT max({column}) AS highest FROM @extschema@.{table}) t, @extschema@.{sequence} s
                  WHERE t.highest >= s.last_value + CASE WHEN s.is_called THEN 1 ELSE 0 END"
            )
        })
        .collect();
    let behind = db.read(&each.join(" UNION ALL "), &[], |row| {
        Ok((
            row.get::<String>(1)?.unwrap_or_default(),
            row.get::<i64>(2)?.unwrap_or_default(),
            row.get::<i64>(3)?.unwrap_or_default(),
        ))
    })?;
    for (table, highest, last) in behind {
        let numbered = NUMBERED.iter().find(|(name, ..)| *name == table);
        let Some((_, column, sequence)) = numbered else {
            continue;
        };
        set(db, sequence, highest)?;
        warning!(
            "signal_hub: the sequence of {table}.{column} was behind its table, at {last} instead of {highest}, as \
             after logical replication; it goes on from there"
        );
    }
    Ok(())
}

/// Makes sure that the next `count` numbers of signals are free, as far as a look at some of the
/// subscribers tells. Called before the exchange is asked, so that no subscriber waits for it.
/// Returns whether somebody had a row of the number of the last signal: then
/// [`go_beyond_deliveries`] is to be called before the next one is recorded.
///
/// Rows that no look-up finds cost a subscriber no signal without a word: theirs is refused as a
/// duplicate, on record, and `retry_refused_deliveries()` delivers it once the old row is gone.
///
/// # Errors
/// What the statements raise.
pub fn look_ahead(db: &Db, count: i64) -> Result<bool, Failure> {
    catch_up(db)?;
    let signs = db.walking_indexes(|db| {
        let looked_up = look_up_users(db, count)?;
        db.read(
            &format!("WITH next AS MATERIALIZED (
                 SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS number FROM @extschema@.signals_signal_id_seq
             )
             SELECT NOT EXISTS (SELECT FROM @extschema@.signals)
                    OR {looked_up}
                    OR EXISTS (SELECT FROM @extschema@.signal_delivery_ranges r CROSS JOIN next n
                                WHERE r.signal_id >= n.number AND r.signal_id < n.number + $1)
                    OR EXISTS (SELECT FROM @extschema@.signal_outcomes o CROSS JOIN next n
                                WHERE o.signal_id >= n.number AND o.signal_id < n.number + $1),
                    EXISTS (SELECT FROM @extschema@.signals g JOIN @extschema@.signal_runs r USING (run_id)
                             WHERE g.signal_id = (SELECT max(signal_id) FROM @extschema@.signals)
                               AND g.delivery_failures > 0 AND r.sqlstate = '23505')"),
            &[count.into()],
            |row| Ok((row.get(1)?.unwrap_or(true), row.get(2)?.unwrap_or(true))),
        )
    })?;
    let Some((is_suspicious, was_refused)) = signs.into_iter().next() else {
        return Ok(false);
    };
    if is_suspicious {
        go_beyond_deliveries(db, count)?;
    }
    Ok(was_refused)
}

/// Whether some of those who may have rows have one of the next `count` signals (`next`), as an
/// expression.
fn look_up_users(db: &Db, count: i64) -> Result<&'static str, Failure> {
    if db.layout() == Layout::Sharded {
        let next = db.read(
            "SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM @extschema@.signals_signal_id_seq",
            &[],
            |row| Ok(row.get::<i64>(1)?.unwrap_or(1)),
        )?;
        let next = next.into_iter().next().unwrap_or(1);
        return Ok(match sharded::has_rows_of(db, next, next + count - 1)? {
            true => "true",
            false => "false",
        });
    }
    Ok("EXISTS (
            SELECT FROM (SELECT (SELECT e.user_id FROM @extschema@.user_signals e
                                  WHERE e.user_id >= (lpad(to_hex(g * 16), 2, '0') || repeat('0', 30))::uuid
                                  ORDER BY e.user_id LIMIT 1) AS user_id
                           FROM generate_series(0, 15) g
                          UNION
                         SELECT (SELECT e.user_id FROM @extschema@.user_signals e ORDER BY e.user_id DESC LIMIT 1)
                          UNION
                         (SELECT s.user_id FROM @extschema@.user_subscriptions s ORDER BY s.user_id LIMIT 20)) l
             CROSS JOIN next n
             WHERE EXISTS (SELECT FROM @extschema@.user_signals e
                            WHERE e.user_id = l.user_id AND e.signal_id >= n.number AND e.signal_id < n.number + $1))")
}

/// Moves the sequence of signals beyond all numbers that rows of `user_signals` and outcomes have,
/// when the next `count` of it are among them, and logs that. Reads all these rows.
///
/// # Errors
/// What the statements raise.
pub fn go_beyond_deliveries(db: &Db, count: i64) -> Result<(), Failure> {
    // On one server the statement looks for itself.
    let (rows, highest) = match db.layout() {
        Layout::Sharded => (
            "SELECT $2::bigint AS signal_id",
            sharded::highest_delivered(db)?,
        ),
        Layout::OneServer | Layout::Node => {
            ("SELECT signal_id FROM @extschema@.user_signals", None)
        }
    };
    let beyond = db.read(
        &format!("WITH next AS MATERIALIZED (
             SELECT last_value, last_value + CASE WHEN is_called THEN 1 ELSE 0 END AS number FROM @extschema@.signals_signal_id_seq
         )
         SELECT max(d.signal_id), min(n.last_value)
           FROM ({rows} UNION ALL
                 SELECT signal_id FROM @extschema@.signal_outcomes UNION ALL
                 SELECT signal_id FROM @extschema@.signal_delivery_ranges) d CROSS JOIN next n
         HAVING bool_or(d.signal_id >= n.number AND d.signal_id < n.number + $1)"),
        &[count.into(), highest.into()],
        |row| Ok((row.get::<i64>(1)?.unwrap_or_default(), row.get::<i64>(2)?.unwrap_or_default())),
    )?;
    for (highest, last) in beyond {
        set(db, "signals_signal_id_seq", highest)?;
        warning!(
            "signal_hub: user_signals or signal_outcomes have rows of signals up to number {highest}, and the sequence of \
             signals.signal_id was at {last}; it goes on after {highest}, so that no subscriber misses a signal"
        );
    }
    Ok(())
}

fn set(db: &Db, sequence: &str, number: i64) -> Result<(), Failure> {
    db.write(
        &format!("SELECT setval(s.tableoid::regclass, $1) FROM @extschema@.{sequence} s"),
        &[number.into()],
        |_| Ok(()),
    )?;
    Ok(())
}
