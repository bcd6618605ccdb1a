//! MEXC's API v3, spot (mexcdevelop.github.io/apidocs/spot_v3_en): `/api/v3/ticker/24hr` (one
//! symbol or all), `/api/v3/klines`, `/api/v3/exchangeInfo`, `/api/v3/time`, `/api/v3/ping`. It
//! looks like Binance's, but the change is a ratio cut off after 4 decimals, the count is null,
//! there is no average price, candles have eight columns, and the tick is a number of decimals.
//! No reply of it was recorded.

use super::{
    Names, Route, Row, Speech, Trouble, View, length_named, parameter, plain, range, status, whole,
};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::Day;
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use serde_json::{Value, json};

const TICKERS: &str = "/api/v3/ticker/24hr";
const KLINES: &str = "/api/v3/klines";
const INSTRUMENTS: &str = "/api/v3/exchangeInfo";
const TIME: &str = "/api/v3/time";
const PING: &str = "/api/v3/ping";

const NAMES: Names = Names {
    last: "lastPrice",
    percent: Some("priceChangePercent"),
    average: None,
    count: None,
    book: &["bidPrice", "askPrice"],
};

const LENGTHS: [(&str, i64); 7] = [
    ("1m", 60_000),
    ("5m", 5 * 60_000),
    ("15m", 15 * 60_000),
    ("30m", 30 * 60_000),
    ("60m", 3_600_000),
    ("4h", 4 * 3_600_000),
    ("1d", 24 * 3_600_000),
];

pub(super) struct Mexc;

/// An error: its status, code and message.
type Refusal = (u16, i32, &'static str);

const UNKNOWN: Refusal = (400, -1121, "Invalid symbol.");
const MISSING: Refusal = (
    400,
    -1102,
    "Mandatory parameter was not sent, was empty/null, or malformed.",
);

impl Speech for Mexc {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKERS => Some(Route::Tickers),
            KLINES => Some(Route::Candles),
            INSTRUMENTS => Some(Route::Instruments),
            TIME | PING => Some(Route::Other),
            _ => None,
        }
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            TICKERS => tickers(query, view),
            KLINES => klines(query, view),
            INSTRUMENTS => instruments(query, view),
            TIME => Ok(json!({ "serverTime": view.now() })),
            _ => Ok(json!({})),
        };
        match result {
            Ok(body) => Response::json(200, body.to_string()),
            Err(refusal) => refuse(refusal),
        }
    }

    fn trouble(&self, trouble: Trouble, _now: UnixMillis) -> Response {
        let too_many = |wait: Option<u64>| {
            let response = refuse((429, 429, "Too Many Requests"));
            match wait {
                Some(seconds) => response.with_header("Retry-After", seconds),
                None => response,
            }
        };
        match trouble {
            Trouble::TooManyRequests(wait) => too_many(wait),
            Trouble::Banned(seconds, told) => too_many(Some(seconds).filter(|_| told)),
            Trouble::RestrictedLocation => Response::html(403, "403 Forbidden"),
            Trouble::InternalError => refuse((500, 500, "Internal error")),
            Trouble::Maintenance => refuse((503, 503, "Service not available, please try again")),
            Trouble::UnknownSymbol => refuse(UNKNOWN),
        }
    }
}

fn refuse((status, code, message): Refusal) -> Response {
    let body = json!({ "code": code, "msg": message });
    Response::json(status, body.to_string())
}

fn tickers(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let one = parameter(query, "symbol");
    let days = match &one {
        None => view.days(),
        Some(name) => {
            let instrument = view.named(name).ok_or(UNKNOWN)?;
            view.days_of(&[instrument.symbol])
        }
    };
    let mut rows = view.rows(&days, &NAMES, row);
    Ok(match one {
        Some(_) => rows.pop().map(Value::Object).unwrap_or_default(),
        None => rows.into_iter().map(Value::Object).collect(),
    })
}

