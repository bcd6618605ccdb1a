//! A price that leaves the range of the last 20 days is taken to go on in that direction.
//!
//! The trading range break-out of Brock, Lakonishok and LeBaron 1992, "Simple Technical Trading
//! Rules and the Stochastic Properties of Stock Returns".

use super::{Strategy, four_places};
use crate::{Rule, Side};
use market::{Candle, Ticker};
use rust_decimal::Decimal;

pub const STRATEGY: &dyn Strategy = &Breakout;

#[derive(Debug)]
struct Breakout;

impl Strategy for Breakout {
    fn name(&self) -> &'static str {
        "breakout"
    }

    fn measures(&self) -> &'static str {
        "distance from the range of 20 days"
    }

    fn days(&self) -> usize {
        20
    }

    /// How far the price is above the highest high or below the lowest low, in percent of it; 0
    /// between them.
    fn measure(&self, ticker: &Ticker, days: &[Candle]) -> Option<Decimal> {
        let high = days.iter().map(|day| day.high).max()?;
        let low = days.iter().map(|day| day.low).min()?;
        let edge = ticker.last_price.clamp(low, high.max(low));
        let beyond = ticker.last_price.checked_sub(edge)?;
        let percent = beyond
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(edge)?;
        Some(four_places(percent))
    }

    fn bound(&self, _rule: &Rule, _side: Side) -> Option<Decimal> {
        Some(Decimal::ZERO)
    }
}
