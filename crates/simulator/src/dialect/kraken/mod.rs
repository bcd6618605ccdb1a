//! Kraken's spot API (docs.kraken.com/api): `/0/public/Ticker`, `/0/public/OHLC`,
//! `/0/public/AssetPairs`, `/0/public/Time`. Every answer is HTTP 200 with a list of errors; one
//! unknown pair fails a request. Replies name pairs in their canonical form, whatever was asked
//! for. The ticker has no price of 24 hours ago: `o` is the first of the day by UTC. Candles come
//! oldest first, at most the last 720, of which the last is not complete: time, open, high, low,
//! close, mean price, base volume, number of trades; `since` is left out itself.

mod names;

use super::{Names, Route, Row, Speech, Trouble, View, digits, parameter, plain, status, whole};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::{Day, rounded};
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

const TICKER: &str = "/0/public/Ticker";
const OHLC: &str = "/0/public/OHLC";
const INSTRUMENTS: &str = "/0/public/AssetPairs";
const TIME: &str = "/0/public/Time";

const MOST_CANDLES: i64 = 720;
const DAY: i64 = 24 * 3_600_000;

/// Least number of decimals of prices.
const DECIMALS: u32 = 5;

/// Lengths of candles, in minutes.
const LENGTHS: [i64; 7] = [1, 5, 15, 30, 60, 240, 1_440];

const NAMES: Names = Names {
    last: "c",
    percent: None,
    average: Some("p"),
    count: Some("t"),
    book: &["b", "a"],
};

pub(super) struct Kraken;

/// Words of an error.
type Refusal = &'static str;

const UNKNOWN: Refusal = "EQuery:Unknown asset pair";
const BAD_ARGUMENTS: Refusal = "EGeneral:Invalid arguments";

impl Speech for Kraken {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKER => Some(Route::Tickers),
            OHLC => Some(Route::Candles),
            INSTRUMENTS => Some(Route::Instruments),
            TIME => Some(Route::Other),
            _ => None,
        }
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        names::canonical(instrument)
    }

    fn means(&self, named: &str, instrument: &Instrument) -> bool {
        named == names::canonical(instrument)
            || named == names::alternative(instrument)
            || named == names::with_slash(instrument)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            TICKER => ticker(query, view),
            OHLC => ohlc(query, view),
            INSTRUMENTS => instruments(query, view),
            _ => Ok(json!({ "unixtime": view.now() / 1_000 })),
        };
        match result {
            Ok(result) => {
                let body = json!({ "error": [], "result": result });
                Response::json(200, body.to_string())
            }
            Err(words) => refuse(words),
        }
    }

    fn trouble(&self, trouble: Trouble, _now: UnixMillis) -> Response {
        refuse(match trouble {
            Trouble::TooManyRequests(_) => "EGeneral:Too many requests",
            Trouble::Banned(..) => "EAPI:Rate limit exceeded",
            Trouble::RestrictedLocation => return Response::html(403, "403 Forbidden"),
            Trouble::InternalError => "EGeneral:Internal error",
            Trouble::Maintenance => "EService:Unavailable",
            Trouble::UnknownSymbol => UNKNOWN,
        })
    }
}

fn refuse(words: Refusal) -> Response {
    Response::json(200, json!({ "error": [words] }).to_string())
}

/// The symbols that a request names, each known; none stands for all.
fn named(query: &str, view: &View) -> Result<Vec<String>, Refusal> {
    let pairs = parameter(query, "pair");
    let pairs = pairs.iter().flat_map(|pairs| pairs.split(','));
    pairs
        .map(|pair| Ok(view.named(pair).ok_or(UNKNOWN)?.symbol))
        .collect()
}

fn ticker(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let symbols = named(query, view)?;
    let days = match symbols.is_empty() {
        true => view.days(),
        false => view.days_of(&symbols),
    };
    let midnight = view.now().div_euclid(DAY) * DAY;
    let today: Vec<Option<RecordedCandle>> = days
        .iter()
        .map(|day| {
            let candles = view.candles(&day.symbol, midnight, midnight, DAY);
            candles.and_then(|candles| candles.into_iter().next())
        })
        .collect();
    let form = |day: &Day| {
        let place = days.iter().position(|other| std::ptr::eq(other, day));
        let today = today.get(place.unwrap_or_default()).cloned().flatten();
        row(day, today.as_ref())
    };
    let rows = view.rows(&days, &NAMES, form);
    let rows = rows.into_iter().map(Value::Object);
    let named = days.iter().map(|day| view.own_name(day)).zip(rows);
    Ok(Value::Object(named.collect()))
}

