//! Decisions: tickers in, verdicts out.
//!
//! Pure: no PostgreSQL, no clock, no network. The time is an argument, and the same arguments
//! give the same verdicts. `judge` compares the `finding`s of all symbols by their `gates`; each
//! other file decides one thing.
//!
//! Words used here: the *measure* of a strategy is a number of percent, such as the rolling 24-hour
//! price change, that points to a side when it is beyond a bound; a symbol is in a
//! *side* from the signal on until its *episode* ends; without a side it is *armed*; a *gate* is
//! one condition of a signal; the *tick* is the smallest step of a price.

#![forbid(unsafe_code)]

pub mod distances;
pub mod dollars;
mod episode;
mod finding;
pub mod forecast;
mod gates;
mod judge;
mod levels;
mod market_gates;
pub mod normal;
pub mod outcome;
pub mod protection;
mod refused;
mod rule;
pub mod shipped;
pub mod strategies;
mod text;

pub use distances::Distances;
pub use episode::{Episode, Reason};
pub use finding::{is_fit, is_usable};
pub use gates::{Gate, GateReading};
pub use judge::{Explanation, Signal, Verdict, changes_nothing, judge};
pub use levels::Levels;
pub use rule::{Elsewhere, LifetimeByRange, Rule, Side, Watched};
pub use strategies::Strategy;
pub use text::utc;

#[cfg(test)]
mod tests;
