//! Whether stored forecasts were good enough to be shown.

use super::Forecast;
use crate::outcome::FirstTouch;
use std::collections::BTreeMap;
use std::fmt;

/// Days of forecasts that are looked at.
pub const TESTED_DAYS: i64 = 90;
const LEAST_FORECASTS: usize = 500;
const LEAST_DAYS: usize = 28;
const MOST_CALIBRATION_ERROR: f64 = 0.05;
const BINS: usize = 10;
/// 95 % of a normal distribution are below so many standard deviations.
const ONE_SIDED_95: f64 = 1.6449;

/// A forecast that was stored before its outcome, and the outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// UTC day of the signal, as days since 1970.
    pub day: i64,
    pub forecast: Forecast,
    /// What [`super::Model::base`] said that day.
    pub base: Forecast,
    pub first_touch: FirstTouch,
}

/// What the forecasts of the last [`TESTED_DAYS`] days were worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Test {
    pub forecasts: usize,
    pub days: usize,
    /// By how much their three-way Brier score (Brier 1950, "Verification of Forecasts Expressed in
    /// Terms of Probability") is better than that of the base, in percent of that.
    pub skill_percent: f64,
    /// The least that the skill is with a confidence of 95 %, signals of one day taken together.
    pub skill_low_percent: f64,
    /// Mean distance of forecast and frequency over ten bins of equal counts, for the target and
    /// for the stop.
    pub target_error: f64,
    pub stop_error: f64,
}

/// Why forecasts are not shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objection {
    TooFew { forecasts: usize, days: usize },
    NoSkill { low_percent: f64 },
    Miscalibrated { target_error: f64, stop_error: f64 },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::TooFew { forecasts, days } => write!(
                f,
                "{forecasts} forecasts of {days} days have an outcome, fewer than \
                 {LEAST_FORECASTS} of {LEAST_DAYS} days"
            ),
            Self::NoSkill { low_percent } => write!(
                f,
                "the skill may be {low_percent:.2} %: forecasting the same for all may be as good"
            ),
            Self::Miscalibrated {
                target_error,
                stop_error,
            } => write!(
                f,
                "forecasts and frequencies differ by {target_error:.3} (target) and \
                 {stop_error:.3} (stop), more than {MOST_CALIBRATION_ERROR}"
            ),
        }
    }
}

impl Test {
    /// Looks at forecasts whose outcome is known.
    pub fn of(tested: &[Tested]) -> Self {
        let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        let (mut score, mut base_score) = (0.0, 0.0);
        for one in tested {
            let (made, base) = (brier(one.forecast, one), brier(one.base, one));
            score += made;
            base_score += base;
            days.entry(one.day).or_default().push(base - made);
        }
        let n = tested.len() as f64;
        let gain = (base_score - score) / n;
        let low = gain - ONE_SIDED_95 * clustered_variance(&days, gain, n).sqrt();
        let percent_of_base = |gain: f64| 100.0 * gain / (base_score / n);
        let error = |probability: fn(Forecast) -> f64, touch| {
            let pairs = tested.iter().map(|one| {
                let is = one.first_touch == touch;
                (probability(one.forecast), is)
            });
            calibration_error(pairs.collect())
        };
        Self {
            forecasts: tested.len(),
            days: days.len(),
            skill_percent: percent_of_base(gain),
            skill_low_percent: percent_of_base(low),
            target_error: error(|forecast| forecast.target, FirstTouch::Target),
            stop_error: error(|forecast| forecast.stop, FirstTouch::Stop),
        }
    }

    /// Why forecasts are not to be shown; `None` when they are.
    pub fn objection(&self) -> Option<Objection> {
        if self.forecasts < LEAST_FORECASTS || self.days < LEAST_DAYS {
            return Some(Objection::TooFew {
                forecasts: self.forecasts,
                days: self.days,
            });
        }
        // What is not a number passes neither.
        let has_skill = self.skill_low_percent > 0.0;
        if !has_skill {
            return Some(Objection::NoSkill {
                low_percent: self.skill_low_percent,
            });
        }
        let is_calibrated = self.target_error <= MOST_CALIBRATION_ERROR
            && self.stop_error <= MOST_CALIBRATION_ERROR;
        if !is_calibrated {
            return Some(Objection::Miscalibrated {
                target_error: self.target_error,
                stop_error: self.stop_error,
            });
        }
        None
    }
}

/// The sum over target, stop and neither of (probability - what came)^2.
fn brier(forecast: Forecast, one: &Tested) -> f64 {
    let square = |probability: f64, touch| {
        let came = if one.first_touch == touch { 1.0 } else { 0.0 };
        (probability - came) * (probability - came)
    };
    square(forecast.target, FirstTouch::Target)
        + square(forecast.stop, FirstTouch::Stop)
        + square(forecast.neither(), FirstTouch::None)
}

/// The variance of a mean when what is of one day moves together:
/// D/(D-1) x sum over days (sum in day (x - mean))^2 / n^2.
fn clustered_variance(days: &BTreeMap<i64, Vec<f64>>, mean: f64, n: f64) -> f64 {
    let sums = days.values().map(|gains| {
        let sum: f64 = gains.iter().map(|gain| gain - mean).sum();
        sum * sum
    });
    let d = days.len() as f64;
    d / (d - 1.0) * sums.sum::<f64>() / (n * n)
}

/// Mean distance of forecast and frequency, over bins of equal counts in the order of forecasts.
fn calibration_error(mut pairs: Vec<(f64, bool)>) -> f64 {
    pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let n = pairs.len();
    let bins = (0..BINS).map(|bin| &pairs[bin * n / BINS..(bin + 1) * n / BINS]);
    let distances = bins.map(|bin| {
        let forecast: f64 = bin.iter().map(|(probability, _)| probability).sum();
        let came = bin.iter().filter(|(_, is)| *is).count() as f64;
        (forecast - came).abs()
    });
    distances.sum::<f64>() / n as f64
}
