//! Candles as exchanges write them: a list of lists, whose cells stand in an order of their own.

use super::errors::Errors;
use super::json::{self, string};
use super::list::no_list;
use crate::error::sanitized;
use crate::{
    Candle, CandleFault, CandleQuery, Candles, Client, Interval, MarketError, UnixMillis, decimal,
};
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    OpenTime,
    Open,
    High,
    Low,
    Close,
    Volume,
    /// The last millisecond of the candle.
    CloseTime,
    QuoteVolume,
    /// Nothing that is read.
    Other,
}

impl Cell {
    const COUNT: usize = Self::Other as usize + 1;

    const fn name(self) -> &'static str {
        match self {
            Self::OpenTime => "open time",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::CloseTime => "close time",
            Self::QuoteVolume => "quote volume",
            Self::Other => "",
        }
    }
}

/// How one exchange writes candles.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The cells of a row, in their order. Those after them are passed over.
    pub cells: &'static [Cell],
    /// Milliseconds in one unit of its times.
    pub unit_ms: i64,
    pub is_newest_first: bool,
    /// Whether a candle that was not asked for is passed over, since the exchange gives more than
    /// what lies between two times; else it is a fault.
    pub gives_more: bool,
}

/// Gets the first candles of `query`, at most `most`, from the path that is made for them.
pub(crate) fn fetch(
    client: &Client,
    query: &CandleQuery,
    most: usize,
    errors: &Errors,
    path: impl FnOnce(&CandleQuery) -> String,
    read: impl FnOnce(&[u8], &CandleQuery, UnixMillis) -> Result<Candles, MarketError>,
) -> Result<Candles, MarketError> {
    if query.length() == 0 {
        return Ok(Candles::default());
    }
    let length = query.interval.millis();
    let most = i64::try_from(most)
        .unwrap_or(i64::MAX)
        .saturating_mul(length);
    let part = CandleQuery {
        until: query.end().min(query.begin().saturating_add(most)),
        ..query.clone()
    };
    let reply = client.get(&path(&part)).map_err(of_candles)?;
    errors.take(&reply, |body| read(body, &part, reply.time()))
}

/// The candles of a list in a body, which `list` takes out of what is around it.
pub(crate) fn parse<'a>(
    body: &'a [u8],
    shape: &Shape,
    query: &CandleQuery,
    now: UnixMillis,
    list: impl FnOnce(&'a [u8]) -> Result<&'a str, MarketError>,
) -> Result<Candles, MarketError> {
    let list = list(body).map_err(of_candles)?;
    read(list, shape, query, now)
        .map_err(|_| of_candles(no_list(list)))?
        .map_err(MarketError::BadCandles)
}

/// What a reply that is no list is called where candles are asked for.
pub(crate) fn of_candles(error: MarketError) -> MarketError {
    match error {
        MarketError::NotJson { reason, body } => MarketError::NoCandles { reason, body },
        other => other,
    }
}

/// That the exchange has no candles of this length.
pub(crate) fn no_such_interval(interval: Interval) -> MarketError {
    MarketError::NoSuchInterval {
        interval: interval.name(),
        message: "none are offered".to_owned(),
    }
}

/// Most rows of a list that are looked at.
const MOST_ROWS: usize = 2000;

/// The finished candles of a list, in the order of time.
///
/// # Errors
/// The outer one when it is no list; the inner one when nothing says which of its rows are right.
pub fn read(
    list: &str,
    shape: &Shape,
    query: &CandleQuery,
    now: UnixMillis,
) -> serde_json::Result<Result<Candles, CandleFault>> {
    let mut reading = Reading {
        shape,
        query,
        now,
        most: query.length().min(CandleQuery::MOST),
        last: None,
        rows: 0,
        candles: Candles::default(),
        fault: None,
    };
    if shape.is_newest_first {
        let mut rows = Vec::new();
        let mut are_too_many = false;
        json::each_element(list, |row| {
            are_too_many |= rows.len() >= MOST_ROWS;
            if !are_too_many {
                rows.push(row);
            }
        })?;
        if are_too_many {
            return Ok(Err(CandleFault::TooMany {
                asked: reading.most,
            }));
        }
        rows.into_iter().rev().for_each(|row| reading.pass(row));
    } else {
        json::each_element(list, |row| reading.pass(row))?;
    }
    Ok(match reading.fault {
        Some(fault) => Err(fault),
        None => Ok(reading.candles),
    })
}

/// A reply on its way to candles. From the first fault on, rows are only passed over.
struct Reading<'q> {
    shape: &'q Shape,
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

