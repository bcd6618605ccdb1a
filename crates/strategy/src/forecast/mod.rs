//! How likely a signal is to touch its first target or its stop, learned from outcomes that were
//! settled before it, and whether such forecasts have been good enough to be shown.
//!
//! What can be forecast is whether anything is touched: that depends on how far the levels are
//! away, measured by how far the price ranges. Which of the two is touched first cannot, so it is
//! taken to be as it was on average.
//!
//! ```text
//! x = ln(24h range / stop) + 0.5 ln(lifetime / 24 h)     both in percent
//! P(touch)  = 1 / (1 + exp(-(intercept + slope x)))      by logistic regression, see `fit`
//! q         = (targets + 100) / (touched + 200)
//! P(target) = P(touch) q         P(stop) = P(touch) (1 - q)
//! ```
//!
//! No coefficients are shipped: what fits one market fails on another. A model is fitted for each
//! UTC day, a forecast is stored before its outcome is known, and [`Test`] looks at the forecasts
//! of the last 90 days.

mod fit;
mod test;

pub use test::{TESTED_DAYS, Test, Tested};

use crate::outcome::FirstTouch;
use std::collections::HashSet;

/// Days of outcomes that a model is fitted on.
pub const FITTED_DAYS: i64 = 120;
/// Least number of outcomes that a model is fitted on, and of days that they are of: signals of one
/// day move together, so that many of few days say little.
pub const LEAST_OUTCOMES: usize = 300;
pub const LEAST_DAYS: usize = 14;

const DAY_MS: f64 = 86_400_000.0;

/// What is known of a signal when it is made. `None` when a number is not above zero.
pub fn feature(range_percent: f64, stop_loss_percent: f64, lifetime_ms: f64) -> Option<f64> {
    let x = (range_percent / stop_loss_percent).ln() + 0.5 * (lifetime_ms / DAY_MS).ln();
    x.is_finite().then_some(x)
}

/// A signal whose outcome is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// UTC day of the signal, as days since 1970.
    pub day: i64,
    /// See [`feature`].
    pub x: f64,
    pub first_touch: FirstTouch,
}

/// What a day's signals are forecast by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// Outcomes that it was fitted on, and how many touched a level, and how many of these the
    /// first target first.
    pub outcomes: usize,
    pub touched: usize,
    pub targets: usize,
    pub intercept: f64,
    pub slope: f64,
}

/// Probabilities, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// That the first target is touched, and before the stop.
    pub target: f64,
    /// That the stop is touched, and no target before it.
    pub stop: f64,
}

impl Forecast {
    /// That neither is touched while the signal lives.
    pub fn neither(&self) -> f64 {
        1.0 - self.target - self.stop
    }
}

impl Model {
    /// Fits a model on outcomes of the last [`FITTED_DAYS`] days. `None` when they are fewer than
    /// [`LEAST_OUTCOMES`] or of fewer than [`LEAST_DAYS`] days, or all touched, or none.
    pub fn fit(examples: &[Example]) -> Option<Self> {
        let days: HashSet<i64> = examples.iter().map(|example| example.day).collect();
        if examples.len() < LEAST_OUTCOMES || days.len() < LEAST_DAYS {
            return None;
        }
        let count = |is: fn(FirstTouch) -> bool| {
            let those = examples.iter().filter(|example| is(example.first_touch));
            those.count()
        };
        let line = fit::logistic(examples.iter().map(|example| {
            let is_touched = example.first_touch != FirstTouch::None;
            (example.x, is_touched)
        }))?;
        Some(Self {
            outcomes: examples.len(),
            touched: count(|touch| touch != FirstTouch::None),
            targets: count(|touch| touch == FirstTouch::Target),
            intercept: line.intercept,
            slope: line.slope,
        })
    }

    /// The share of the first target among what is touched, drawn towards a half.
    pub fn target_share(&self) -> f64 {
        (self.targets as f64 + 100.0) / (self.touched as f64 + 200.0)
    }

    /// The forecast of a signal.
    pub fn forecast(&self, x: f64) -> Forecast {
        let touch = fit::probability(self.intercept + self.slope * x);
        let q = self.target_share();
        Forecast {
            target: touch * q,
            stop: touch * (1.0 - q),
        }
    }

    /// What who knows nothing of the signal would forecast: the shares of the outcomes that the
    /// model was fitted on.
    pub fn base(&self) -> Forecast {
        let share = |count: usize| count as f64 / self.outcomes.max(1) as f64;
        Forecast {
            target: share(self.targets),
            stop: share(self.touched.saturating_sub(self.targets)),
        }
    }
}

#[cfg(test)]
mod tests;
