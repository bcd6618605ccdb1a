//! All symbols of a run: what is found of each, their ranks, and the verdicts that follow.

use super::episode::{self, Step};
use super::finding::Finding;
use super::gates::{self, Check};
use super::text::plain;
use super::{Episode, Explanation, Gate, Reason, Rule, Signal, Verdict, Watched};
use crate::market::{Tickers, UnixMillis};
use rust_decimal::Decimal;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Judges every watched symbol at `now` (one verdict each, in their order).
///
/// Every gate that can be measured is, also after one that did not pass. A ticker that is not
/// listed, valid, trading and fresh changes nothing that is remembered.
pub fn judge<'a>(
    rule: &'a Rule,
    watched: &'a [Watched],
    tickers: &'a Tickers,
    episodes: &HashMap<String, Episode>,
    now: UnixMillis,
) -> Vec<Verdict<'a>> {
    let mut verdicts: Vec<Verdict> = watched
        .iter()
        .map(|watched| Verdict::of(Finding::of(rule, watched, tickers, episodes, now)))
        .collect();
    rank(&mut verdicts);
    verdicts
}

/// Gives the symbols that pass every gate of their own their places: best quality first, then the
/// largest change, then by name.
fn rank(verdicts: &mut [Verdict]) {
    let mut candidates: Vec<&mut Verdict> = verdicts
        .iter_mut()
        .filter(|verdict| is_candidate(&verdict.finding))
        .collect();
    candidates.sort_by_cached_key(|verdict| {
        let found = &verdict.finding;
        let change = found.change().map(|change| change.abs());
        (Reverse(found.quality()), Reverse(change), verdict.symbol)
    });
    for (rank, verdict) in (1..).zip(candidates) {
        verdict.take_rank(rank);
    }
}

/// Whether it passes every gate of its own.
fn is_candidate(finding: &Finding) -> bool {
    // Most are out by what is known already; levels are the dearest to measure.
    finding.is_fit()
        && Check::Episode.passed(finding)
        && Check::OF_THE_SYMBOL
            .iter()
            .all(|check| check.passed(finding))
}

fn signal(finding: &Finding) -> Option<Box<Signal>> {
    let Some(Step::Fire(side, reason)) = finding.step else {
        return None;
    };
    if !Check::MaxPerRun.passed(finding) {
        return None;
    }
    Some(Box::new(Signal {
        side,
        reason,
        confidence: finding.confidence()?,
        quality_score: finding.quality()?,
        levels: finding.levels()?.clone(),
        expires_at: finding.now.saturating_add(finding.rule.lifetime_ms),
        ticker: finding.ticker()?.clone(),
    }))
}

impl<'a> Verdict<'a> {
    /// The verdict on a symbol that has no rank.
    fn of(finding: Finding<'a>) -> Self {
        let is_fit = finding.is_fit();
        Self {
            symbol: &finding.watched.symbol,
            side: finding.side,
            signal: None,
            episode: match finding.step {
                Some(step) if is_fit => episode::next(&finding.episode, step, false, finding.now),
                _ => finding.episode.clone(),
            },
            tick_size: finding.tick_size(),
            status: finding.status,
            finding,
        }
    }

    /// A place among the candidates: a signal, or one that is put off, for the next run may have
    /// room for it.
    fn take_rank(&mut self, rank: usize) {
        self.finding.rank = Some(rank);
        self.signal = signal(&self.finding);
        let remembered = &self.finding.episode;
        self.episode = match self.finding.step {
            Some(step) if self.signal.is_some() => {
                episode::next(remembered, step, true, self.finding.now)
            }
            _ => remembered.clone(),
        };
    }
}

impl Verdict<'_> {
    /// All gates, always the same ones in the same order.
    pub fn gates(&self) -> Vec<Gate> {
        Check::ALL.map(|check| check.shown(&self.finding)).to_vec()
    }

    /// The first gate that did not pass, by name; `None` of a signal.
    pub fn refused_by(&self) -> Option<&'static str> {
        Some(self.first_refusal()?.name())
    }

    /// Why there is a signal, or why there is none: one clause for a person.
    pub fn why(&self) -> String {
        let finding = &self.finding;
        if let Some(signal) = &self.signal {
            return why_signalled(finding.rule, signal);
        }
        match finding.step.filter(|_| finding.is_fit()) {
            Some(Step::Disarm(side)) => format!(
                "{} fell back inside {} %, {} is over",
                change_text(finding.change().unwrap_or_default()),
                plain(finding.rule.exit_change_percent),
                side.as_str()
            ),
            Some(Step::Hold(side, since)) => gates::holding(side, since),
            _ => self
                .first_refusal()
                .map(|check| check.why_not(finding))
                .unwrap_or_default(),
        }
    }

    /// The verdict with all its words, for a person.
    pub fn explain(&self) -> Explanation {
        Explanation {
            symbol: self.symbol.to_owned(),
            side: self.side,
            gates: self.gates(),
            why: self.why(),
        }
    }

    fn first_refusal(&self) -> Option<Check> {
        Check::ALL
            .into_iter()
            .find(|check| !check.passed(&self.finding))
    }
}

fn why_signalled(rule: &Rule, signal: &Signal) -> String {
    let change = change_text(signal.ticker.price_change_percent);
    let bound = plain(rule.enter_change_percent * signal.side.sign());
    let side = signal.side.as_str();
    match signal.reason {
        Reason::Entered => format!("{change} is beyond {bound} %, entered {side}"),
        Reason::Flipped => format!("{change} is beyond {bound} %, flipped to {side}"),
        Reason::Renewed => {
            format!("{change} is still beyond {bound} % at the end of the last signal's lifetime")
        }
    }
}

fn change_text(change: Decimal) -> String {
    format!("24h change {} %", plain(change))
}
