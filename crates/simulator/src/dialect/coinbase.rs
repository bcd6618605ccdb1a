//! Coinbase Exchange's API (docs.cdp.coinbase.com/exchange): `/products/stats`,
//! `/products/ID/stats`, `/products/ID/ticker`, `/products/ID/candles`, `/products`,
//! `/products/ID`, `/time`. There is no quote volume, no percentage, and no time in statistics; a
//! pair without a trade has none. Candles come newest first and are numbers: time, low, high,
//! open, close, volume; those without a trade are left out.

use super::{Names, Route, Row, Speech, Trouble, View, parameter, plain, range, status, time};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::Day;
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

const PRODUCTS: &str = "/products";
const ALL_STATS: &str = "/products/stats";
const TIME: &str = "/time";

const MOST_CANDLES: i64 = 300;

const LENGTHS: [i64; 6] = [60, 300, 900, 3_600, 21_600, 86_400];

const NAMES: Names = Names {
    last: "last",
    percent: None,
    average: None,
    count: None,
    book: &[],
};

pub(super) struct Coinbase;

/// An error: its status and message.
type Refusal = (u16, &'static str);

const UNKNOWN: Refusal = (404, "NotFound");

impl Speech for Coinbase {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            ALL_STATS => return Some(Route::Tickers),
            PRODUCTS => return Some(Route::Instruments),
            TIME => return Some(Route::Other),
            _ => {}
        }
        match product(path)?.1 {
            "stats" | "ticker" => Some(Route::Tickers),
            "candles" => Some(Route::Candles),
            "" => Some(Route::Instruments),
            _ => None,
        }
    }

    fn interval_parameter(&self) -> &'static str {
        "granularity"
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}-{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            ALL_STATS => Ok(all_stats(view)),
            PRODUCTS => Ok(view.listed().map(listing).collect()),
            TIME => Ok(json!({
                "iso": time::iso(view.now()),
                "epoch": view.now() as f64 / 1_000.0,
            })),
            _ => one(path, query, view),
        };
        match result {
            Ok(body) => Response::json(200, body.to_string()),
            Err(refusal) => refuse(refusal),
        }
    }

    fn trouble(&self, trouble: Trouble, _now: UnixMillis) -> Response {
        match trouble {
            Trouble::TooManyRequests(wait) => {
                let response = refuse((429, "Public rate limit exceeded"));
                match wait {
                    Some(seconds) => response.with_header("Retry-After", seconds),
                    None => response,
                }
            }
            Trouble::Banned(..) => refuse((403, "Forbidden")),
            Trouble::RestrictedLocation => Response::html(403, "403 Forbidden"),
            Trouble::InternalError => refuse((500, "Internal server error")),
            Trouble::Maintenance => refuse((503, "Exchange is under maintenance")),
            Trouble::UnknownSymbol => refuse(UNKNOWN),
        }
    }
}

fn refuse((status, message): Refusal) -> Response {
    Response::json(status, json!({ "message": message }).to_string())
}

