//! A price that rose over the last 28 days is taken to rise on, one that fell to fall on.
//!
//! Moskowitz, Ooi and Pedersen 2012, "Time Series Momentum", there over twelve months.

use super::{Strategy, four_places};
use crate::{Rule, Side};
use market::{Candle, Ticker};
use rust_decimal::Decimal;

pub const STRATEGY: &dyn Strategy = &TimeSeriesMomentum;

#[derive(Debug)]
struct TimeSeriesMomentum;

impl Strategy for TimeSeriesMomentum {
    fn name(&self) -> &'static str {
        "tsmom"
    }

    fn measures(&self) -> &'static str {
        "28-day return"
    }

    fn days(&self) -> usize {
        28
    }

    /// The return since the close of the day before the oldest of these, which is its open.
    fn measure(&self, ticker: &Ticker, days: &[Candle]) -> Option<Decimal> {
        let then = days.first()?.open;
        let change = ticker.last_price.checked_sub(then)?;
        let percent = change
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(then)?;
        Some(four_places(percent))
    }

    fn bound(&self, _rule: &Rule, _side: Side) -> Option<Decimal> {
        Some(Decimal::ZERO)
    }
}
