//! OKX's spot market, by version 5 of its REST API. The list of all symbols is one request; the
//! change is not stated, and each row has its time.
//!
//! Too many requests: code 50011 under status 429 or 200. An unknown instrument is code 51001
//! under status 200.
//!
//! Tickers and candles are on record; instruments are untested against the exchange.
//!
//! <https://www.okx.com/docs-v5/en/#order-book-trading-market-data>

use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::Errors;
use crate::reading::instruments::{self, Listed, joined, text};
use crate::reading::list::{self, Envelope};
use crate::reading::row::Field;
use crate::reading::shown::Relative;
use crate::symbols::separated;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis,
};
use serde::Deserialize;
use std::collections::HashSet;

/// OKX.
#[derive(Debug)]
pub struct Okx;

const ENVELOPE: Envelope = Envelope {
    members: ["code", "msg", "data", ""],
    success: "0",
};

const ERRORS: Errors = Errors {
    read: |text| ENVELOPE.refusal(text),
    stops: |refusal| match refusal.code.as_str() {
        "50011" | "50061" => Some(429),
        "50001" | "50004" | "50013" | "50026" => Some(503),
        _ => None,
    },
    reset: None,
};

const SHAPE: list::Shape = list::Shape {
    names: &[
        ("instId", Field::Symbol),
        ("last", Field::Last),
        ("open24h", Field::Open),
        ("high24h", Field::High),
        ("low24h", Field::Low),
        ("bidPx", Field::Bid),
        ("askPx", Field::Ask),
        // Of derivatives these two mean something else.
        ("vol24h", Field::BaseVolume),
        ("volCcy24h", Field::QuoteVolume),
        ("ts", Field::CloseTime),
    ],
    relative: Relative::Absent,
};

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Open,
        Cell::High,
        Cell::Low,
        Cell::Close,
        Cell::Volume,
        // In a currency of its own, which of spot is the quote asset too.
        Cell::Other,
        Cell::QuoteVolume,
    ],
    unit_ms: 1,
    is_newest_first: true,
    gives_more: true,
};

/// Most candles of one reply, of those of any age.
const MOST_CANDLES: usize = 100;

fn list_of(body: &[u8]) -> Result<&str, MarketError> {
    Ok(ENVELOPE.open(body, &ERRORS)?.data)
}

impl Exchange for Okx {
    fn name(&self) -> &'static str {
        "okx"
    }

    fn base_url(&self) -> &'static str {
        "https://www.okx.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/api/v5/market/tickers?instType=SPOT";
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
        let bar = match query.interval {
            Interval::Minute => "1m",
            // Days by the clock of UTC; 1D is one of Hong Kong.
            Interval::Day => "1Dutc",
            Interval::Second => return Err(no_such_interval(query.interval)),
        };
        // `before` and `after` are both left out of what comes, and name the older and the newer.
        let path = |part: &CandleQuery| {
            format!(
                "/api/v5/market/history-candles?instId={}&bar={bar}&before={}&after={}\
                 &limit={MOST_CANDLES}",
                list::encoded(&separated(&part.symbol, '-')),
                part.begin() - 1,
                part.end()
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
        let path = "/api/v5/public/instruments?instType=SPOT";
        instruments::fetch::<Row>(endpoint, symbols, path, &ERRORS, list_of)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    inst_id: String,
    base_ccy: String,
    quote_ccy: String,
    #[serde(default, deserialize_with = "text")]
    tick_sz: Option<String>,
    #[serde(default, deserialize_with = "text")]
    state: Option<String>,
}

impl Listed for Row {
    fn instrument(self) -> Instrument {
        let status = match self.state.as_deref() {
            Some("live") => Status::Trading,
            Some("expired") => Status::Delisted,
            _ => Status::Halted,
        };
        joined(
            self.inst_id,
            self.base_ccy,
            self.quote_ccy,
            self.tick_sz.as_deref(),
            status,
        )
    }
}
