//! What fell much over the last 24 hours is taken to rise again.
//!
//! The idea is that of Jegadeesh 1990, "Evidence of Predictable Behavior of Security Returns", and
//! Lehmann 1990, "Fads, Martingales, and Market Efficiency", who found that stocks which lost most
//! over a month or a week gained over the next.

use super::Strategy;
use crate::{Rule, Side};
use market::{Candle, Ticker};
use rust_decimal::Decimal;

pub const STRATEGY: &dyn Strategy = &Reversal;

#[derive(Debug)]
struct Reversal;

impl Strategy for Reversal {
    fn name(&self) -> &'static str {
        "reversal"
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
        (side == Side::Long).then_some(-rule.enter_change_percent)
    }

    fn side(&self, rule: &Rule, change: Decimal) -> Option<Side> {
        (change < -rule.enter_change_percent).then_some(Side::Long)
    }
}
