//! The way of the price while signals are open, for charts: the rows of `signal_price_path`.

use super::outcomes::Open;
use super::recordset::Kind::{Numeric, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::transaction::in_subtransaction;
use crate::postgres::{Db, Failure};
use market::Ticker;
use std::collections::HashSet;

fn columns<'a>() -> [Column<&'a Ticker>; 3] {
    [
        column("symbol", Text, |t| t.symbol.as_str().into()),
        column("last_price", Numeric, |t| t.last_price.to_string().into()),
        column("close_time", Time, |t| t.close_time.into()),
    ]
}

/// Adds the prices of symbols with an open signal to their way. Returns why that could not be done,
/// which costs a run nothing else.
///
/// # Errors
/// That the run is to end.
pub fn keep<'a>(
    db: &Db,
    open: &Open,
    tickers: impl IntoIterator<Item = &'a Ticker>,
) -> Result<Option<String>, Failure> {
    let symbols: HashSet<&str> = open.symbols.iter().map(String::as_str).collect();
    let tickers = tickers.into_iter();
    let tickers: Vec<&Ticker> = tickers
        .filter(|ticker| symbols.contains(ticker.symbol.as_str()))
        .collect();
    if tickers.is_empty() {
        return Ok(None);
    }
    match in_subtransaction(|| write(db, tickers)) {
        Ok(()) => Ok(None),
        Err(failure) if failure.is_canceled() => Err(failure),
        Err(failure) => Ok(Some(format!(
            "signal_price_path cannot be written: {}",
            failure.line()
        ))),
    }
}

fn write(db: &Db, tickers: Vec<&Ticker>) -> Result<(), Failure> {
    let columns = columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_price_path AS p (symbol, began_at, open, high, low, close)
             SELECT r.symbol, date_bin('5 minutes', to_timestamp(r.close_time / 1000), '2000-01-01 00:00+00'),
                    r.last_price, r.last_price, r.last_price, r.last_price
               FROM {}
              ORDER BY r.symbol
                 ON CONFLICT (symbol, began_at) DO UPDATE
                SET high = greatest(p.high, excluded.close), low = least(p.low, excluded.close),
                    close = excluded.close
              WHERE p.close <> excluded.close",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, tickers).into()],
    )?;
    db.run(
        "DELETE FROM @extschema@.signal_price_path WHERE began_at < now() - interval '14 days'",
        &[],
    )?;
    Ok(())
}
