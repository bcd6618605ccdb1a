//! The JSON of a reply with candles: a list of lists, each of twelve cells.

use crate::binance::reply::{refusal, string};
use crate::error::{excerpt, sanitized};
use crate::{Candle, CandleFault, CandleQuery, Candles, MarketError, UnixMillis, decimal};
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The cells of a row that are read, in their order.
const CELLS: [&str; 8] = [
    "open time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close time",
    "quote volume",
];
const OPEN_TIME: usize = 0;
const CLOSE_TIME: usize = 6;
const QUOTE_VOLUME: usize = 7;

/// The finished candles in a reply to `query` that was made at `now`, by the exchange's clock.
///
/// # Errors
/// [`MarketError::NoCandles`] when it is no list, [`MarketError::Rejected`] for the exchange's
/// error object, [`MarketError::BadCandles`] when nothing says which of its rows are right.
pub fn parse(body: &[u8], query: &CandleQuery, now: UnixMillis) -> Result<Candles, MarketError> {
    let refuse = |reason: String| MarketError::NoCandles {
        reason,
        body: excerpt(body),
    };
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    let not_json = |error: serde_json::Error| refuse(format!("it is not JSON: {error}"));
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    if !text.trim_start().starts_with('[') {
        if let Some((code, message)) = refusal(body) {
            return Err(MarketError::Rejected {
                code: code.to_string(),
                message,
            });
        }
        serde_json::from_str::<IgnoredAny>(text).map_err(not_json)?;
        return Err(refuse("it is JSON, but not a list".to_owned()));
    }
    let mut reading = Reading {
        query,
        now,
        most: query.length().min(CandleQuery::MOST),
        last: None,
        rows: 0,
        candles: Candles::default(),
        fault: None,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(&mut reading).map_err(not_json)?;
    reader.end().map_err(not_json)?;
    match reading.fault {
        Some(fault) => Err(MarketError::BadCandles(fault)),
        None => Ok(reading.candles),
    }
}

/// A reply on its way to candles. From the first fault on, rows are only passed over.
struct Reading<'q> {
    query: &'q CandleQuery,
    now: UnixMillis,
    /// Rows that were asked for.
    most: usize,
    /// Begin of the candle before.
    last: Option<UnixMillis>,
    rows: usize,
    candles: Candles,
    fault: Option<CandleFault>,
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(row) = list.next_element::<&RawValue>()? {
            if self.fault.is_none() {
                self.fault = self.take(row).err();
            }
        }
        Ok(())
    }
}

impl Reading<'_> {
    fn take(&mut self, row: &RawValue) -> Result<(), CandleFault> {
        self.rows += 1;
        if self.rows > self.most {
            return Err(CandleFault::TooMany { asked: self.most });
        }
        let candle = match serde_json::from_str::<Row>(row.get()) {
            Ok(row) => row.candle(self.query),
            Err(_) => Err("it is no list of cells".to_owned()),
        };
        let candle = match candle {
            Ok(candle) => candle,
            Err(reason) => {
                self.candles
                    .unusable
                    .push(format!("row {}: {reason}", self.rows));
                return Ok(());
            }
        };
        let at = candle.open_time;
        let end = at.saturating_add(self.query.interval.millis());
        match self.last.replace(at) {
            Some(last) if last == at => return Err(CandleFault::Twice { at }),
            Some(last) if last > at => return Err(CandleFault::WrongOrder { at, after: last }),
            _ => {}
        }
        if at < self.query.begin() || end > self.query.end() {
            return Err(CandleFault::Elsewhere { at });
        }
        if end > self.now {
            self.candles.unfinished += 1;
        } else {
            self.candles.rows.push(candle);
        }
        Ok(())
    }
}

/// The cells of a row, as they stand; those after the last one that is read are left out.
#[derive(Default)]
struct Row<'a>([Option<&'a RawValue>; CELLS.len()]);

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Cells;

        impl<'de> Visitor<'de> for Cells {
            type Value = Row<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Row<'de>, A::Error> {
                let mut row = Row::default();
                for cell in &mut row.0 {
                    *cell = list.next_element()?;
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(row)
            }
        }

        reader.deserialize_seq(Cells)
    }
}

impl Row<'_> {
    /// The candle, or why the row is unusable.
    fn candle(&self, query: &CandleQuery) -> Result<Candle, String> {
        let interval = query.interval;
        let open_time = self.time(OPEN_TIME)?;
        if open_time.rem_euclid(interval.millis()) != 0 {
            return Err(format!(
                "open time {open_time} is no whole multiple of {}",
                interval.name()
            ));
        }
        let close_time = self.time(CLOSE_TIME)?;
        if close_time.checked_sub(open_time) != Some(interval.millis() - 1) {
            return Err(format!(
                "from {open_time} to {close_time} is not {}",
                interval.name()
            ));
        }
        let mut prices = [Decimal::ZERO; 4];
        for (cell, price) in (1..).zip(&mut prices) {
            *price = self.number(cell)?;
            if *price <= Decimal::ZERO {
                return Err(format!("{} is not above zero", CELLS[cell]));
            }
        }
        let [open, high, low, close] = prices;
        if low > open.min(close) || high < open.max(close) {
            return Err("its prices are not between low and high".to_owned());
        }
        Ok(Candle {
            open_time,
            open,
            high,
            low,
            close,
            base_volume: self.amount(5)?,
            quote_volume: self.amount(QUOTE_VOLUME)?,
        })
    }

    /// The text of a number, which the exchange writes as a string and others write bare.
    fn text(&self, cell: usize) -> Result<Cow<'_, str>, String> {
        let name = CELLS[cell];
        let value = self.0[cell].filter(|value| value.get() != "null");
        let value = value.ok_or_else(|| format!("{name} is missing"))?;
        string(value)
            .unwrap_or(Ok(Cow::Borrowed(value.get())))
            .map_err(|error| format!("{name}: {error}"))
    }

    fn number(&self, cell: usize) -> Result<Decimal, String> {
        let text = self.text(cell)?;
        decimal::parse(&text)
            .map_err(|reason| format!("{} {reason}: {}", CELLS[cell], sanitized(&text)))
    }

    /// A number that is zero or more.
    fn amount(&self, cell: usize) -> Result<Decimal, String> {
        let number = self.number(cell)?;
        if number < Decimal::ZERO {
            return Err(format!("{} is negative: {number}", CELLS[cell]));
        }
        Ok(number)
    }

    fn time(&self, cell: usize) -> Result<UnixMillis, String> {
        let text = self.text(cell)?;
        match text.parse() {
            Ok(number @ 0..) => Ok(number),
            _ => Err(format!(
                "{} is not a whole number: {}",
                CELLS[cell],
                sanitized(&text)
            )),
        }
    }
}
