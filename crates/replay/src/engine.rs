//! The candles of many symbols, through the judge and on to their outcomes.
//!
//! Candles that begin at the same time are judged together at their end, as a run judges all
//! tickers of a reply. Nothing is known at a time but what was pushed by then: a candle settles
//! the signals that were made before it began, and only then is it part of the ticker that the
//! next signals are judged on.

use crate::days::Days;
use crate::fault::{Fault, FaultKind};
use crate::order::Order;
use crate::rates;
use crate::replayed::{Fate, Replayed};
use crate::rolling::{DAY_MS, RollingDay};
use market::{Candle, Tickers, UnixMillis};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use strategy::outcome::{Settlement, Terms};
use strategy::{Episode, Rule, Signal, Watched, changes_nothing, judge, strategies};

/// What is replayed, and how.
#[derive(Clone, Debug)]
pub struct Options {
    pub rule: Rule,
    /// Length of the candles, in milliseconds.
    pub step_ms: i64,
    /// Length of the finer candles that settle; without them, the candles settle themselves.
    pub finer_ms: Option<i64>,
    /// Taken off returns on both sides, in percent of the price.
    pub fee_percent: Decimal,
    /// The ticks that levels are rounded by, as exchanges say them, by symbol. Of others the prices
    /// tell.
    pub ticks: HashMap<String, Decimal>,
}

/// A symbol of an [`Engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol(usize);

impl Symbol {
    /// Its place among the symbols of its engine, from 0 in the order in which they came.
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

/// Takes candles in the order of time and gives signals in the order of time, each once it is known
/// what became of it. Keeps one day of candles per symbol, and the signals whose time is not over.
pub struct Engine {
    options: Options,
    order: Option<Order>,
    finer_order: Option<Order>,
    books: Vec<Book>,
    numbers: HashMap<Arc<str>, usize>,
    /// The symbol that was found last: queries have them in the same order again and again.
    found: usize,
    /// Symbols whose tickers are to be judged at the end of the candles that are being taken.
    stirred: Vec<usize>,
    signals: u64,
    given: u64,
    finished: BTreeMap<u64, Replayed>,
}

/// What is known of one symbol.
struct Book {
    symbol: Arc<str>,
    day: RollingDay,
    days: Days,
    episode: Episode,
    /// When its last candle, and its last finer candle, began.
    last: Option<UnixMillis>,
    last_finer: Option<UnixMillis>,
    live: Vec<Live>,
}

/// A signal that waits for its outcome.
struct Live {
    number: u64,
    signal: Box<Signal>,
    settlement: Settlement,
    superseded_at: Option<UnixMillis>,
}

impl Engine {
    /// A replay of which no candle was seen.
    ///
    /// # Errors
    /// When a day is not a whole number of candles, or a candle not of finer ones.
    pub fn new(options: Options) -> Result<Self, Fault> {
        let divides = |part: i64, whole: i64| part > 0 && whole % part == 0;
        let fault = |step_ms| Fault {
            symbol: String::new(),
            open_time: 0,
            kind: FaultKind::Step { step_ms },
        };
        if !divides(options.step_ms, DAY_MS) {
            return Err(fault(options.step_ms));
        }
        if let Some(finer_ms) = options.finer_ms
            && !divides(finer_ms, options.step_ms)
        {
            return Err(fault(finer_ms));
        }
        Ok(Self {
            options,
            order: None,
            finer_order: None,
            books: Vec::new(),
            numbers: HashMap::new(),
            found: 0,
            stirred: Vec::new(),
            signals: 0,
            given: 0,
            finished: BTreeMap::new(),
        })
    }

    /// The symbol of this name.
    pub fn symbol(&mut self, name: &str) -> Symbol {
        let next = (self.found + 1) % self.books.len().max(1);
        let is_it = |number: &usize| {
            let book = self.books.get(*number);
            book.is_some_and(|book| *book.symbol == *name)
        };
        let found = [next, self.found].into_iter().find(is_it);
        self.found = match found.or_else(|| self.numbers.get(name).copied()) {
            Some(number) => number,
            None => self.open_book(name),
        };
        Symbol(self.found)
    }