fn row(day: &Day, today: Option<&RecordedCandle>) -> Row {
    let price = |price: Decimal| digits(rounded(price, 8), DECIMALS);
    let volume = |volume: Decimal| digits(volume, 8);
    let since_midnight = |of: fn(&RecordedCandle) -> Decimal| today.map(of).unwrap_or_default();
    let side = |of_side: Decimal| {
        let lots = day.book_quantity;
        json!([price(of_side), plain(lots.trunc()), digits(lots.trunc(), 3)])
    };
    let mean = since_midnight(mean_price);
    let row = json!({
        "a": side(day.ask),
        "b": side(day.bid),
        "c": [price(day.last), volume(day.last_quantity)],
        "v": [volume(since_midnight(|today| today.base_volume)), volume(day.volume)],
        "p": [price(rounded(mean, DECIMALS)), price(rounded(day.average, DECIMALS))],
        "t": [i64::from(today.is_some()), day.count],
        "l": [price(since_midnight(|today| today.low)), price(day.low)],
        "h": [price(since_midnight(|today| today.high)), price(day.high)],
        "o": price(since_midnight(|today| today.open)),
    });
    match row {
        Value::Object(row) => row,
        _ => Row::new(),
    }
}

/// Mean price of a candle's trades; its close where nothing was traded.
fn mean_price(candle: &RecordedCandle) -> Decimal {
    let mean = candle.quote_volume.checked_div(candle.base_volume);
    mean.unwrap_or(candle.close)
}

fn ohlc(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let pair = parameter(query, "pair").ok_or(BAD_ARGUMENTS)?;
    let instrument = view.named(&pair).ok_or(UNKNOWN)?;
    let number = |name| whole(query, name).map_err(|()| BAD_ARGUMENTS);
    let minutes = number("interval")?.unwrap_or(1);
    if !LENGTHS.contains(&minutes) {
        return Err(BAD_ARGUMENTS);
    }
    let length = minutes * 60_000;
    let last = view.candle_time().div_euclid(length) * length;
    let since = number("since")?.unwrap_or_default() * 1_000;
    let after = (since.div_euclid(length) + 1) * length;
    let first = after.max(last - (MOST_CANDLES - 1) * length);
    let candles = view.candles(&instrument.symbol, first, last, length);
    let candles = candles.ok_or(BAD_ARGUMENTS)?;
    let form = |candle| row_of_candle(candle, &instrument);
    let mut rows: Vec<Value> = candles.iter().map(form).collect();
    view.spoil_candles(&mut rows, 2);
    let mut result = Map::new();
    result.insert(names::canonical(&instrument), rows.into());
    // The last candle that is complete.
    result.insert("last".to_owned(), ((last - length) / 1_000).into());
    Ok(result.into())
}

fn row_of_candle(candle: &RecordedCandle, instrument: &Instrument) -> Value {
    let decimals = instrument.tick_size.normalize().scale();
    let price = |price: Decimal| digits(rounded(price, decimals), decimals);
    let mean = match candle.base_volume.is_zero() {
        true => Decimal::ZERO,
        false => mean_price(candle),
    };
    json!([
        candle.open_time / 1_000,
        digits(candle.open, decimals),
        digits(candle.high, decimals),
        digits(candle.low, decimals),
        digits(candle.close, decimals),
        price(mean),
        digits(candle.base_volume, 8),
        i64::from(!candle.base_volume.is_zero()),
    ])
}

fn instruments(query: &str, view: &View) -> Result<Value, Refusal> {
    let symbols = named(query, view)?;
    let wanted =
        |listed: &&Listed| symbols.is_empty() || symbols.contains(&listed.instrument.symbol);
    let pairs = view.listed().filter(wanted);
    let named = pairs.map(|listed| (names::canonical(&listed.instrument), listing(listed)));
    Ok(Value::Object(named.collect()))
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let tick_size = instrument.tick_size.normalize();
    json!({
        "altname": names::alternative(instrument),
        "wsname": names::with_slash(instrument),
        "aclass_base": "currency",
        "base": names::long(&instrument.base_asset),
        "aclass_quote": "currency",
        "quote": names::long(&instrument.quote_asset),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": tick_size.scale(),
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(instrument.step_size()),
        "costmin": "0.5",
        "tick_size": plain(tick_size),
        "status": status(listed, ["online", "cancel_only", "cancel_only"]),
    })
}
