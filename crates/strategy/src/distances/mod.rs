//! How far stop and targets are from the entry, and how long a signal is valid: as the rule says,
//! or by the 24-hour range.

use crate::{LifetimeByRange, Rule};
use market::Ticker;
use rust_decimal::{Decimal, RoundingStrategy};

/// Places of a percentage that is computed.
const PLACES: u32 = 6;
const DAY_S: Decimal = Decimal::from_parts(86_400, 0, 0, false, 0);

/// Distances from the entry, in percent of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    pub stop_loss_percent: Decimal,
    /// Of the targets, the nearest first.
    pub take_profit_percents: Vec<Decimal>,
}

/// The 24-hour range in percent of the price 24 hours ago: (high - low) / open x 100, six places.
/// `None` when that does not fit, or the open price is zero.
pub fn range_percent(ticker: &Ticker) -> Option<Decimal> {
    let range = ticker.high_price.checked_sub(ticker.low_price)?;
    let range = range.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(rounded(range.checked_div(ticker.open_price)?))
}

/// The distances of a signal on `ticker`. `None` when a number does not fit.
///
/// With [`Rule::stop_loss_range_share`] the stop is at that share of the range, and each target is
/// as many stops away as it is by the percentages of the rule.
pub fn distances(rule: &Rule, ticker: &Ticker) -> Option<Distances> {
    let Some(share) = rule.stop_loss_range_share else {
        return Some(Distances {
            stop_loss_percent: rule.stop_loss_percent,
            take_profit_percents: rule.take_profit_percents.clone(),
        });
    };
    let stop = rounded(range_percent(ticker)?.checked_mul(share)?);
    let targets = rule.take_profit_percents.iter().map(|percent| {
        let product = percent.checked_mul(stop)?;
        Some(rounded(product.checked_div(rule.stop_loss_percent)?))
    });
    Some(Distances {
        stop_loss_percent: stop,
        take_profit_percents: targets.collect::<Option<_>>()?,
    })
}

/// How long a signal with a stop at `stop_percent` is valid, in milliseconds.
///
/// With [`Rule::lifetime_by_range`] it is the time in which a price that ranges over `range` percent
/// in 24 hours is expected to range over so many stops:
///
/// lifetime = 24 h x (stops x stop / range)^2, no shorter than the floor, no longer than the cap,
/// in whole seconds.
///
/// The range of a price grows with the root of time, as its variance is proportional to time and
/// the square of its range to its variance (Parkinson 1980, "The Extreme Value Method for
/// Estimating the Variance of the Rate of Return").
pub fn lifetime_ms(rule: &Rule, stop_percent: Decimal, ticker: &Ticker) -> i64 {
    let Some(by_range) = rule.lifetime_by_range else {
        return rule.lifetime_ms;
    };
    let LifetimeByRange {
        floor_ms, cap_ms, ..
    } = by_range;
    expected_ms(&by_range, stop_percent, ticker)
        .unwrap_or(cap_ms)
        .max(floor_ms)
        .min(cap_ms)
}

/// `None` where there is no range, or the time is longer than any cap.
fn expected_ms(by_range: &LifetimeByRange, stop_percent: Decimal, ticker: &Ticker) -> Option<i64> {
    let ratio = by_range
        .stops
        .checked_mul(stop_percent)?
        .checked_div(range_percent(ticker)?)?;
    let seconds = ratio.checked_mul(ratio)?.checked_mul(DAY_S)?.round();
    i64::try_from(seconds).ok()?.checked_mul(1000)
}

/// Half away from zero, as PostgreSQL rounds numeric.
fn rounded(percent: Decimal) -> Decimal {
    percent
        .round_dp_with_strategy(PLACES, RoundingStrategy::MidpointAwayFromZero)
        .normalize()
}

#[cfg(test)]
mod tests;
