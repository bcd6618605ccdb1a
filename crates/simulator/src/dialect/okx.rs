//! OKX's API v5, spot (okx.com/docs-v5): `/api/v5/market/tickers?instType=SPOT`,
//! `/api/v5/market/ticker?instId=`, `/api/v5/market/candles` (the last 1,440),
//! `/api/v5/market/history-candles`, `/api/v5/public/instruments`, `/api/v5/public/time`. All is
//! strings, times included; there is no change in percent; candles come newest first. Lengths of
//! six hours and more are those that begin by UTC.

use super::{
    Names, Route, Row, Speech, Trouble, View, length_named, newest, parameter, plain, status, whole,
};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::Day;
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use rust_decimal::Decimal;
use serde_json::{Value, json};

const TICKERS: &str = "/api/v5/market/tickers";
const TICKER: &str = "/api/v5/market/ticker";
const CANDLES: &str = "/api/v5/market/candles";
const HISTORY: &str = "/api/v5/market/history-candles";
const INSTRUMENTS: &str = "/api/v5/public/instruments";
const TIME: &str = "/api/v5/public/time";

/// How many candles back the newer route reaches.
const RECENT: i64 = 1_440;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

const NAMES: Names = Names {
    last: "last",
    percent: None,
    average: None,
    count: None,
    book: &["bidPx", "askPx"],
};

const LENGTHS: [(&str, i64); 12] = [
    ("1s", 1_000),
    ("1m", 60_000),
    ("3m", 3 * 60_000),
    ("5m", 5 * 60_000),
    ("15m", 15 * 60_000),
    ("30m", 30 * 60_000),
    ("1H", HOUR),
    ("2H", 2 * HOUR),
    ("4H", 4 * HOUR),
    ("6Hutc", 6 * HOUR),
    ("12Hutc", 12 * HOUR),
    ("1Dutc", DAY),
];

pub(super) struct Okx;

/// An error: its status, code and message.
type Refusal = (u16, &'static str, &'static str);

const UNKNOWN: Refusal = (
    200,
    "51001",
    "Instrument ID, Instrument ID code, or Spread ID doesn't exist.",
);

impl Speech for Okx {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKERS | TICKER => Some(Route::Tickers),
            CANDLES | HISTORY => Some(Route::Candles),
            INSTRUMENTS => Some(Route::Instruments),
            TIME => Some(Route::Other),
            _ => None,
        }
    }

    fn interval_parameter(&self) -> &'static str {
        "bar"
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}-{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let spot = parameter(query, "instType").as_deref() == Some("SPOT");
        let wrong_type = (400, "51000", "Parameter instType error");
        let result = match path {
            TICKERS if spot => {
                let days = view.days();
                Ok(rows(&days, view))
            }
            TICKER => ticker(query, view),
            CANDLES => candles(query, Some(RECENT), view),
            HISTORY => candles(query, None, view),
            INSTRUMENTS if spot => instruments(query, view),
            TIME => Ok(vec![json!({ "ts": view.now().to_string() })]),
            _ => Err(wrong_type),
        };
        match result {
            Ok(data) => reply((200, "0", ""), data),
            Err(refusal) => reply(refusal, Vec::new()),
        }
    }

    fn trouble(&self, trouble: Trouble, _now: UnixMillis) -> Response {
        let refusal = match trouble {
            Trouble::TooManyRequests(_) => (429, "50011", "Too Many Requests"),
            // The same code also comes with HTTP 200.
            Trouble::Banned(..) => (200, "50011", "Too Many Requests"),
            Trouble::RestrictedLocation => {
                return Response::html(
                    403,
                    "Access denied | www.okx.com used Cloudflare to restrict access",
                );
            }
            Trouble::InternalError => (500, "50026", "System error. Try again later."),
            Trouble::Maintenance => (
                503,
                "50001",
                "Service temporarily unavailable. Try again later",
            ),
            Trouble::UnknownSymbol => UNKNOWN,
        };
        reply(refusal, Vec::new())
    }
}

fn reply((status, code, message): Refusal, data: Vec<Value>) -> Response {
    let body = json!({ "code": code, "msg": message, "data": data });
    Response::json(status, body.to_string())
}

fn named(query: &str, view: &View) -> Result<Instrument, Refusal> {
    let name = parameter(query, "instId");
    let name = name.ok_or((400, "50014", "Parameter instId can not be empty."))?;
    view.named(&name).ok_or(UNKNOWN)
}

fn ticker(query: &str, view: &mut View) -> Result<Vec<Value>, Refusal> {
    let symbol = named(query, view)?.symbol;
    let days = view.days_of(&[symbol]);
    Ok(rows(&days, view))
}

