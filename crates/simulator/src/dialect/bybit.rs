//! Bybit's API v5, spot (bybit-exchange.github.io/docs/v5): `/v5/market/tickers` (one symbol or
//! all), `/v5/market/kline`, `/v5/market/instruments-info`, `/v5/market/time`. Numbers are
//! strings, the change is a ratio, the only time is that of the reply, and candles come newest
//! first. Errors are HTTP 200 with `retCode`.

use super::{
    Names, Route, Row, Speech, Trouble, View, length_named, newest, parameter, plain, range,
    status, whole,
};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::{Day, rounded};
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use serde_json::{Value, json};

const TICKERS: &str = "/v5/market/tickers";
const KLINE: &str = "/v5/market/kline";
const INSTRUMENTS: &str = "/v5/market/instruments-info";
const TIME: &str = "/v5/market/time";

const NAMES: Names = Names {
    last: "lastPrice",
    percent: Some("price24hPcnt"),
    average: None,
    count: None,
    book: &["bid1Price", "ask1Price"],
};

const LENGTHS: [(&str, i64); 11] = [
    ("1", 60_000),
    ("3", 3 * 60_000),
    ("5", 5 * 60_000),
    ("15", 15 * 60_000),
    ("30", 30 * 60_000),
    ("60", 3_600_000),
    ("120", 2 * 3_600_000),
    ("240", 4 * 3_600_000),
    ("360", 6 * 3_600_000),
    ("720", 12 * 3_600_000),
    ("D", 24 * 3_600_000),
];

pub(super) struct Bybit;

/// An error: its code and message.
type Refusal = (i32, &'static str);

const BAD_SYMBOL: Refusal = (10001, "params error: symbol invalid");

impl Speech for Bybit {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKERS => Some(Route::Tickers),
            KLINE => Some(Route::Candles),
            INSTRUMENTS => Some(Route::Instruments),
            TIME => Some(Route::Other),
            _ => None,
        }
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let spot = parameter(query, "category").as_deref() == Some("spot");
        let result = match path {
            TIME => Ok(json!({ "timeSecond": (view.now() / 1_000).to_string() })),
            _ if !spot => Err((10001, "Illegal category")),
            TICKERS => tickers(query, view),
            KLINE => kline(query, view),
            _ => instruments(query, view),
        };
        let time = view.told_time();
        match result {
            Ok(result) => reply((0, "OK"), &result, time),
            Err(refusal) => reply(refusal, &json!({}), time),
        }
    }

    fn trouble(&self, trouble: Trouble, now: UnixMillis) -> Response {
        let refusal = |refusal| reply(refusal, &json!({}), now);
        match trouble {
            Trouble::TooManyRequests(wait) => {
                let response = refusal((10006, "Too many visits. Exceeded the API Rate Limit."));
                match wait {
                    Some(seconds) => {
                        let reset = now.saturating_add(seconds as i64 * 1_000);
                        response
                            .with_header("X-Bapi-Limit-Status", 0)
                            .with_header("X-Bapi-Limit-Reset-Timestamp", reset)
                    }
                    None => response,
                }
            }
            Trouble::Banned(..) => Response::text(403, "access too frequent"),
            Trouble::RestrictedLocation => Response::html(
                403,
                "The Amazon CloudFront distribution is configured to block access from your country",
            ),
            Trouble::InternalError => refusal((10016, "Internal server error")),
            Trouble::Maintenance => refusal((
                10019,
                "The service is under maintenance, please try again later",
            )),
            Trouble::UnknownSymbol => refusal(BAD_SYMBOL),
        }
    }
}

fn reply((code, message): Refusal, result: &Value, time: UnixMillis) -> Response {
    let body = json!({
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": time,
    });
    Response::json(200, body.to_string())
}

fn tickers(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let days = match parameter(query, "symbol") {
        None => view.days(),
        Some(name) => {
            let instrument = view.named(&name).ok_or(BAD_SYMBOL)?;
            view.days_of(&[instrument.symbol])
        }
    };
    let rows = view.rows(&days, &NAMES, |day| row(day, view.own_name(day)));
    Ok(json!({ "category": "spot", "list": rows }))
}

fn row(day: &Day, name: String) -> Row {
    let mut row = Row::new();
    row.insert("symbol".to_owned(), name.into());
    let numbers = [
        ("bid1Price", day.bid),
        ("bid1Size", day.book_quantity),
        ("ask1Price", day.ask),
        ("ask1Size", day.book_quantity),
        ("lastPrice", day.last),
        ("prevPrice24h", day.open),
        ("price24hPcnt", rounded(day.ratio(), 4)),
        ("highPrice24h", day.high),
        ("lowPrice24h", day.low),
        ("turnover24h", day.quote_volume),
        ("volume24h", day.volume),
        ("usdIndexPrice", day.last),
    ];
    for (name, number) in numbers {
        row.insert(name.to_owned(), plain(number).into());
    }
    row
}

fn kline(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let name = parameter(query, "symbol").ok_or(BAD_SYMBOL)?;
    let instrument = view.named(&name).ok_or((10001, "Not supported symbols"))?;
    let interval = parameter(query, "interval").unwrap_or_default();
    let invalid = (10001, "Invalid period!");
    let length = length_named(&LENGTHS, &interval).ok_or(invalid)?;
    let number = |name| whole(query, name).map_err(|()| (10001, "params error"));
    let most = number("limit")?.unwrap_or(200).clamp(1, 1_000) as usize;
    let when = (number("start")?, number("end")?);
    let now = view.candle_time();
    let (first, last) = match when {
        (Some(_), None) => range(when, length, most, now),
        _ => newest(when, length, most, now),
    };
    let candles = view.candles(&instrument.symbol, first, last, length);
    let mut list: Vec<Value> = candles.ok_or(invalid)?.iter().rev().map(candle).collect();
    view.spoil_candles(&mut list, 2);
    Ok(json!({ "symbol": name, "category": "spot", "list": list }))
}

fn candle(candle: &RecordedCandle) -> Value {
    json!([
        candle.open_time.to_string(),
        plain(candle.open),
        plain(candle.high),
        plain(candle.low),
        plain(candle.close),
        plain(candle.base_volume),
        plain(candle.quote_volume),
    ])
}

fn instruments(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let wanted = match parameter(query, "symbol") {
        None => None,
        Some(name) => Some(view.named(&name).ok_or(BAD_SYMBOL)?.symbol),
    };
    let list: Vec<Value> = view
        .listed()
        .filter(|listed| match &wanted {
            None => true,
            Some(symbol) => listed.instrument.symbol == *symbol,
        })
        .map(listing)
        .collect();
    Ok(json!({ "category": "spot", "list": list }))
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let step = plain(instrument.step_size());
    json!({
        "symbol": Bybit.symbol(instrument),
        "baseCoin": instrument.base_asset,
        "quoteCoin": instrument.quote_asset,
        "innovation": "0",
        "status": status(listed, ["Trading", "PreLaunch", "Closed"]),
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": step,
            "quotePrecision": "0.0000001",
            "minOrderQty": step,
            "maxOrderQty": "9000000",
            "minOrderAmt": "5",
            "maxOrderAmt": "8000000",
        },
        "priceFilter": { "tickSize": plain(instrument.tick_size) },
        "riskParameters": { "priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02" },
    })
}
