//! An outcome by the last prices that somebody happened to look at: for an exchange without
//! candles. Between two looks the price may have been anywhere, so such an outcome is never counted
//! together with one by candles.

use super::{Outcome, Settlement, Terms};
use crate::Side;
use market::{Candle, UnixMillis};
use rust_decimal::Decimal;

/// What was seen of a price between the entry and the expiry of a signal.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Highest and lowest price; `None` where nobody looked.
    pub high: Option<Decimal>,
    pub low: Option<Decimal>,
    /// When each target was seen touched before the stop, the nearest first.
    pub target_at: Vec<UnixMillis>,
    /// When the stop was seen touched.
    pub stop_at: Option<UnixMillis>,
    /// The price at the expiry, or the first that was seen after it.
    pub last: Decimal,
}

/// The outcome by what was seen. It has a gap, as it is not known what was not seen, and no mirror.
/// `None` when a number does not fit.
pub fn sampled(terms: &Terms, samples: &Samples, fee_percent: Decimal) -> Option<Outcome> {
    let levels = &terms.levels;
    let mut settlement = Settlement::new(terms.clone());
    let targets = levels.take_profit.iter().zip(&samples.target_at);
    let stop = samples.stop_at.iter().map(|at| (&levels.stop_loss, at));
    for (level, at) in targets.chain(stop) {
        settlement.push(&look(*at, *level), 0);
    }
    // Where it closes touches nothing.
    let last = Candle {
        close: samples.last,
        ..look(terms.expires_at, levels.entry_price)
    };
    settlement.push(&last, 0);
    let has_ended = settlement.has_ended();
    let mut outcome = settlement.outcome(fee_percent)?;
    outcome.gap = true;
    outcome.mirror_percent.clear();
    if !has_ended {
        let percent = |price: Option<Decimal>| {
            let distance = price?.checked_sub(levels.entry_price)?;
            distance
                .checked_mul(Decimal::ONE_HUNDRED)?
                .checked_div(levels.entry_price)
        };
        let above = percent(samples.high).unwrap_or_default();
        let below = -percent(samples.low).unwrap_or_default();
        let (favourable, adverse) = match terms.side {
            Side::Long => (above, below),
            Side::Short => (below, above),
        };
        outcome.mfe_percent = outcome.mfe_percent.max(favourable);
        outcome.mae_percent = outcome.mae_percent.max(adverse);
    }
    Some(outcome)
}

/// A candle that has nothing but one price.
fn look(at: UnixMillis, price: Decimal) -> Candle {
    Candle {
        open_time: at,
        open: price,
        high: price,
        low: price,
        close: price,
        base_volume: Decimal::ZERO,
        quote_volume: Decimal::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Levels;
    use crate::outcome::{Ended, FirstTouch};

    fn number(text: &str) -> Decimal {
        Decimal::from_str_exact(text).expect("a number")
    }

    fn long() -> Terms {
        Terms {
            side: Side::Long,
            levels: Levels {
                entry_price: number("100"),
                stop_loss: number("98.5"),
                take_profit: vec![number("101.5"), number("103")],
            },
            take_profit_percents: vec![number("1.5"), number("3")],
            stop_loss_percent: number("1.5"),
            signal_at: 1_000,
            expires_at: 10_000,
        }
    }

    fn samples(target_at: &[UnixMillis], stop_at: Option<UnixMillis>, last: &str) -> Samples {
        Samples {
            high: Some(number("101.8")),
            low: Some(number("99.5")),
            target_at: target_at.to_vec(),
            stop_at,
            last: number(last),
        }
    }

    #[test]
    fn what_was_seen_touched_counts_and_where_it_closes_does_not() {
        let outcome = sampled(&long(), &samples(&[4_000], None, "105"), number("0.1"));
        let outcome = outcome.expect("an outcome");
        assert_eq!(outcome.best_target, 1);
        assert_eq!(outcome.ended, Ended::Expired);
        assert_eq!(outcome.target_at, [4_000]);
        assert_eq!(outcome.returns_percent, [number("1.3"), number("4.8")]);
        assert_eq!(outcome.hold_percent, number("4.8"));
        assert_eq!(outcome.mfe_percent, number("1.8"));
        assert_eq!(outcome.mae_percent, number("0.5"));
        assert_eq!(outcome.mirror_percent, []);
        assert!(outcome.gap);
    }

    #[test]
    fn a_stop_that_was_seen_ends_it() {
        let outcome = sampled(&long(), &samples(&[], Some(5_000), "101"), number("0"));
        let outcome = outcome.expect("an outcome");
        assert_eq!(outcome.first_touch, FirstTouch::Stop);
        assert_eq!(outcome.ended_at, 5_000);
        assert_eq!(outcome.returns_percent, [number("-1.5"), number("-1.5")]);
        assert_eq!(outcome.hold_percent, number("1"));
    }

    #[test]
    fn a_short_gains_by_the_lowest_price() {
        let terms = Terms {
            side: Side::Short,
            levels: Levels {
                entry_price: number("100"),
                stop_loss: number("101.9"),
                take_profit: vec![number("98.5")],
            },
            take_profit_percents: vec![number("1.5")],
            ..long()
        };
        let outcome = sampled(&terms, &samples(&[], None, "100"), number("0"));
        let outcome = outcome.expect("an outcome");
        assert_eq!(outcome.mfe_percent, number("0.5"));
        assert_eq!(outcome.mae_percent, number("1.8"));
        assert_eq!(outcome.first_touch, FirstTouch::None);
    }
}
