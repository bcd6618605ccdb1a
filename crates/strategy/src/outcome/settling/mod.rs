//! Which candles of an exchange a settlement needs, one request after the other.
//!
//! ```text
//! entry                                                                expiry
//!   |..|______|______|______|______ ... ______|______|______|______|.....|
//!    1s   1m     1m     1m   1m in pages of 1,000      1m     1m      1s
//! ```
//!
//! Whole minutes are settled by candles of a minute, the parts of a minute at both ends by candles
//! of a second, and so is a minute that reaches both the stop and the next target. Where the
//! exchange has no candles of a second the parts are left out, and such a minute is a stop,
//! ambiguous.
//!
//! Nothing here asks anybody: [`Settling::wanted`] says what to ask for next, and
//! [`Settling::take`] gets the answer.

use super::{Outcome, Settlement, Terms};
use market::{Candle, CandleQuery, Candles, Interval};
use rust_decimal::Decimal;
use std::collections::VecDeque;

/// How long after its expiry an outcome is due, in milliseconds: the last candle is finished then.
pub const DUE_AFTER_MS: i64 = 5_000;
/// Most requests for candles of a second: for the first and the last part of a minute, and for a
/// minute that reaches both the stop and the next target.
const MOST_OF_SECONDS: usize = 3;
/// Further requests that an exchange may cost which gives fewer candles than were asked for.
const MOST_PAGES_MORE: usize = 10;

const SECOND: Interval = Interval::Second;
const MINUTE: Interval = Interval::Minute;

/// Most requests that a signal of this lifetime costs, in milliseconds: one for each begun 1,000
/// minutes, and three for candles of a second. An exchange that gives fewer candles than were
/// asked for costs more.
pub fn most_requests(lifetime_ms: i64) -> usize {
    let page = MINUTE.millis() * CandleQuery::MOST as i64;
    let pages = lifetime_ms.max(1).saturating_add(page - 1) / page;
    usize::try_from(pages).unwrap_or(usize::MAX - MOST_OF_SECONDS) + MOST_OF_SECONDS
}

/// What the exchange said to a request.
#[derive(Clone, Debug)]
pub enum Answer {
    Candles(Candles),
    /// It has no candles of the length asked for.
    NoSuchInterval,
}

/// A settlement on its way.
#[derive(Clone, Debug)]
pub struct Settling {
    symbol: String,
    settlement: Settlement,
    /// Stretches of time that are still to be asked for, in their order.
    ahead: VecDeque<CandleQuery>,
    /// The minute that candles of a second are asked for.
    tied: Option<Candle>,
    /// Minutes behind it, which are there already.
    behind: VecDeque<Candle>,
    /// Requests for tied minutes that are left.
    ties_left: usize,
    pages_left: usize,
    has_seconds: bool,
    has_minutes: bool,
    used_seconds: bool,
    incomplete: bool,
}

impl Settling {
    /// A signal of `symbol` of which no candle was asked for. `has_seconds`: whether the exchange
    /// may have candles of a second, as far as is known.
    pub fn new(symbol: &str, terms: Terms, has_seconds: bool) -> Self {
        let (from, until) = (terms.signal_at, terms.expires_at);
        let query = |interval, from, until| CandleQuery {
            symbol: symbol.to_owned(),
            interval,
            from,
            until,
        };
        let minutes = query(MINUTE, from, until);
        let mut ahead = VecDeque::new();
        if minutes.length() == 0 {
            ahead.push_back(query(SECOND, from, until));
        } else {
            let page = MINUTE.millis() * CandleQuery::MOST as i64;
            ahead.push_back(query(SECOND, from, minutes.begin()));
            let mut begin = minutes.begin();
            while begin < minutes.end() {
                let end = begin.saturating_add(page).min(minutes.end());
                ahead.push_back(query(MINUTE, begin, end));
                begin = end;
            }
            ahead.push_back(query(SECOND, minutes.end(), until));
        }
        ahead.retain(|query| query.length() > 0);
        let of_seconds = ahead.iter().filter(|query| query.interval == SECOND);
        let mut settling = Self {
            symbol: symbol.to_owned(),
            settlement: Settlement::new(terms),
            ties_left: MOST_OF_SECONDS - of_seconds.count(),
            ahead,
            tied: None,
            behind: VecDeque::new(),
            pages_left: MOST_PAGES_MORE,
            has_seconds: true,
            has_minutes: true,
            used_seconds: false,
            incomplete: false,
        };
        if !has_seconds {
            settling.do_without(SECOND);
        }
        settling
    }

