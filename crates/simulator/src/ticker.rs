//! The figures of 24 hours of one market.
//!
//! Every figure is an exact decimal, and derived figures are derived only here, so that the
//! identities of real rows hold: change = last - open, percent = change / open,
//! weighted average = quote volume / volume, low <= open, last, weighted average <= high,
//! bid <= ask.

use super::UnixMillis;
use super::day::{Day, rounded};
use super::instrument::{Instrument, REPLY_SCALE};
use super::model::Window;
use rust_decimal::Decimal;

/// 24 hours in milliseconds: closeTime - openTime of every row.
pub(super) const WINDOW_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// Decimal places of a change in percent.
const PERCENT_SCALE: u32 = 3;

/// The figures of one symbol, which a test may hold.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub symbol: String,
    pub tick_size: Decimal,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub last: Decimal,
    pub previous_close: Decimal,
    pub bid: Decimal,
    pub ask: Decimal,
    pub last_quantity: Decimal,
    pub volume: Decimal,
    pub quote_volume: Decimal,
    pub close_time: UnixMillis,
    pub first_trade: i64,
    pub last_trade: i64,
    last_at_ask: bool,
}

impl Figures {
    /// The model's own figures, quoted one tick apart.
    pub fn new(instrument: &Instrument, window: &Window, now: UnixMillis) -> Self {
        let tick_size = instrument.tick_size.normalize();
        let step_size = instrument.step_size();
        let price = |ticks: i64| Decimal::from(ticks) * tick_size;
        let mut figures = Self {
            symbol: instrument.symbol.clone(),
            tick_size,
            open: price(window.open),
            high: price(window.high),
            low: price(window.low),
            last: price(window.last),
            previous_close: price(window.previous),
            bid: Decimal::ZERO,
            ask: Decimal::ZERO,
            last_quantity: Decimal::from(window.last_quantity) * step_size,
            volume: Decimal::from(window.quantity) * step_size,
            quote_volume: Decimal::from(window.turnover) * tick_size * step_size,
            close_time: now,
            first_trade: window.first_trade,
            last_trade: window.last_trade,
            last_at_ask: window.last_at_ask,
        };
        figures.quote(Decimal::ZERO);
        figures
    }

    /// Sets bid and ask around the last price, `spread` basis points apart and at least one tick.
    pub fn quote(&mut self, spread_bps: Decimal) {
        let ticks = self.last * spread_bps / Decimal::from(10_000) / self.tick_size;
        let ticks = ticks.round().max(Decimal::ONE);
        let half = ticks / Decimal::TWO;
        let below = if self.last_at_ask {
            half.ceil()
        } else {
            half.floor()
        };
        self.bid = (self.last - below * self.tick_size).max(self.tick_size);
        self.ask = self.bid + ticks * self.tick_size;
    }

    /// Moves open and last so that the change, rounded to 3 decimals, is `percent`.
    pub fn hold_change(&mut self, percent: Decimal) {
        if let Some((open, last)) = held_prices(self.open, percent, self.tick_size) {
            self.open = open;
            self.last = last;
            self.previous_close = open;
        }
    }

    /// Sets the last price; the 24 hours reach to it.
    pub fn hold_price(&mut self, price: Decimal) {
        self.last = price;
        self.reach(price);
    }

    /// Widens the 24 hours to a price that was traded in them.
    pub fn reach(&mut self, price: Decimal) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
    }

    /// Sets the base volume; turnover follows at the same weighted average.
    pub fn hold_volume(&mut self, volume: Decimal) {
        let average = self.quote_volume / self.volume;
        self.volume = volume;
        self.quote_volume = (volume * average).round_dp(REPLY_SCALE);
    }

    /// Sets the turnover exactly; base volume follows at the same weighted average.
    pub fn hold_quote_volume(&mut self, quote_volume: Decimal) {
        let average = self.quote_volume / self.volume;
        let least = Decimal::new(1, REPLY_SCALE);
        self.quote_volume = quote_volume;
        self.volume = (quote_volume / average).round_dp(REPLY_SCALE).max(least);
    }

    /// The 24 hours of a pair that trades.
    pub fn day(&self) -> Day {
        let average = self.quote_volume / self.volume;
        // When a test has set something, the range from low to high may have to grow.
        let ticks = average / self.tick_size;
        let low = (ticks.floor() * self.tick_size)
            .min(self.open)
            .min(self.last);
        let high = (ticks.ceil() * self.tick_size)
            .max(self.open)
            .max(self.last);
        Day {
            symbol: self.symbol.clone(),
            tick_size: self.tick_size,
            open: self.open,
            high: self.high.max(high),
            low: self.low.min(low),
            last: self.last,
            previous_close: self.previous_close,
            bid: self.bid,
            ask: self.ask,
            last_quantity: self.last_quantity.min(self.volume),
            book_quantity: self.last_quantity,
            volume: self.volume,
            quote_volume: self.quote_volume,
            average: rounded(average, REPLY_SCALE),
            percent: percent_change(self.open, self.last),
            open_time: self.close_time - WINDOW_MILLIS,
            close_time: self.close_time,
            first_trade: self.first_trade,
            last_trade: self.last_trade,
            count: self.last_trade - self.first_trade + 1,
            corruption: None,
        }
    }

    /// The 24 hours of a pair that is halted: the book is empty, the statistics stay.
    pub fn halted_day(&self) -> Day {
        let mut day = self.day();
        day.halt();
        day
    }

    /// The 24 hours of a pair without a trade.
    pub fn empty_day(&self) -> Day {
        let mut day = self.day();
        day.zero();
        day
    }
}

/// How far from the model's open [`held_prices`] looks, in ticks.
const MAX_REACH: i64 = 2_000;

/// An open and a last price between which the change, rounded to 3 decimals, is `percent`.
///
/// Prices are whole ticks, so few pairs of them give exactly that percentage: the open nearest to
/// the model's that has such a last price is taken. Where the tick is too coarse for any, the
/// nearest percentage is shown.
pub(super) fn held_prices(
    model_open: Decimal,
    percent: Decimal,
    tick_size: Decimal,
) -> Option<(Decimal, Decimal)> {
    let model_open = (model_open / tick_size).round();
    let growth = Decimal::ONE + percent / Decimal::ONE_HUNDRED;
    let reach = (model_open / Decimal::TWO).min(Decimal::from(MAX_REACH));
    let mut best: Option<(Decimal, Decimal, Decimal)> = None;
    let mut offset = Decimal::ZERO;
    while offset <= reach {
        for open in [model_open + offset, model_open - offset] {
            let last = (open * growth).round().max(Decimal::ONE);
            let error = (percent_change(open, last) - percent).abs();
            if best.is_none_or(|(_, _, least)| error < least) {
                best = Some((open, last, error));
            }
        }
        if best.is_some_and(|(_, _, error)| error.is_zero()) {
            break;
        }
        offset += Decimal::ONE;
    }
    best.map(|(open, last, _)| (open * tick_size, last * tick_size))
}

fn percent_change(open: Decimal, last: Decimal) -> Decimal {
    rounded((last - open) * Decimal::ONE_HUNDRED / open, PERCENT_SCALE)
}
