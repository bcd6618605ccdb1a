//! Bybit's spot market, by version 5 of its REST API. The list of all symbols is one request;
//! ratios are printed with four places, and no row has a time, which the reply states of all.
//!
//! Too many requests: code 10006 under status 200, and status 403 for ten minutes, which also an
//! address in the United States gets.
//!
//! Rows of tickers are on record; candles and instruments are untested against the exchange.
//!
//! <https://bybit-exchange.github.io/docs/v5/market/tickers>

use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{Errors, Reset};
use crate::reading::instruments::{self, Listed, joined, text};
use crate::reading::json;
use crate::reading::list::{self, Envelope};
use crate::reading::row::Field;
use crate::reading::shown::Relative;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis,
};
use serde::Deserialize;
use std::collections::HashSet;

/// Bybit.
#[derive(Debug)]
pub struct Bybit;

const ENVELOPE: Envelope = Envelope {
    members: ["retCode", "retMsg", "result", "time"],
    success: "0",
};

const ERRORS: Errors = Errors {
    read: |text| ENVELOPE.refusal(text),
    stops: |refusal| match refusal.code.as_str() {
        "429" | "10006" | "10018" => Some(429),
        "10009" | "10024" => Some(403),
        "10000" | "10016" => Some(503),
        _ => None,
    },
    reset: Some(("x-bapi-limit-reset-timestamp", Reset::UntilMillis)),
};

const SHAPE: list::Shape = list::Shape {
    names: &[
        ("symbol", Field::Symbol),
        ("lastPrice", Field::Last),
        ("prevPrice24h", Field::Open),
        ("price24hPcnt", Field::Relative),
        ("highPrice24h", Field::High),
        ("lowPrice24h", Field::Low),
        ("bid1Price", Field::Bid),
        ("ask1Price", Field::Ask),
        ("volume24h", Field::BaseVolume),
        ("turnover24h", Field::QuoteVolume),
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
        Cell::QuoteVolume,
    ],
    unit_ms: 1,
    is_newest_first: true,
    gives_more: true,
};

const MOST_CANDLES: usize = 1000;

/// The list in a reply, and the time that the reply states.
fn list_of(body: &[u8]) -> Result<(&str, Option<UnixMillis>), MarketError> {
    let content = ENVELOPE.open(body, &ERRORS)?;
    match json::members(content.data, ["list"]) {
        Ok([Some(list)]) => Ok((list.get(), content.time)),
        _ => Err(list::no_list(content.data)),
    }
}

impl Exchange for Bybit {
    fn name(&self) -> &'static str {
        "bybit"
    }

    fn base_url(&self) -> &'static str {
        "https://api.bybit.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/v5/market/tickers?category=spot";
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
        let (list, time_of_all) = list_of(body)?;
        list::rows(list, &SHAPE, asked, time_of_all, time)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        let interval = match query.interval {
            Interval::Minute => "1",
            Interval::Day => "D",
            Interval::Second => return Err(no_such_interval(query.interval)),
        };
        let path = |part: &CandleQuery| {
            format!(
                "/v5/market/kline?category=spot&symbol={}&interval={interval}&start={}&end={}\
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
        candles::parse(body, &CANDLES, query, now, |body| Ok(list_of(body)?.0))
    }

    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError> {
        let path = "/v5/market/instruments-info?category=spot";
        instruments::fetch::<Row>(
            endpoint,
            symbols,
            path,
            &ERRORS,
            |body| Ok(list_of(body)?.0),
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    base_coin: String,
    quote_coin: String,
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
    price_filter: Option<PriceFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceFilter {
    #[serde(default, deserialize_with = "text")]
    tick_size: Option<String>,
}

impl Listed for Row {
    fn instrument(self) -> Instrument {
        let tick = self.price_filter.and_then(|filter| filter.tick_size);
        let status = match self.status.as_deref() {
            Some("Trading") => Status::Trading,
            Some("Closed" | "Delivering") => Status::Delisted,
            _ => Status::Halted,
        };
        joined(
            self.symbol,
            self.base_coin,
            self.quote_coin,
            tick.as_deref(),
            status,
        )
    }
}
