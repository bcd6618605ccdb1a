//! What is found out about one symbol before the symbols are compared with each other: above all
//! whether its ticker is fit to be judged, which means consistent with itself, of a market that
//! trades, and fresh. An exchange answers for halted and delisted pairs too, with zeros or with
//! the statistics of their last day, for months.

mod consistency;

use crate::dollars::Rates;
use crate::episode::{Episode, Step};
use crate::{
    Distances, Levels, Rule, Side, Strategy, Watched, distances, dollars, levels, strategies,
};
use consistency::{is_average, is_average_within, is_change, is_percent, unit_of_time};
use market::{Ticker, TimeSource, UnixMillis};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How far the exchange's clock may be ahead of this server's.
const CLOCK_TOLERANCE_MS: i64 = 60_000;
/// The status of a symbol that the reply lacks, without a word of whether it is listed.
pub const MISSING: &str = "MISSING";
/// The status of a market whose ticker is fit to be judged.
pub const TRADING: &str = "TRADING";

/// One symbol, measured. What few verdicts need is measured when the first of them asks.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    pub rule: &'a Rule,
    /// The rule's strategy, if there is one of its name.
    pub strategy: Option<&'static dyn Strategy>,
    pub watched: &'a Watched,
    pub row: Option<&'a Result<Ticker, String>>,
    /// Whether the reply lacks the symbol, without a word of whether it is listed.
    pub is_missing: bool,
    /// Whether the symbol was left out of this fetch.
    pub is_not_asked: bool,
    /// The time by the exchange's clock, if its reply says so.
    pub exchange_time: Option<UnixMillis>,
    /// What other assets cost by the rows of the same reply.
    rates: Rc<Rates<'a>>,
    /// Why the row is unusable, if there is one and it is.
    pub fault: Option<Cow<'a, str>>,
    pub now: UnixMillis,
    /// [`TRADING`], or what the first gate to find the ticker unfit says of the market.
    pub status: &'static str,
    /// What the strategy measured, in percent.
    pub measure: Option<Decimal>,
    /// The side that the measure points to.
    pub side: Option<Side>,
    /// What was remembered.
    pub episode: Episode,
    /// What the measure means to the episode, also when the ticker is not fit to be judged.
    pub step: Option<Step>,
    /// The place among the symbols that pass every gate of their own, from 1.
    pub rank: Option<usize>,
    dollar_volume: OnceCell<Option<Decimal>>,
    quality: OnceCell<Option<Decimal>>,
    levels: OnceCell<Option<Box<Levels>>>,
}

impl<'a> Finding<'a> {
    /// What the reply and the memory hold of a symbol, before any gate was asked.
    pub fn of(
        rule: &'a Rule,
        strategy: Option<&'static dyn Strategy>,
        watched: &'a Watched,
        rates: &Rc<Rates<'a>>,
        episodes: &HashMap<String, Episode>,
        now: UnixMillis,
    ) -> Self {
        let tickers = rates.tickers;
        let row = tickers.rows.get(&watched.symbol);
        Self {
            rule,
            strategy,
            watched,
            row,
            is_missing: row.is_none() && tickers.missing.contains(&watched.symbol),
            is_not_asked: row.is_none() && tickers.not_asked.contains(&watched.symbol),
            exchange_time: tickers.exchange_time,
            rates: Rc::clone(rates),
            fault: row.and_then(fault),
            now,
            status: TRADING,
            measure: None,
            side: None,
            episode: episodes.get(&watched.symbol).cloned().unwrap_or_default(),
            step: None,
            rank: None,
            dollar_volume: OnceCell::new(),
            quality: OnceCell::new(),
            levels: OnceCell::new(),
        }
    }