fn rows(days: &[Day], view: &mut View) -> Vec<Value> {
    let midnight = view.now().div_euclid(DAY) * DAY;
    // The day of Hong Kong begins at 16:00 UTC.
    let hong_kong = (view.now() + 8 * HOUR).div_euclid(DAY) * DAY - 8 * HOUR;
    let opens: Vec<(Decimal, Decimal)> = days
        .iter()
        .map(|day| (view.price_at(day, midnight), view.price_at(day, hong_kong)))
        .collect();
    let form = |day: &Day| {
        let place = days.iter().position(|other| std::ptr::eq(other, day));
        row(day, view.own_name(day), opens[place.unwrap_or_default()])
    };
    let rows = view.rows(days, &NAMES, form);
    rows.into_iter().map(Value::Object).collect()
}

fn row(day: &Day, name: String, (utc, hong_kong): (Decimal, Decimal)) -> Row {
    // An empty side of the book is an empty string.
    let quoted = |price: Decimal| match price.is_zero() {
        true => String::new(),
        false => plain(price),
    };
    let fields = [
        ("instType", "SPOT".to_owned()),
        ("instId", name),
        ("last", plain(day.last)),
        ("lastSz", plain(day.last_quantity)),
        ("askPx", quoted(day.ask)),
        ("askSz", quoted(day.book_quantity)),
        ("bidPx", quoted(day.bid)),
        ("bidSz", quoted(day.book_quantity)),
        ("open24h", plain(day.open)),
        ("high24h", plain(day.high)),
        ("low24h", plain(day.low)),
        ("volCcy24h", plain(day.quote_volume)),
        ("vol24h", plain(day.volume)),
        ("ts", day.close_time.to_string()),
        ("sodUtc0", plain(utc)),
        ("sodUtc8", plain(hong_kong)),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn candles(query: &str, reach: Option<i64>, view: &mut View) -> Result<Vec<Value>, Refusal> {
    let instrument = named(query, view)?;
    let bar = parameter(query, "bar").unwrap_or_else(|| "1m".to_owned());
    let invalid = (400, "51000", "Parameter bar error");
    let length = length_named(&LENGTHS, &bar).ok_or(invalid)?;
    let number = |name| whole(query, name).map_err(|()| (400, "51000", "Parameter error"));
    let most = number("limit")?.unwrap_or(100);
    let most = most.clamp(1, if reach.is_some() { 300 } else { 100 }) as usize;
    let now = view.candle_time();
    // Both limits are left out: newer than `before`, older than `after`.
    let oldest = reach.map(|candles| now - candles * length);
    let start = number("before")?.map(|time| time + 1).max(oldest);
    let end = number("after")?.map(|time| time - 1);
    let (first, last) = newest((start, end), length, most, now);
    let candles = view.candles(&instrument.symbol, first, last, length);
    let candles = candles.ok_or(invalid)?;
    let form = |candle| row_of_candle(candle, length, now);
    let mut rows: Vec<Value> = candles.iter().rev().map(form).collect();
    view.spoil_candles(&mut rows, 2);
    Ok(rows)
}

fn row_of_candle(candle: &RecordedCandle, length: i64, now: UnixMillis) -> Value {
    let complete = candle.open_time + length <= now;
    json!([
        candle.open_time.to_string(),
        plain(candle.open),
        plain(candle.high),
        plain(candle.low),
        plain(candle.close),
        plain(candle.base_volume),
        plain(candle.quote_volume),
        plain(candle.quote_volume),
        if complete { "1" } else { "0" },
    ])
}

fn instruments(query: &str, view: &View) -> Result<Vec<Value>, Refusal> {
    let wanted = match parameter(query, "instId") {
        None => None,
        Some(_) => Some(named(query, view)?.symbol),
    };
    let listed = view.listed().filter(|listed| match &wanted {
        None => true,
        Some(symbol) => listed.instrument.symbol == *symbol,
    });
    Ok(listed.map(listing).collect())
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let step = plain(instrument.step_size());
    json!({
        "instType": "SPOT",
        "instId": Okx.symbol(instrument),
        "baseCcy": instrument.base_asset,
        "quoteCcy": instrument.quote_asset,
        "settleCcy": "",
        "ctVal": "",
        "tickSz": plain(instrument.tick_size),
        "lotSz": step,
        "minSz": step,
        "state": status(listed, ["live", "suspend", "suspend"]),
        "listTime": "1548133413000",
        "expTime": "",
    })
}
