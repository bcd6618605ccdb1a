//! Gate's API v4, spot (gate.com/docs/developers/apiv4): `/api/v4/spot/tickers` (one pair or
//! all), `/api/v4/spot/candlesticks`, `/api/v4/spot/currency_pairs`, `/api/v4/spot/time`. Symbols
//! have an underscore, the change is in percent with 2 decimals, there is no open and no time,
//! and volumes of a pair without a trade are "nan". Candles come oldest first: time, quote
//! volume, close, high, low, open, base volume, whether it is complete. The tick is a number of
//! decimals.

use super::{
    Names, Route, Row, Speech, Trouble, View, length_named, parameter, plain, range, status, whole,
};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::{Day, rounded};
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use rust_decimal::Decimal;
use serde_json::{Value, json};

const TICKERS: &str = "/api/v4/spot/tickers";
const CANDLES: &str = "/api/v4/spot/candlesticks";
const INSTRUMENTS: &str = "/api/v4/spot/currency_pairs";
const TIME: &str = "/api/v4/spot/time";

const MOST_CANDLES: i64 = 1_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

const NAMES: Names = Names {
    last: "last",
    percent: Some("change_percentage"),
    average: None,
    count: None,
    book: &["highest_bid", "lowest_ask"],
};

const LENGTHS: [(&str, i64); 9] = [
    ("10s", 10_000),
    ("1m", 60_000),
    ("5m", 5 * 60_000),
    ("15m", 15 * 60_000),
    ("30m", 30 * 60_000),
    ("1h", HOUR),
    ("4h", 4 * HOUR),
    ("8h", 8 * HOUR),
    ("1d", DAY),
];

pub(super) struct Gate;

/// An error: its label and message; HTTP 400.
type Refusal = (&'static str, String);

impl Speech for Gate {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKERS => Some(Route::Tickers),
            CANDLES => Some(Route::Candles),
            TIME => Some(Route::Other),
            _ if path == INSTRUMENTS || one_pair(path).is_some() => Some(Route::Instruments),
            _ => None,
        }
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}_{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            TICKERS => tickers(query, view),
            CANDLES => candles(query, view),
            TIME => Ok(json!({ "server_time": view.now() })),
            _ => instruments(path, view),
        };
        match result {
            Ok(body) => Response::json(200, body.to_string()),
            Err((label, message)) => refuse(400, label, &message),
        }
    }

    fn trouble(&self, trouble: Trouble, now: UnixMillis) -> Response {
        let too_many = |wait: Option<u64>| {
            let response = refuse(
                429,
                "TOO_MANY_REQUESTS",
                "Request Rate limit Exceeded (311001)",
            );
            let response = response.with_header("X-Gate-RateLimit-Requests-Remain", 0);
            match wait {
                Some(seconds) => {
                    let reset = now / 1_000 + seconds as i64;
                    response.with_header("X-Gate-RateLimit-Reset-Timestamp", reset)
                }
                None => response,
            }
        };
        match trouble {
            Trouble::TooManyRequests(wait) => too_many(wait),
            Trouble::Banned(seconds, told) => too_many(Some(seconds).filter(|_| told)),
            Trouble::RestrictedLocation => Response::html(403, "403 Forbidden"),
            Trouble::InternalError => refuse(500, "SERVER_ERROR", "Server error"),
            Trouble::Maintenance => refuse(503, "SERVER_ERROR", "Service is under maintenance"),
            Trouble::UnknownSymbol => refuse(
                400,
                "INVALID_CURRENCY_PAIR",
                "Invalid currency pair NOSUCH_USDT",
            ),
        }
    }
}

fn refuse(status: u16, label: &str, message: &str) -> Response {
    let body = json!({ "label": label, "message": message });
    Response::json(status, body.to_string())
}

/// The pair in the path of a request for one instrument.
fn one_pair(path: &str) -> Option<&str> {
    path.strip_prefix(INSTRUMENTS)?.strip_prefix('/')
}

fn named(name: &str, view: &View) -> Result<Instrument, Refusal> {
    view.named(name).ok_or_else(|| {
        (
            "INVALID_CURRENCY_PAIR",
            format!("Invalid currency pair {name}"),
        )
    })
}

