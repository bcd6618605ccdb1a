//! The strategies: what each measures of a symbol, and which side that points to; and how strong
//! what it found is, and how well the market could be traded.
//!
//! A strategy is a file of this folder with a `pub const STRATEGY: &dyn Strategy`, and a row of
//! signal_rules. The build script lists the files. All else is the same for every strategy: the
//! gates, the episode that makes one signal of one move, stop, targets and lifetime.

use crate::{Rule, Side};
use market::{Candle, Ticker};
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};
use std::fmt;

/// What one strategy decides. It is given what is known at the time of the ticker, and nothing
/// else.
pub trait Strategy: fmt::Debug + Sync {
    /// Its name in signal_rules and in `preview_signals()`.
    fn name(&self) -> &'static str;

    /// What it measures, in words, before a number of percent: `24h change`.
    fn measures(&self) -> &'static str;

    /// How many finished daily candles it needs, the last of which ended when the UTC day of the
    /// ticker began; 0 when the ticker is enough.
    fn days(&self) -> usize {
        0
    }

    /// The measure, in percent. `days` are as many candles as [`Strategy::days`] says, the oldest
    /// first. `None` when it does not fit.
    fn measure(&self, ticker: &Ticker, days: &[Candle]) -> Option<Decimal>;

    /// Whether the measure is the 24-hour change of the ticker, so that it is known before the rest
    /// of the ticker is.
    fn measures_change(&self) -> bool {
        false
    }

    /// What the measure must be beyond, on the way to this side; `None` when the strategy knows no
    /// such side.
    fn bound(&self, rule: &Rule, side: Side) -> Option<Decimal>;

    /// The side that a measure points to: LONG above the bound of that side, SHORT below its own,
    /// unless a strategy says otherwise. A measure at the bound is not beyond it.
    fn side(&self, rule: &Rule, measure: Decimal) -> Option<Side> {
        let is_beyond = |side: &Side| {
            self.bound(rule, *side).is_some_and(|bound| match side {
                Side::Long => measure > bound,
                Side::Short => measure < bound,
            })
        };
        [Side::Long, Side::Short].into_iter().find(is_beyond)
    }

    /// The measure inside of which a side is over. Unless a strategy says otherwise, a side is over
    /// as soon as the measure does not point to it any more.
    fn exit(&self, rule: &Rule, side: Side) -> Option<Decimal> {
        self.bound(rule, side)
    }

    /// Whether a side ends by this measure.
    fn is_over(&self, rule: &Rule, side: Side, measure: Decimal) -> bool {
        self.side(rule, measure) != Some(side)
    }
}

include!(concat!(env!("OUT_DIR"), "/strategies.rs"));

/// The strategy of that name in signal_rules, if there is one.
pub fn named(name: &str) -> Option<&'static dyn Strategy> {
    ALL.iter().copied().find(|strategy| strategy.name() == name)
}

/// The names of all strategies.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|strategy| strategy.name())
}

/// A percentage with four places, away from zero, so that the least bit beyond a bound of zero stays
/// beyond it.
fn four_places(percent: Decimal) -> Decimal {
    percent.round_dp_with_strategy(4, RoundingStrategy::AwayFromZero)
}

/// Points for volume: none at the rule's floor, all at a thousand times the floor.
const LIQUIDITY_POINTS: f64 = 40.0;
/// Powers of ten from no points for volume to all.
const LIQUIDITY_DECADES: f64 = 3.0;
/// Points for a narrow spread.
const SPREAD_POINTS: f64 = 30.0;
/// Spread that earns all points, in basis points (hundredths of a percent) of the mid price.
const NARROW_SPREAD: f64 = 1.0;
/// Spread that earns no points, in basis points of the mid price.
const WIDE_SPREAD: f64 = 20.0;
/// Points for the last price's place in the day's range.
const RANGE_POINTS: f64 = 30.0;

/// min(|measure| x `confidence_per_percent`, `max_confidence`), never below zero, rounded to two
/// places, half away from zero as PostgreSQL rounds numeric.
///
/// It grows with the size of the move and says nothing of the chance of a profit.
pub fn confidence(rule: &Rule, measure: Decimal) -> Decimal {
    let mut confidence = measure
        .abs()
        .checked_mul(rule.confidence_per_percent)
        .map_or(rule.max_confidence, |value| value.min(rule.max_confidence))
        .max(Decimal::ZERO)
        .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    confidence.rescale(2);
    confidence
}

/// The quality score: 0 to 100, two places.
///
/// - 40 points liquidity: log10(volume / floor) / 3, from 0 to 1, where `volume` is that of 24 hours
///   in US dollars; none when it is not known;
/// - 30 points spread: falling linearly from 1 to 20 basis points of the mid price; none when the
///   exchange does not tell bid and ask;
/// - 30 points place in the range: (last - low) / (high - low) for LONG, which is near the high
///   when the move is still on, mirrored for SHORT; none when there is no range.
///
/// The weights are this project's choice. The score compares markets; it is no probability.
pub fn quality(rule: &Rule, side: Side, ticker: &Ticker, volume: Option<Decimal>) -> Decimal {
    let points = LIQUIDITY_POINTS
        * volume.map_or(0.0, |volume| liquidity(volume, rule.min_quote_volume))
        + SPREAD_POINTS
            * ticker
                .bid_price
                .zip(ticker.ask_price)
                .map_or(0.0, |(bid, ask)| tightness(bid, ask))
        + RANGE_POINTS * place(side, ticker);
    let mut score = Decimal::from_f64(points)
        .unwrap_or_default()
        .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    score.rescale(2);
    score
}

fn liquidity(volume: Decimal, floor: Decimal) -> f64 {
    if volume <= Decimal::ZERO {
        return 0.0;
    }
    if floor <= Decimal::ZERO {
        return 1.0;
    }
    share((float(volume) / float(floor)).log10() / LIQUIDITY_DECADES)
}

fn tightness(bid: Decimal, ask: Decimal) -> f64 {
    if bid <= Decimal::ZERO || ask < bid {
        return 0.0;
    }
    let (bid, ask) = (float(bid), float(ask));
    let spread = (ask - bid) / ((ask + bid) / 2.0) * 10_000.0;
    share((WIDE_SPREAD - spread) / (WIDE_SPREAD - NARROW_SPREAD))
}

fn place(side: Side, ticker: &Ticker) -> f64 {
    let (low, high) = (float(ticker.low_price), float(ticker.high_price));
    if high <= low {
        return 0.0;
    }
    let from_low = share((float(ticker.last_price) - low) / (high - low));
    match side {
        Side::Long => from_low,
        Side::Short => 1.0 - from_low,
    }
}

/// Between 0 and 1, whatever comes in; what is not a number counts for nothing.
fn share(value: f64) -> f64 {
    if value.is_nan() {
        return 0.0;
    }
    value.clamp(0.0, 1.0)
}

fn float(number: Decimal) -> f64 {
    number.to_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
