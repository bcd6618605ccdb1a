//! What the exchanges say of their pairs: signal_instruments.

use super::plan::usable_tick;
use super::recordset::Kind::{Numeric, Prose, Text};
use super::recordset::{self, Column, column};
use crate::postgres::statements::text;
use crate::postgres::{Db, Failure};
use crate::settings::Configured;
use market::{Instrument, Status};
use rust_decimal::Decimal;
use std::collections::HashMap;

/// What a run needs to know of a pair that an exchange lists.
#[derive(Clone, Debug)]
pub struct Known {
    pub quote: String,
    /// `None` where the exchange does not say, and where it cannot be worked with.
    pub tick_size: Option<Decimal>,
    pub is_trading: bool,
}

/// The known pairs of each exchange, in the order of these.
pub type Instruments = Vec<HashMap<String, Known>>;

/// Reads what is known of the pairs of `exchanges`.
///
/// # Errors
/// What the query raises.
pub fn known(db: &Db, exchanges: &[Configured]) -> Result<Instruments, Failure> {
    let mut known: Instruments = vec![HashMap::new(); exchanges.len()];
    let rows = db.read(
        "SELECT exchange, symbol, quote_asset, tick_size::text, status FROM @extschema@.signal_instruments",
        &[],
        |row| {
            let tick = row.get::<String>(4)?;
            let pair = Known {
                quote: text(row, 3)?,
                tick_size: tick.as_deref().and_then(usable_tick),
                is_trading: text(row, 5)? == Status::Trading.name(),
            };
            Ok((text(row, 1)?, text(row, 2)?, pair))
        },
    )?;
    for (exchange, symbol, pair) in rows {
        let place = exchanges.iter().position(|other| other.name() == exchange);
        if let Some(of_exchange) = place.and_then(|place| known.get_mut(place)) {
            of_exchange.insert(symbol, pair);
        }
    }
    Ok(known)
}

/// The tick of each pair, as the first of `exchanges` says that lists it.
///
/// # Errors
/// What the query raises.
pub fn ticks(db: &Db, exchanges: &[Configured]) -> Result<HashMap<String, Decimal>, Failure> {
    let mut ticks = HashMap::new();
    for (symbol, pair) in known(db, exchanges)?.into_iter().flatten() {
        if let Some(tick) = pair.tick_size {
            ticks.entry(symbol).or_insert(tick);
        }
    }
    Ok(ticks)
}

fn columns<'a>() -> [Column<&'a Instrument>; 6] {
    [
        column("symbol", Text, |i| i.symbol.as_str().into()),
        column("exchange_symbol", Prose, |i| {
            i.native_symbol.as_str().into()
        }),
        column("base_asset", Prose, |i| i.base.as_str().into()),
        column("quote_asset", Prose, |i| i.quote.as_str().into()),
        column("tick_size", Numeric, |i| {
            i.tick_size.map(|tick| tick.to_string()).into()
        }),
        column("status", Text, |i| i.status.name().into()),
    ]
}

/// Keeps what a list of an exchange says, and no longer what none has said for 90 days. `is_whole`:
/// whether the list has all that is of interest.
///
/// # Errors
/// What the statements raise.
pub fn keep(
    db: &Db,
    exchange: &Configured,
    list: &[Instrument],
    is_whole: bool,
) -> Result<(), Failure> {
    let columns = columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_instruments
                    (exchange, symbol, exchange_symbol, base_asset, quote_asset, tick_size, status)
             SELECT DISTINCT ON (r.symbol) $2, r.symbol, r.exchange_symbol, r.base_asset, r.quote_asset, r.tick_size,
                    r.status
               FROM {}
             ON CONFLICT (exchange, symbol) DO UPDATE
                SET exchange_symbol = excluded.exchange_symbol, base_asset = excluded.base_asset,
                    quote_asset = excluded.quote_asset, tick_size = excluded.tick_size, status = excluded.status,
                    last_seen_at = excluded.last_seen_at",
            recordset::source(&columns)
        ),
        &[
            recordset::rows(&columns, list.iter()).into(),
            exchange.name().into(),
        ],
    )?;
    if !is_whole {
        return Ok(());
    }
    db.run(
        "DELETE FROM @extschema@.signal_instruments WHERE last_seen_at < now() - interval '90 days'",
        &[],
    )?;
    // At another base URL an exchange begins anew.
    let args = [exchange.name().into(), exchange.url().into()];
    db.run(
        "DELETE FROM @extschema@.signal_exchanges WHERE exchange = $1 AND exchange_url <> $2",
        &args,
    )?;
    db.run(
        "INSERT INTO @extschema@.signal_exchanges (exchange, exchange_url, listed_at) VALUES ($1, $2, now())
         ON CONFLICT (exchange) DO UPDATE SET listed_at = excluded.listed_at",
        &args,
    )?;
    Ok(())
}
