//! The route for candles: its query and its reply.

use super::query::{ApiError, one};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::dialect::{View, digits, range};
use crate::fault::CandleFault;
use crate::instrument::REPLY_SCALE;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The lengths that a request can name, in milliseconds; weeks and months are not simulated.
const INTERVALS: [(&str, i64); 13] = [
    ("1s", 1_000),
    ("1m", 60_000),
    ("3m", 3 * 60_000),
    ("5m", 5 * 60_000),
    ("15m", 15 * 60_000),
    ("30m", 30 * 60_000),
    ("1h", 3_600_000),
    ("2h", 2 * 3_600_000),
    ("4h", 4 * 3_600_000),
    ("6h", 6 * 3_600_000),
    ("8h", 8 * 3_600_000),
    ("12h", 12 * 3_600_000),
    ("1d", 24 * 3_600_000),
];

/// Most candles of one reply; a higher limit counts as this one.
const MOST: usize = 1_000;
/// Candles of a reply to a request that does not say how many.
const DEFAULT_LIMIT: usize = 500;

/// A checked query.
#[derive(Debug, PartialEq)]
pub(super) struct KlineQuery {
    pub symbol: String,
    /// Name of the interval, and its length in milliseconds.
    pub interval: (&'static str, i64),
    start: Option<UnixMillis>,
    end: Option<UnixMillis>,
    limit: usize,
}

impl KlineQuery {
    /// Reads the part of a request target after the question mark.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        const NAMES: [&str; 5] = ["symbol", "interval", "startTime", "endTime", "limit"];
        let mut values: [Option<String>; 5] = Default::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(place) = NAMES.iter().position(|known| **known == *name) else {
                let message = format!("Not all sent parameters were read; '{name}' was not.");
                return Err(ApiError::new(-1104, message));
            };
            if values[place].replace(value.into_owned()).is_some() {
                let message = "Duplicate values for a parameter detected.";
                return Err(ApiError::new(-1101, message));
            }
        }
        let [symbol, interval, start, end, limit] = values;
        let mandatory = |value: Option<String>, name: &str| {
            value.ok_or_else(|| {
                let message = format!(
                    "Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
                );
                ApiError::new(-1102, message)
            })
        };
        let symbol = one(mandatory(symbol, "symbol")?)?;
        let interval = mandatory(interval, "interval")?;
        let interval = INTERVALS.into_iter().find(|(name, _)| *name == interval);
        let limit = match number(limit, "limit")? {
            None => DEFAULT_LIMIT,
            Some(limit) => usize::try_from(limit).unwrap_or(MOST).min(MOST),
        };
        if limit == 0 {
            let message = "Data sent for parameter 'limit' is not valid.";
            return Err(ApiError::new(-1130, message));
        }
        Ok(Self {
            symbol,
            interval: interval.ok_or_else(invalid_interval)?,
            start: number(start, "startTime")?,
            end: number(end, "endTime")?,
            limit,
        })
    }
}

/// A whole number that is zero or more.
fn number(text: Option<String>, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse() {
        // Far from where arithmetic on it ends.
        Ok(number @ 0..=9_999_999_999_999) => Ok(Some(number)),
        _ => {
            let message = format!(
                "Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            );
            Err(ApiError::new(-1100, message))
        }
    }
}

fn invalid_interval() -> ApiError {
    ApiError::new(-1120, "Invalid interval.")
}

/// The reply to a query; numbers have at least this many decimals.
pub(super) fn reply(
    view: &mut View,
    query: &KlineQuery,
    decimals: u32,
) -> Result<String, ApiError> {
    let length = query.interval.1;
    let when = (query.start, query.end);
    let (first, last) = range(when, length, query.limit, view.candle_time());
    if let Some(CandleFault::RefusedInterval(_)) = view.candle_fault {
        return Err(invalid_interval());
    }
    let instrument = view.named(&query.symbol);
    let instrument = instrument.ok_or_else(ApiError::invalid_symbol)?;
    let candles = view.candles(&instrument.symbol, first, last, length);
    let mut rows: Vec<Value> = candles
        .ok_or_else(invalid_interval)?
        .iter()
        .map(|candle| row(candle, length, decimals))
        .collect();
    view.spoil_candles(&mut rows, 2);
    Ok(Value::Array(rows).to_string())
}

/// A candle of this length as the exchange prints it.
fn row(candle: &RecordedCandle, length: i64, decimals: u32) -> Value {
    let printed = |number: Decimal| digits(number, decimals);
    let taken = |volume: Decimal| printed((volume / Decimal::TWO).round_dp(REPLY_SCALE));
    json!([
        candle.open_time,
        printed(candle.open),
        printed(candle.high),
        printed(candle.low),
        printed(candle.close),
        printed(candle.base_volume),
        candle.open_time + length - 1,
        printed(candle.quote_volume),
        1,
        taken(candle.base_volume),
        taken(candle.quote_volume),
        "0"
    ])
}
