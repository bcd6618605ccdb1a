//! The momentum rule: what moved over the last 24 hours is taken to move on.

use super::{Rule, Side};
use rust_decimal::{Decimal, RoundingStrategy};

/// The side that a change of `change` percent points to: LONG strictly above the threshold,
/// SHORT strictly below its negative.
pub fn side(rule: &Rule, change: Decimal) -> Option<Side> {
    if change > rule.enter_change_percent {
        Some(Side::Long)
    } else if change < -rule.enter_change_percent {
        Some(Side::Short)
    } else {
        None
    }
}

/// min(|change| x `confidence_per_percent`, `max_confidence`), never below zero, rounded to two
/// places, half away from zero as PostgreSQL rounds numeric.
///
/// It grows with the size of the move and says nothing of the chance of a profit.
pub fn confidence(rule: &Rule, change: Decimal) -> Decimal {
    let mut confidence = change
        .abs()
        .checked_mul(rule.confidence_per_percent)
        .map_or(rule.max_confidence, |value| value.min(rule.max_confidence))
        .max(Decimal::ZERO)
        .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    confidence.rescale(2);
    confidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::tests::{number, rule};
    use proptest::prelude::*;

    #[test]
    fn the_threshold_itself_is_inside() {
        let side = |change| side(&rule(), number(change));
        assert_eq!(side("2"), None);
        assert_eq!(side("2.001"), Some(Side::Long));
        assert_eq!(side("-2"), None);
        assert_eq!(side("-2.001"), Some(Side::Short));
        assert_eq!(side("0"), None);
    }

    #[test]
    fn confidence_is_ten_times_the_change_up_to_95() {
        let confidence = |change| confidence(&rule(), number(change)).to_string();
        assert_eq!(confidence("-8.163"), "81.63");
        assert_eq!(confidence("2.0005"), "20.01");
        assert_eq!(confidence("9.5"), "95.00");
        assert_eq!(confidence("-37.049"), "95.00");
        assert_eq!(confidence("0"), "0.00");
    }

    proptest! {
        #[test]
        fn confidence_stays_in_bounds(mantissa in any::<i128>(), scale in 0u32..=28) {
            let change = Decimal::try_from_i128_with_scale(mantissa >> 32, scale).unwrap();
            let confidence = confidence(&rule(), change);
            prop_assert!((Decimal::ZERO..=Decimal::from(95)).contains(&confidence));
            prop_assert_eq!(confidence.scale(), 2);
        }
    }
}