    fn open_book(&mut self, name: &str) -> usize {
        let symbol: Arc<str> = name.into();
        let strategy = strategies::named(&self.options.rule.strategy);
        let days = strategy.map_or(0, |strategy| strategy.days());
        self.books.push(Book {
            day: RollingDay::new(name, self.options.step_ms),
            days: Days::new(days),
            symbol: Arc::clone(&symbol),
            episode: Episode::default(),
            last: None,
            last_finer: None,
            live: Vec::new(),
        });
        self.numbers.insert(symbol, self.books.len() - 1);
        self.books.len() - 1
    }

    /// The time at which tickers are judged before a candle that begins at `open_time` is taken, if
    /// any are. Finer candles that begin before it are to be pushed first.
    pub fn judges_at(&self, open_time: UnixMillis) -> Option<UnixMillis> {
        let order = self.order.as_ref()?;
        (open_time > order.now()).then(|| order.now() + self.options.step_ms)
    }

    /// Takes the next candle.
    ///
    /// # Errors
    /// When it cannot be judged.
    pub fn push(&mut self, symbol: Symbol, candle: Candle) -> Result<(), Fault> {
        let Symbol(number) = symbol;
        let Some(book) = self.books.get(number) else {
            return Ok(());
        };
        let (name, open_time) = (Arc::clone(&book.symbol), candle.open_time);
        let fault = |kind| fault_of(&name, open_time, kind);
        check(&candle).map_err(fault)?;
        let step_ms = self.options.step_ms;
        let order = self
            .order
            .get_or_insert_with(|| Order::new(step_ms, open_time));
        let before = order.now();
        if order.take(book.last, open_time).map_err(fault)? {
            self.judge(before.saturating_add(step_ms));
        }
        let Some(book) = self.books.get_mut(number) else {
            return Ok(());
        };
        book.last = Some(open_time);
        if self.options.finer_ms.is_none() {
            for live in &mut book.live {
                live.settlement.push(&candle, step_ms);
            }
        }
        book.days.take(&candle);
        let change = book.day.take(candle);
        let change = change.map_err(|_| fault(FaultKind::OutOfRange))?;
        let rule = &self.options.rule;
        let now = open_time.saturating_add(step_ms);
        if change.is_some_and(|change| !changes_nothing(rule, &book.episode, change, now)) {
            self.stirred.push(number);
        }
        Ok(())
    }

    /// Takes the next of the finer candles that settle.
    ///
    /// # Errors
    /// When it cannot settle.
    pub fn push_finer(&mut self, symbol: Symbol, candle: &Candle) -> Result<(), Fault> {
        let (Symbol(number), Some(step_ms)) = (symbol, self.options.finer_ms) else {
            return Ok(());
        };
        let Some(book) = self.books.get_mut(number) else {
            return Ok(());
        };
        let open_time = candle.open_time;
        let fault = |kind| fault_of(&book.symbol, open_time, kind);
        check(candle).map_err(fault)?;
        let order = self
            .finer_order
            .get_or_insert_with(|| Order::new(step_ms, open_time));
        order.take(book.last_finer, open_time).map_err(fault)?;
        book.last_finer = Some(open_time);
        for live in &mut book.live {
            live.settlement.push(candle, step_ms);
        }
        Ok(())
    }

    /// Judges what was pushed last. Called after the last candle, and before what finer candles are
    /// left are pushed.
    pub fn judge_last(&mut self) {
        if let Some(order) = &self.order {
            self.judge(order.now().saturating_add(self.options.step_ms));
        }
    }

    /// Ends the replay: signals whose time is not over have what they have.
    pub fn finish(&mut self) {
        let finer = self.finer_order.as_ref().zip(self.options.finer_ms);
        if let Some(end) = finer.map(|(order, step_ms)| order.now().saturating_add(step_ms)) {
            self.settle(end);
        }
        let fee = self.options.fee_percent;
        for book in &mut self.books {
            for live in book.live.drain(..) {
                let fate = match live.settlement.outcome(fee) {
                    Some(outcome) if live.settlement.has_ended() => {
                        Fate::Settled(Box::new(outcome))
                    }
                    _ => Fate::Open,
                };
                let (number, replayed) = live.ended(&book.symbol, fate);
                self.finished.insert(number, replayed);
            }
        }
    }

    /// The next signal in the order of time, as soon as it is known what became of it.
    pub fn next_signal(&mut self) -> Option<Replayed> {
        let signal = self.finished.remove(&self.given)?;
        self.given += 1;
        Some(signal)
    }