fn row(day: &Day) -> Row {
    let mut row = Row::new();
    row.insert("symbol".to_owned(), day.symbol.clone().into());
    let numbers = [
        ("priceChange", day.change()),
        ("priceChangePercent", day.ratio().trunc_with_scale(4)),
        ("prevClosePrice", day.open),
        ("lastPrice", day.last),
        ("bidPrice", day.bid),
        ("bidQty", day.book_quantity),
        ("askPrice", day.ask),
        ("askQty", day.book_quantity),
        ("openPrice", day.open),
        ("highPrice", day.high),
        ("lowPrice", day.low),
        ("volume", day.volume),
        ("quoteVolume", day.quote_volume),
    ];
    for (name, number) in numbers {
        row.insert(name.to_owned(), plain(number).into());
    }
    row.insert("openTime".to_owned(), day.open_time.into());
    row.insert("closeTime".to_owned(), day.close_time.into());
    row.insert("count".to_owned(), Value::Null);
    row
}

fn klines(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let name = parameter(query, "symbol").ok_or(MISSING)?;
    let instrument = view.named(&name).ok_or(UNKNOWN)?;
    let interval = parameter(query, "interval").ok_or(MISSING)?;
    let invalid = (400, -1121, "Invalid interval.");
    let length = length_named(&LENGTHS, &interval).ok_or(invalid)?;
    let number = |name| whole(query, name).map_err(|()| MISSING);
    let most = number("limit")?.unwrap_or(500).clamp(1, 1_000) as usize;
    let when = (number("startTime")?, number("endTime")?);
    let (first, last) = range(when, length, most, view.candle_time());
    let candles = view.candles(&instrument.symbol, first, last, length);
    let form = |candle| row_of_candle(candle, length);
    let mut rows: Vec<Value> = candles.ok_or(invalid)?.iter().map(form).collect();
    view.spoil_candles(&mut rows, 2);
    Ok(rows.into())
}

fn row_of_candle(candle: &RecordedCandle, length: i64) -> Value {
    json!([
        candle.open_time,
        plain(candle.open),
        plain(candle.high),
        plain(candle.low),
        plain(candle.close),
        plain(candle.base_volume),
        candle.open_time + length,
        plain(candle.quote_volume),
    ])
}

fn instruments(query: &str, view: &View) -> Result<Value, Refusal> {
    let names = parameter(query, "symbol").or_else(|| parameter(query, "symbols"));
    let names: Vec<&str> = names.iter().flat_map(|names| names.split(',')).collect();
    if names.iter().any(|name| view.named(name).is_none()) {
        return Err(UNKNOWN);
    }
    let wanted = |listed: &&Listed| {
        let own = Mexc.symbol(&listed.instrument);
        names.is_empty() || names.contains(&own.as_str())
    };
    let symbols: Vec<Value> = view.listed().filter(wanted).map(listing).collect();
    Ok(json!({
        "timezone": "CST",
        "serverTime": view.now(),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": symbols,
    }))
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let decimals = instrument.tick_size.normalize().scale();
    let steps = instrument.step_size().normalize();
    json!({
        "symbol": Mexc.symbol(instrument),
        "status": status(listed, ["1", "2", "3"]),
        "baseAsset": instrument.base_asset,
        "baseAssetPrecision": steps.scale(),
        "quoteAsset": instrument.quote_asset,
        "quotePrecision": decimals,
        "quoteAssetPrecision": decimals,
        "baseCommissionPrecision": steps.scale(),
        "quoteCommissionPrecision": decimals,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": status(listed, ["1", "2", "3"]) == "1",
        "isMarginTradingAllowed": false,
        "quoteAmountPrecision": "1",
        "baseSizePrecision": plain(steps),
        "permissions": ["SPOT"],
        "filters": [],
        "maxQuoteAmount": "2000000",
        "makerCommission": "0",
        "takerCommission": "0.0005",
        "tradeSideType": 1,
    })
}
