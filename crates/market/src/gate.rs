//! Gate's spot market, by version 4 of its REST API. The list of all symbols is one request, without
//! any time; percentages have two places and are all it says of the change, so the price 24 hours
//! ago follows from them, within 0.005 %. Volumes may be the text "nan".
//!
//! Too many requests: status 429 with the label TOO_MANY_REQUESTS, and the header
//! X-Gate-RateLimit-Reset-Timestamp.
//!
//! Tickers and candles are on record; instruments are untested against the exchange.
//!
//! <https://www.gate.com/docs/developers/apiv4/en/#spot>

use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{self, Errors, Reset};
use crate::reading::instruments::{self, Listed, bare_list, joined, places, text, tick_of_places};
use crate::reading::list;
use crate::reading::row::Field;
use crate::reading::shown::Relative;
use crate::symbols::separated;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis,
};
use serde::Deserialize;
use std::collections::HashSet;

/// Gate.
#[derive(Debug)]
pub struct Gate;

const ERRORS: Errors = Errors {
    read: |text| errors::object(text, "label", "message"),
    stops: |refusal| match refusal.code.as_str() {
        "TOO_MANY_REQUESTS" => Some(429),
        "TOO_BUSY" | "SERVER_ERROR" => Some(503),
        _ => None,
    },
    reset: Some(("x-gate-ratelimit-reset-timestamp", Reset::UntilSeconds)),
};

const SHAPE: list::Shape = list::Shape {
    names: &[
        ("currency_pair", Field::Symbol),
        ("last", Field::Last),
        ("change_percentage", Field::Relative),
        ("high_24h", Field::High),
        ("low_24h", Field::Low),
        ("highest_bid", Field::Bid),
        ("lowest_ask", Field::Ask),
        ("base_volume", Field::BaseVolume),
        ("quote_volume", Field::QuoteVolume),
    ],
    relative: Relative::Percent(2),
};

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::QuoteVolume,
        Cell::Close,
        Cell::High,
        Cell::Low,
        Cell::Open,
        Cell::Volume,
    ],
    unit_ms: 1000,
    is_newest_first: false,
    gives_more: true,
};

const MOST_CANDLES: usize = 1000;

/// The list that a reply is, or the error.
fn list_of(body: &[u8]) -> Result<&str, MarketError> {
    match ERRORS.refusal(body) {
        Some(refusal) => Err(ERRORS.error(refusal)),
        None => bare_list(body),
    }
}

impl Exchange for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn base_url(&self) -> &'static str {
        "https://api.gateio.ws"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/api/v4/spot/tickers";
        list::fetch(endpoint, symbols, path, &ERRORS, |body, asked, time| {
            self.read_tickers(body, asked, time)
        })
    }

    fn read_tickers(
        &self,
        body: &[u8],
        asked: &HashSet<&str>,
        time: ReplyTime,
    ) -> Result<Rows, MarketError> {
        list::rows(list_of(body)?, &SHAPE, asked, None, time)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        let interval = match query.interval {
            Interval::Minute | Interval::Day => query.interval.name(),
            Interval::Second => return Err(no_such_interval(query.interval)),
        };
        let path = |part: &CandleQuery| {
            format!(
                "/api/v4/spot/candlesticks?currency_pair={}&interval={interval}&from={}&to={}",
                list::encoded(&separated(&part.symbol, '_')),
                part.begin() / 1000,
                part.end() / 1000 - 1
            )
        };
        candles::fetch(
            client,
            query,
            MOST_CANDLES,
            &ERRORS,
            path,
            |body, part, now| self.read_candles(body, part, now),
        )
    }

    fn read_candles(
        &self,
        body: &[u8],
        query: &CandleQuery,
        now: UnixMillis,
    ) -> Result<Candles, MarketError> {
        candles::parse(body, &CANDLES, query, now, list_of)
    }

    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError> {
        let path = "/api/v4/spot/currency_pairs";
        instruments::fetch::<Row>(endpoint, symbols, path, &ERRORS, list_of)
    }
}

#[derive(Deserialize)]
struct Row {
    id: String,
    base: String,
    quote: String,
    /// Places of its prices.
    #[serde(default, deserialize_with = "places")]
    precision: Option<u32>,
    #[serde(default, deserialize_with = "text")]
    trade_status: Option<String>,
}

impl Listed for Row {
    fn instrument(self) -> Instrument {
        let status = match self.trade_status.as_deref() {
            Some("tradable") => Status::Trading,
            _ => Status::Halted,
        };
        Instrument {
            tick_size: self.precision.and_then(tick_of_places),
            ..joined(self.id, self.base, self.quote, None, status)
        }
    }
}
