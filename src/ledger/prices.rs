//! The latest prices for those who are looking at them: the rows of `signal_prices`.

use super::recordset::Kind::{Numeric, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::transaction::in_subtransaction;
use crate::postgres::{Db, Failure};
use market::Ticker;

fn columns<'a>() -> [Column<&'a Ticker>; 4] {
    [
        column("symbol", Text, |t| t.symbol.as_str().into()),
        column("last_price", Numeric, |t| t.last_price.to_string().into()),
        column("price_change_percent", Numeric, |t| {
            t.price_change_percent.to_string().into()
        }),
        column("close_time", Time, |t| t.close_time.into()),
    ]
}

/// Writes the prices of `tickers` while somebody holds a stream of a live service that reads its
/// slot; otherwise nothing. Unchanged prices are written once a minute. Returns why they could not
/// be written, which costs a run nothing else.
///
/// # Errors
/// That the run is to end.
pub fn keep<'a>(
    db: &Db,
    tickers: impl IntoIterator<Item = &'a Ticker>,
) -> Result<Option<String>, Failure> {
    let watched = db.read(
        "SELECT true FROM @extschema@.signal_watchers w
          WHERE w.slot IN (SELECT s.slot_name FROM pg_replication_slots s WHERE s.active) LIMIT 1",
        &[],
        |_| Ok(()),
    )?;
    if watched.is_empty() {
        return Ok(None);
    }
    match in_subtransaction(|| write(db, tickers)) {
        Ok(()) => Ok(None),
        Err(failure) if failure.is_canceled() => Err(failure),
        Err(failure) => Ok(Some(format!(
            "signal_prices cannot be written: {}",
            failure.line()
        ))),
    }
}

fn write<'a>(db: &Db, tickers: impl IntoIterator<Item = &'a Ticker>) -> Result<(), Failure> {
    let columns = columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_prices AS p (symbol, last_price, price_change_percent, priced_at, updated_at)
             SELECT r.symbol, r.last_price, r.price_change_percent, to_timestamp(r.close_time / 1000), clock_timestamp()
               FROM {} JOIN @extschema@.signal_symbols s ON s.symbol = r.symbol AND s.enabled
              ORDER BY r.symbol
                 ON CONFLICT (symbol) DO UPDATE
                SET last_price = excluded.last_price, price_change_percent = excluded.price_change_percent,
                    priced_at = excluded.priced_at, updated_at = excluded.updated_at
              WHERE p.last_price <> excluded.last_price OR p.price_change_percent <> excluded.price_change_percent
                 OR p.updated_at NOT BETWEEN excluded.updated_at - interval '1 minute' AND excluded.updated_at",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, tickers).into()],
    )?;
    db.run(
        "DELETE FROM @extschema@.signal_prices p
          WHERE NOT EXISTS (SELECT FROM @extschema@.signal_symbols s WHERE s.symbol = p.symbol AND s.enabled)",
        &[],
    )?;
    Ok(())
}
