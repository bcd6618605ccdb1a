//! The price of one symbol over time: the model's, except where a test drove it.

use super::UnixMillis;
use super::instrument::Instrument;
use super::model::{BAR_SECONDS, Model, Second, WINDOW_SECONDS};
use super::ticker::held_prices;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Milliseconds of a second.
const SECOND: i64 = 1_000;

/// What holds the price from some time on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hold {
    /// The model moves it.
    Free,
    /// The change over 24 hours is held, in percent.
    Change(Decimal),
    /// The price is held.
    Price(Decimal),
    /// Nothing is traded.
    Halted,
}

/// What a test did to the price of a symbol, by the exchange's clock.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// In the order of time.
    holds: Vec<(UnixMillis, Hold)>,
    /// Single trades beside it, in the order of time.
    trades: Vec<(UnixMillis, Decimal)>,
}

/// The trades of one second, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traded {
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    /// In the base asset.
    pub volume: Decimal,
}

impl Path {
    /// Holds the price from `now` on. What was to come after it is forgotten: time was set back.
    pub fn hold(&mut self, now: UnixMillis, hold: Hold) {
        self.holds.retain(|(since, _)| *since < now);
        self.holds.push((now, hold));
    }

    /// Adds a trade that the last price of no ticker shows.
    pub fn trade(&mut self, at: UnixMillis, price: Decimal) {
        let place = self.trades.partition_point(|(time, _)| *time <= at);
        self.trades.insert(place, (at, price));
    }

    /// Prices of the single trades from `from` on, up to `until`.
    pub fn trades_within(
        &self,
        from: UnixMillis,
        until: UnixMillis,
    ) -> impl Iterator<Item = (UnixMillis, Decimal)> {
        let within = move |(at, _): &&(UnixMillis, Decimal)| (from..=until).contains(at);
        self.trades.iter().filter(within).copied()
    }

    /// Whether all is left to the model.
    fn is_untouched(&self) -> bool {
        self.holds.is_empty() && self.trades.is_empty()
    }

    /// What holds the price at this time.
    fn hold_at(&self, at: UnixMillis) -> Hold {
        let before = self.holds.partition_point(|(since, _)| *since <= at);
        before
            .checked_sub(1)
            .map_or(Hold::Free, |last| self.holds[last].1)
    }

    /// The times after `from`, up to `until`, at which something else begins to hold the price.
    fn turns(&self, from: UnixMillis, until: UnixMillis) -> impl Iterator<Item = UnixMillis> {
        let times = self.holds.iter().map(|(since, _)| *since);
        times.filter(move |since| from < *since && *since <= until)
    }
}

/// Reads what was traded, second by second.
pub(super) struct Tape<'a> {
    instrument: &'a Instrument,
    model: &'a Model,
    path: &'a Path,
    tick_size: Decimal,
    /// The last price by the open of the 24 hours and the change that is held.
    held: HashMap<(i64, Decimal), Decimal>,
    /// The seconds of the bar that was last read for an open.
    opens: (i64, Vec<Second>),
}

impl<'a> Tape<'a> {
    pub fn new(instrument: &'a Instrument, model: &'a Model, path: &'a Path) -> Self {
        Self {
            instrument,
            model,
            path,
            tick_size: instrument.tick_size.normalize(),
            held: HashMap::new(),
            opens: (0, Vec::new()),
        }
    }

    /// Hands over each second from `first` to `last` in which something was traded, as far as it
    /// has passed at `now`.
    pub fn read(
        &mut self,
        first: i64,
        last: i64,
        now: UnixMillis,
        mut take: impl FnMut(i64, Traded),
    ) {
        let step_size = self.instrument.step_size();
        let mut second = first;
        while second <= last {
            let bar = second.div_euclid(BAR_SECONDS);
            let seconds = self.model.seconds(bar);
            let end = last.min((bar + 1) * BAR_SECONDS - 1);
            for second in second..=end {
                let model = &seconds[second.rem_euclid(BAR_SECONDS) as usize];
                let volume = Decimal::from(model.quantity) * step_size;
                if let Some(traded) = self.second(second, model.price, volume, now) {
                    take(second, traded);
                }
            }
            second = end + 1;
        }
    }

    fn second(
        &mut self,
        second: i64,
        model_ticks: i64,
        volume: Decimal,
        now: UnixMillis,
    ) -> Option<Traded> {
        if self.path.is_untouched() {
            // A day has many seconds, and most symbols of most tests are left to the model.
            let price = Decimal::from(model_ticks) * self.tick_size;
            return Some(Traded {
                open: price,
                high: price,
                low: price,
                close: price,
                volume,
            });
        }
        let begin = second * SECOND;
        let until = now.min(begin + SECOND - 1);
        let mut events = vec![(begin, self.held_price(begin, second, model_ticks))];
        for turn in self.path.turns(begin, until) {
            events.push((turn, self.held_price(turn, second, model_ticks)));
        }
        events.extend(
            self.path
                .trades_within(begin, until)
                .map(|(at, price)| (at, Some(price))),
        );
        events.sort_by_key(|(at, _)| *at);
        let mut prices = events.iter().filter_map(|(_, price)| *price);
        let open = prices.next()?;
        let (mut high, mut low) = (open, open);
        for price in prices {
            high = high.max(price);
            low = low.min(price);
        }
        // A trade beside the path leaves the price where it was.
        let close = self.held_price(until, second, model_ticks).unwrap_or(open);
        Some(Traded {
            open,
            high,
            low,
            close,
            volume,
        })
    }

    /// The open of the 24 hours that end in this second, in ticks.
    fn open_ticks(&mut self, second: i64) -> i64 {
        let second = second - WINDOW_SECONDS;
        let bar = second.div_euclid(BAR_SECONDS);
        if self.opens.0 != bar || self.opens.1.is_empty() {
            self.opens = (bar, self.model.seconds(bar));
        }
        self.opens.1[second.rem_euclid(BAR_SECONDS) as usize].price
    }

    /// The price at `at`, which lies in `second`; `None` while nothing is traded.
    fn held_price(&mut self, at: UnixMillis, second: i64, model_ticks: i64) -> Option<Decimal> {
        let tick_size = self.tick_size;
        match self.path.hold_at(at) {
            Hold::Free => Some(Decimal::from(model_ticks) * tick_size),
            Hold::Price(price) => Some(price),
            Hold::Halted => None,
            Hold::Change(percent) => {
                let open = self.open_ticks(second);
                let last = self.held.entry((open, percent)).or_insert_with(|| {
                    let open = Decimal::from(open) * tick_size;
                    held_prices(open, percent, tick_size).map_or(open, |(_, last)| last)
                });
                Some(*last)
            }
        }
    }
}
