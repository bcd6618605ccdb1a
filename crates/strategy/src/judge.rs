//! All symbols of a run: what is found of each, their ranks, and the verdicts that follow.

use crate::dollars::Rates;
use crate::episode::{self, Episode, Reason, Step};
use crate::finding::Finding;
use crate::gates::{self, Gate, GateReading, Refusal};
use crate::levels::Levels;
use crate::{Distances, Rule, Side, Strategy, Watched, distances, refused, strategies};
use market::{Ticker, Tickers, UnixMillis};
use rust_decimal::Decimal;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

/// A signal, and all it was judged on.
#[derive(Clone, Debug)]
pub struct Signal {
    pub side: Side,
    pub reason: Reason,
    /// Strength of the move, 0 to the rule's maximum, two places. No probability.
    pub confidence: Decimal,
    /// How well the market could be traded, 0 to 100, two places; see
    /// [`crate::strategies::quality`].
    pub quality_score: Decimal,
    pub levels: Levels,
    /// What the levels were made of.
    pub distances: Distances,
    pub expires_at: UnixMillis,
    pub ticker: Ticker,
}

/// What one call of [`judge`] says of one symbol. Its words are made when they are asked for: see
/// `gates`, `refused_by`, `why` and `explain`.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    pub symbol: &'a str,
    /// The side that the strategy's measure points to, if to any.
    pub side: Option<Side>,
    /// The signal, when every gate passed.
    pub signal: Option<Box<Signal>>,
    /// What is to be remembered from now on.
    pub episode: Episode,
    /// The tick to remember.
    pub tick_size: Option<Decimal>,
    /// TRADING, HALTED, STALE, INVALID, UNKNOWN or MISSING.
    pub status: &'static str,
    finding: Finding<'a>,
}

/// A verdict in words, for a person.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub symbol: String,
    /// The side that the strategy's measure points to, if to any.
    pub side: Option<Side>,
    /// All gates, always the same ones in the same order.
    pub gates: Vec<GateReading>,
    /// Why there is a signal, or why there is none: one clause.
    pub why: String,
}

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
    let strategy = strategies::named(&rule.strategy);
    let rates = Rc::new(Rates::of_reply(tickers));
    let mut verdicts: Vec<Verdict> = watched
        .iter()
        .map(|watched| judge_alone(rule, strategy, watched, &rates, episodes, now))
        .collect();
    rank(&mut verdicts);
    verdicts
}

/// Whether a change of `change` percent at `now` leaves a symbol of this memory as it is, whatever
/// else its ticker says: [`judge`] would neither give a signal nor have anything else remembered.
/// So it need not be asked, by who goes through years of tickers, most of which are like that.
/// Always false of a strategy that measures something else.
pub fn changes_nothing(rule: &Rule, episode: &Episode, change: Decimal, now: UnixMillis) -> bool {
    let strategy = strategies::named(&rule.strategy).filter(|strategy| strategy.measures_change());
    strategy.is_some_and(|strategy| {
        let step = episode::step(strategy, rule, episode, change, now);
        !matches!(step, Step::Fire(..)) && episode::next(episode, step, None, now) == *episode
    })
}

/// The verdict on a symbol before it is compared with the others.
fn judge_alone<'a>(
    rule: &'a Rule,
    strategy: Option<&'static dyn Strategy>,
    watched: &'a Watched,
    rates: &Rc<Rates<'a>>,
    episodes: &HashMap<String, Episode>,
    now: UnixMillis,
) -> Verdict<'a> {
    let mut finding = Finding::of(rule, strategy, watched, rates, episodes, now);
    finding.status = gates::status(&finding);
    // By a clock that the exchange does not contradict.
    if finding.is_fit() {
        finding.episode = episode::remembered_at(finding.episode, now);
    }
    finding.measure = finding.measured();
    if let Some((strategy, measure)) = strategy.zip(finding.measure) {
        let step = episode::step(strategy, rule, &finding.episode, measure, now);
        finding.side = strategy.side(rule, measure);
        finding.step = Some(step);
    }
    Verdict::of(finding)
}

