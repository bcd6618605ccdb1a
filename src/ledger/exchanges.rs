//! How the exchanges stand, kept across restarts in signal_exchanges. A row is written when that
//! changes, and goes when all is forgotten; the rest of it says when the list of instruments was
//! read.

use super::recordset::Kind::{Boolean, Integer, Prose, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::statements::{Row, text};
use crate::postgres::{Db, Failure};
use crate::settings::Configured;
use market::UnixMillis;
use market::choice::Standing;
use std::collections::HashMap;

/// What is on record of an exchange.
#[derive(Clone, Debug, Default)]
pub struct OnRecord {
    pub standing: Standing,
    /// The last failure; `None` in good standing.
    pub error: Option<String>,
    /// When its list of instruments was read last.
    pub listed_at: Option<UnixMillis>,
}

/// Which exchange each ticker of a run is from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub exchanges: &'a [Configured],
    /// The place of the one that they are from,
    pub place: usize,
    /// but for these.
    pub others: &'a HashMap<String, usize>,
}

impl<'a> Sources<'a> {
    /// The exchange that the ticker of a symbol is from.
    pub fn of(&self, symbol: &str) -> Option<&'a Configured> {
        let place = self.others.get(symbol).copied().unwrap_or(self.place);
        self.exchanges.get(place)
    }
}

/// How an exchange stands from now on.
#[derive(Clone, Debug)]
pub struct NewStanding {
    /// Its place among those configured.
    pub place: usize,
    pub standing: Standing,
    /// The failure that led to it, if one did.
    pub error: Option<String>,
}

/// What is on record of `exchanges`, in their order. At another base URL an exchange begins anew.
///
/// # Errors
/// What the query raises.
pub fn on_record(db: &Db, exchanges: &[Configured]) -> Result<Vec<OnRecord>, Failure> {
    let rows = db.read(
        "SELECT exchange, exchange_url, failures, relapses, asked_to_wait, error,
                -- No longer than was asked for, also when the clock was set back meanwhile.
                CASE WHEN isfinite(retry_at) AND isfinite(failed_at)
                     THEN (extract(epoch FROM least(retry_at, clock_timestamp() + (retry_at - failed_at))) * 1000)::bigint
                END,
                CASE WHEN isfinite(good_since) THEN (extract(epoch FROM good_since) * 1000)::bigint END,
                CASE WHEN isfinite(listed_at) THEN (extract(epoch FROM listed_at) * 1000)::bigint END
           FROM @extschema@.signal_exchanges",
        &[],
        |row| Ok((text(row, 1)?, (text(row, 2)?, read(row)?))),
    )?;
    let mut rows: HashMap<String, (String, OnRecord)> = rows.into_iter().collect();
    let found = exchanges.iter().map(|exchange| {
        let row = rows.remove(exchange.name());
        let row = row.filter(|(url, _)| url == exchange.url());
        row.map(|(_, on_record)| on_record).unwrap_or_default()
    });
    Ok(found.collect())
}

fn read(row: &Row) -> Result<OnRecord, Failure> {
    let count = |ordinal| -> Result<u32, Failure> {
        let count = row.get::<i32>(ordinal)?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
    };
    Ok(OnRecord {
        standing: Standing {
            failures: count(3)?,
            relapses: count(4)?,
            asked_to_wait: row.get(5)?.unwrap_or(false),
            retry_at: row.get(7)?,
            good_since: row.get(8)?,
        },
        error: row.get(6)?,
        listed_at: row.get(9)?,
    })
}

fn columns<'a>() -> [Column<(&'a Configured, &'a NewStanding)>; 9] {
    fn standing<'a>(row: &(&Configured, &'a NewStanding)) -> &'a Standing {
        &row.1.standing
    }
    [
        column("exchange", Text, |(exchange, _)| exchange.name().into()),
        column("exchange_url", Text, |(exchange, _)| exchange.url().into()),
        column("failures", Integer, |row| standing(row).failures.into()),
        column("relapses", Integer, |row| standing(row).relapses.into()),
        column("error", Prose, |(_, new)| new.error.clone().into()),
        column("asked_to_wait", Boolean, |row| {
            standing(row).asked_to_wait.into()
        }),
        column("retry_at", Time, |row| standing(row).retry_at.into()),
        column("good_since", Time, |row| standing(row).good_since.into()),
        column("has_failed", Boolean, |(_, new)| new.error.is_some().into()),
    ]
}

/// Puts on record how exchanges stand from now on, and forgets those that are not configured.
///
/// # Errors
/// What the statements raise.
pub fn enter(db: &Db, exchanges: &[Configured], new: &[NewStanding]) -> Result<(), Failure> {
    if new.is_empty() {
        return Ok(());
    }
    let columns = columns();
    let rows = new
        .iter()
        .filter_map(|new| Some((exchanges.get(new.place)?, new)));
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_exchanges AS e
                    (exchange, exchange_url, failures, relapses, error, asked_to_wait, retry_at, good_since, failed_at)
             SELECT r.exchange, r.exchange_url, r.failures, r.relapses, r.error, r.asked_to_wait,
                    to_timestamp(r.retry_at / 1000), to_timestamp(r.good_since / 1000),
                    CASE WHEN r.has_failed THEN now() END
               FROM {}
             ON CONFLICT (exchange) DO UPDATE
                SET exchange_url = excluded.exchange_url, failures = excluded.failures, relapses = excluded.relapses,
                    asked_to_wait = excluded.asked_to_wait, retry_at = excluded.retry_at,
                    good_since = excluded.good_since,
                    error = CASE WHEN excluded.failures > 0 THEN coalesce(excluded.error, e.error) END,
                    failed_at = CASE WHEN excluded.failures > 0 THEN coalesce(excluded.failed_at, e.failed_at) END,
                    listed_at = CASE WHEN e.exchange_url = excluded.exchange_url THEN e.listed_at END",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, rows).into()],
    )?;
    let names: Vec<&str> = exchanges.iter().map(Configured::name).collect();
    db.run(
        "DELETE FROM @extschema@.signal_exchanges
          WHERE exchange <> ALL (string_to_array($1, ' '))
             OR failures = 0 AND listed_at IS NULL",
        &[names.join(" ").into()],
    )?;
    Ok(())
}
