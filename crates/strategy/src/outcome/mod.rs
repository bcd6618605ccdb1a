//! What became of a signal: by first touch on candles, from its entry to its expiry.
//!
//! ```text
//!            a target, the next one                      the last target
//!   open  ---------------------------->  open, k targets ----------------->  ended: target
//!     |                                      |
//!     |  the stop                            |  the stop
//!     +-----------------> ended: stop <------+
//!     |                                      |
//!     +------ expires_at: ended: expired <---+
//! ```
//!
//! A level is touched when the price reaches it. Nothing at or before the entry touches: only
//! candles that begin at the entry or later count. What a candle does not tell is the order of its
//! high and its low: where it reaches both the stop and the next target, the stop counts as first,
//! and the outcome is *ambiguous*.
//!
//! A touch is judged by the levels, which lie on the tick; the return of a touched level is the
//! percentage of the rule that the level was made of, so that signals of coarse and fine ticks
//! count alike. A candle that begins beyond the stop costs what it opened at.
//!
//! After the end the candles are still taken until the expiry, for the *hold* return, and for the
//! *mirror*: the opposite signal at the same moment with mirrored distances. Half of the difference
//! between a signal and its mirror is the edge over a coin flip at the same moments.
//!
//! [`Settlement`] takes candles of any length as they come; [`Settling`] says which candles of an
//! exchange a settlement needs.

mod settling;

pub mod sampled;

use crate::{Levels, Side};
use market::{Candle, UnixMillis};
use rust_decimal::Decimal;

pub use settling::{Answer, DUE_AFTER_MS, Settling, most_requests};

/// A signal as its outcome is judged.
#[derive(Clone, Debug)]
pub struct Terms {
    pub side: Side,
    pub levels: Levels,
    /// Distances of the targets from the entry as the rule has them, in percent, the nearest first.
    pub take_profit_percents: Vec<Decimal>,
    /// Distance of the stop, likewise; above zero.
    pub stop_loss_percent: Decimal,
    /// The entry, by the exchange's clock: the close time of the ticker.
    pub signal_at: UnixMillis,
    pub expires_at: UnixMillis,
}

impl Terms {
    /// The opposite signal at the same moment: every level as far from the entry on the other side.
    /// `None` when a mirrored level does not fit.
    fn mirrored(&self) -> Option<Self> {
        let entry = self.levels.entry_price;
        let mirror = |level: Decimal| entry.checked_add(entry)?.checked_sub(level);
        let targets = self.levels.take_profit.iter();
        Some(Self {
            side: match self.side {
                Side::Long => Side::Short,
                Side::Short => Side::Long,
            },
            levels: Levels {
                entry_price: entry,
                stop_loss: mirror(self.levels.stop_loss)?,
                take_profit: targets
                    .map(|target| mirror(*target))
                    .collect::<Option<_>>()?,
            },
            ..self.clone()
        })
    }
}

/// Which level was touched first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTouch {
    Target,
    Stop,
    None,
}

/// What ended a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The last target was touched.
    Target,
    Stop,
    /// Neither, until `expires_at`.
    Expired,
}

/// What became of a signal whose time has passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Targets touched before the stop.
    pub best_target: usize,
    pub first_touch: FirstTouch,
    pub ended: Ended,
    /// End of the candle that touched each target, the nearest first.
    pub target_at: Vec<UnixMillis>,
    /// End of the candle that touched the stop.
    pub stop_at: Option<UnixMillis>,
    pub ended_at: UnixMillis,
    /// Returns in percent of the entry, fees taken off, of who leaves wholly at target 1, 2, ...
    pub returns_percent: Vec<Decimal>,
    /// Mean of these: who leaves in equal parts.
    pub ladder_percent: Decimal,
    /// Return of who keeps it to the expiry, without a stop.
    pub hold_percent: Decimal,
    /// What `returns_percent` is of the mirror.
    pub mirror_percent: Vec<Decimal>,
    /// Furthest that the price went in the signal's favour before the end, in percent of the entry,
    /// 0 at least.
    pub mfe_percent: Decimal,
    /// Furthest that it went against the signal, as a positive number.
    pub mae_percent: Decimal,
    /// Whether a candle reached both the stop and the next target.
    pub ambiguous: bool,
    /// Whether candles were missing between the entry and the expiry.
    pub gap: bool,
}

