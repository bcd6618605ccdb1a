//! All gates of all symbols, and the verdicts that follow.

use std::cmp::Reverse;
use std::collections::HashMap;

use rust_decimal::Decimal;

use super::episode::{self, Step};
use super::gates::{self, Check};
use super::text::plain;
use super::{
    Episode, Levels, Reason, Rule, Side, Signal, Verdict, Watched, levels, momentum, quality,
};
use crate::market::{Ticker, Tickers, UnixMillis};

/// Judges every watched symbol at `now` (one verdict each, in their order).
///
/// Every gate that can be measured is, also after one that did not pass. A ticker that is not
/// listed, valid, trading and fresh changes nothing that is remembered.
pub fn judge(
    rule: &Rule,
    watched: &[Watched],
    tickers: &Tickers,
    episodes: &HashMap<String, Episode>,
    now: UnixMillis,
) -> Vec<Verdict> {
    let findings: Vec<Finding> = watched
        .iter()
        .map(|watched| {
            let episode = episodes.get(&watched.symbol).cloned().unwrap_or_default();
            Finding::of(rule, watched, tickers, episode, now)
        })
        .collect();
    let ranks = ranks(&findings);
    findings
        .into_iter()
        .map(|finding| {
            let rank = ranks.get(&finding.symbol).copied();
            finding.conclude(rule, rank, now)
        })
        .collect()
}

/// The places of the symbols that pass every gate of their own: best quality first, then the
/// largest change, then by name.
fn ranks(findings: &[Finding]) -> HashMap<String, usize> {
    let mut candidates: Vec<&Finding> = findings.iter().filter(|f| f.is_candidate()).collect();
    candidates.sort_by_key(|f| {
        let change = f.ticker.map(|ticker| ticker.price_change_percent.abs());
        (Reverse(f.quality), Reverse(change), &f.symbol)
    });
    candidates
        .into_iter()
        .map(|f| f.symbol.clone())
        .zip(1..)
        .collect()
}

/// What is known of one symbol before the symbols are compared with each other.
struct Finding<'a> {
    symbol: String,
    ticker: Option<&'a Ticker>,
    side: Option<Side>,
    checks: Vec<Check>,
    confidence: Decimal,
    quality: Option<Decimal>,
    levels: Option<Levels>,
    /// What the episode does; `None` when the ticker is not fit to be judged.
    step: Option<Step>,
    episode: Episode,
    tick_size: Option<Decimal>,
    status: &'static str,
}

impl<'a> Finding<'a> {
    fn of(
        rule: &Rule,
        watched: &Watched,
        tickers: &'a Tickers,
        episode: Episode,
        now: UnixMillis,
    ) -> Self {
        let row = tickers.rows.get(&watched.symbol);
        let ticker = row.and_then(|row| row.as_ref().ok());
        let mut checks = vec![
            gates::listed(row),
            gates::valid(row),
            gates::trading(ticker),
            gates::fresh(rule, ticker, now),
        ];
        let status = status(&checks);
        let is_fit = status == "TRADING";
        // By a clock that the exchange does not contradict.
        let episode = if is_fit {
            episode::remembered_at(episode, now)
        } else {
            episode
        };

        let change = ticker.map(|ticker| ticker.price_change_percent);
        let side = change.and_then(|change| momentum::side(rule, change));
        let confidence = change.map(|change| momentum::confidence(rule, change));
        let sided = ticker.zip(side);
        let quality = sided.map(|(ticker, side)| quality::score(rule, side, ticker));
        let tick = ticker
            .map(|ticker| levels::tick(watched.tick_size, ticker.tick_size(), ticker.last_price));
        let levels = sided
            .zip(tick)
            .and_then(|((ticker, side), tick)| levels::levels(rule, side, ticker.last_price, tick));
        let step = change.map(|change| episode::step(rule, &episode, change, now));
        checks.extend([
            gates::momentum(rule, change, side),
            gates::volume(rule, ticker),
            gates::confidence(rule, confidence),
            gates::quality(rule, quality),
            gates::levels(side, levels.as_ref()),
            gates::episode(step),
        ]);
        Self {
            symbol: watched.symbol.clone(),
            ticker,
            side,
            checks,
            confidence: confidence.unwrap_or_default(),
            quality,
            levels,
            step: step.filter(|_| is_fit),
            episode,
            // The prices of a ticker that is not fit may be zeros, which show no tick.
            tick_size: tick.filter(|_| is_fit).or(watched.tick_size),
            status,
        }
    }

    fn is_candidate(&self) -> bool {
        self.checks.iter().all(|check| check.gate.passed)
    }

    fn conclude(mut self, rule: &Rule, rank: Option<usize>, now: UnixMillis) -> Verdict {
        self.checks.push(gates::max_per_run(rule, rank));
        let signal = self.signal(rule, now);
        let episode = match self.step {
            // Only put off: the next run may have room for it.
            Some(_) if rank.is_some() && signal.is_none() => self.episode.clone(),
            Some(step) => episode::next(&self.episode, step, signal.is_some(), now),
            None => self.episode.clone(),
        };
        Verdict {
            why: self.why(rule, signal.as_ref()),
            symbol: self.symbol,
            side: self.side,
            gates: self.checks.into_iter().map(|check| check.gate).collect(),
            signal,
            episode,
            tick_size: self.tick_size,
            status: self.status,
        }
    }

    fn signal(&self, rule: &Rule, now: UnixMillis) -> Option<Signal> {
        let Some(Step::Fire(side, reason)) = self.step.filter(|_| self.is_candidate()) else {
            return None;
        };
        Some(Signal {
            side,
            reason,
            confidence: self.confidence,
            quality_score: self.quality?,
            levels: self.levels.clone()?,
            expires_at: now.saturating_add(rule.lifetime_ms),
            ticker: self.ticker?.clone(),
        })
    }

    fn why(&self, rule: &Rule, signal: Option<&Signal>) -> String {
        let change = self.ticker.map_or_else(String::new, |ticker| {
            format!("24h change {} %", plain(ticker.price_change_percent))
        });
        if let Some(signal) = signal {
            let bound = plain(rule.enter_change_percent * signal.side.sign());
            let side = signal.side.as_str();
            return match signal.reason {
                Reason::Entered => format!("{change} is beyond {bound} %, entered {side}"),
                Reason::Flipped => format!("{change} is beyond {bound} %, flipped to {side}"),
                Reason::Renewed => format!(
                    "{change} is still beyond {bound} % at the end of the last signal's lifetime"
                ),
            };
        }
        match self.step {
            Some(Step::Disarm(side)) => format!(
                "{change} fell back inside {} %, {} is over",
                plain(rule.exit_change_percent),
                side.as_str()
            ),
            Some(step @ Step::Hold(..)) => gates::holding(step),
            _ => self
                .checks
                .iter()
                .find(|check| !check.gate.passed)
                .map(|check| check.why_not.clone())
                .unwrap_or_default(),
        }
    }
}

/// The trading status that the first four gates amount to.
fn status(checks: &[Check]) -> &'static str {
    checks
        .iter()
        .zip(["UNKNOWN", "INVALID", "HALTED", "STALE"])
        .find(|(check, _)| !check.gate.passed)
        .map_or("TRADING", |(_, status)| status)
}
