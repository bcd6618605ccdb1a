//! The candles of Binance's spot REST API, which calls them klines.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>

mod rows;

use super::accept;
use super::reply::refusal;
use super::requests::RESERVED;
use crate::http::{Client, Reply};
use crate::{CandleQuery, Candles, Endpoint, MarketError, UnixMillis};
use percent_encoding::utf8_percent_encode;
use std::time::{SystemTime, UNIX_EPOCH};

pub use rows::parse;

/// "Invalid interval."
const INVALID_INTERVAL: i64 = -1120;

/// Asks for candles; all its requests together have the endpoint's timeout. Each costs the
/// exchange a request weight of 2, however many candles it brings.
pub struct CandleClient<'a> {
    client: Client<'a>,
    base_url: &'a str,
}

impl<'a> CandleClient<'a> {
    /// Prepares for requests; the time starts to run.
    ///
    /// # Errors
    /// [`MarketError::BadUrl`] and [`MarketError::BadCaFile`].
    pub fn new(endpoint: &'a Endpoint) -> Result<Self, MarketError> {
        Ok(Self {
            client: Client::new(endpoint)?,
            base_url: endpoint.base_url.trim_end_matches('/'),
        })
    }

    /// Gets the first [`CandleQuery::MOST`] candles of `query` in one request. Blocks. Without a
    /// candle to ask for, it asks nothing.
    ///
    /// # Errors
    /// [`MarketError::NoSuchInterval`] when the exchange has no candles of this length,
    /// [`MarketError::BadCandles`] and [`MarketError::NoCandles`] for a reply that cannot be used,
    /// and whatever else [`MarketError`] names. A single row that cannot be used is no error: see
    /// [`Candles::unusable`].
    pub fn get(&self, query: &CandleQuery) -> Result<Candles, MarketError> {
        if query.length() == 0 {
            return Ok(Candles::default());
        }
        let reply = self.client.get(&self.url(query)).map_err(of_candles)?;
        if let Some(message) = refused_interval(&reply) {
            return Err(MarketError::NoSuchInterval {
                interval: query.interval.name(),
                message,
            });
        }
        let now = reply.date.unwrap_or_else(this_clock);
        parse(&accept(reply)?, query, now)
    }

    fn url(&self, query: &CandleQuery) -> String {
        format!(
            "{}/api/v3/klines?symbol={}&interval={}&startTime={}&endTime={}&limit={}",
            self.base_url,
            utf8_percent_encode(&query.symbol, RESERVED),
            query.interval.name(),
            query.begin(),
            // The latest begin of a candle, which the exchange counts in.
            query.end() - 1,
            query.length().min(CandleQuery::MOST)
        )
    }
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

/// The time by this machine's clock, for a reply that does not tell the exchange's.
fn this_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| since.as_millis().try_into().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