    pub fn ticker(&self) -> Option<&'a Ticker> {
        self.row?.as_ref().ok()
    }

    /// What the strategy measures of this ticker; `None` also when it needs more days than are
    /// known.
    pub fn measured(&self) -> Option<Decimal> {
        let strategy = self.strategy?;
        let days = &self.watched.days;
        let first = days.len().checked_sub(strategy.days())?;
        strategy.measure(self.ticker()?, days.get(first..)?)
    }

    /// Whether it is for want of daily candles that there is no measure.
    pub fn lacks_days(&self) -> bool {
        let needed = self.strategy.map_or(0, |strategy| strategy.days());
        self.watched.days.len() < needed
    }

    /// How old the ticker is, in milliseconds.
    pub fn age_ms(&self) -> Option<i64> {
        Some(age_ms(self.ticker()?, self.now))
    }

    pub fn confidence(&self) -> Option<Decimal> {
        Some(strategies::confidence(self.rule, self.measure?))
    }

    pub fn quality(&self) -> Option<Decimal> {
        *self.quality.get_or_init(|| {
            let (side, ticker) = (self.side?, self.ticker()?);
            Some(strategies::quality(
                self.rule,
                side,
                ticker,
                self.dollar_volume(),
            ))
        })
    }

    /// The asset that the quote volume is in; `None` when nothing tells it.
    pub fn quote(&self) -> Option<&str> {
        let told = self.watched.quote.as_deref();
        told.or_else(|| dollars::quote_of(&self.watched.symbol))
    }

    /// What one unit of the quote asset costs in US dollars; `None` when nothing tells it.
    pub fn dollar_rate(&self) -> Option<Decimal> {
        self.rates.of(self.quote()?, |ticker| {
            is_trading(ticker) && is_fresh(age_ms(ticker, self.now), self.rule.max_ticker_age_ms)
        })
    }

    /// The volume of 24 hours in US dollars; `None` when there is no rate, or it does not fit.
    pub fn dollar_volume(&self) -> Option<Decimal> {
        let measure = || {
            let volume = self.ticker()?.quote_volume;
            match self.dollar_rate()? {
                rate if rate == Decimal::ONE => Some(volume),
                rate => Some(volume.checked_mul(rate)?.round_dp(2)),
            }
        };
        *self.dollar_volume.get_or_init(measure)
    }

    /// The levels of a signal; `None` without a side, and when they do not fit.
    pub fn levels(&self) -> Option<&Levels> {
        let measure = || {
            let last_price = self.ticker()?.last_price;
            levels::levels(&self.distances()?, self.side?, last_price, self.tick()?).map(Box::new)
        };
        self.levels.get_or_init(measure).as_deref()
    }

    /// How far stop and targets are from the entry; `None` when that does not fit.
    pub fn distances(&self) -> Option<Distances> {
        distances::distances(self.rule, self.ticker()?)
    }

    /// The tick that levels are rounded by: what the exchange says, also where the last trade was
    /// made at a finer one, else what this ticker shows.
    fn tick(&self) -> Option<Decimal> {
        let ticker = self.ticker()?;
        Some(levels::today(self.watched.tick_size).unwrap_or_else(|| ticker.tick_size()))
    }

    /// The tick to remember for people: what the exchange says, else the finest that tickers have
    /// shown lately.
    pub fn tick_size(&self) -> Option<Decimal> {
        let learned = self.watched.learned_tick;
        // The prices of a ticker that is not fit may be zeros, which show no tick.
        let fit = self.ticker().filter(|_| self.is_fit());
        let shown = || match fit {
            Some(ticker) => Some(levels::tick(learned, ticker)),
            None => learned,
        };
        levels::today(self.watched.tick_size).or_else(shown)
    }

    /// Whether the ticker is listed, valid, trading and fresh.
    pub fn is_fit(&self) -> bool {
        self.status == TRADING
    }

    /// Whether the exchange lists it.
    pub fn is_listed(&self) -> bool {
        self.row.is_some()
    }

    /// Whether its ticker can be read and does not contradict itself.
    pub fn is_valid(&self) -> bool {
        self.is_listed() && self.fault.is_none()
    }

    /// Whether its market trades, as its ticker tells.
    pub fn is_trading(&self) -> bool {
        self.ticker().is_some_and(is_trading)
    }

    /// Whether all that keeps it from trading is that its book has no bid or no ask.
    pub fn has_no_book(&self) -> bool {
        self.ticker().is_some_and(has_no_book)
    }

    /// The unit of the ticker's time, when that cannot be milliseconds.
    pub fn unit_of_time(&self) -> Option<&'static str> {
        unit_of_time(self.ticker()?.close_time)
    }

    /// Whether its ticker is ahead of this server's clock.
    pub fn is_ahead(&self) -> bool {
        self.age_ms().is_some_and(|age| age < 0)
    }

    /// Whether its ticker is not too old, nor ahead.
    pub fn is_fresh(&self) -> bool {
        self.age_ms()
            .is_some_and(|age| is_fresh(age, self.rule.max_ticker_age_ms))
    }
}

/// Whether a row can be read, does not contradict itself, and is no older at `now` than `max_age_ms`
/// nor ahead.
pub fn is_usable(row: &Result<Ticker, String>, max_age_ms: i64, now: UnixMillis) -> bool {
    row.as_ref().is_ok_and(|ticker| {
        contradiction(ticker).is_none() && is_fresh(age_ms(ticker, now), max_age_ms)
    })
}

