//! What is found out about one symbol before the symbols are compared with each other.

use super::episode::{self, Step};
use super::{Episode, Levels, Rule, Side, Watched, condition, levels, momentum, quality};
use crate::market::{Ticker, Tickers, UnixMillis};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

/// The status of a market whose ticker is fit to be judged.
const TRADING: &str = "TRADING";

/// One symbol, measured. What few verdicts need is measured when the first of them asks.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    pub rule: &'a Rule,
    pub watched: &'a Watched,
    pub row: Option<&'a Result<Ticker, String>>,
    /// Why the row is unusable, if there is one and it is.
    pub fault: Option<Cow<'a, str>>,
    pub now: UnixMillis,
    /// TRADING, or the trading status that the first gate of the ticker to refuse amounts to.
    pub status: &'static str,
    /// The side the change points to.
    pub side: Option<Side>,
    /// What was remembered.
    pub episode: Episode,
    /// What the change means to the episode, also when the ticker is not fit to be judged.
    pub step: Option<Step>,
    /// The place among the symbols that pass every gate of their own, from 1.
    pub rank: Option<usize>,
    quality: OnceCell<Option<Decimal>>,
    levels: OnceCell<Option<Box<Levels>>>,
}

impl<'a> Finding<'a> {
    pub fn of(
        rule: &'a Rule,
        watched: &'a Watched,
        tickers: &'a Tickers,
        episodes: &HashMap<String, Episode>,
        now: UnixMillis,
    ) -> Self {
        let row = tickers.rows.get(&watched.symbol);
        let mut finding = Self {
            rule,
            watched,
            row,
            fault: row.and_then(fault),
            now,
            status: TRADING,
            side: None,
            episode: episodes.get(&watched.symbol).cloned().unwrap_or_default(),
            step: None,
            rank: None,
            quality: OnceCell::new(),
            levels: OnceCell::new(),
        };
        finding.status = status(&finding);
        // By a clock that the exchange does not contradict.
        if finding.is_fit() {
            finding.episode = episode::remembered_at(finding.episode, now);
        }
        if let Some(change) = finding.change() {
            finding.side = momentum::side(rule, change);
            finding.step = Some(episode::step(rule, &finding.episode, change, now));
        }
        finding
    }

    pub fn ticker(&self) -> Option<&'a Ticker> {
        self.row?.as_ref().ok()
    }

    /// The 24-hour change in percent.
    pub fn change(&self) -> Option<Decimal> {
        Some(self.ticker()?.price_change_percent)
    }

    /// How old the ticker is, in milliseconds.
    pub fn age_ms(&self) -> Option<i64> {
        Some(condition::age_ms(self.ticker()?, self.now))
    }

    pub fn confidence(&self) -> Option<Decimal> {
        Some(momentum::confidence(self.rule, self.change()?))
    }

    pub fn quality(&self) -> Option<Decimal> {
        *self
            .quality
            .get_or_init(|| Some(quality::score(self.rule, self.side?, self.ticker()?)))
    }

    /// The levels of a signal; `None` without a side, and when they do not fit.
    pub fn levels(&self) -> Option<&Levels> {
        let measure = || {
            let last_price = self.ticker()?.last_price;
            levels::levels(self.rule, self.side?, last_price, self.tick()?).map(Box::new)
        };
        self.levels.get_or_init(measure).as_deref()
    }

    /// The tick as this ticker and what is stored tell it.
    fn tick(&self) -> Option<Decimal> {
        Some(levels::tick(self.watched.tick_size, self.ticker()?))
    }

    /// The tick to remember.
    pub fn tick_size(&self) -> Option<Decimal> {
        // The prices of a ticker that is not fit may be zeros, which show no tick.
        if self.is_fit() {
            self.tick()
        } else {
            self.watched.tick_size
        }
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
        self.ticker().is_some_and(condition::is_trading)
    }

    /// Whether its ticker is not too old, nor ahead.
    pub fn is_fresh(&self) -> bool {
        self.age_ms()
            .is_some_and(|age| condition::is_fresh(age, self.rule.max_ticker_age_ms))
    }
}

fn status(found: &Finding) -> &'static str {
    if !found.is_listed() {
        "UNKNOWN"
    } else if !found.is_valid() {
        "INVALID"
    } else if !found.is_trading() {
        "HALTED"
    } else if !found.is_fresh() {
        "STALE"
    } else {
        TRADING
    }
}

fn fault(row: &Result<Ticker, String>) -> Option<Cow<'_, str>> {
    match row {
        Ok(ticker) => condition::contradiction(ticker).map(Cow::Owned),
        Err(reason) => Some(Cow::Borrowed(reason)),
    }
}