impl Reading<'_> {
    fn pass(&mut self, row: &RawValue) {
        if self.fault.is_none() {
            self.fault = self.take(row).err();
        }
    }

    fn take(&mut self, row: &RawValue) -> Result<(), CandleFault> {
        let row = Row::read(row.get(), self.shape);
        let candle = match &row {
            Some(row) if self.shape.gives_more && row.is_elsewhere(self.query) => return Ok(()),
            Some(row) => row.candle(self.query),
            None => Err("it is no list of cells".to_owned()),
        };
        self.rows += 1;
        if self.rows > self.most {
            return Err(CandleFault::TooMany { asked: self.most });
        }
        let candle = match candle {
            Ok(candle) => candle,
            Err(reason) => {
                let reason = format!("row {}: {reason}", self.rows);
                self.candles.unusable.push(reason);
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

/// The cells of a row, by what they hold.
struct Row<'a> {
    cells: [Option<&'a RawValue>; Cell::COUNT],
    shape: &'a Shape,
}

impl<'a> Row<'a> {
    fn read(text: &'a str, shape: &'a Shape) -> Option<Self> {
        let mut cells = [None; Cell::COUNT];
        let mut places = shape.cells.iter();
        json::each_element(text, |value| {
            if let Some(cell) = places.next() {
                cells[*cell as usize] = Some(value);
            }
        })
        .ok()?;
        Some(Self { cells, shape })
    }

    fn is_elsewhere(&self, query: &CandleQuery) -> bool {
        let end = query.end().saturating_sub(query.interval.millis());
        self.open_time()
            .is_ok_and(|at| at < query.begin() || at > end)
    }

    /// The candle, or why the row is unusable.
    fn candle(&self, query: &CandleQuery) -> Result<Candle, String> {
        let interval = query.interval;
        let open_time = self.open_time()?;
        if open_time.rem_euclid(interval.millis()) != 0 {
            return Err(format!(
                "open time {open_time} is no whole multiple of {}",
                interval.name()
            ));
        }
        if self.shape.cells.contains(&Cell::CloseTime) {
            let close_time = self.time(Cell::CloseTime)?;
            if close_time.checked_sub(open_time) != Some(interval.millis() - 1) {
                return Err(format!(
                    "from {open_time} to {close_time} is not {}",
                    interval.name()
                ));
            }
        }
        let mut prices = [Decimal::ZERO; 4];
        for (cell, price) in [Cell::Open, Cell::High, Cell::Low, Cell::Close]
            .into_iter()
            .zip(&mut prices)
        {
            *price = self.number(cell)?;
            if *price <= Decimal::ZERO {
                return Err(format!("{} is not above zero", cell.name()));
            }
        }
        let [open, high, low, close] = prices;
        if low > open.min(close) || high < open.max(close) {
            return Err("its prices are not between low and high".to_owned());
        }
        let mut candle = Candle {
            open_time,
            open,
            high,
            low,
            close,
            base_volume: self.amount(Cell::Volume)?,
            quote_volume: Decimal::ZERO,
        };
        candle.quote_volume = if self.shape.cells.contains(&Cell::QuoteVolume) {
            self.amount(Cell::QuoteVolume)?
        } else {
            candle
                .estimated_quote_volume()
                .ok_or("its quote volume has too many digits")?
                .round_dp(8)
        };
        Ok(candle)
    }

    /// The text of a number, which exchanges write as a string or bare.
    fn text(&self, cell: Cell) -> Result<Cow<'_, str>, String> {
        let name = cell.name();
        let value = self.cells[cell as usize].filter(|value| value.get() != "null");
        let value = value.ok_or_else(|| format!("{name} is missing"))?;
        string(value)
            .unwrap_or(Ok(Cow::Borrowed(value.get())))
            .map_err(|error| format!("{name}: {error}"))
    }

    fn number(&self, cell: Cell) -> Result<Decimal, String> {
        let text = self.text(cell)?;
        decimal::parse(&text)
            .map_err(|reason| format!("{} {reason}: {}", cell.name(), sanitized(&text)))
    }

    /// A number that is zero or more.
    fn amount(&self, cell: Cell) -> Result<Decimal, String> {
        let number = self.number(cell)?;
        if number < Decimal::ZERO {
            return Err(format!("{} is negative: {number}", cell.name()));
        }
        Ok(number)
    }

    fn open_time(&self) -> Result<UnixMillis, String> {
        Ok(self
            .time(Cell::OpenTime)?
            .saturating_mul(self.shape.unit_ms))
    }

    fn time(&self, cell: Cell) -> Result<UnixMillis, String> {
        let text = self.text(cell)?;
        decimal::whole(&text).ok_or_else(|| {
            format!(
                "{} is not a whole number: {}",
                cell.name(),
                sanitized(&text)
            )
        })
    }
}
