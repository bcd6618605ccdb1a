//! Candles of a query, checked and read a batch of rows at a time.

use crate::postgres::cursor::{Column, Cursor, Value};
use crate::postgres::numeric::{self, Unusable};
use crate::postgres::{Failure, encoding};
use market::{Candle, UnixMillis};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use std::borrow::Cow;

/// Rows of one batch: some megabytes, and some hundredths of a second.
const BATCH: usize = 10_000;

/// Microseconds from the Unix epoch to that of PostgreSQL, 2000-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// The columns that a query must have, in any order and among others.
const NUMBERS: [&str; 5] = ["open", "high", "low", "close", "base_volume"];

/// A query of candles that was opened.
pub struct Candles {
    argument: &'static str,
    cursor: Cursor,
    symbol: usize,
    open_time: usize,
    /// Where open, high, low, close and base volume are.
    numbers: [usize; 5],
    quote_volume: Option<usize>,
    is_over: bool,
}

impl Candles {
    /// Opens a query that the argument `argument` of a function is, see [`Cursor::open`].
    ///
    /// # Errors
    /// When it is not one SELECT, a column is missing or of another type, or it cannot run.
    pub fn open(
        query: &str,
        argument: &'static str,
        search_path: Option<&str>,
    ) -> Result<Self, Failure> {
        let cursor = Cursor::open(query, argument, search_path)?;
        let columns = Columns {
            argument,
            columns: cursor.columns(),
        };
        let mut numbers = [0; 5];
        for (place, name) in numbers.iter_mut().zip(NUMBERS) {
            *place = columns.number(name)?;
        }
        Ok(Self {
            argument,
            symbol: columns.symbol()?,
            open_time: columns.open_time()?,
            numbers,
            quote_volume: columns.quote_volume()?,
            cursor,
            is_over: false,
        })
    }

    /// Reads the next batch and hands each candle to `take`, with its symbol. Returns whether
    /// there may be more.
    ///
    /// # Errors
    /// What the query raises, what `take` returns, and when a value is no part of a candle.
    pub fn fetch(
        &mut self,
        mut take: impl FnMut(&str, Candle) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        if self.is_over {
            return Ok(false);
        }
        let count = self.cursor.fetch(BATCH, |row| {
            let symbol = self.symbol_of(row)?;
            let candle = self.candle(row, &symbol)?;
            take(&symbol, candle)
        })?;
        self.is_over = count < BATCH;
        Ok(!self.is_over)
    }

