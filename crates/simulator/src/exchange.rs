//! What the exchange lists, and each symbol's row at the current time of its clock.

use super::UnixMillis;
use super::candles::{self, RecordedCandle};
use super::clock::Clock;
use super::fault::Corruption;
use super::instrument::Instrument;
use super::model::Model;
use super::path::{Hold, Path, Tape};
use super::recorded::Recording;
use super::ticker::{self, Figures, Row, WINDOW_MILLIS};
use rust_decimal::Decimal;
use serde_json::Value;
use std::io;

/// The listed symbols and the clock.
pub(super) struct Exchange {
    seed: u64,
    volatility: f64,
    listed: Vec<Listed>,
    replay: Option<Replay>,
    pub clock: Clock,
}

/// One listed symbol, its model and what a test set on it.
pub(super) struct Listed {
    pub instrument: Instrument,
    pub driven: Driven,
    /// What a test did to its price; [`Driven::change`] and [`Driven::price`] are its last word.
    pub path: Path,
    /// Candles that are played in place of the model.
    pub recording: Option<Recording>,
    model: Model,
}

/// What a test set on one symbol; the default leaves everything to the model.
#[derive(Default)]
pub(super) struct Driven {
    pub change: Option<Decimal>,
    pub price: Option<Decimal>,
    pub volume: Option<Volume>,
    pub spread_bps: Option<Decimal>,
    pub trading: Trading,
    pub corruption: Option<Corruption>,
}

/// A volume that is held.
pub(super) enum Volume {
    Base(Decimal),
    Quote(Decimal),
}

/// Whether a symbol trades, and the row it shows if not.
#[derive(Default)]
pub(super) enum Trading {
    #[default]
    Open,
    Halted(Row),
    Zero(Row),
}

/// A recorded reply that is served in place of the model.
struct Replay {
    rows: Vec<Row>,
    newest: UnixMillis,
}

impl Exchange {
    /// # Errors
    /// `InvalidInput` when an instrument cannot be simulated or is listed twice, or the
    /// volatility is not from 0 to 10.
    pub fn new(seed: u64, volatility: f64, instruments: Vec<Instrument>) -> io::Result<Self> {
        if !(0.0..=10.0).contains(&volatility) {
            return Err(invalid_input(format!(
                "volatility {volatility} is not from 0 to 10"
            )));
        }
        let mut exchange = Self {
            seed,
            volatility,
            listed: Vec::new(),
            replay: None,
            clock: Clock::default(),
        };
        for instrument in instruments {
            exchange.list(instrument)?;
        }
        Ok(exchange)
    }

    /// Adds a symbol at the end of the list.
    pub fn list(&mut self, instrument: Instrument) -> io::Result<()> {
        if let Some(problem) = instrument.problem() {
            return Err(invalid_input(format!("{}: {problem}", instrument.symbol)));
        }
        if self.find(&instrument.symbol).is_some() {
            return Err(invalid_input(format!(
                "{} is listed already",
                instrument.symbol
            )));
        }
        let model = Model::new(&instrument, self.seed, self.volatility);
        self.listed.push(Listed {
            instrument,
            driven: Driven::default(),
            path: Path::default(),
            recording: None,
            model,
        });
        Ok(())
    }

    /// Removes a symbol from the list; returns whether it was listed.
    pub fn delist(&mut self, symbol: &str) -> bool {
        let before = self.listed.len();
        self.listed
            .retain(|listed| listed.instrument.symbol != symbol);
        self.listed.len() < before
    }

    pub fn find(&mut self, symbol: &str) -> Option<&mut Listed> {
        self.listed
            .iter_mut()
            .find(|listed| listed.instrument.symbol == symbol)
    }

    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Serves a recorded array of rows until `end_replay`.
    pub fn replay(&mut self, json: &str) -> io::Result<()> {
        let rows: Vec<Row> = serde_json::from_str(json)?;
        let close_time = |row: &Row| row.get("closeTime").and_then(Value::as_i64);
        let newest = rows.iter().filter_map(close_time).max();
        let newest = newest.ok_or_else(|| invalid_input("no row has a closeTime".to_owned()))?;
        self.replay = Some(Replay { rows, newest });
        Ok(())
    }

