//! One row of tickers as Binance prints it.

use crate::day::Day;
use crate::dialect::{Names, Row, digits};
use serde_json::Value;

/// Decimal places of priceChangePercent.
const PERCENT_SCALE: u32 = 3;

/// Fields of a row in the order the exchange prints them, and whether type=MINI has them.
const FIELDS: [(&str, bool); 21] = [
    ("symbol", true),
    ("priceChange", false),
    ("priceChangePercent", false),
    ("weightedAvgPrice", false),
    ("prevClosePrice", false),
    ("lastPrice", true),
    ("lastQty", false),
    ("bidPrice", false),
    ("bidQty", false),
    ("askPrice", false),
    ("askQty", false),
    ("openPrice", true),
    ("highPrice", true),
    ("lowPrice", true),
    ("volume", true),
    ("quoteVolume", true),
    ("openTime", true),
    ("closeTime", true),
    ("firstId", true),
    ("lastId", true),
    ("count", true),
];

/// Where a fault finds what it spoils.
pub(super) const NAMES: Names = Names {
    last: "lastPrice",
    percent: Some("priceChangePercent"),
    average: Some("weightedAvgPrice"),
    count: Some("count"),
    book: &["bidPrice", "askPrice"],
};

/// How much of a row a reply shows (`type=`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Detail {
    Full,
    Mini,
}

/// A row in the exchange's own order of fields.
pub(super) fn render(row: &Row, detail: Detail) -> String {
    let known = FIELDS
        .iter()
        .filter(|(_, mini)| *mini || detail == Detail::Full)
        .filter_map(|(name, _)| row.get(*name).map(|value| (*name, value)))
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", known.collect::<Vec<_>>().join(","))
}

/// The row of one symbol, with at least this many decimals in its numbers.
pub(crate) fn row(day: &Day, decimals: u32) -> Row {
    let mut row = Row::new();
    row.insert("symbol".to_owned(), day.symbol.clone().into());
    let numbers = [
        ("priceChange", day.change()),
        ("weightedAvgPrice", day.average),
        ("prevClosePrice", day.previous_close),
        ("lastPrice", day.last),
        ("lastQty", day.last_quantity),
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
        row.insert(name.to_owned(), digits(number, decimals).into());
    }
    let percent = digits(day.percent, PERCENT_SCALE);
    row.insert("priceChangePercent".to_owned(), percent.into());
    let whole = [
        ("openTime", day.open_time),
        ("closeTime", day.close_time),
        ("firstId", day.first_trade),
        ("lastId", day.last_trade),
        ("count", day.count),
    ];
    for (name, number) in whole {
        row.insert(name.to_owned(), number.into());
    }
    row
}

/// Moves the times of a row by this many milliseconds.
pub(crate) fn shift(row: &mut Row, milliseconds: i64) {
    for name in ["openTime", "closeTime"] {
        if let Some(time) = row.get(name).and_then(Value::as_i64) {
            row.insert(name.to_owned(), (time + milliseconds).into());
        }
    }
}
