//! Simulated exchanges: one driven market, whose 24-hour tickers, candles and instruments each of
//! them serves in its own REST API, over HTTP/1.1 on loopback.
//!
//! The same seed, symbols and time always give the same reply. A test can drive the time, single
//! symbols and the faults; everything else moves as the model says. [`Simulator::beside`] opens
//! another exchange of the same market; what is set on a symbol holds at all of them, and faults
//! and what `venue` has at one alone.
//!
//! Routes of Binance: `/api/v3/ticker/24hr` (`symbol`, `symbols`, `type`; `symbolStatus` is not
//! simulated), `/api/v3/klines` (up to `1d`; `timeZone` is not simulated),
//! `/api/v3/exchangeInfo`, `/api/v3/time`, `/api/v3/ping`; those of the others are said in the
//! files of `dialect`. Shapes, orders and error codes follow the exchanges' public documentation
//! and recorded replies.
//!
//! Where to find what: [`Instrument`] is a listed symbol, `noise` and `model` the random walk,
//! `ticker` and `day` its 24 hours and their identities, `path` what a test did to a price,
//! `candles` what was traded in a stretch of time, `recorded` candles in place of the model,
//! `world` all symbols and the clock, `dialect` the APIs, `market` one exchange of the world,
//! `venue` how a test sets it apart, `fault` what goes wrong, `response` and `server` the wire.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod candles;
mod clock;
mod day;
mod dialect;
mod fault;
mod instrument;
mod market;
mod model;
mod noise;
mod path;
mod recorded;
mod response;
mod server;
mod shelf;
#[cfg(test)]
mod tests;
mod ticker;
mod venue;
mod world;

use self::market::Market;
use clock::Clock;
use instrument::decimal;
use path::Hold;
use rust_decimal::Decimal;
use server::Server;
use socket2::Socket;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use world::{Driven, Listed, Trading, Volume, World};

pub use candles::RecordedCandle;
pub use day::Day;
pub use dialect::Dialect;
pub use fault::{CandleFault, Corruption, Fault, Times};
pub use instrument::Instrument;

/// Milliseconds since the Unix epoch.
pub type UnixMillis = i64;

/// What a simulator starts with.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Chooses the random walks.
    pub seed: u64,
    /// Scales every move of the model, from 0 to 10: at 0 only driven symbols move, at 1 symbols
    /// enter and leave a side of 2 % within minutes.
    pub volatility: f64,
    /// Listed symbols, in listing order.
    pub symbols: Vec<Instrument>,
    /// Whose API it speaks.
    pub dialect: Dialect,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            volatility: 1.0,
            symbols: Instrument::ten_liquid_pairs(),
            dialect: Dialect::default(),
        }
    }
}

/// A running exchange. Dropping it ends its threads and closes its port.
///
/// Methods that take a symbol panic when it is not listed; methods that take a number as text
/// panic when it is not a number or out of range. Both are mistakes in the calling test.
pub struct Simulator {
    // Dropped before the port is given up.
    server: Mutex<Option<Server>>,
    port: u16,
    _reserved: Socket,
    market: Arc<Mutex<Market>>,
    world: Arc<Mutex<World>>,
}

impl Simulator {
    /// Starts serving on 127.0.0.1.
    ///
    /// # Errors
    /// `InvalidInput` when an instrument cannot be simulated or is listed twice, or the
    /// volatility is out of range; otherwise the error with which listening on the port failed.
    pub fn start(options: SimulatorOptions) -> io::Result<Self> {
        let world = World::new(options.seed, options.volatility, options.symbols)?;
        Self::open(options.dialect, options.port, Arc::new(Mutex::new(world)))
    }

    /// Opens another exchange of the same market, on a free port.
    ///
    /// # Errors
    /// The error with which listening failed.
    pub fn beside(&self, dialect: Dialect) -> io::Result<Self> {
        Self::open(dialect, 0, Arc::clone(&self.world))
    }

    /// Base URL without a trailing slash, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests came so far, on any path, answered or not.
    pub fn request_count(&self) -> u64 {
        self.market().request_count
    }

