//! What moved over the last 24 hours is taken to move on.

use super::Strategy;
use crate::{Rule, Side};
use market::{Candle, Ticker};
use rust_decimal::Decimal;

pub const STRATEGY: &dyn Strategy = &Momentum;

#[derive(Debug)]
struct Momentum;

impl Strategy for Momentum {
    fn name(&self) -> &'static str {
        "momentum"
    }

    fn measures(&self) -> &'static str {
        "24h change"
    }

    fn measure(&self, ticker: &Ticker, _days: &[Candle]) -> Option<Decimal> {
        Some(ticker.price_change_percent)
    }

    fn measures_change(&self) -> bool {
        true
    }

    fn bound(&self, rule: &Rule, side: Side) -> Option<Decimal> {
        Some(match side {
            Side::Long => rule.enter_change_percent,
            Side::Short => -rule.enter_change_percent,
        })
    }

    fn exit(&self, rule: &Rule, _side: Side) -> Option<Decimal> {
        Some(rule.exit_change_percent)
    }

    /// Whether the change fell back, with its sign: a LONG whose change is -1.5 % has ended, too.
    /// While it points to the side nothing has ended, whatever the exit is.
    fn is_over(&self, rule: &Rule, side: Side, change: Decimal) -> bool {
        self.side(rule, change).is_none() && change * side.sign() < rule.exit_change_percent
    }
}
