//! The 24 hours of one symbol as exact numbers, before an exchange prints them in its own form.

use super::UnixMillis;
use super::fault::Corruption;
use rust_decimal::{Decimal, RoundingStrategy};

/// The 24 hours of one symbol. Prices are in the quote asset, quantities in the base asset.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// The simulator's name of the symbol, such as `BTCUSDT`.
    pub symbol: String,
    /// Step of its prices.
    pub tick_size: Decimal,
    /// The price 24 hours ago.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// The price now.
    pub last: Decimal,
    /// The price one second before the 24 hours.
    pub previous_close: Decimal,
    /// Best bid; zero where nobody bids.
    pub bid: Decimal,
    /// Best offer; zero where nobody offers.
    pub ask: Decimal,
    /// Quantity of the last trade.
    pub last_quantity: Decimal,
    /// Quantity at bid and ask.
    pub book_quantity: Decimal,
    /// Traded amount in the base asset.
    pub volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
    /// Quote volume over base volume.
    pub average: Decimal,
    /// The change in percent, with 3 decimals.
    pub percent: Decimal,
    /// Begin of the 24 hours.
    pub open_time: UnixMillis,
    /// Their end.
    pub close_time: UnixMillis,
    /// Number of the first trade, -1 without any.
    pub first_trade: i64,
    /// Number of the last trade, -1 without any.
    pub last_trade: i64,
    /// Number of trades.
    pub count: i64,
    /// How a test spoiled the symbol's row.
    pub(super) corruption: Option<Corruption>,
}

impl Day {
    /// The last price minus the first.
    pub(super) fn change(&self) -> Decimal {
        self.last - self.open
    }

    /// The change as a part of the open; zero when nothing was traded.
    pub(super) fn ratio(&self) -> Decimal {
        self.change().checked_div(self.open).unwrap_or_default()
    }

    /// Whether anything was traded.
    pub(super) fn traded(&self) -> bool {
        self.count > 0
    }

    /// Empties the book, as that of a pair that is halted.
    pub(super) fn halt(&mut self) {
        for number in [&mut self.bid, &mut self.ask, &mut self.book_quantity] {
            *number = Decimal::ZERO;
        }
    }

    /// Empties everything except the previous close, as without a trade in 24 hours.
    pub(super) fn zero(&mut self) {
        self.halt();
        for number in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.last,
            &mut self.last_quantity,
            &mut self.volume,
            &mut self.quote_volume,
            &mut self.average,
            &mut self.percent,
        ] {
            *number = Decimal::ZERO;
        }
        (self.first_trade, self.last_trade, self.count) = (-1, -1, 0);
    }

    /// Moves its times by this many milliseconds.
    pub(super) fn shift(&mut self, milliseconds: i64) {
        self.open_time += milliseconds;
        self.close_time += milliseconds;
    }

    /// Multiplies every price, each rounded to whole ticks.
    pub(super) fn scale(&mut self, factor: Decimal) {
        let tick_size = self.tick_size;
        for price in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.last,
            &mut self.previous_close,
            &mut self.bid,
            &mut self.ask,
        ] {
            *price = in_ticks(*price * factor, tick_size);
        }
        self.quote_volume = (self.quote_volume * factor).round_dp(8);
        let average = self.quote_volume.checked_div(self.volume);
        self.average = rounded(average.unwrap_or_default(), 8);
        self.percent = rounded(self.ratio() * Decimal::ONE_HUNDRED, 3);
    }
}

/// The nearest whole number of ticks.
pub(super) fn in_ticks(price: Decimal, tick_size: Decimal) -> Decimal {
    (price / tick_size).round() * tick_size
}

/// Rounds halves away from zero, as exchanges do.
pub(super) fn rounded(value: Decimal, decimals: u32) -> Decimal {
    value.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}
