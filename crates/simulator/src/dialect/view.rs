//! What a dialect sees of the market while it answers one request.

use super::{Names, Row, Speech};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::Day;
use crate::fault::{CandleFault, Fault};
use crate::instrument::Instrument;
use crate::world::{Listed, Trading, World};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// How one exchange differs from the market that all share. Symbols are the simulator's own.
#[derive(Default)]
pub(crate) struct Apart {
    /// Symbols that it does not list.
    pub unlisted: HashSet<String>,
    /// Symbols that it lists, and refuses when a request names them.
    pub refused: HashSet<String>,
    /// Symbols whose tickers stand still, and how.
    pub frozen: HashMap<String, Day>,
    /// By how many percent its prices differ.
    pub differs: HashMap<String, Decimal>,
    /// It answers nothing else until this time.
    pub banned_until: Option<UnixMillis>,
}

/// The market as one exchange shows it, while one fault may strike.
pub(crate) struct View<'a> {
    pub world: &'a mut World,
    pub apart: &'a Apart,
    pub speech: &'static dyn Speech,
    pub fault: Option<&'a Fault>,
    pub candle_fault: Option<&'a CandleFault>,
}

impl View<'_> {
    /// The exchange's clock.
    pub fn now(&self) -> UnixMillis {
        self.world.clock.now()
    }

    /// The time that replies say.
    pub fn told_time(&self) -> UnixMillis {
        let time = self.now() + time_shift(self.fault);
        match self.fault {
            Some(Fault::Microseconds) => time * 1_000,
            _ => time,
        }
    }

    /// Rows of these days in the exchange's own form, spoiled where a fault or a test says so.
    pub fn rows(&self, days: &[Day], names: &Names, form: impl Fn(&Day) -> Row) -> Vec<Row> {
        let one = |day: &Day| {
            let mut row = form(day);
            if let Some(how) = day.corruption {
                how.apply(&mut row, names);
            }
            row
        };
        let mut rows: Vec<Row> = days.iter().map(one).collect();
        self.spoil(&mut rows, names);
        rows
    }

    /// The instrument of a day.
    pub fn instrument(&self, day: &Day) -> Option<&Instrument> {
        let mut all = self.world.listed().iter();
        all.find(|listed| listed.instrument.symbol == day.symbol)
            .map(|listed| &listed.instrument)
    }

    /// The exchange's own name of a day's symbol.
    pub fn own_name(&self, day: &Day) -> String {
        let own = self.instrument(day).map(|known| self.speech.symbol(known));
        own.unwrap_or_default()
    }

    /// The first price from this time on, or else that of 24 hours ago.
    pub fn price_at(&mut self, day: &Day, time: UnixMillis) -> Decimal {
        let second = time.div_euclid(1_000) * 1_000;
        let candles = self.candles(&day.symbol, second, second, 1_000);
        let first = candles.and_then(|candles| candles.first().map(|candle| candle.open));
        first.unwrap_or(day.open)
    }

    /// What it lists, in listing order.
    pub fn listed(&self) -> impl Iterator<Item = &Listed> {
        let here = |listed: &&Listed| !self.apart.unlisted.contains(&listed.instrument.symbol);
        self.world.listed().iter().filter(here)
    }

    /// The symbol that a request names in the exchange's own form, unless it is refused.
    pub fn named(&self, name: &str) -> Option<Instrument> {
        let instruments = self.listed().map(|listed| &listed.instrument);
        instruments
            .filter(|instrument| !self.apart.refused.contains(&instrument.symbol))
            .find(|instrument| self.speech.means(name, instrument))
            .cloned()
    }

    /// The 24 hours of every listed symbol, as far as no fault strikes them.
    pub fn days(&mut self) -> Vec<Day> {
        let all = self.world.listed().iter();
        let symbols: Vec<String> = all
            .map(|listed| listed.instrument.symbol.clone())
            .filter(|symbol| !self.apart.unlisted.contains(symbol))
            .collect();
        self.days_of(&symbols)
    }

    /// The 24 hours of these symbols, as far as no fault strikes them.
    pub fn days_of(&mut self, symbols: &[String]) -> Vec<Day> {
        let now = self.now();
        let mut days: Vec<Day> = symbols
            .iter()
            .filter_map(|symbol| {
                let mut day = match self.apart.frozen.get(symbol) {
                    Some(day) => day.clone(),
                    None => self.world.find(symbol)?.day(now),
                };
                if let Some(percent) = self.apart.differs.get(symbol) {
                    day.scale(factor(*percent));
                }
                Some(day)
            })
            .collect();
        match self.fault {
            Some(Fault::Zeros) => days.iter_mut().for_each(Day::zero),
            Some(Fault::Partial(most)) => days.truncate(*most),
            Some(Fault::Without(symbol)) => days.retain(|day| day.symbol != *symbol),
            Some(Fault::Microseconds) => days.iter_mut().for_each(|day| {
                day.open_time *= 1_000;
                day.close_time *= 1_000;
            }),
            fault => {
                let shift = time_shift(fault);
                days.iter_mut().for_each(|day| day.shift(shift));
            }
        }
        days
    }

    /// Spoils the rows of a good reply, where a fault does.
    pub fn spoil(&self, rows: &mut [Row], names: &Names) {
        match self.fault {
            Some(Fault::BadRows(how)) => rows.iter_mut().for_each(|row| how.apply(row, names)),
            Some(Fault::BadRow(how)) => {
                rows.iter_mut()
                    .take(1)
                    .for_each(|row| how.apply(row, names));
            }
            _ => {}
        }
    }

    /// The time up to which candles are served.
    pub fn candle_time(&self) -> UnixMillis {
        match self.candle_fault {
            Some(CandleFault::Lagging(behind)) => self.now() - behind,
            _ => self.now(),
        }
    }

    /// Candles of a symbol that begin from `first` to `last`, oldest first; `None` when there
    /// are none of this length.
    pub fn candles(
        &mut self,
        symbol: &str,
        first: UnixMillis,
        last: UnixMillis,
        length: i64,
    ) -> Option<Vec<RecordedCandle>> {
        if let Some(CandleFault::RefusedInterval(_)) = self.candle_fault {
            return None;
        }
        let now = self.candle_time();
        let listed = self.world.find(symbol)?;
        let mut candles = match first <= last {
            true => listed.candles(first, last, length, now)?,
            false => Vec::new(),
        };
        if let Some(percent) = self.apart.differs.get(symbol) {
            let tick_size = listed.instrument.tick_size;
            let factor = factor(*percent);
            candles.iter_mut().for_each(|c| c.scale(factor, tick_size));
        }
        Some(candles)
    }

    /// Spoils the candles of a good reply, where a fault does. `high` is the place of the high.
    pub fn spoil_candles(&self, rows: &mut Vec<Value>, high: usize) {
        match self.candle_fault {
            Some(CandleFault::Gap) if rows.len() > 2 => {
                rows.remove(rows.len() / 2);
            }
            Some(CandleFault::ShortPage(most)) => rows.truncate(*most),
            Some(CandleFault::WrongOrder) => rows.reverse(),
            Some(CandleFault::Duplicate) => {
                if let Some(first) = rows.first().cloned() {
                    rows.insert(0, first);
                }
            }
            Some(CandleFault::BadRow) => {
                if let Some(high) = rows.first_mut().and_then(|row| row.get_mut(high)) {
                    *high = "NaN".into();
                }
            }
            _ => {}
        }
    }
}

/// How far a fault moves the times of a reply, in milliseconds.
pub(crate) fn time_shift(fault: Option<&Fault>) -> i64 {
    match fault {
        Some(Fault::Stale) => -60 * 60 * 1_000,
        Some(Fault::Shifted(milliseconds)) => *milliseconds,
        _ => 0,
    }
}

/// What a difference in percent multiplies a price with.
fn factor(percent: Decimal) -> Decimal {
    Decimal::ONE + percent / Decimal::ONE_HUNDRED
}

/// Which of three words says whether a symbol trades.
pub(super) fn status(listed: &Listed, [open, halted, none]: [&'static str; 3]) -> &'static str {
    match listed.driven.trading {
        Trading::Open => open,
        Trading::Halted(_) => halted,
        Trading::Zero(_) => none,
    }
}