/// A signal that waits for its outcome.
#[derive(Clone, Debug)]
pub struct Settlement {
    signal: Course,
    mirror: Option<Course>,
    /// Where the next candle begins unless one is missing.
    expected: UnixMillis,
    /// Length of the last candle; before the first one, longer than any.
    length_before: i64,
    gap: bool,
    /// Close of the last candle within the window.
    last_close: Option<Decimal>,
    mfe: Decimal,
    mae: Decimal,
}

impl Settlement {
    /// A signal of which no candle was seen.
    pub fn new(terms: Terms) -> Self {
        Self {
            mirror: terms.mirrored().map(Course::new),
            expected: terms.signal_at,
            length_before: i64::MAX,
            gap: false,
            last_close: None,
            mfe: Decimal::ZERO,
            mae: Decimal::ZERO,
            signal: Course::new(terms),
        }
    }

    /// When the signal's time has passed.
    pub fn expires_at(&self) -> UnixMillis {
        self.signal.terms.expires_at
    }

    /// Whether the stop or the last target was touched; the outcome may still lack the hold return.
    pub fn has_ended(&self) -> bool {
        self.signal.ended.is_some()
    }

    /// Takes the next finished candle, of `candle_ms` milliseconds, in the order of time. One that
    /// begins before the entry or ends after the expiry changes nothing.
    pub fn push(&mut self, candle: &Candle, candle_ms: i64) {
        let terms = &self.signal.terms;
        let end = candle.open_time.saturating_add(candle_ms);
        if candle.open_time < terms.signal_at || end > terms.expires_at {
            return;
        }
        // Less than a candle is no gap: entry and expiry lie between the begins of candles.
        let unseen = candle.open_time.saturating_sub(self.expected);
        self.gap |= unseen >= candle_ms.min(self.length_before);
        self.length_before = candle_ms;
        self.take(candle, end);
    }

    /// What a candle that ends at `end` touches.
    fn take(&mut self, candle: &Candle, end: UnixMillis) {
        let terms = &self.signal.terms;
        self.expected = end;
        self.last_close = Some(candle.close);
        if self.signal.ended.is_none() {
            let entry = terms.levels.entry_price;
            let (above, below) = (candle.high - entry, entry - candle.low);
            let (favourable, adverse) = match terms.side {
                Side::Long => (above, below),
                Side::Short => (below, above),
            };
            self.mfe = self.mfe.max(favourable);
            self.mae = self.mae.max(adverse);
        }
        self.signal.push(candle, end);
        if let Some(mirror) = &mut self.mirror {
            mirror.push(candle, end);
        }
    }

    /// Takes a candle of `candle_ms` milliseconds by way of `finer` ones of `finer_ms`, which lie
    /// inside it and tell the order of what it touches. What they do not show, it still touches.
    fn push_by_finer(&mut self, candle: &Candle, candle_ms: i64, finer: &[Candle], finer_ms: i64) {
        for part in finer {
            self.push(part, finer_ms);
        }
        self.length_before = candle_ms;
        self.take(candle, candle.open_time.saturating_add(candle_ms));
    }

    /// Whether a candle leaves it open what the signal touched first, and the same of its mirror.
    fn is_tied(&self, candle: &Candle) -> (bool, bool) {
        let mirror = self.mirror.as_ref();
        (
            self.signal.is_tied(candle),
            mirror.is_some_and(|mirror| mirror.is_tied(candle)),
        )
    }

    /// The outcome once the time of the signal has passed, with `fee_percent` taken off on both
    /// sides. `None` when no candle of its time was seen, or a number does not fit.
    pub fn outcome(&self, fee_percent: Decimal) -> Option<Outcome> {
        let last_close = self.last_close?;
        let course = &self.signal;
        let terms = &course.terms;
        let percent = |distance: Decimal| {
            distance
                .checked_mul(Decimal::ONE_HUNDRED)?
                .checked_div(terms.levels.entry_price)
        };
        let returns = course.returns(last_close, fee_percent)?;
        let mirror = match &self.mirror {
            Some(mirror) => mirror.returns(last_close, fee_percent)?,
            None => Vec::new(),
        };
        let sum = returns
            .iter()
            .try_fold(Decimal::ZERO, |sum, part| sum.checked_add(*part))?;
        let (ended, ended_at) = match course.ended {
            Some((ended, at)) => (ended, at),
            None => (Ended::Expired, terms.expires_at),
        };
        let unseen = terms.expires_at.saturating_sub(self.expected);
        Some(Outcome {
            best_target: course.target_at.len(),
            first_touch: match (course.target_at.is_empty(), course.stop) {
                (false, _) => FirstTouch::Target,
                (true, Some(_)) => FirstTouch::Stop,
                (true, None) => FirstTouch::None,
            },
            ended,
            target_at: course.target_at.clone(),
            stop_at: course.stop.map(|stop| stop.at),
            ended_at,
            ladder_percent: sum.checked_div(Decimal::from(returns.len().max(1)))?,
            returns_percent: returns,
            hold_percent: net(course.gross_percent(last_close)?, fee_percent)?,
            mirror_percent: mirror,
            mfe_percent: percent(self.mfe)?,
            mae_percent: percent(self.mae)?,
            ambiguous: course.ambiguous,
            gap: self.gap || unseen >= self.length_before,
        })
    }
}

