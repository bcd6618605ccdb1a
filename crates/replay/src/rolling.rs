//! Candles rolled into the ticker of the last 24 hours, as an exchange computes it.

use market::{Candle, Ticker, UnixMillis};
use rust_decimal::Decimal;
use std::collections::VecDeque;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The candles of the last 24 hours of one symbol.
pub struct RollingDay {
    symbol: String,
    candle_ms: i64,
    window: VecDeque<Candle>,
    /// Open time of the first candle there was.
    began: Option<UnixMillis>,
    high: Decimal,
    low: Decimal,
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
            high: Decimal::ZERO,
            low: Decimal::MAX,
            base_volume: Decimal::ZERO,
            quote_volume: Decimal::ZERO,
        }
    }

    /// Takes the next candle in the order of time. Returns the ticker at its end, from the first
    /// full day on; before that, and where a number does not fit, `None`.
    ///
    /// Bid and ask are the close, for candles do not tell them, and the number of trades is 1.
    pub fn push(&mut self, candle: Candle) -> Option<Ticker> {
        let now = candle.open_time.checked_add(self.candle_ms)?;
        let began = *self.began.get_or_insert(candle.open_time);
        let last_price = candle.close;
        self.high = self.high.max(candle.high);
        self.low = self.low.min(candle.low);
        self.base_volume = self.base_volume.checked_add(candle.base_volume)?;
        self.quote_volume = self.quote_volume.checked_add(candle.quote_volume)?;
        self.window.push_back(candle);
        while let Some(gone) = self
            .window
            .pop_front_if(|oldest| oldest.open_time < now - DAY_MS)
        {
            self.forget(&gone);
        }
        if now - began < DAY_MS {
            return None;
        }
        let open_price = self.window.front()?.open;
        let price_change = last_price.checked_sub(open_price)?;
        let percent = price_change
            .checked_div(open_price)?
            .checked_mul(Decimal::ONE_HUNDRED)?;
        Some(Ticker {
            symbol: self.symbol.clone(),
            price_change,
            price_change_percent: percent.round_dp(3),
            weighted_average_price: self.quote_volume.checked_div(self.base_volume)?.round_dp(8),
            last_price,
            open_price,
            high_price: self.high,
            low_price: self.low,
            bid_price: last_price,
            ask_price: last_price,
            base_volume: self.base_volume,
            quote_volume: self.quote_volume,
            open_time: now - DAY_MS,
            close_time: now,
            trade_count: 1,
        })
    }

    fn forget(&mut self, gone: &Candle) {
        self.base_volume -= gone.base_volume;
        self.quote_volume -= gone.quote_volume;
        let rest = || self.window.iter();
        if gone.high == self.high {
            self.high = rest().map(|c| c.high).max().unwrap_or(Decimal::ZERO);
        }
        if gone.low == self.low {
            self.low = rest().map(|c| c.low).min().unwrap_or(Decimal::MAX);
        }
    }
}