/// Whether a row can be judged: it is usable, and its market trades.
pub fn is_fit(row: &Result<Ticker, String>, max_age_ms: i64, now: UnixMillis) -> bool {
    is_usable(row, max_age_ms, now) && row.as_ref().is_ok_and(is_trading)
}

fn fault(row: &Result<Ticker, String>) -> Option<Cow<'_, str>> {
    match row {
        Ok(ticker) => contradiction(ticker).map(Cow::Owned),
        Err(reason) => Some(Cow::Borrowed(reason)),
    }
}

/// Why the numbers of a ticker contradict each other, if they do. All zeros do not.
///
/// Tolerances: one tick for the change; 0.0015 points for its percentage, which is printed with
/// three places; for the average price a part in a thousand or the last place it is printed with,
/// whichever is more: Binance prints eight, Binance.US cuts off after four.
fn contradiction(ticker: &Ticker) -> Option<String> {
    let Ticker {
        low_price: low,
        high_price: high,
        open_price: open,
        last_price: last,
        ..
    } = *ticker;
    let amounts = [
        ("low price", low),
        ("bid price", ticker.bid_price.unwrap_or_default()),
        ("ask price", ticker.ask_price.unwrap_or_default()),
        ("base volume", ticker.base_volume),
        ("quote volume", ticker.quote_volume),
    ];
    if let Some((name, _)) = amounts.iter().find(|(_, amount)| *amount < Decimal::ZERO) {
        return Some(format!("{name} is negative"));
    }
    let prices = [("open price", open), ("last price", last)];
    if let Some((name, _)) = prices.iter().find(|(_, p)| !(low..=high).contains(p)) {
        return Some(format!("{name} is outside low to high"));
    }
    if !is_average_within(ticker) {
        return Some("average price is outside low to high".to_owned());
    }
    if let Some(unit) = unit_of_time(ticker.close_time) {
        return Some(format!("closeTime is in {unit}, not in milliseconds"));
    }
    if ticker
        .open_time
        .is_some_and(|open| open > ticker.close_time)
    {
        return Some("window ends before it begins".to_owned());
    }
    let contradiction = if !is_change(ticker) {
        "change is not last minus open price"
    } else if open > Decimal::ZERO && !is_percent(ticker) {
        "change percent is not change over open price"
    } else if ticker.base_volume > Decimal::ZERO && !is_average(ticker) {
        "average price is not quote volume over base volume"
    } else {
        return None;
    };
    Some(contradiction.to_owned())
}

/// Whether the market is open and was traded: halted pairs have neither bid nor ask. An exchange
/// that does not tell bid or ask says nothing against it.
fn is_trading(ticker: &Ticker) -> bool {
    let has_book = match (ticker.bid_price, ticker.ask_price) {
        (Some(bid), Some(ask)) => bid > Decimal::ZERO && ask >= bid,
        (one, other) => one.or(other).is_none_or(|price| price > Decimal::ZERO),
    };
    has_book
        && ticker.last_price > Decimal::ZERO
        && ticker.open_price > Decimal::ZERO
        && was_traded(ticker)
}

/// Whether there were trades in the window: by their count, or by what they moved where the
/// exchange does not count them.
fn was_traded(ticker: &Ticker) -> bool {
    let by_volume = ticker.base_volume > Decimal::ZERO;
    ticker.trade_count.map_or(by_volume, |count| count > 0)
}

/// Whether a book without bid or ask is all that keeps a symbol from trading.
fn has_no_book(ticker: &Ticker) -> bool {
    let is_zero = |price: Option<Decimal>| price.is_some_and(|price| price.is_zero());
    (is_zero(ticker.bid_price) || is_zero(ticker.ask_price))
        && ticker.last_price > Decimal::ZERO
        && ticker.open_price > Decimal::ZERO
        && was_traded(ticker)
}

/// How old the statistics are, in milliseconds; negative when the exchange's clock is ahead, by more
/// than the rest of a second where that is all its time tells.
fn age_ms(ticker: &Ticker, now: UnixMillis) -> i64 {
    let age = now.saturating_sub(ticker.close_time);
    match ticker.time_source {
        TimeSource::Date if (-999..0).contains(&age) => 0,
        _ => age,
    }
}

/// Whether statistics of this age are fresh.
fn is_fresh(age_ms: i64, max_age_ms: i64) -> bool {
    (-CLOCK_TOLERANCE_MS..=max_age_ms).contains(&age_ms)
}

#[cfg(test)]
mod tests;