    /// Judges what began at the same time, at its end, and then settles: a live signal is settled
    /// some seconds after its time, so one that comes at that very time still supersedes it.
    fn judge(&mut self, now: UnixMillis) {
        if !self.stirred.is_empty() {
            self.judge_stirred(now);
        }
        self.settle(now);
    }

    fn judge_stirred(&mut self, now: UnixMillis) {
        // Whatever order the query has them in.
        self.stirred.sort_unstable();
        let (mut tickers, mut watched) = (Tickers::default(), Vec::new());
        let mut episodes = HashMap::new();
        for number in &self.stirred {
            let Some(book) = self.books.get_mut(*number) else {
                continue;
            };
            let Some(ticker) = book.day.ticker() else {
                continue;
            };
            let symbol = ticker.symbol.clone();
            episodes.insert(symbol.clone(), book.episode.clone());
            watched.push(Watched {
                symbol: symbol.clone(),
                tick_size: self.options.ticks.get(&symbol).copied(),
                days: book.days.before(now),
                ..Watched::default()
            });
            tickers.rows.insert(symbol, Ok(ticker));
        }
        self.stirred.clear();
        rates::add(&watched, &mut tickers, |symbol| {
            self.books.get(*self.numbers.get(symbol)?)?.day.ticker()
        });
        for verdict in judge(&self.options.rule, &watched, &tickers, &episodes, now) {
            let number = self.numbers.get(verdict.symbol);
            let Some(book) = number.and_then(|number| self.books.get_mut(*number)) else {
                continue;
            };
            book.episode = verdict.episode;
            let Some(signal) = verdict.signal else {
                continue;
            };
            for live in &mut book.live {
                if live.signal.side != signal.side && live.superseded_at.is_none() {
                    live.superseded_at = Some(now);
                }
            }
            book.live.push(Live {
                number: self.signals,
                settlement: Settlement::new(terms(&signal)),
                signal,
                superseded_at: None,
            });
            self.signals += 1;
        }
    }

    /// Ends the signals whose time is over.
    fn settle(&mut self, now: UnixMillis) {
        let fee = self.options.fee_percent;
        for book in &mut self.books {
            let is_over = |live: &mut Live| live.settlement.expires_at() <= now;
            for live in book.live.extract_if(.., is_over) {
                let fate = match live.settlement.outcome(fee) {
                    Some(outcome) => Fate::Settled(Box::new(outcome)),
                    None => Fate::Void("no candle between entry and expiry"),
                };
                let (number, replayed) = live.ended(&book.symbol, fate);
                self.finished.insert(number, replayed);
            }
        }
    }
}

impl Live {
    fn ended(self, symbol: &Arc<str>, fate: Fate) -> (u64, Replayed) {
        let replayed = Replayed {
            symbol: Arc::clone(symbol),
            signal: self.signal,
            fate,
            superseded_at: self.superseded_at,
        };
        (self.number, replayed)
    }
}

/// A signal as its outcome is judged.
fn terms(signal: &Signal) -> Terms {
    Terms {
        side: signal.side,
        levels: signal.levels.clone(),
        take_profit_percents: signal.distances.take_profit_percents.clone(),
        stop_loss_percent: signal.distances.stop_loss_percent,
        signal_at: signal.ticker.close_time,
        expires_at: signal.expires_at,
    }
}

fn fault_of(symbol: &str, open_time: UnixMillis, kind: FaultKind) -> Fault {
    Fault {
        symbol: symbol.to_owned(),
        open_time,
        kind,
    }
}

/// Whether the numbers of a candle can be those of one.
fn check(candle: &Candle) -> Result<(), FaultKind> {
    let Candle {
        open,
        high,
        low,
        close,
        ..
    } = candle;
    if *low <= Decimal::ZERO || *open <= Decimal::ZERO || *close <= Decimal::ZERO {
        return Err(FaultKind::PriceNotPositive);
    }
    if candle.base_volume < Decimal::ZERO || candle.quote_volume < Decimal::ZERO {
        return Err(FaultKind::NegativeVolume);
    }
    if low > open || low > close || high < open || high < close {
        return Err(FaultKind::Contradiction);
    }
    Ok(())
}