fn tickers(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let days = match parameter(query, "currency_pair") {
        None => view.days(),
        Some(name) => {
            let instrument = named(&name, view)?;
            view.days_of(&[instrument.symbol])
        }
    };
    let zone = parameter(query, "timezone").unwrap_or_default();
    let now = view.now();
    let zones = [
        ("change_utc0", now.div_euclid(DAY) * DAY),
        (
            "change_utc8",
            (now + 8 * HOUR).div_euclid(DAY) * DAY - 8 * HOUR,
        ),
    ];
    let wanted = zones.map(|(name, _)| zone == "all" || name.ends_with(zone.as_str()));
    let mut changes: Vec<Vec<(&str, Decimal)>> = Vec::new();
    for day in &days {
        let chosen = zones.iter().zip(wanted).filter(|(_, wanted)| *wanted);
        let chosen = chosen.filter(|_| !zone.is_empty());
        changes.push(
            chosen
                .map(|((name, begin), _)| {
                    let open = view.price_at(day, *begin);
                    let change = (day.last - open).checked_div(open).unwrap_or_default();
                    (*name, change)
                })
                .collect(),
        );
    }
    let form = |day: &Day| {
        let place = days.iter().position(|other| std::ptr::eq(other, day));
        row(day, view.own_name(day), &changes[place.unwrap_or_default()])
    };
    let rows = view.rows(&days, &NAMES, form);
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn row(day: &Day, name: String, changes: &[(&str, Decimal)]) -> Row {
    let percent = |ratio: Decimal| plain(rounded(ratio * Decimal::ONE_HUNDRED, 2));
    // An empty side of the book is an empty string.
    let quoted = |price: Decimal| match price.is_zero() {
        true => String::new(),
        false => plain(price),
    };
    let volume = |volume: Decimal| match day.traded() {
        true => plain(volume),
        false => "nan".to_owned(),
    };
    let last = if day.traded() {
        day.last
    } else {
        day.previous_close
    };
    let fields = [
        ("currency_pair", name),
        ("last", plain(last)),
        ("lowest_ask", quoted(day.ask)),
        ("highest_bid", quoted(day.bid)),
        ("change_percentage", percent(day.ratio())),
        ("base_volume", volume(day.volume)),
        ("quote_volume", volume(day.quote_volume)),
        ("high_24h", plain(day.high)),
        ("low_24h", plain(day.low)),
    ];
    let changes = changes.iter().map(|(name, ratio)| (*name, percent(*ratio)));
    let fields = fields.into_iter().chain(changes);
    fields
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn candles(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let invalid = |message: &str| ("INVALID_PARAM_VALUE", message.to_owned());
    let name = parameter(query, "currency_pair");
    let name = name.ok_or_else(|| {
        let message = "Missing required parameter: currency_pair";
        ("MISSING_REQUIRED_PARAM", message.to_owned())
    })?;
    let instrument = named(&name, view)?;
    let interval = parameter(query, "interval").unwrap_or_else(|| "30m".to_owned());
    let no_such = || invalid("Invalid interval");
    let length = length_named(&LENGTHS, &interval).ok_or_else(no_such)?;
    let number = |name: &str| {
        let number = whole(query, name);
        number.map_err(|()| invalid(&format!("Invalid parameter {name}")))
    };
    let (from, to, limit) = (number("from")?, number("to")?, number("limit")?);
    if limit.is_some() && (from.is_some() || to.is_some()) {
        return Err(invalid("limit conflicts with from and to"));
    }
    let most = limit.unwrap_or(100);
    if !(1..=MOST_CANDLES).contains(&most) {
        return Err(invalid("limit is out of range"));
    }
    let now = view.candle_time();
    let end = to.map_or(now, |seconds| seconds * 1_000).min(now);
    let (first, last) = match from {
        Some(from) if (end - from * 1_000) / length >= MOST_CANDLES => {
            return Err(invalid(
                "Candlestick range too broad. Maximum 1000 data points are allowed",
            ));
        }
        Some(from) => range(
            (Some(from * 1_000), Some(end)),
            length,
            MOST_CANDLES as usize,
            now,
        ),
        None => range((None, Some(end)), length, most as usize, now),
    };
    let candles = view.candles(&instrument.symbol, first, last, length);
    let form = |candle| row_of_candle(candle, length, now);
    let candles = candles.ok_or_else(no_such)?;
    let mut rows: Vec<Value> = candles.iter().map(form).collect();
    view.spoil_candles(&mut rows, 3);
    Ok(rows.into())
}

fn row_of_candle(candle: &RecordedCandle, length: i64, now: UnixMillis) -> Value {
    let complete = candle.open_time + length <= now;
    json!([
        (candle.open_time / 1_000).to_string(),
        plain(candle.quote_volume),
        plain(candle.close),
        plain(candle.high),
        plain(candle.low),
        plain(candle.open),
        plain(candle.base_volume),
        complete.to_string(),
    ])
}

fn instruments(path: &str, view: &View) -> Result<Value, Refusal> {
    match one_pair(path) {
        None => Ok(view.listed().map(listing).collect()),
        Some(name) => {
            let symbol = named(name, view)?.symbol;
            let mut listed = view.listed();
            let found = listed.find(|listed| listed.instrument.symbol == symbol);
            Ok(found.map(listing).unwrap_or_default())
        }
    }
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    json!({
        "id": Gate.symbol(instrument),
        "base": instrument.base_asset,
        "quote": instrument.quote_asset,
        "fee": "0.2",
        "min_quote_amount": "3",
        "amount_precision": instrument.step_size().scale(),
        "precision": instrument.tick_size.normalize().scale(),
        "trade_status": status(listed, ["tradable", "untradable", "untradable"]),
        "sell_start": 0,
        "buy_start": 0,
    })
}