    /// Targets (path and query as sent) of the last 1,000 requests, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.market().requests.iter().cloned().collect()
    }

    /// How many requests came because a redirect was followed.
    pub fn redirects_followed(&self) -> u64 {
        self.market().redirects_followed
    }

    /// Holds a symbol's 24-hour change, in percent, above -100 and up to 1,000. Replies show
    /// exactly this change, to 3 decimals, unless the symbol's tick is too coarse for that.
    #[track_caller]
    pub fn set_change(&self, symbol: &str, percent: &str) {
        let percent = number(percent, -Decimal::ONE_HUNDRED, Decimal::ONE_THOUSAND);
        self.hold(symbol, Hold::Change(percent));
    }

    /// Holds a symbol's last price, above 0 and up to 1e12; what changed over 24 hours follows.
    #[track_caller]
    pub fn set_price(&self, symbol: &str, price: &str) {
        self.hold(symbol, Hold::Price(positive(price)));
    }

    /// Adds a single trade at a time of the exchange's clock, which may be still to come: the
    /// candle of that time reaches to its price, and so do the 24 hours after it, but no last
    /// price shows it.
    #[track_caller]
    pub fn trade(&self, symbol: &str, at: UnixMillis, price: &str) {
        let price = positive(price);
        self.with(symbol, |listed| listed.trade(at, price));
    }

    /// Plays recorded candles of one length, in milliseconds, in place of a symbol's model: its
    /// ticker is that of the 24 hours up to the last candle that has ended by the exchange's
    /// clock, and its candles are these, and longer ones made of them. Loaded again with candles
    /// of another length, they serve requests that the first ones cannot.
    ///
    /// # Panics
    /// When the candles are not in the order of time or not of that length.
    #[track_caller]
    pub fn play_candles(&self, symbol: &str, length_ms: i64, candles: Vec<RecordedCandle>) {
        let added = self.with(symbol, |listed| {
            let recording = listed.recording.get_or_insert_default();
            recording.add(length_ms, candles)
        });
        if let Err(problem) = added {
            panic!("{symbol}: {problem}");
        }
    }

    /// Holds a symbol's 24-hour volume, in base units, above 0 and up to 1e12.
    #[track_caller]
    pub fn set_volume(&self, symbol: &str, base: &str) {
        let volume = Volume::Base(positive(base));
        self.with(symbol, |listed| listed.driven.volume = Some(volume));
    }

    /// Holds a symbol's 24-hour volume, in quote units, above 0 and up to 1e12. Replies show
    /// exactly this number.
    #[track_caller]
    pub fn set_quote_volume(&self, symbol: &str, quote: &str) {
        let volume = Volume::Quote(positive(quote));
        self.with(symbol, |listed| listed.driven.volume = Some(volume));
    }

    /// Holds the distance of bid and ask, in basis points (0.01 %) of the last price, above -1
    /// and up to 1,000. It is rounded to whole ticks and is at least one tick.
    #[track_caller]
    pub fn set_spread_bps(&self, symbol: &str, basis_points: &str) {
        let spread = number(basis_points, -Decimal::ONE, Decimal::ONE_THOUSAND);
        self.with(symbol, |listed| listed.driven.spread_bps = Some(spread));
    }

    /// Halts a symbol: its row stays as it is now, closeTime included, but bid and ask are empty.
    /// For a pair that was halted long ago, drive the time back first.
    #[track_caller]
    pub fn halt(&self, symbol: &str) {
        self.suspend(symbol, |figures| {
            Trading::Halted(Box::new(figures.halted_day()))
        });
        self.hold(symbol, Hold::Halted);
    }

    /// Empties a symbol's row, like that of a pair without a trade in 24 hours: everything is
    /// zero except the previous close, and closeTime stays as it is now.
    #[track_caller]
    pub fn zero(&self, symbol: &str) {
        self.suspend(symbol, |figures| {
            Trading::Zero(Box::new(figures.empty_day()))
        });
    }

    /// Makes a symbol's row bad in every reply.
    #[track_caller]
    pub fn corrupt_row(&self, symbol: &str, how: Corruption) {
        self.with(symbol, |listed| listed.driven.corruption = Some(how));
    }

    /// Gives a symbol back to the model: what was set on it no longer holds.
    #[track_caller]
    pub fn release(&self, symbol: &str) {
        self.with(symbol, |listed| {
            listed.driven = Driven::default();
            listed.recording = None;
        });
        self.hold(symbol, Hold::Free);
    }

    /// Adds a symbol at the end of the list.
    ///
    /// # Panics
    /// When it cannot be simulated or is listed already.
    #[track_caller]
    pub fn add_symbol(&self, instrument: Instrument) {
        let result = self.world().list(instrument);
        if let Err(problem) = result {
            panic!("{problem}");
        }
    }

    /// Removes a symbol from the list: from now on it is an invalid symbol.
    #[track_caller]
    pub fn remove_symbol(&self, symbol: &str) {
        let was_listed = self.world().delist(symbol);
        assert!(was_listed, "{symbol} is not listed");
    }

    /// Lets the next ticker requests go wrong. Faults strike one after the other, in the order in
    /// which they were injected. Requests of other routes do not go wrong.
    pub fn inject(&self, fault: Fault, times: Times) {
        self.market().faults.inject(fault, times);
    }

    /// Lets the next requests for candles go wrong, likewise.
    pub fn inject_on_candles(&self, fault: CandleFault, times: Times) {
        self.market().candle_faults.inject(fault, times);
    }

    /// Forgets every fault that has not struck yet.
    pub fn clear_faults(&self) {
        let mut market = self.market();
        market.faults.clear();
        market.candle_faults.clear();
        market.instrument_faults.clear();
    }

    /// The current time of the exchange's clock.
    pub fn now(&self) -> UnixMillis {
        self.world().clock.now()
    }

    /// Stops the exchange's clock at this time.
    pub fn drive_time(&self, now: UnixMillis) {
        self.world().clock = Clock::Driven(now);
    }

    /// Moves the exchange's clock forward, and stops it there.
    pub fn advance(&self, by: Duration) {
        let mut world = self.world();
        world.clock = world.clock.advanced(by);
    }

    /// Lets the exchange's clock follow the system clock, as it does at the start.
    pub fn follow_clock(&self) {
        self.world().clock = Clock::System;
    }

    /// Serves a recorded array of ticker rows in place of the model, moved in time so that the
    /// newest of them closed just now. exchangeInfo still describes the model.
    ///
    /// # Errors
    /// When the text is not a JSON array of objects, or none of them has a closeTime.
    pub fn replay(&self, json: &str) -> io::Result<()> {
        self.world().replay(json)
    }

    /// Serves the model again.
    pub fn end_replay(&self) {
        self.world().end_replay();
    }

    fn market(&self) -> MutexGuard<'_, Market> {
        lock(&self.market)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    #[track_caller]
    fn with<T>(&self, symbol: &str, change: impl FnOnce(&mut Listed) -> T) -> T {
        let mut world = self.world();
        match world.find(symbol) {
            Some(listed) => change(listed),
            None => panic!("{symbol} is not listed"),
        }
    }

    #[track_caller]
    fn hold(&self, symbol: &str, hold: Hold) {
        let now = self.now();
        self.with(symbol, |listed| listed.hold(now, hold));
    }

    #[track_caller]
    fn suspend(&self, symbol: &str, state: impl FnOnce(ticker::Figures) -> Trading) {
        let now = self.now();
        self.with(symbol, |listed| {
            listed.driven.trading = state(listed.figures(now));
        });
    }
}

/// What is locked stays usable when a test thread that held the lock panicked.
fn lock<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn positive(text: &str) -> Decimal {
    number(text, Decimal::ZERO, Decimal::from(1_000_000_000_000_i64))
}

/// A number above `least` and up to `most`, with at most 8 decimals.
#[track_caller]
fn number(text: &str, least: Decimal, most: Decimal) -> Decimal {
    let number = decimal(text);
    let in_range = number > least && number <= most;
    assert!(in_range, "{text} is not above {least} and up to {most}");
    assert!(
        number.scale() <= instrument::REPLY_SCALE,
        "{text} has more decimals than a reply"
    );
    number
}
