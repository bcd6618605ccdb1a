//! KuCoin's spot market. The list of all symbols is one request, a snapshot of every two seconds
//! whose time the reply states; ratios are printed with four places. An untraded pair lacks its
//! extremes. The average price is left out: it is none of the volumes.
//!
//! Too many requests: status 429 with code 429000, and the header gw-ratelimit-reset with
//! milliseconds.
//!
//! Tickers and candles are on record; instruments are untested against the exchange.
//!
//! <https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-tickers>

use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{Errors, Reset};
use crate::reading::instruments::{self, Listed, joined, text};
use crate::reading::json;
use crate::reading::list::{self, Envelope};
use crate::reading::row::Field;
use crate::reading::shown::Relative;
use crate::symbols::separated;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis, decimal,
};
use serde::Deserialize;
use std::collections::HashSet;

/// KuCoin.
#[derive(Debug)]
pub struct KuCoin;

const ENVELOPE: Envelope = Envelope {
    members: ["code", "msg", "data", ""],
    success: "200000",
};

const ERRORS: Errors = Errors {
    read: |text| ENVELOPE.refusal(text),
    stops: |refusal| match refusal.code.as_str() {
        "429000" => Some(429),
        "500000" => Some(503),
        _ => None,
    },
    reset: Some(("gw-ratelimit-reset", Reset::Millis)),
};

const SHAPE: list::Shape = list::Shape {
    names: &[
        ("symbol", Field::Symbol),
        ("last", Field::Last),
        ("changePrice", Field::Change),
        ("changeRate", Field::Relative),
        ("high", Field::High),
        ("low", Field::Low),
        ("buy", Field::Bid),
        ("sell", Field::Ask),
        ("vol", Field::BaseVolume),
        ("volValue", Field::QuoteVolume),
    ],
    relative: Relative::Ratio(4),
};

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Open,
        Cell::Close,
        Cell::High,
        Cell::Low,
        Cell::Volume,
        Cell::QuoteVolume,
    ],
    unit_ms: 1000,
    is_newest_first: true,
    gives_more: true,
};

const MOST_CANDLES: usize = 1000;

fn list_of(body: &[u8]) -> Result<&str, MarketError> {
    Ok(ENVELOPE.open(body, &ERRORS)?.data)
}

impl Exchange for KuCoin {
    fn name(&self) -> &'static str {
        "kucoin"
    }

    fn base_url(&self) -> &'static str {
        "https://api.kucoin.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/api/v1/market/allTickers";
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
        let data = list_of(body)?;
        let Ok([Some(list), time_of_all]) = json::members(data, ["ticker", "time"]) else {
            return Err(list::no_list(data));
        };
        let time_of_all = time_of_all.and_then(|time| decimal::whole(&json::bare(time)?));
        list::rows(list.get(), &SHAPE, asked, time_of_all, time)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        let length = match query.interval {
            Interval::Minute => "1min",
            Interval::Day => "1day",
            Interval::Second => return Err(no_such_interval(query.interval)),
        };
        let path = |part: &CandleQuery| {
            format!(
                "/api/v1/market/candles?symbol={}&type={length}&startAt={}&endAt={}",
                list::encoded(&separated(&part.symbol, '-')),
                part.begin() / 1000,
                part.end() / 1000
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
        instruments::fetch::<Row>(endpoint, symbols, "/api/v2/symbols", &ERRORS, list_of)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    base_currency: String,
    quote_currency: String,
    #[serde(default, deserialize_with = "text")]
    price_increment: Option<String>,
    #[serde(default, deserialize_with = "text")]
    enable_trading: Option<String>,
}

impl Listed for Row {
    fn instrument(self) -> Instrument {
        let status = match self.enable_trading.as_deref() {
            Some("true") => Status::Trading,
            _ => Status::Halted,
        };
        let tick = self.price_increment.as_deref();
        joined(
            self.symbol,
            self.base_currency,
            self.quote_currency,
            tick,
            status,
        )
    }
}
