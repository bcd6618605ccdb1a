//! What the same signals would have returned on other days: the day-shift null.
//!
//! All signals are moved by the same number of whole days, around the end to the beginning, and keep
//! their symbols, sides, times of day and distances in time from each other. If their returns were
//! not better than that of most shifts, the moments were not chosen better than by the clock.
//!
//! For this the outcome of a signal of either side is worked out at every candle. Levels are not
//! rounded to the tick here, of which a mean of many knows nothing.

use crate::engine::Symbol;
use crate::rolling::{DAY_MS, RollingDay};
use market::{Candle, UnixMillis};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::VecDeque;
use strategy::outcome::{Settlement, Terms};
use strategy::{Distances, Levels, Rule, Side, distances};

/// Most shifts that are looked at; of more, so many are taken at equal distances.
const MOST: i64 = 400;

/// What all shifts returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Null {
    pub shifts: usize,
    /// Mean over the shifts of the mean return, in percent.
    pub mean_percent: f64,
    /// Share of the shifts, the one that is none among them, whose mean return is not below that of
    /// the signals.
    pub p: f64,
}

/// The returns of signals of either side at every candle.
pub struct Shifts {
    rule: Rule,
    step_ms: i64,
    fee_percent: Decimal,
    /// Who leaves at which target, counted from 0.
    exit: usize,
    /// When the first candle ended on which a signal was possible.
    first: Option<UnixMillis>,
    books: Vec<Book>,
}

struct Book {
    day: RollingDay,
    open: VecDeque<(UnixMillis, Settlement)>,
    /// Returns of a LONG and a SHORT that were made at the end of each candle since the first; not a
    /// number where there is none.
    returns: Vec<[f32; 2]>,
}

impl Shifts {
    /// For signals of a rule on candles of `step_ms` milliseconds, left at target `exit` + 1.
    pub fn new(rule: Rule, step_ms: i64, fee_percent: Decimal, exit: usize) -> Self {
        Self {
            exit: exit.min(rule.take_profit_percents.len().saturating_sub(1)),
            rule,
            step_ms,
            fee_percent,
            first: None,
            books: Vec::new(),
        }
    }

    /// Takes the next candle of a symbol, after an [`Engine`](crate::Engine) has taken it.
    pub fn push(&mut self, symbol: Symbol, candle: &Candle) {
        while self.books.len() <= symbol.number() {
            self.books.push(Book {
                day: RollingDay::new("", self.step_ms),
                open: VecDeque::new(),
                returns: Vec::new(),
            });
        }
        let now = candle.open_time.saturating_add(self.step_ms);
        let first = self.first.unwrap_or(now);
        let Some(book) = self.books.get_mut(symbol.number()) else {
            return;
        };
        for (_, settlement) in &mut book.open {
            settlement.push(candle, self.step_ms);
        }
        let is_over = |open: &mut (i64, Settlement)| open.1.expires_at() <= now;
        while let Some((at, settlement)) = book.open.pop_front_if(is_over) {
            let outcome = settlement.outcome(self.fee_percent);
            let Some(outcome) = outcome.filter(|outcome| !outcome.gap) else {
                continue;
            };
            let Ok(slot) = usize::try_from((at - first) / self.step_ms) else {
                continue;
            };
            let at_exit = |returns: &[Decimal]| returns.get(self.exit).and_then(Decimal::to_f32);
            let sides = at_exit(&outcome.returns_percent).zip(at_exit(&outcome.mirror_percent));
            if book.returns.len() <= slot {
                book.returns.resize(slot + 1, [f32::NAN; 2]);
            }
            if let (Some(place), Some((long, short))) = (book.returns.get_mut(slot), sides) {
                *place = [long, short];
            }
        }
        let Ok(Some(_)) = book.day.take(candle.clone()) else {
            return;
        };
        self.first = Some(first);
        if let Some(terms) = terms(&self.rule, &book.day, candle.close, now) {
            book.open.push_back((now, Settlement::new(terms)));
        }
    }

    /// What signals of these symbols, times and sides returned on other days; `None` without a
    /// signal, or where the candles are of less than two days.
    pub fn null(&self, signals: &[(Symbol, UnixMillis, Side)]) -> Option<Null> {
        let first = self.first?;
        let day = DAY_MS / self.step_ms;
        let slots = self.books.iter().map(|book| book.returns.len()).max()?;
        let days = i64::try_from(slots).ok()? / day;
        let placed: Vec<(usize, i64, usize)> = signals
            .iter()
            .map(|(symbol, at, side)| {
                let side = usize::from(*side == Side::Short);
                (symbol.number(), (at - first) / self.step_ms, side)
            })
            .filter(|(_, slot, _)| (0..days * day).contains(slot))
            .collect();
        let mean = |shift: i64| {
            let mut sum = (0.0, 0.0);
            for (symbol, slot, side) in &placed {
                let moved = (slot + shift * day) % (days * day);
                let returns = self.books.get(*symbol)?.returns.get(moved as usize);
                let value = returns.map_or(f32::NAN, |sides| sides[*side]);
                if !value.is_nan() {
                    sum = (sum.0 + f64::from(value), sum.1 + 1.0);
                }
            }
            (sum.1 > 0.0).then(|| sum.0 / sum.1)
        };
        let unmoved = mean(0)?;
        let count = (days - 1).clamp(0, MOST);
        let shifts = (1..=count).map(|n| n * (days - 1) / count);
        let means: Vec<f64> = shifts.filter_map(mean).collect();
        let not_below = means.iter().filter(|mean| **mean >= unmoved).count();
        (!means.is_empty()).then(|| Null {
            shifts: means.len(),
            mean_percent: means.iter().sum::<f64>() / means.len() as f64,
            p: (not_below + 1) as f64 / (means.len() + 1) as f64,
        })
    }
}

/// A LONG at the last close; its mirror is the SHORT. `None` when a number does not fit.
fn terms(rule: &Rule, day: &RollingDay, close: Decimal, now: UnixMillis) -> Option<Terms> {
    let goes_by_range = rule.stop_loss_range_share.is_some() || rule.lifetime_by_range.is_some();
    let (distances, lifetime_ms) = if goes_by_range {
        let ticker = day.ticker()?;
        let distances = distances::distances(rule, &ticker)?;
        let lifetime_ms = distances::lifetime_ms(rule, distances.stop_loss_percent, &ticker);
        (distances, lifetime_ms)
    } else {
        let distances = Distances {
            stop_loss_percent: rule.stop_loss_percent,
            take_profit_percents: rule.take_profit_percents.clone(),
        };
        (distances, rule.lifetime_ms)
    };
    let at = |percent: Decimal| {
        let part = close
            .checked_mul(percent)?
            .checked_mul(Decimal::new(1, 2))?;
        close.checked_add(part)
    };
    let targets = distances.take_profit_percents.iter();
    Some(Terms {
        side: Side::Long,
        levels: Levels {
            entry_price: close,
            stop_loss: at(-distances.stop_loss_percent)?,
            take_profit: targets.map(|percent| at(*percent)).collect::<Option<_>>()?,
        },
        take_profit_percents: distances.take_profit_percents,
        stop_loss_percent: distances.stop_loss_percent,
        signal_at: now,
        expires_at: now.saturating_add(lifetime_ms),
    })
}
