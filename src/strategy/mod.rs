//! Decisions: tickers in, verdicts out.
//!
//! Pure: no PostgreSQL, no clock, no network. The time is an argument, and the same arguments
//! give the same verdicts. `judge` compares the `finding`s of
//! all symbols by their `gates`; each other file decides one thing.
//!
//! Words used here: the *change* is the rolling 24-hour price change in percent; a symbol is in a
//! *side* from the signal on until its *episode* ends; without a side it is *armed*; a *gate* is
//! one condition of a signal; the *tick* is the smallest step of a price.

mod condition;
mod episode;
mod finding;
mod gates;
mod judge;
mod levels;
mod momentum;
mod quality;
#[allow(dead_code, reason = "for tests, fuzz/ and tests/bench_judge")]
pub mod shipped;
mod text;

use crate::market::{Ticker, UnixMillis};
use finding::Finding;
use rust_decimal::Decimal;

pub use judge::judge;
pub use levels::Levels;

/// What a signal says to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Buy first, for the price rises.
    Long,
    /// Sell first, for the price falls.
    Short,
}

impl Side {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }

    /// The side of that name in tables, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Long, Self::Short]
            .into_iter()
            .find(|side| side.as_str() == name)
    }

    /// -1 for SHORT, 1 for LONG: what turns the signs of one side's arithmetic.
    fn sign(self) -> Decimal {
        match self {
            Self::Long => Decimal::ONE,
            Self::Short => Decimal::NEGATIVE_ONE,
        }
    }
}

/// The parameters of one strategy: one row of signal_rules.
#[derive(Clone, Debug)]
pub struct Rule {
    pub strategy: String,
    /// A side begins when the change is further from zero than this, in percent.
    pub enter_change_percent: Decimal,
    /// A side ends when the change is nearer to zero than this, in percent.
    pub exit_change_percent: Decimal,
    /// Volume that must be exceeded, in the quote asset.
    pub min_quote_volume: Decimal,
    /// Confidence per percent of change.
    pub confidence_per_percent: Decimal,
    pub max_confidence: Decimal,
    pub min_confidence: Decimal,
    /// Least quality score, 0 to 100.
    pub min_quality: Decimal,
    /// Distance of the stop from the entry, in percent.
    pub stop_loss_percent: Decimal,
    /// Distances of the targets from the entry, in percent, ascending.
    pub take_profit_percents: Vec<Decimal>,
    /// How long a signal is good for; afterwards a side that still holds is signalled again.
    pub lifetime_ms: i64,
    /// Time from one signal of a symbol to its next entry.
    pub cooldown_ms: i64,
    /// Oldest ticker that is judged.
    pub max_ticker_age_ms: i64,
    /// Most signals of one call of [`judge`].
    pub max_signals_per_run: i32,
}

/// One enabled row of signal_symbols.
#[derive(Clone, Debug)]
pub struct Watched {
    pub symbol: String,
    /// The tick, when known.
    pub tick_size: Option<Decimal>,
}

/// What is remembered of one symbol: one row of signal_episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// The side the symbol is in; `None` when armed.
    pub side: Option<Side>,
    /// When that side was signalled; `None` when armed.
    pub since: Option<UnixMillis>,
    /// When the symbol was last signalled, whatever side.
    pub last_signal_at: Option<UnixMillis>,
}

/// One condition of a signal, for a person to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    pub name: &'static str,
    /// What was found; `None` when it could not be measured, and then the gate has not passed.
    pub value: Option<String>,
    /// What is wanted.
    pub threshold: String,
    pub passed: bool,
}

/// Why a signal came now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The symbol was armed.
    Entered,
    /// The symbol was in the other side.
    Flipped,
    /// The symbol was in this side already, and its signal's lifetime is over.
    Renewed,
}

impl Reason {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Flipped => "flipped",
            Self::Renewed => "renewed",
        }
    }
}

/// A signal, and all it was judged on.
#[derive(Clone, Debug)]
pub struct Signal {
    pub side: Side,
    pub reason: Reason,
    /// Strength of the move, 0 to the rule's maximum, two places. No probability.
    pub confidence: Decimal,
    /// How well the market could be traded, 0 to 100, two places; see quality.rs.
    pub quality_score: Decimal,
    pub levels: Levels,
    pub expires_at: UnixMillis,
    pub ticker: Ticker,
}

/// What one call of [`judge`] says of one symbol. Its words are made when they are asked for: see
/// `gates`, `refused_by`, `why` and `explain`.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    pub symbol: &'a str,
    /// The side the change points to, if it is beyond the threshold.
    pub side: Option<Side>,
    /// The signal, when every gate passed.
    pub signal: Option<Box<Signal>>,
    /// What is to be remembered from now on.
    pub episode: Episode,
    /// The tick as now known.
    pub tick_size: Option<Decimal>,
    /// TRADING, HALTED, STALE, UNKNOWN or INVALID.
    pub status: &'static str,
    finding: Finding<'a>,
}

/// A verdict in words, for a person.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub symbol: String,
    /// The side the change points to, if it is beyond the threshold.
    pub side: Option<Side>,
    /// All gates, always the same ones in the same order.
    pub gates: Vec<Gate>,
    /// Why there is a signal, or why there is none: one clause.
    pub why: String,
}

#[cfg(test)]
mod tests;
