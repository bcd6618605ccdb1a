//! Logistic regression on one feature.

/// Weight of the penalty on the slope of the standardised feature: half of it times the slope's
/// square is added to the negative log-likelihood. (Hoerl and Kennard 1970, "Ridge Regression:
/// Biased Estimation for Nonorthogonal Problems"; for logistic regression le Cessie and van
/// Houwelingen 1992, "Ridge Estimators in Logistic Regression".)
const RIDGE: f64 = 20.0;
/// Newton's method is there after some ten steps.
const MOST_STEPS: usize = 50;
const SMALL_STEP: f64 = 1e-10;

/// The log-odds: intercept + slope x feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub intercept: f64,
    pub slope: f64,
}

/// The probability of these log-odds.
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Fits the probability of `true` by Newton's method. `None` when the feature or the answer is the
/// same in all, or a number does not fit.
pub fn logistic(examples: impl Iterator<Item = (f64, bool)> + Clone) -> Option<Line> {
    let n = examples.clone().count() as f64;
    let mean = examples.clone().map(|(x, _)| x).sum::<f64>() / n;
    let variance = examples
        .clone()
        .map(|(x, _)| (x - mean).powi(2))
        .sum::<f64>()
        / n;
    let deviation = variance.sqrt();
    let rate = examples.clone().filter(|(_, is)| *is).count() as f64 / n;
    if deviation.is_nan() || deviation <= 0.0 || rate <= 0.0 || rate >= 1.0 {
        return None;
    }
    let (mut a, mut b) = ((rate / (1.0 - rate)).ln(), 0.0);
    for _ in 0..MOST_STEPS {
        let (mut gradient, mut hessian) = ([0.0, -RIDGE * b], [0.0, 0.0, RIDGE]);
        for (x, is) in examples.clone() {
            let z = (x - mean) / deviation;
            let p = probability(a + b * z);
            let (error, weight) = (f64::from(u8::from(is)) - p, p * (1.0 - p));
            gradient[0] += error;
            gradient[1] += error * z;
            hessian[0] += weight;
            hessian[1] += weight * z;
            hessian[2] += weight * z * z;
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        let step_a = (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant;
        let step_b = (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant;
        a += step_a;
        b += step_b;
        if !(a.is_finite() && b.is_finite()) {
            return None;
        }
        if step_a.abs().max(step_b.abs()) < SMALL_STEP {
            break;
        }
    }
    let slope = b / deviation;
    Some(Line {
        intercept: a - slope * mean,
        slope,
    })
}
