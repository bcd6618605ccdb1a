//! Candles rolled into the ticker of the last 24 hours, as an exchange computes it.

use market::{Candle, Ticker, TimeSource, UnixMillis};
use rust_decimal::Decimal;
use std::collections::VecDeque;

/// The length of the window, in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A number that does not fit 28 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// The candles of the last 24 hours of one symbol.
pub struct RollingDay {
    symbol: String,
    candle_ms: i64,
    window: VecDeque<Candle>,
    /// Open time of the first candle there was.
    began: Option<UnixMillis>,
    base_volume: Decimal,
    quote_volume: Decimal,
}

impl RollingDay {
    /// A window for candles of `candle_ms` milliseconds each.
    pub fn new(symbol: &str, candle_ms: i64) -> Self {
        Self {
            symbol: symbol.to_owned(),
            candle_ms,
            window: VecDeque::new(),
            began: None,
            base_volume: Decimal::ZERO,
            quote_volume: Decimal::ZERO,
        }
    }

    /// Takes the next candle in the order of time. Returns the 24-hour change in percent at its
    /// end, with three places as an exchange prints it, from the first full day on.
    ///
    /// # Errors
    /// When a sum or the change does not fit; the window is of no use any more.
    pub fn take(&mut self, candle: Candle) -> Result<Option<Decimal>, OutOfRange> {
        let now = candle
            .open_time
            .checked_add(self.candle_ms)
            .ok_or(OutOfRange)?;
        let began = *self.began.get_or_insert(candle.open_time);
        let sum = |volume: Decimal, more| volume.checked_add(more).ok_or(OutOfRange);
        self.base_volume = sum(self.base_volume, candle.base_volume)?;
        self.quote_volume = sum(self.quote_volume, candle.quote_volume)?;
        let last_price = candle.close;
        self.window.push_back(candle);
        while let Some(gone) = self
            .window
            .pop_front_if(|oldest| oldest.open_time < now - DAY_MS)
        {
            self.base_volume -= gone.base_volume;
            self.quote_volume -= gone.quote_volume;
        }
        if now - began < DAY_MS {
            return Ok(None);
        }
        let open_price = self.window.front().ok_or(OutOfRange)?.open;
        let percent = last_price
            .checked_sub(open_price)
            .and_then(|change| change.checked_mul(Decimal::ONE_HUNDRED))
            .and_then(|change| change.checked_div(open_price));
        Ok(Some(percent.ok_or(OutOfRange)?.round_dp(3)))
    }

    /// The ticker at the end of the last candle; `None` before the first full day, and of a day
    /// in which nothing was traded, which has no average price.
    ///
    /// Bid and ask are the close, for candles do not tell them, and the number of trades is 1.
    pub fn ticker(&self) -> Option<Ticker> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let now = last.open_time + self.candle_ms;
        if now - self.began? < DAY_MS {
            return None;
        }
        let (open_price, last_price) = (first.open, last.close);
        let price_change = last_price.checked_sub(open_price)?;
        let percent = price_change
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(open_price)?;
        Some(Ticker {
            symbol: self.symbol.clone(),
            price_change,
            price_change_percent: percent.round_dp(3),
            weighted_average_price: Some(
                self.quote_volume.checked_div(self.base_volume)?.round_dp(8),
            ),
            last_price,
            open_price,
            high_price: self.window.iter().map(|candle| candle.high).max()?,
            low_price: self.window.iter().map(|candle| candle.low).min()?,
            bid_price: Some(last_price),
            ask_price: Some(last_price),
            base_volume: self.base_volume,
            quote_volume: self.quote_volume,
            open_time: Some(now - DAY_MS),
            close_time: now,
            time_source: TimeSource::Exchange,
            trade_count: Some(1),
        })
    }
}
