//! The market that all exchanges of a simulator share: the symbols, their prices and the clock.

use super::UnixMillis;
use super::candles::{self, RecordedCandle};
use super::clock::Clock;
use super::day::Day;
use super::dialect::{Row, binance};
use super::fault::Corruption;
use super::instrument::Instrument;
use super::model::Model;
use super::path::{Hold, Path, Tape};
use super::recorded::Recording;
use super::shelf::Shelf;
use super::ticker::{Figures, WINDOW_MILLIS};
use rust_decimal::Decimal;
use serde_json::Value;
use std::io;

/// The symbols and the clock.
pub(super) struct World {
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
    path: Path,
    shelf: Shelf,
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

/// Whether a symbol trades, and what it shows if not.
#[derive(Default)]
pub(super) enum Trading {
    #[default]
    Open,
    Halted(Box<Day>),
    Zero(Box<Day>),
}

/// A recorded reply that is served in place of the model.
struct Replay {
    rows: Vec<Row>,
    newest: UnixMillis,
}

impl World {
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
            shelf: Shelf::default(),
            recording: None,
            model,
        });
        Ok(())
    }

    /// Gives a symbol another tick size.
    ///
    /// # Errors
    /// `InvalidInput` when it is not listed, or cannot be simulated with this tick.
    pub fn retick(&mut self, symbol: &str, tick_size: Decimal) -> io::Result<()> {
        let (seed, volatility) = (self.seed, self.volatility);
        let listed = self.find(symbol);
        let listed = listed.ok_or_else(|| invalid_input(format!("{symbol} is not listed")))?;
        let instrument = Instrument {
            tick_size,
            ..listed.instrument.clone()
        };
        if let Some(problem) = instrument.problem() {
            return Err(invalid_input(format!("{symbol}: {problem}")));
        }
        listed.retick(tick_size, seed, volatility);
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

    /// The recorded rows that are served in place of the model, as if the newest of them closed
    /// at `now`.
    pub fn replayed(&self, now: UnixMillis) -> Option<Vec<Row>> {
        let replay = self.replay.as_ref()?;
        let mut rows = replay.rows.clone();
        rows.iter_mut()
            .for_each(|row| binance::shift(row, now - replay.newest));
        Some(rows)
    }
}

impl Listed {
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
        self.shelf.forget_since(now);
    }

    /// Adds a single trade beside the path of its price.
    pub fn trade(&mut self, at: UnixMillis, price: Decimal) {
        self.path.trade(at, price);
        self.shelf.forget_since(at);
    }

    /// Candles of `length` milliseconds that begin from `first` to `last`, as they are at `now`;
    /// `None` when the exchange has none of this length.
    pub fn candles(
        &mut self,
        first: UnixMillis,
        last: UnixMillis,
        length: i64,
        now: UnixMillis,
    ) -> Option<Vec<RecordedCandle>> {
        match &self.recording {
            Some(recording) => recording.candles(first, last, length, now),
            None => {
                let mut tape = Tape::new(&self.instrument, &self.model, &self.path);
                let of_tape = |first, last| candles::of_tape(&mut tape, first, last, length, now);
                Some(self.shelf.candles((first, last), length, now, of_tape))
            }
        }
    }

    /// Its 24 hours at `now`.
    pub fn day(&mut self, now: UnixMillis) -> Day {
        let mut day = match (&self.driven.trading, &self.recording) {
            (Trading::Halted(day) | Trading::Zero(day), _) => day.as_ref().clone(),
            (Trading::Open, None) => self.figures(now).day(),
            (Trading::Open, Some(recording)) => recording
                .day(&self.instrument, now)
                .unwrap_or_else(|| self.figures(now).empty_day()),
        };
        day.corruption = self.driven.corruption;
        day
    }

    /// Makes its tick another one: what was held stays, and the model goes the same way in
    /// steps of the new tick.
    fn retick(&mut self, tick_size: Decimal, seed: u64, volatility: f64) {
        self.instrument.tick_size = tick_size;
        self.model = Model::new(&self.instrument, seed, volatility);
        self.shelf.clear();
    }
}

fn invalid_input(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
