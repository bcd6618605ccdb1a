//! The route for candles: its query, the candles it selects, and what goes wrong with them.

use super::UnixMillis;
use super::candles::{INTERVALS, RecordedCandle};
use super::exchange::Exchange;
use super::fault::CandleFault;
use super::query::{ApiError, one};
use serde_json::Value;

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

    /// Begin of the first and of the last candle, at `now`.
    fn range(&self, now: UnixMillis) -> (UnixMillis, UnixMillis) {
        let length = self.interval.1;
        let span = length * (self.limit as i64 - 1);
        let latest = self.end.unwrap_or(now).min(now).div_euclid(length) * length;
        match self.start {
            Some(start) => {
                let first = (start + length - 1).div_euclid(length) * length;
                (first, latest.min(first + span))
            }
            None => (latest - span, latest),
        }
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

/// The reply to a query, with a fault of its candles if one strikes.
pub(super) fn reply(
    exchange: &mut Exchange,
    query: &KlineQuery,
    fault: Option<&CandleFault>,
) -> Result<String, ApiError> {
    let mut now = exchange.clock.now();
    match fault {
        Some(CandleFault::RefusedInterval(_)) => return Err(invalid_interval()),
        Some(CandleFault::Lagging(behind)) => now -= behind,
        _ => {}
    }
    let length = query.interval.1;
    let (first, last) = query.range(now);
    let listed = exchange
        .find(&query.symbol)
        .ok_or_else(ApiError::invalid_symbol)?;
    let candles = match first <= last {
        true => listed.candles(first, last, length, now),
        false => Some(Vec::new()),
    };
    let candles = candles.ok_or_else(invalid_interval)?;
    let mut rows: Vec<Value> = candles
        .iter()
        .map(|candle: &RecordedCandle| candle.row(length))
        .collect();
    change_rows(&mut rows, fault);
    Ok(Value::Array(rows).to_string())
}

/// Lets a fault strike the rows of a good reply.
fn change_rows(rows: &mut Vec<Value>, fault: Option<&CandleFault>) {
    match fault {
        Some(CandleFault::Gap) if rows.len() > 2 => {
            rows.remove(rows.len() / 2);
        }
        Some(CandleFault::ShortPage(most)) => rows.truncate(*most),
        Some(CandleFault::WrongOrder) => rows.reverse(),
        Some(CandleFault::Duplicate) => {
            if let Some(first) = rows.first().cloned() {
                rows.insert(0, first);
            }
        }
        Some(CandleFault::BadRow) => {
            if let Some(high) = rows.first_mut().and_then(|row| row.get_mut(2)) {
                *high = "NaN".into();
            }
        }
        _ => {}
    }
}
