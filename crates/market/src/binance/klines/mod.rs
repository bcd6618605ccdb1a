//! The candles of Binance's spot REST API, which calls them klines.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>

mod rows;

use super::errors::ERRORS;
use crate::http::{Client, Reply};
use crate::reading::candles::of_candles;
use crate::reading::list::encoded;
use crate::{CandleQuery, Candles, MarketError};

pub use rows::parse;

/// "Invalid interval."
const INVALID_INTERVAL: &str = "-1120";

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
    ERRORS.take(&reply, |body| parse(body, query, reply.time()))
}

fn path(query: &CandleQuery) -> String {
    format!(
        "/api/v3/klines?symbol={}&interval={}&startTime={}&endTime={}&limit={}",
        encoded(&query.symbol),
        query.interval.name(),
        query.begin(),
        // The latest begin of a candle, which the exchange counts in.
        query.end() - 1,
        query.length().min(CandleQuery::MOST)
    )
}

/// The exchange's words when it does not have candles of this length.
fn refused_interval(reply: &Reply) -> Option<String> {
    let refusal = ERRORS
        .refusal(&reply.body)
        .filter(|_| reply.status == 400)?;
    (refusal.code == INVALID_INTERVAL).then_some(refusal.message)
}

#[cfg(test)]
mod tests;
