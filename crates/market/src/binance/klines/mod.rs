//! The candles of Binance's spot REST API, which calls them klines.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>

mod rows;

use super::accept;
use super::reply::refusal;
use super::requests::RESERVED;
use crate::http::{Client, Reply};
use crate::{CandleQuery, Candles, MarketError};
use percent_encoding::utf8_percent_encode;

pub use rows::parse;

/// "Invalid interval."
const INVALID_INTERVAL: i64 = -1120;

/// Gets candles as [`Exchange::candles`](crate::Exchange::candles) says. A request costs the
/// exchange a weight of 2, however many candles it brings.
pub(super) fn fetch(client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
    if query.length() == 0 {
        return Ok(Candles::default());
    }
    let reply = client.get(&path(query)).map_err(of_candles)?;
    if let Some(message) = refused_interval(&reply) {
        return Err(MarketError::NoSuchInterval {
            interval: query.interval.name(),
            message,
        });
    }
    let now = reply.time();
    parse(&accept(reply)?, query, now)
}

fn path(query: &CandleQuery) -> String {
    format!(
        "/api/v3/klines?symbol={}&interval={}&startTime={}&endTime={}&limit={}",
        utf8_percent_encode(&query.symbol, RESERVED),
        query.interval.name(),
        query.begin(),
        // The latest begin of a candle, which the exchange counts in.
        query.end() - 1,
        query.length().min(CandleQuery::MOST)
    )
}

/// What a reply without HTTP is called where candles are asked for.
fn of_candles(error: MarketError) -> MarketError {
    match error {
        MarketError::NotJson { reason, body } => MarketError::NoCandles { reason, body },
        other => other,
    }
}

/// The exchange's words when it does not have candles of this length.
fn refused_interval(reply: &Reply) -> Option<String> {
    let (code, message) = refusal(&reply.body).filter(|_| reply.status == 400)?;
    (code == INVALID_INTERVAL).then_some(message)
}

#[cfg(test)]
mod tests;
