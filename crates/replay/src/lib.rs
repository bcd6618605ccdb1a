//! History through the same judge as the present.
//!
//! Candles become the rolling ticker of their last 24 hours ([`RollingDay`]), the tickers of all
//! symbols at a time are judged together, and the candles that follow settle the signals
//! ([`Engine`]). Nothing here knows PostgreSQL, a clock or a network.

#![forbid(unsafe_code)]

mod days;
mod engine;
mod fault;
mod order;
mod rates;
mod replayed;
mod rolling;
mod shifts;

use market::{Ticker, Tickers};
use std::collections::HashMap;
use strategy::{Episode, Rule, Verdict, Watched};

pub use engine::{Engine, Options, Symbol};
pub use fault::{Fault, FaultKind, interval};
pub use order::step_ms;
pub use replayed::{Fate, Replayed};
pub use rolling::{OutOfRange, RollingDay};
pub use shifts::{Null, Shifts};

/// One symbol's history on its way through the judge.
pub struct Replay<'a> {
    rule: &'a Rule,
    watched: [Watched; 1],
    episodes: HashMap<String, Episode>,
}

impl<'a> Replay<'a> {
    /// A symbol of which nothing is remembered.
    pub fn new(rule: &'a Rule, symbol: &str) -> Self {
        let watched = Watched {
            symbol: symbol.to_owned(),
            ..Watched::default()
        };
        Self {
            rule,
            watched: [watched],
            episodes: HashMap::new(),
        }
    }

    /// Judges `ticker` at its own time, hands the verdict to `take`, and remembers what the
    /// verdict says is to be remembered. Returns what `take` made of it.
    pub fn judge<T>(&mut self, ticker: Ticker, take: impl FnOnce(&Verdict) -> T) -> T
    where
        T: Default,
    {
        let now = ticker.close_time;
        let tickers = Tickers {
            rows: HashMap::from([(ticker.symbol.clone(), Ok(ticker))]),
            ..Tickers::default()
        };
        let verdicts = strategy::judge(self.rule, &self.watched, &tickers, &self.episodes, now);
        let Some(verdict) = verdicts.first() else {
            return T::default();
        };
        let taken = take(verdict);
        let remembered = (verdict.symbol.to_owned(), verdict.episode.clone());
        drop(verdicts);
        self.episodes.extend([remembered]);
        taken
    }
}