    pub fn end_replay(&mut self) {
        self.replay = None;
    }

    /// Every symbol's row, in listing order.
    pub fn rows(&mut self, now: UnixMillis) -> Vec<Row> {
        self.rows_where(now, |_| true)
    }

    /// The row of one symbol, if it is listed.
    pub fn row(&mut self, symbol: &str, now: UnixMillis) -> Option<Row> {
        self.rows_where(now, |listed| listed == symbol).pop()
    }

    fn rows_where(&mut self, now: UnixMillis, wanted: impl Fn(&str) -> bool) -> Vec<Row> {
        match &self.replay {
            Some(replay) => replay.rows_where(now, wanted),
            None => self
                .listed
                .iter_mut()
                .filter(|listed| wanted(&listed.instrument.symbol))
                .map(|listed| listed.row(now))
                .collect(),
        }
    }
}

impl Listed {
    /// Trading status as exchangeInfo names it.
    pub fn status(&self) -> &'static str {
        match self.driven.trading {
            Trading::Open => "TRADING",
            Trading::Halted(_) => "HALT",
            Trading::Zero(_) => "BREAK",
        }
    }

    /// The figures by the model and by what is set, whether the symbol trades or not.
    pub fn figures(&mut self, now: UnixMillis) -> Figures {
        let window = self.model.window(now);
        let mut figures = Figures::new(&self.instrument, &window, now);
        if let Some(percent) = self.driven.change {
            figures.hold_change(percent);
        }
        for (_, price) in self.path.trades_within(now - WINDOW_MILLIS, now) {
            figures.reach(price);
        }
        if let Some(price) = self.driven.price {
            figures.hold_price(price);
        }
        match self.driven.volume {
            Some(Volume::Base(volume)) => figures.hold_volume(volume),
            Some(Volume::Quote(volume)) => figures.hold_quote_volume(volume),
            None => {}
        }
        figures.quote(self.driven.spread_bps.unwrap_or_default());
        figures
    }

    /// Holds the price from `now` on.
    pub fn hold(&mut self, now: UnixMillis, hold: Hold) {
        (self.driven.change, self.driven.price) = match hold {
            Hold::Free => (None, None),
            Hold::Change(percent) => (Some(percent), None),
            Hold::Price(price) => (None, Some(price)),
            Hold::Halted => (self.driven.change, self.driven.price),
        };
        self.path.hold(now, hold);
    }

    /// Candles of `length` milliseconds that begin from `first` to `last`, as they are at `now`;
    /// `None` when the exchange has none of this length.
    pub fn candles(
        &self,
        first: UnixMillis,
        last: UnixMillis,
        length: i64,
        now: UnixMillis,
    ) -> Option<Vec<RecordedCandle>> {
        match &self.recording {
            Some(recording) => recording.candles(first, last, length, now),
            None => {
                let mut tape = Tape::new(&self.instrument, &self.model, &self.path);
                Some(candles::of_tape(&mut tape, first, last, length, now))
            }
        }
    }

    fn row(&mut self, now: UnixMillis) -> Row {
        let mut row = match (&self.driven.trading, &self.recording) {
            (Trading::Halted(row) | Trading::Zero(row), _) => row.clone(),
            (Trading::Open, None) => self.figures(now).row(),
            (Trading::Open, Some(recording)) => recording
                .ticker(&self.instrument.symbol, now)
                .unwrap_or_else(|| self.figures(now).zero_row()),
        };
        if let Some(corruption) = self.driven.corruption {
            corruption.apply(&mut row);
        }
        row
    }
}

impl Replay {
    /// The rows as if the newest of them closed just now.
    fn rows_where(&self, now: UnixMillis, wanted: impl Fn(&str) -> bool) -> Vec<Row> {
        let symbol = |row: &&Row| {
            row.get("symbol")
                .and_then(Value::as_str)
                .is_some_and(&wanted)
        };
        let shifted = |row: &Row| {
            let mut row = row.clone();
            ticker::shift(&mut row, now - self.newest);
            row
        };
        self.rows.iter().filter(symbol).map(shifted).collect()
    }
}

fn invalid_input(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
