//! What an exchange says of one stretch of time.

use crate::UnixMillis;
use rust_decimal::Decimal;

/// A candle: the trades of one stretch of time in seven numbers.
#[derive(Clone, Debug)]
pub struct Candle {
    /// When the stretch begins.
    pub open_time: UnixMillis,
    /// Price of the first trade.
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    /// Price of the last trade.
    pub close: Decimal,
    /// Traded amount in the base asset.
    pub base_volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
}

impl Candle {
    /// The quote volume of a candle whose source does not state it, within a few parts in 10,000:
    /// the base volume times the mean of the four prices. `None` when that does not fit.
    pub fn estimated_quote_volume(&self) -> Option<Decimal> {
        let sum = self
            .open
            .checked_add(self.high)?
            .checked_add(self.low)?
            .checked_add(self.close)?;
        self.base_volume
            .checked_mul(sum)?
            .checked_div(Decimal::from(4))
    }
}
