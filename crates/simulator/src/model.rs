//! The market model: a geometric random walk on a grid of one second, and what the last
//! 24 hours of it look like.
//!
//! The logarithm of a price is the sum of a slow walk (days) and a fast one (a minute), both
//! pulled back to the instrument's price. One trade price and one traded quantity per second make
//! volume, turnover, high and low, so that they move together and a high stays until its second
//! leaves the window.

use super::UnixMillis;
use super::instrument::Instrument;
use super::noise::{Noise, Walk};
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// Length of the rolling window, in seconds.
pub(super) const WINDOW_SECONDS: i64 = 24 * 60 * 60;
/// Seconds summed up in one bar, as a power of two; the fast walk's block.
const BAR_LEVELS: u32 = 6;
pub(super) const BAR_SECONDS: i64 = 1 << BAR_LEVELS;
/// Bars in one block of the slow walk, as a power of two: 36 hours.
const SLOW_LEVELS: u32 = 11;
/// Deviation of the slow walk over its block, at volatility 1.
const SLOW_DEVIATION: f64 = 0.022;
/// Deviation of the fast walk over its block, at volatility 1. It moves far more than a real
/// market, so that somebody who watches for a minute sees symbols enter and leave a side.
const FAST_DEVIATION: f64 = 0.011;
/// Average size of one trade, in quote units.
const TRADE_SIZE: f64 = 1_000.0;

/// What the last 24 hours of one symbol look like. Prices are counted in ticks,
/// quantities in steps, turnover in ticks times steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub last: i64,
    /// Price one second before the window.
    pub previous: i64,
    pub last_quantity: i64,
    pub quantity: i128,
    pub turnover: i128,
    pub first_trade: i64,
    pub last_trade: i64,
    /// Whether the last trade was at the ask (a buyer took it).
    pub last_at_ask: bool,
}

/// The market of one symbol.
#[derive(Debug)]
pub(super) struct Model {
    /// Price the walk is pulled back to, in ticks.
    price: f64,
    slow: Walk,
    fast: Walk,
    sizes: Noise,
    trades: Noise,
    /// Average quantity per second, in steps.
    quantity: f64,
    trades_per_second: u64,
    /// A cache of the bars that were entirely inside the last window.
    bars: BTreeMap<i64, Bar>,
}

#[derive(Clone, Copy, Debug)]
struct Bar {
    high: i64,
    low: i64,
    quantity: i128,
    turnover: i128,
}

/// What is traded in one second: the price in ticks, the quantity in steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub price: i64,
    pub quantity: i64,
}

impl Model {
    /// `volatility` scales every move: 0 is a flat market, 1 the default.
    pub fn new(instrument: &Instrument, seed: u64, volatility: f64) -> Self {
        let noise = |purpose| Noise::new(seed, &instrument.symbol, purpose);
        let number = |value: rust_decimal::Decimal| value.to_f64().unwrap_or_default();
        let tick = number(instrument.tick_size);
        let price = number(instrument.price);
        let turnover = number(instrument.quote_volume) / WINDOW_SECONDS as f64;
        Self {
            price: price / tick,
            slow: Walk::new(noise("slow"), SLOW_LEVELS, SLOW_DEVIATION * volatility),
            fast: Walk::new(noise("fast"), BAR_LEVELS, FAST_DEVIATION * volatility),
            sizes: noise("sizes"),
            trades: noise("trades"),
            quantity: turnover / price / number(instrument.step_size()),
            trades_per_second: ((turnover / TRADE_SIZE) as u64).max(1),
            bars: BTreeMap::new(),
        }
    }

    /// The 24 hours that end at `now`.
    pub fn window(&mut self, now: UnixMillis) -> Window {
        let end = now.div_euclid(1_000);
        let start = end - WINDOW_SECONDS;
        let first_bar = start.div_euclid(BAR_SECONDS);
        let last_bar = end.div_euclid(BAR_SECONDS);
        let within = |second: i64| second.rem_euclid(BAR_SECONDS) as usize;

        let head = self.seconds(first_bar);
        let tail = self.seconds(last_bar);
        let (open, last) = (head[within(start)], tail[within(end)]);

        let mut sum = Bar::over(&head[within(start)..]);
        sum.add(Bar::over(&tail[..=within(end)]));
        for index in first_bar + 1..last_bar {
            sum.add(self.bar(index));
        }
        self.bars
            .retain(|index, _| (first_bar..=last_bar).contains(index));

        if sum.quantity == 0 {
            // Even such a thin market has one trade, from which the last price comes.
            sum.quantity = 1;
            sum.turnover = i128::from(last.price);
        }
        Window {
            open: open.price,
            high: sum.high,
            low: sum.low,
            last: last.price,
            previous: self.second(start - 1).price,
            last_quantity: last.quantity.max(1),
            quantity: sum.quantity,
            turnover: sum.turnover,
            first_trade: self.trade_id(start),
            last_trade: self.trade_id(end + 1) - 1,
            last_at_ask: self.trades.bits(end) >> 63 == 1,
        }
    }

    fn bar(&mut self, index: i64) -> Bar {
        if let Some(&known) = self.bars.get(&index) {
            return known;
        }
        let bar = Bar::over(&self.seconds(index));
        self.bars.insert(index, bar);
        bar
    }

    fn second(&self, second: i64) -> Second {
        let seconds = self.seconds(second.div_euclid(BAR_SECONDS));
        seconds[second.rem_euclid(BAR_SECONDS) as usize]
    }

    /// Every second of one bar.
    pub fn seconds(&self, bar: i64) -> Vec<Second> {
        let (start, end) = (self.slow.at(bar), self.slow.at(bar + 1));
        let first = bar * BAR_SECONDS;
        let at = |(offset, fast): (usize, f64)| {
            let part = offset as f64 / BAR_SECONDS as f64;
            let slow = start + (end - start) * part;
            let price = (self.price * (slow + fast).exp()).round() as i64;
            let size = self.sizes.uniform(first + offset as i64);
            // Rounding at random keeps the average of a market that trades less than one
            // step a second; the low bits of the draw are as good as a second one.
            let chance = (size * 4_096.0).fract();
            Second {
                price: price.max(1),
                quantity: (self.quantity * (0.25 + 1.5 * size) + chance) as i64,
            }
        };
        let fast = self.fast.block(first).into_iter();
        fast.enumerate().map(at).collect()
    }

    /// First trade id of a second. Grows by at least one each second, so that windows
    /// that overlap agree on their trades.
    fn trade_id(&self, second: i64) -> i64 {
        let rate = self.trades_per_second;
        second * rate as i64 + (self.trades.bits(second) % rate) as i64
    }
}

impl Bar {
    /// Sum of at least one second.
    fn over(seconds: &[Second]) -> Self {
        let mut bar = Self {
            high: i64::MIN,
            low: i64::MAX,
            quantity: 0,
            turnover: 0,
        };
        for second in seconds {
            bar.high = bar.high.max(second.price);
            bar.low = bar.low.min(second.price);
            bar.quantity += i128::from(second.quantity);
            bar.turnover += i128::from(second.price) * i128::from(second.quantity);
        }
        bar
    }

    fn add(&mut self, other: Self) {
        self.high = self.high.max(other.high);
        self.low = self.low.min(other.low);
        self.quantity += other.quantity;
        self.turnover += other.turnover;
    }
}