/// The stop as it was touched.
#[derive(Clone, Copy, Debug)]
struct Stop {
    at: UnixMillis,
    /// The open of the candle, when it began beyond the stop.
    jumped_to: Option<Decimal>,
}

/// How far one signal, or its mirror, has come.
#[derive(Clone, Debug)]
struct Course {
    terms: Terms,
    target_at: Vec<UnixMillis>,
    stop: Option<Stop>,
    ended: Option<(Ended, UnixMillis)>,
    ambiguous: bool,
}

impl Course {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            target_at: Vec::new(),
            stop: None,
            ended: None,
            ambiguous: false,
        }
    }

    fn hits_stop(&self, candle: &Candle) -> bool {
        let stop = self.terms.levels.stop_loss;
        match self.terms.side {
            Side::Long => candle.low <= stop,
            Side::Short => candle.high >= stop,
        }
    }

    /// Whether a candle reaches the target after those that were touched.
    fn reaches_next_target(&self, candle: &Candle) -> bool {
        let next = self.terms.levels.take_profit.get(self.target_at.len());
        next.is_some_and(|target| match self.terms.side {
            Side::Long => candle.high >= *target,
            Side::Short => candle.low <= *target,
        })
    }

    /// Whether a candle reaches both the stop and the next target.
    fn is_tied(&self, candle: &Candle) -> bool {
        self.ended.is_none() && self.hits_stop(candle) && self.reaches_next_target(candle)
    }

    fn push(&mut self, candle: &Candle, end: UnixMillis) {
        if self.ended.is_some() {
            return;
        }
        let levels = &self.terms.levels;
        if self.hits_stop(candle) {
            self.ambiguous = self.reaches_next_target(candle);
            let is_jump = match self.terms.side {
                Side::Long => candle.open < levels.stop_loss,
                Side::Short => candle.open > levels.stop_loss,
            };
            self.stop = Some(Stop {
                at: end,
                jumped_to: is_jump.then_some(candle.open),
            });
            self.ended = Some((Ended::Stop, end));
            return;
        }
        while self.reaches_next_target(candle) {
            self.target_at.push(end);
        }
        if self.target_at.len() == self.terms.levels.take_profit.len() {
            self.ended = Some((Ended::Target, end));
        }
    }

    /// The return of who leaves wholly at each target.
    fn returns(&self, last_close: Decimal, fee_percent: Decimal) -> Option<Vec<Decimal>> {
        let rest = match self.stop {
            Some(Stop {
                jumped_to: None, ..
            }) => -self.terms.stop_loss_percent,
            Some(Stop {
                jumped_to: Some(open),
                ..
            }) => self.gross_percent(open)?,
            None => self.gross_percent(last_close)?,
        };
        let exits = self.terms.take_profit_percents.iter().enumerate();
        exits
            .map(|(number, percent)| {
                let is_touched = number < self.target_at.len();
                net(if is_touched { *percent } else { rest }, fee_percent)
            })
            .collect()
    }

    /// The return of who leaves at `price`, before fees.
    fn gross_percent(&self, price: Decimal) -> Option<Decimal> {
        let entry = self.terms.levels.entry_price;
        price
            .checked_sub(entry)?
            .checked_mul(self.terms.side.sign())?
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(entry)
    }
}

/// A return less the fee on the entry and on the exit, both in percent of the entry.
fn net(gross_percent: Decimal, fee_percent: Decimal) -> Option<Decimal> {
    gross_percent.checked_sub(fee_percent.checked_mul(Decimal::TWO)?)
}

#[cfg(test)]
mod tests;