    /// The argument that the query is.
    pub fn argument(&self) -> &'static str {
        self.argument
    }

    /// # Errors
    /// What closing the query raises.
    pub fn close(self) -> Result<(), Failure> {
        self.cursor.close()
    }

    fn symbol_of<'a>(&self, row: &[Value<'a>]) -> Result<Cow<'a, str>, Failure> {
        // SAFETY: the column is a text.
        let bytes = row
            .get(self.symbol)
            .and_then(|value| unsafe { value.bytes() });
        let bytes = bytes.ok_or_else(|| self.null("symbol", None))?;
        Ok(match bytes {
            Cow::Borrowed(bytes) if encoding::is_utf8() || bytes.is_ascii() => {
                String::from_utf8_lossy(bytes)
            }
            bytes => Cow::Owned(encoding::from_server(&bytes)),
        })
    }

    fn candle(&self, row: &[Value], symbol: &str) -> Result<Candle, Failure> {
        let open_time = self.time(row, symbol)?;
        let mut numbers = [Decimal::ZERO; 5];
        for ((number, place), name) in numbers.iter_mut().zip(self.numbers).zip(NUMBERS) {
            *number = self.number(row, place, name, symbol, open_time)?;
        }
        let [open, high, low, close, base_volume] = numbers;
        let mut candle = Candle {
            open_time,
            open,
            high,
            low,
            close,
            base_volume,
            quote_volume: Decimal::ZERO,
        };
        candle.quote_volume = match self.quote_volume {
            Some(place) => self.number(row, place, "quote_volume", symbol, open_time)?,
            None => candle
                .estimated_quote_volume()
                .ok_or_else(|| self.out_of_range("base_volume", symbol, open_time))?,
        };
        Ok(candle)
    }

    fn time(&self, row: &[Value], symbol: &str) -> Result<UnixMillis, Failure> {
        let stored = row.get(self.open_time).and_then(|value| value.word());
        let stored = stored.ok_or_else(|| self.null("open_time", Some(symbol)))?;
        let micros = (stored.value() as i64).checked_add(POSTGRES_EPOCH_US);
        // The ends of the range are the infinities.
        let millis = micros
            .filter(|_| stored.value() as i64 != i64::MIN)
            .filter(|micros| micros % 1000 == 0)
            .map(|micros| micros / 1000);
        millis.ok_or_else(|| {
            let what = format!(
                "{}: open_time of a candle of {symbol} is not a time in whole milliseconds",
                self.argument
            );
            Failure::new("22008", what)
        })
    }

    fn number(
        &self,
        row: &[Value],
        place: usize,
        name: &str,
        symbol: &str,
        open_time: UnixMillis,
    ) -> Result<Decimal, Failure> {
        // SAFETY: the column is a numeric.
        let bytes = row.get(place).and_then(|value| unsafe { value.bytes() });
        let bytes = bytes.ok_or_else(|| self.null(name, Some(symbol)))?;
        numeric::parse(&bytes).map_err(|why| match why {
            Unusable::OutOfRange => self.out_of_range(name, symbol, open_time),
            Unusable::NotANumber => Failure::new(
                "22003",
                format!(
                    "{}: {name} of the candle of {symbol} at {} is not a number",
                    self.argument,
                    strategy::utc(open_time)
                ),
            ),
        })
    }

    fn out_of_range(&self, name: &str, symbol: &str, open_time: UnixMillis) -> Failure {
        Failure::out_of_range(&format!(
            "{}: {name} of the candle of {symbol} at {}",
            self.argument,
            strategy::utc(open_time)
        ))
    }

    fn null(&self, name: &str, symbol: Option<&str>) -> Failure {
        let whose = symbol.map_or_else(String::new, |symbol| format!(" of {symbol}"));
        Failure::new(
            "22004",
            format!("{}: {name} of a candle{whose} is null", self.argument),
        )
    }
}

/// The columns of a query, by their names.
struct Columns<'a> {
    argument: &'static str,
    columns: &'a [Column],
}

impl Columns<'_> {
    fn symbol(&self) -> Result<usize, Failure> {
        let types = [pg_sys::TEXTOID, pg_sys::VARCHAROID];
        self.place("symbol", &types, "text", "Cast it: symbol::text.")
    }

    fn open_time(&self) -> Result<usize, Failure> {
        let types = [pg_sys::TIMESTAMPTZOID];
        let hint = "Milliseconds since 1970 become a time by to_timestamp(open_time / 1000.0), a \
                    timestamp of UTC by open_time AT TIME ZONE 'UTC'.";
        self.place("open_time", &types, "timestamp with time zone", hint)
    }

    fn number(&self, name: &str) -> Result<usize, Failure> {
        let hint = format!("Cast it: {name}::numeric.");
        self.place(name, &[pg_sys::NUMERICOID], "numeric", &hint)
    }

    fn quote_volume(&self) -> Result<Option<usize>, Failure> {
        match self.find("quote_volume")? {
            Some(_) => self.number("quote_volume").map(Some),
            None => Ok(None),
        }
    }

    fn place(
        &self,
        name: &str,
        types: &[pg_sys::Oid],
        wanted: &str,
        hint: &str,
    ) -> Result<usize, Failure> {
        let argument = self.argument;
        let Some(place) = self.find(name)? else {
            let missing = format!("{argument}: the query has no column {name}");
            return Err(Failure::new("42703", missing).detail(format!(
                "Its columns must be symbol, open_time, {}, and may be quote_volume.",
                NUMBERS.join(", ")
            )));
        };
        let column = &self.columns[place];
        if types.contains(&column.type_oid) {
            return Ok(place);
        }
        let found = &column.type_name;
        let wrong = format!("{argument}: column {name} is of type {found}, not {wanted}");
        Err(Failure::new("42804", wrong).hint(hint))
    }

    /// Where the column is.
    fn find(&self, name: &str) -> Result<Option<usize>, Failure> {
        let mut places = (0..self.columns.len()).filter(|n| self.columns[*n].name == name);
        match (places.next(), places.next()) {
            (_, Some(_)) => Err(Failure::new(
                "42702",
                format!("{}: the query has several columns {name}", self.argument),
            )),
            (place, None) => Ok(place),
        }
    }
}
