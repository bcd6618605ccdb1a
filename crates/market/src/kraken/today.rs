//! What Kraken's ticker shows of a pair: all but the price 24 hours ago.

use crate::decimal;
use crate::error::sanitized;
use crate::reading::json;
use crate::reading::shown::{close_time, percent};
use crate::{ReplyTime, Ticker};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

/// The numbers of a row. Those of the last 24 hours are the second ones of their lists, after those
/// of today.
#[derive(Clone, Debug)]
pub struct Today {
    pub last: Decimal,
    ask: Decimal,
    bid: Decimal,
    base_volume: Decimal,
    average: Decimal,
    trades: i64,
    low: Decimal,
    high: Decimal,
}

impl Today {
    /// Reads a row, or says why it is unusable.
    pub fn read(row: &str) -> Result<Self, String> {
        let names = ["a", "b", "c", "v", "p", "t", "l", "h"];
        let found = json::members(row, names).map_err(|_| "it is no row of a ticker".to_owned())?;
        let number = |name: &str, place: usize| {
            let list = names.iter().position(|known| *known == name);
            let list = list.and_then(|at| found[at]);
            let list = list.ok_or_else(|| format!("{name} is missing"))?;
            amount(list, place).map_err(|reason| format!("{name} {reason}"))
        };
        let trades = number("t", 1)?;
        Ok(Self {
            last: number("c", 0)?,
            ask: number("a", 0)?,
            bid: number("b", 0)?,
            base_volume: number("v", 1)?,
            average: number("p", 1)?,
            trades: i64::try_from(trades.trunc().mantissa()).unwrap_or(i64::MAX),
            low: number("l", 1)?,
            high: number("h", 1)?,
        })
    }

    /// The ticker of `symbol` whose price was `open` 24 hours ago; `None` when its numbers do not
    /// fit. That price is among those of the day, also when it was the last one before them.
    pub fn ticker(&self, symbol: &str, open: Decimal, time: ReplyTime) -> Option<Ticker> {
        let change = self.last.checked_sub(open)?;
        let (close_time, time_source) = close_time(None, time);
        Some(Ticker {
            symbol: symbol.to_owned(),
            price_change: change,
            price_change_percent: percent(change, open)?,
            weighted_average_price: Some(self.average),
            last_price: self.last,
            open_price: open,
            high_price: self.high.max(open),
            low_price: self.low.min(open),
            bid_price: Some(self.bid),
            ask_price: Some(self.ask),
            base_volume: self.base_volume,
            quote_volume: self.average.checked_mul(self.base_volume)?.round_dp(8),
            open_time: None,
            close_time,
            time_source,
            trade_count: Some(self.trades),
        })
    }
}

/// The number at a place of a list, zero or more.
fn amount(list: &RawValue, place: usize) -> Result<Decimal, String> {
    let (mut at, mut found) = (0, None);
    json::each_element(list.get(), |value| {
        if at == place {
            found = Some(value);
        }
        at += 1;
    })
    .map_err(|_| "is no list")?;
    let text = found.and_then(json::bare).ok_or("has too few numbers")?;
    let number =
        decimal::parse(&text).map_err(|reason| format!("{reason}: {}", sanitized(&text)))?;
    if number < Decimal::ZERO {
        return Err(format!("is negative: {number}"));
    }
    Ok(number)
}
