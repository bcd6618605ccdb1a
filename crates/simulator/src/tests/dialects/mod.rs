//! Each dialect: the shape of its replies beside recorded ones, its numbers beside those of the
//! market, and what it says when something is wrong.

mod bybit;
mod coinbase;
mod gate;
mod kraken;
mod kucoin;
mod mexc;
mod okx;

use super::{A_TIME, Reply, get, good, start_at};
use crate::{Dialect, Fault, Simulator, Times};
use rust_decimal::Decimal;
use serde_json::Value;
use std::path::PathBuf;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// An exchange of this dialect beside Binance, whose replies tell what the market is.
struct Pair {
    binance: Simulator,
    other: Simulator,
}

impl Pair {
    fn of(dialect: Dialect) -> Self {
        let binance = start_at(A_TIME);
        binance.set_change("ETHUSDT", "-3.512");
        let other = binance.beside(dialect).expect("a free port");
        Self { binance, other }
    }

    /// A number of Binance's row of ETHUSDT.
    fn market(&self, name: &str) -> Decimal {
        super::number(&super::ticker(&self.binance, "ETHUSDT"), name)
    }

    /// Binance's candles of ETHUSDT of five minutes, the last three.
    fn candles(&self) -> Vec<Value> {
        let target = "/api/v3/klines?symbol=ETHUSDT&interval=5m&limit=3";
        let rows = good(&self.binance, target);
        rows.as_array().expect("a list").clone()
    }

    /// The reply to a request that this fault strikes.
    fn struck(&self, target: &str, fault: Fault) -> Reply {
        self.other.inject(fault, Times::Once);
        get(&self.other, target)
    }
}

/// A decimal in a string or, of a few exchanges, in a number.
fn decimal(value: &Value) -> Decimal {
    let text = match value {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let number = Decimal::from_str_exact(&text);
    number.unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// The row among others whose field has this text.
fn row<'a>(rows: &'a Value, field: &str, text: &str) -> &'a Value {
    let mut rows = rows.as_array().expect("a list").iter();
    let found = rows.find(|row| row[field] == text);
    found.unwrap_or_else(|| panic!("no {text}"))
}

/// Numbers of a candle by their places; the times are left to the caller.
#[track_caller]
fn assert_candle(candle: &Value, expected: &Value, places: [(usize, usize); 5]) {
    for (theirs, binance) in places {
        let (number, wanted) = (decimal(&candle[theirs]), decimal(&expected[binance]));
        assert_eq!(number, wanted, "place {theirs} of {candle}, {expected}");
    }
}

/// A recorded reply: the body of the entry that `chosen` picks, or the whole file.
fn recorded(file: &str, chosen: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/market"
            ))
        });
    let Ok(text) = std::fs::read_to_string(folder.join("exchanges").join(file)) else {
        eprintln!("skipped: no recorded market data {file} (set SIGNAL_HUB_MARKET_DATA)");
        return None;
    };
    let all: Value = serde_json::from_str(&text).expect("recorded data is intact");
    Some(chosen(&all).unwrap_or_else(|| panic!("{file} lacks the reply")))
}

/// The body of the reply to a request whose URL has this part.
fn of_request(part: &'static str) -> impl Fn(&Value) -> Option<Value> {
    move |all| {
        let mut entries = all.as_array()?.iter();
        let of_part = |entry: &&Value| entry["url"].as_str().is_some_and(|url| url.contains(part));
        Some(entries.find(of_part)?["body"].clone())
    }
}

/// The body of a named entry.
fn of_entry(name: &'static str) -> impl Fn(&Value) -> Option<Value> {
    move |all| Some(all.get(name)?["body"].clone())
}

/// What keys and forms of values a reply has: numbers in strings are told from other strings, and
/// of a list, every form that its elements have.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_f64() => "float".to_owned(),
        Value::Number(_) => "integer".to_owned(),
        Value::String(text) if Decimal::from_str_exact(text).is_ok() => "\"number\"".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(_) => "\"text\"".to_owned(),
        Value::Array(list) => {
            let mut forms: Vec<String> = list.iter().map(shape).collect();
            forms.dedup();
            format!("[{}]", forms.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", shape(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn a_dialect_is_found_by_its_name() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.name().parse(), Ok(dialect));
    }
    assert!("ftx".parse::<Dialect>().is_err());
}

#[test]
fn routes_of_one_dialect_are_unknown_to_another() {
    let pair = Pair::of(Dialect::Okx);
    assert_eq!(get(&pair.other, "/api/v3/ticker/24hr").status, 404);
    let tickers = "/api/v5/market/tickers?instType=SPOT";
    assert_eq!(get(&pair.binance, tickers).status, 404);
    good(&pair.other, tickers);
}