    /// What to ask for next; `None` when nothing more is to be learned.
    pub fn wanted(&self) -> Option<CandleQuery> {
        match &self.tied {
            Some(minute) => Some(CandleQuery {
                symbol: self.symbol.clone(),
                interval: SECOND,
                from: minute.open_time,
                until: minute.open_time.saturating_add(MINUTE.millis()),
            }),
            None => self.ahead.front().cloned(),
        }
    }

    /// Takes the answer to what [`Settling::wanted`] says.
    pub fn take(&mut self, answer: Answer) {
        let Some(asked) = self.wanted() else {
            return;
        };
        match answer {
            Answer::NoSuchInterval => self.do_without(asked.interval),
            Answer::Candles(candles) => match self.tied.take() {
                Some(minute) => self.take_tied(&asked, &minute, &candles),
                None => self.take_next(&asked, candles),
            },
        }
    }

    /// Whether every candle that was wanted came.
    pub fn is_complete(&self) -> bool {
        self.wanted().is_none() && !self.incomplete
    }

    /// Whether the exchange turned out to have no candles of a second.
    pub fn lacks_seconds(&self) -> bool {
        !self.has_seconds
    }

    /// Whether it turned out to have no candles of a minute: it cannot settle signals.
    pub fn lacks_minutes(&self) -> bool {
        !self.has_minutes
    }

    /// Length of the finest candles that were used.
    pub fn resolution(&self) -> &'static str {
        if self.used_seconds { SECOND } else { MINUTE }.name()
    }

    /// The outcome by the candles that came, as [`Settlement::outcome`] says; where some are
    /// missing it has a gap.
    pub fn outcome(&self, fee_percent: Decimal) -> Option<Outcome> {
        let outcome = self.settlement.outcome(fee_percent)?;
        Some(Outcome {
            gap: outcome.gap || !self.is_complete(),
            ..outcome
        })
    }

    fn do_without(&mut self, interval: Interval) {
        self.ahead.retain(|query| query.interval != interval);
        if interval != SECOND {
            self.has_minutes = false;
            return;
        }
        self.has_seconds = false;
        if let Some(minute) = self.tied.take() {
            self.behind.push_front(minute);
        }
        self.go_on();
    }

    /// Candles of the next stretch of time.
    fn take_next(&mut self, asked: &CandleQuery, candles: Candles) {
        self.incomplete |= lacks_some(asked, &candles);
        let rest = candles.rest(asked).filter(|_| candles.unfinished == 0);
        match (self.ahead.front_mut(), rest) {
            (Some(query), Some(rest)) if self.pages_left > 0 => {
                self.pages_left -= 1;
                *query = rest;
            }
            (_, rest) => {
                self.incomplete |= rest.is_some() || candles.unfinished > 0;
                self.ahead.pop_front();
            }
        }
        if asked.interval == SECOND {
            self.used_seconds |= !candles.rows.is_empty();
            for candle in &candles.rows {
                self.settlement.push(candle, SECOND.millis());
            }
        } else {
            self.behind.extend(candles.rows);
            self.go_on();
        }
    }

    /// Candles of the minute that reaches both the stop and the next target.
    fn take_tied(&mut self, asked: &CandleQuery, minute: &Candle, candles: &Candles) {
        self.incomplete |= lacks_some(asked, candles) || candles.rest(asked).is_some();
        self.used_seconds |= !candles.rows.is_empty();
        self.settlement
            .push_by_finer(minute, MINUTE.millis(), &candles.rows, SECOND.millis());
        self.go_on();
    }

    /// Takes the minutes that are there, up to one that has to be looked at closer.
    fn go_on(&mut self) {
        while let Some(minute) = self.behind.pop_front() {
            if self.looks_closer_at(&minute) {
                self.ties_left -= 1;
                self.tied = Some(minute);
                return;
            }
            self.settlement.push(&minute, MINUTE.millis());
        }
    }

    /// Whether candles of a second are asked for to tell what a minute touched first. A minute
    /// that only leaves it open for the mirror does not take the request that the signal may need.
    fn looks_closer_at(&self, minute: &Candle) -> bool {
        let needed_for_signal = usize::from(!self.settlement.has_ended());
        self.has_seconds
            && match self.settlement.is_tied(minute) {
                (true, _) => self.ties_left > 0,
                (false, true) => self.ties_left > needed_for_signal,
                (false, false) => false,
            }
    }
}

/// Whether candles are missing before the last one, or all of them.
fn lacks_some(asked: &CandleQuery, candles: &Candles) -> bool {
    candles.rows.is_empty() || !candles.gaps(asked).is_empty()
}

#[cfg(test)]
#[allow(
    clippy::inconsistent_digit_grouping,
    reason = "prices in hundredths are easier to read as 101_50"
)]
mod tests;
