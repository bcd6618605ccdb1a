//! Helpers of the tests: a sound ticker, a verdict with all its words.

use rust_decimal::Decimal;
use std::collections::HashMap;

pub use crate::shipped::rule;
use crate::*;
use market::{Ticker, Tickers, TimeSource, UnixMillis};

pub mod properties;
mod traded_market;
mod verdicts;

/// The time at which the tickers of these tests are judged.
pub const NOW: UnixMillis = 1_796_083_200_000;
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;

pub const GATES: [&str; 14] = [
    "listed",
    "valid",
    "trading",
    "fresh",
    "momentum",
    "volume",
    "spread",
    "confidence",
    "quality",
    "levels",
    "book",
    "agreement",
    "episode",
    "max_per_run",
];

pub fn number(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// A sound ticker that opened at 1000.00 and changed by this many percent (two places at most).
pub fn ticker(symbol: &str, change: &str) -> Ticker {
    let change = number(change);
    let last = Decimal::ONE_THOUSAND + change * Decimal::TEN;
    let low = last.min(Decimal::ONE_THOUSAND) - Decimal::TEN;
    let high = last.max(Decimal::ONE_THOUSAND) + Decimal::TEN;
    Ticker {
        symbol: symbol.to_owned(),
        price_change: last - Decimal::ONE_THOUSAND,
        price_change_percent: change,
        weighted_average_price: Some(Decimal::ONE_THOUSAND),
        last_price: last,
        open_price: Decimal::ONE_THOUSAND,
        high_price: high,
        low_price: low,
        bid_price: Some(last - number("0.01")),
        ask_price: Some(last),
        base_volume: number("50000"),
        quote_volume: number("50000000"),
        open_time: Some(NOW - 24 * HOUR),
        close_time: NOW - 500,
        time_source: TimeSource::Exchange,
        trade_count: Some(1000),
    }
}

pub fn watch(symbol: &str) -> Watched {
    Watched {
        symbol: symbol.to_owned(),
        ..Watched::default()
    }
}

pub fn tickers(list: impl IntoIterator<Item = Ticker>) -> Tickers {
    let rows = list
        .into_iter()
        .map(|ticker| (ticker.symbol.clone(), Ok(ticker)));
    Tickers {
        rows: rows.collect(),
        ..Tickers::default()
    }
}

/// A verdict with all its words, which outlives what it was judged on.
pub struct Told {
    pub symbol: String,
    pub side: Option<Side>,
    pub gates: Vec<GateReading>,
    pub signal: Option<Box<Signal>>,
    pub episode: Episode,
    pub tick_size: Option<Decimal>,
    pub status: &'static str,
    pub why: String,
}

impl From<Verdict<'_>> for Told {
    fn from(verdict: Verdict) -> Self {
        let Explanation {
            symbol,
            side,
            gates,
            why,
        } = verdict.explain();
        let refused_by = gates.iter().find(|gate| !gate.passed);
        assert_eq!(
            verdict.refused_by().map(|gate| verdict.name_of(gate)),
            refused_by.map(|gate| gate.name)
        );
        Self {
            symbol,
            side,
            gates,
            signal: verdict.signal,
            episode: verdict.episode,
            tick_size: verdict.tick_size,
            status: verdict.status,
            why,
        }
    }
}

pub fn judge(
    rule: &Rule,
    watched: &[Watched],
    tickers: &Tickers,
    episodes: &HashMap<String, Episode>,
    now: UnixMillis,
) -> Vec<Told> {
    let verdicts = crate::judge(rule, watched, tickers, episodes, now);
    verdicts.into_iter().map(Told::from).collect()
}

pub fn judge_one(rule: &Rule, ticker: Ticker, episode: Episode, now: UnixMillis) -> Told {
    let symbol = ticker.symbol.clone();
    let episodes = HashMap::from([(symbol.clone(), episode)]);
    judge(rule, &[watch(&symbol)], &tickers([ticker]), &episodes, now).remove(0)
}

pub fn in_side(side: Side, since: UnixMillis) -> Episode {
    Episode {
        side: Some(side),
        since: Some(since),
        last_signal_at: Some(since),
        expires_at: Some(since + 4 * HOUR),
    }
}

pub fn gate<'a>(verdict: &'a Told, name: &str) -> &'a GateReading {
    verdict.gates.iter().find(|gate| gate.name == name).unwrap()
}

pub fn failed(verdict: &Told) -> Vec<&str> {
    let failed = verdict.gates.iter().filter(|gate| !gate.passed);
    failed.map(|gate| gate.name).collect()
}