/// The product in a path, and what is asked of it.
fn product(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(PRODUCTS)?.strip_prefix('/')?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

fn all_stats(view: &mut View) -> Value {
    let days = view.days();
    let rows = view.rows(&days, &NAMES, |day| stats(day, false));
    let all = days.iter().zip(rows).map(|(day, row)| {
        let of_month = json!({
            "volume": plain(day.volume * Decimal::from(30)),
            "rfq_volume": "0",
        });
        let entry = json!({ "stats_30day": of_month, "stats_24hour": row });
        (view.own_name(day), entry)
    });
    Value::Object(all.collect())
}

/// Statistics of 24 hours, with the volume of 30 days or not.
fn stats(day: &Day, of_month: bool) -> Row {
    if !day.traded() {
        return Row::new();
    }
    let mut fields = vec![
        ("open", day.open),
        ("high", day.high),
        ("low", day.low),
        ("last", day.last),
        ("volume", day.volume),
        ("rfq_volume", Decimal::ZERO),
    ];
    if of_month {
        fields.push(("volume_30day", day.volume * Decimal::from(30)));
    }
    fields
        .into_iter()
        .map(|(name, number)| (name.to_owned(), plain(number).into()))
        .collect()
}

fn one(path: &str, query: &str, view: &mut View) -> Result<Value, Refusal> {
    let (name, what) = product(path).unwrap_or_default();
    let instrument = view.named(name).ok_or(UNKNOWN)?;
    if what == "candles" {
        return candles(&instrument, query, view);
    }
    if what.is_empty() {
        let mut listed = view.listed();
        let found = listed.find(|listed| listed.instrument.symbol == instrument.symbol);
        return Ok(found.map(listing).unwrap_or_default());
    }
    let days = view.days_of(&[instrument.symbol]);
    let day = days.first().ok_or(UNKNOWN)?;
    if what == "ticker" {
        return Ok(json!({
            "trade_id": day.last_trade,
            "price": plain(day.last),
            "size": plain(day.last_quantity),
            "bid": plain(day.bid),
            "ask": plain(day.ask),
            "volume": plain(day.volume),
            "time": time::iso(day.close_time),
        }));
    }
    let mut rows = view.rows(&days, &NAMES, |day| stats(day, true));
    Ok(rows.pop().map(Value::Object).unwrap_or_default())
}

fn candles(instrument: &Instrument, query: &str, view: &mut View) -> Result<Value, Refusal> {
    let granularity = parameter(query, "granularity").unwrap_or_else(|| "60".to_owned());
    let seconds = granularity.parse().unwrap_or(0);
    let unsupported = (400, "Unsupported granularity");
    if !LENGTHS.contains(&seconds) {
        return Err(unsupported);
    }
    let length = seconds * 1_000;
    let when = |name| match parameter(query, name) {
        None => Ok(None),
        Some(text) => match time::parse(&text) {
            Some(time) => Ok(Some(time)),
            None => Err((400, "invalid start or end")),
        },
    };
    let now = view.candle_time();
    let (first, last) = match (when("start")?, when("end")?) {
        (Some(start), Some(end)) => {
            if (end - start) / length > MOST_CANDLES {
                return Err((
                    400,
                    "granularity too small for the requested time range. Count of aggregations requested exceeds 300",
                ));
            }
            range((Some(start), Some(end)), length, MOST_CANDLES as usize, now)
        }
        // One without the other is ignored.
        _ => range((None, None), length, MOST_CANDLES as usize, now),
    };
    let candles = view.candles(&instrument.symbol, first, last, length);
    let candles = candles.ok_or(unsupported)?;
    let traded = candles
        .iter()
        .rev()
        .filter(|candle| !candle.base_volume.is_zero());
    let mut rows: Vec<Value> = traded.map(candle).collect();
    view.spoil_candles(&mut rows, 2);
    Ok(rows.into())
}

fn candle(candle: &RecordedCandle) -> Value {
    let number = |number: Decimal| number.to_f64().unwrap_or_default();
    json!([
        candle.open_time / 1_000,
        number(candle.low),
        number(candle.high),
        number(candle.open),
        number(candle.close),
        number(candle.base_volume),
    ])
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let open = status(listed, ["yes", "no", "no"]) == "yes";
    json!({
        "id": Coinbase.symbol(instrument),
        "base_currency": instrument.base_asset,
        "quote_currency": instrument.quote_asset,
        "quote_increment": plain(instrument.tick_size),
        "base_increment": plain(instrument.step_size()),
        "display_name": Coinbase.symbol(instrument),
        "min_market_funds": "1",
        "margin_enabled": false,
        "post_only": false,
        "limit_only": false,
        "cancel_only": false,
        "status": status(listed, ["online", "online", "delisted"]),
        "status_message": "",
        "trading_disabled": !open,
        "fx_stablecoin": false,
        "max_slippage_percentage": "0.02",
        "auction_mode": false,
        "high_bid_limit_percentage": "",
    })
}
