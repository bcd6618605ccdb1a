//! Daily candles, which some strategies need: kept in signal_daily_candles.

use super::recordset::Kind::{Numeric, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::statements::{Row, text};
use crate::postgres::{Db, Failure};
use market::{Candle, UnixMillis};
use rust_decimal::Decimal;
use std::collections::HashMap;

pub const DAY_MS: i64 = 86_400_000;
/// Days that are read: more than any strategy needs.
const READ_DAYS: i64 = 40;
/// Days that are kept.
const KEPT_DAYS: i64 = 100;

/// The candles of each symbol that end with the day before `today` and have no gap.
///
/// # Errors
/// What the statement raises.
pub fn known(db: &Db, today: UnixMillis) -> Result<HashMap<String, Vec<Candle>>, Failure> {
    let rows = db.read(
        "SELECT symbol, (extract(epoch FROM day::timestamp) * 1000)::bigint, open::text, high::text, low::text,
                close::text, base_volume::text, quote_volume::text
           FROM @extschema@.signal_daily_candles
          WHERE day >= (to_timestamp($1 / 1000) AT TIME ZONE 'UTC')::date - $2
            AND day < (to_timestamp($1 / 1000) AT TIME ZONE 'UTC')::date
          ORDER BY symbol, day",
        &[today.into(), i32::try_from(READ_DAYS).unwrap_or(i32::MAX).into()],
        |row| Ok((text(row, 1)?, candle(row)?)),
    )?;
    let mut known: HashMap<String, Vec<Candle>> = HashMap::new();
    for (symbol, candle) in rows {
        let Some(candle) = candle else { continue };
        let days = known.entry(symbol).or_default();
        let follows = days
            .last()
            .is_some_and(|last| last.open_time + DAY_MS == candle.open_time);
        if !follows {
            days.clear();
        }
        days.push(candle);
    }
    known.retain(|_, days| {
        days.last()
            .is_some_and(|last| last.open_time + DAY_MS == today)
    });
    Ok(known)
}

/// `None` for one with a number that cannot be worked with.
fn candle(row: &Row) -> Result<Option<Candle>, Failure> {
    let number = |ordinal| -> Result<Option<Decimal>, Failure> {
        Ok(Decimal::from_str_exact(&text(row, ordinal)?).ok())
    };
    let Some(open_time) = row.get(2)? else {
        return Ok(None);
    };
    let numbers = [
        number(3)?,
        number(4)?,
        number(5)?,
        number(6)?,
        number(7)?,
        number(8)?,
    ];
    Ok(match numbers {
        [
            Some(open),
            Some(high),
            Some(low),
            Some(close),
            Some(base_volume),
            Some(quote_volume),
        ] => Some(Candle {
            open_time,
            open,
            high,
            low,
            close,
            base_volume,
            quote_volume,
        }),
        _ => None,
    })
}

fn candle_columns<'a>() -> [Column<(&'a str, &'a Candle)>; 8] {
    [
        column("symbol", Text, |(symbol, _)| (*symbol).into()),
        column("day", Time, |(_, c)| c.open_time.into()),
        column("open", Numeric, |(_, c)| c.open.to_string().into()),
        column("high", Numeric, |(_, c)| c.high.to_string().into()),
        column("low", Numeric, |(_, c)| c.low.to_string().into()),
        column("close", Numeric, |(_, c)| c.close.to_string().into()),
        column("base_volume", Numeric, |(_, c)| {
            c.base_volume.to_string().into()
        }),
        column("quote_volume", Numeric, |(_, c)| {
            c.quote_volume.to_string().into()
        }),
    ]
}

/// Keeps candles that were fetched, and no longer those that are old.
///
/// # Errors
/// What the statements raise.
pub fn keep(db: &Db, fetched: &[(String, Vec<Candle>)]) -> Result<(), Failure> {
    let rows = fetched
        .iter()
        .flat_map(|(symbol, candles)| candles.iter().map(|candle| (symbol.as_str(), candle)));
    let columns = candle_columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_daily_candles AS c
                    (symbol, day, open, high, low, close, base_volume, quote_volume)
             SELECT r.symbol, (to_timestamp(r.day / 1000) AT TIME ZONE 'UTC')::date, r.open, r.high, r.low, r.close,
                    r.base_volume, r.quote_volume
               FROM {}
             ON CONFLICT (symbol, day) DO UPDATE
                SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
                    base_volume = excluded.base_volume, quote_volume = excluded.quote_volume,
                    fetched_at = excluded.fetched_at",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, rows).into()],
    )?;
    db.run(
        "DELETE FROM @extschema@.signal_daily_candles WHERE day < (now() AT TIME ZONE 'UTC')::date - $1",
        &[i32::try_from(KEPT_DAYS).unwrap_or(i32::MAX).into()],
    )?;
    Ok(())
}
