//! MEXC's spot market, by version 3 of its REST API: the shapes of Binance, but ratios where Binance
//! has percentages, no average price and no count of trades. The list of all symbols is one
//! request. Untested against the exchange: no reply of it is on record.
//!
//! Too many requests: status 429, or code 429 in the body.
//!
//! <https://www.mexc.com/api-docs/spot-v3/market-data-endpoints>

use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{self, Errors};
use crate::reading::instruments::{self, Listed, bare_list, joined, places, text, tick_of_places};
use crate::reading::json;
use crate::reading::list;
use crate::reading::row::Field;
use crate::reading::shown::Relative;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis,
};
use serde::Deserialize;
use std::collections::HashSet;

/// MEXC.
#[derive(Debug)]
pub struct Mexc;

const ERRORS: Errors = Errors {
    read: |text| errors::object(text, "code", "msg"),
    stops: |refusal| match refusal.code.as_str() {
        "429" | "510" | "-1003" => Some(429),
        "403" => Some(403),
        "500" | "503" => Some(503),
        _ => None,
    },
    reset: None,
};

const SHAPE: list::Shape = list::Shape {
    names: &[
        ("symbol", Field::Symbol),
        ("lastPrice", Field::Last),
        ("openPrice", Field::Open),
        ("priceChange", Field::Change),
        ("priceChangePercent", Field::Relative),
        ("highPrice", Field::High),
        ("lowPrice", Field::Low),
        ("bidPrice", Field::Bid),
        ("askPrice", Field::Ask),
        ("volume", Field::BaseVolume),
        ("quoteVolume", Field::QuoteVolume),
        ("openTime", Field::OpenTime),
        ("closeTime", Field::CloseTime),
        ("count", Field::Count),
    ],
    relative: Relative::Ratio(4),
};

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Open,
        Cell::High,
        Cell::Low,
        Cell::Close,
        Cell::Volume,
        // Of the minute or of its last millisecond, by the version of the API.
        Cell::Other,
        Cell::QuoteVolume,
    ],
    unit_ms: 1,
    is_newest_first: false,
    gives_more: true,
};

const MOST_CANDLES: usize = 500;

/// The list that a reply is, or the error.
fn list_of(body: &[u8]) -> Result<&str, MarketError> {
    match ERRORS.refusal(body) {
        Some(refusal) => Err(ERRORS.error(refusal)),
        None => bare_list(body),
    }
}

impl Exchange for Mexc {
    fn name(&self) -> &'static str {
        "mexc"
    }

    fn base_url(&self) -> &'static str {
        "https://api.mexc.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/api/v3/ticker/24hr";
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
                "/api/v3/klines?symbol={}&interval={interval}&startTime={}&endTime={}\
                 &limit={MOST_CANDLES}",
                list::encoded(&part.symbol),
                part.begin(),
                part.end() - 1
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
        let path = "/api/v3/exchangeInfo";
        instruments::fetch::<Row>(endpoint, symbols, path, &ERRORS, |body| {
            let text = list::text(body)?;
            match json::members(text, ["symbols"]) {
                Ok([Some(list)]) => Ok(list.get()),
                _ => list_of(body).and_then(|_| Err(list::no_list(text))),
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    /// `1`, and `ENABLED` in older versions, of a pair that trades.
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
    base_asset: String,
    quote_asset: String,
    /// Places of its prices.
    #[serde(default, deserialize_with = "places")]
    quote_precision: Option<u32>,
}

impl Listed for Row {
    fn instrument(self) -> Instrument {
        let status = match self.status.as_deref() {
            Some("1" | "ENABLED" | "TRADING") => Status::Trading,
            Some("3") => Status::Delisted,
            _ => Status::Halted,
        };
        Instrument {
            tick_size: self.quote_precision.and_then(tick_of_places),
            ..joined(self.symbol, self.base_asset, self.quote_asset, None, status)
        }
    }
}