/// Gives the symbols that pass every gate of their own their places: best quality first, then the
/// largest measure, then by name.
fn rank(verdicts: &mut [Verdict]) {
    let mut candidates: Vec<&mut Verdict> = verdicts
        .iter_mut()
        .filter(|verdict| is_candidate(&verdict.finding))
        .collect();
    candidates.sort_by_cached_key(|verdict| {
        let found = &verdict.finding;
        let measure = found.measure.map(|measure| measure.abs());
        (Reverse(found.quality()), Reverse(measure), verdict.symbol)
    });
    for (rank, verdict) in (1..).zip(candidates) {
        verdict.take_rank(rank);
    }
}

/// Whether it passes every gate of its own.
fn is_candidate(finding: &Finding) -> bool {
    // Most symbols are refused by what is known already; levels take longest to measure.
    finding.is_fit()
        && Gate::Episode.passed(finding)
        && Gate::ALL
            .iter()
            .filter(|gate| gate.refusal() == Refusal::NoSignal)
            .all(|gate| gate.passed(finding))
}

/// The signal of a candidate that has its rank: only when every gate passed, whichever there are.
fn signal(finding: &Finding) -> Option<Box<Signal>> {
    let Some(Step::Fire(side, reason)) = finding.step else {
        return None;
    };
    if !Gate::ALL.iter().all(|gate| gate.passed(finding)) {
        return None;
    }
    let ticker = finding.ticker()?;
    let distances = finding.distances()?;
    let lifetime_ms = distances::lifetime_ms(finding.rule, distances.stop_loss_percent, ticker);
    Some(Box::new(Signal {
        side,
        reason,
        confidence: finding.confidence()?,
        quality_score: finding.quality()?,
        levels: finding.levels()?.clone(),
        distances,
        expires_at: finding.now.saturating_add(lifetime_ms),
        ticker: ticker.clone(),
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
                Some(step) if is_fit => episode::next(&finding.episode, step, None, finding.now),
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
        self.episode = match (self.finding.step, &self.signal) {
            (Some(step), Some(signal)) => {
                episode::next(remembered, step, Some(signal.expires_at), self.finding.now)
            }
            _ => remembered.clone(),
        };
    }
}

impl Verdict<'_> {
    /// All gates, always the same ones in the same order.
    pub fn gates(&self) -> Vec<GateReading> {
        let readings = Gate::ALL.iter().map(|gate| gate.reading(&self.finding));
        readings.collect()
    }

    /// The name of one of its gates, which of one gate is that of the strategy.
    pub fn name_of(&self, gate: Gate) -> &'static str {
        gate.name_in(&self.finding)
    }

    /// The first gate that did not pass; `None` of a signal.
    pub fn refused_by(&self) -> Option<Gate> {
        let mut refused = Gate::ALL.iter().filter(|gate| !gate.passed(&self.finding));
        refused.next().copied()
    }

    /// Whether the symbol could be judged: its ticker is listed, valid, trading and fresh.
    pub fn is_fit(&self) -> bool {
        self.finding.is_fit()
    }

    /// Whether the symbol was left out of this fetch, as the exchange did not know it lately.
    pub fn is_not_asked(&self) -> bool {
        self.finding.is_not_asked
    }

    /// How a summary of a run describes the symbols that were refused like this one; `None` of a
    /// signal.
    pub fn of_refused_symbols(&self) -> Option<&'static str> {
        let gate = self.refused_by()?;
        Some(refused::of_refused_symbols(gate, &self.finding))
    }

    /// What to do when many symbols cannot be judged for the same reason as this one.
    pub fn remedy(&self) -> Option<String> {
        refused::remedy(self.refused_by()?, &self.finding)
    }

    /// Why there is a signal, or why there is none: one clause for a person.
    pub fn why(&self) -> String {
        let finding = &self.finding;
        if let Some(signal) = &self.signal {
            return gates::why_signalled(finding, signal.side, signal.reason);
        }
        match finding.step.filter(|_| finding.is_fit()) {
            Some(Step::Disarm(side)) => gates::ended(finding, side),
            Some(Step::HoldBack { ended, until }) => gates::held_back(finding, ended, until),
            Some(Step::Hold(side, since)) => gates::holding(side, since),
            _ => self
                .refused_by()
                .map(|gate| gate.why_not(finding))
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
}
