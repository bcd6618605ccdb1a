//! A replay on its way: candles in, signals out, each as soon as it is known what became of it.

use super::candles::Candles;
use super::progress::Progress;
use super::rows::{self, Row};
use super::rule;
use crate::ledger;
use crate::postgres::scoped_settings::{SAFE_SEARCH_PATH, with_settings};
use crate::postgres::{Failure, Installation};
use crate::settings;
use market::{Candle, UnixMillis};
use replay::{Engine, Fault, Options, Symbol, interval, step_ms};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use strategy::Rule;

/// What a caller asks for.
pub struct Asked {
    /// A query of candles.
    pub candles: String,
    pub strategy: String,
    /// A JSON object whose keys are columns of signal_rules.
    pub overrides: Value,
    /// A query of finer candles that settle.
    pub settle: Option<String>,
    /// Where both queries look for their tables; `None` is where the statement does.
    pub search_path: Option<String>,
}

/// A replay that was begun. Gives its signals in the order of time.
pub struct Run {
    engine: Engine,
    candles: Option<Candles>,
    finer: Option<Finer>,
    /// The name of the interval of the candles that settle.
    resolution: String,
    fee_percent: Decimal,
    progress: Progress,
    signals: u64,
}

/// The finer candles that were read and not yet pushed.
struct Finer {
    candles: Candles,
    read: VecDeque<(Symbol, Candle)>,
    may_have_more: bool,
}

impl Run {
    /// Reads the rule and the first candles.
    ///
    /// # Errors
    /// When there is no such rule, or a query cannot be replayed. `None` when the candles all begin
    /// at the same time, or there are none.
    pub fn begin(asked: Asked) -> Result<Option<Self>, Failure> {
        let rule = rule_of(&asked.strategy, asked.overrides)?;
        let path = asked.search_path.as_deref();
        let mut candles = Candles::open(&asked.candles, "candles", path)?;
        let (first, candle_ms) = beginning(&mut candles)?;
        let Some(step_ms) = candle_ms else {
            return Ok(None);
        };
        let settle = asked.settle.as_deref();
        let finer = settle.map(|query| Candles::open(query, "settle", path));
        let mut finer = finer.transpose()?;
        let (first_finer, finer_ms) = match &mut finer {
            Some(finer) => beginning(finer)?,
            None => Default::default(),
        };
        if finer.is_some() && finer_ms.is_none() {
            return Err(Failure::new(
                "22023",
                "settle: the query has no two candles that begin one after the other",
            ));
        }
        let mut engine = Engine::new(Options {
            rule,
            step_ms,
            finer_ms,
            fee_percent: settings::fee_percent(),
            ticks: ticks()?,
        })
        .map_err(|fault| refused("candles", &fault))?;
        let read = first_finer
            .into_iter()
            .map(|(symbol, candle)| (engine.symbol(&symbol), candle))
            .collect();
        let mut run = Self {
            engine,
            resolution: interval(finer_ms.unwrap_or(step_ms)),
            candles: Some(candles),
            finer: finer.map(|candles| Finer {
                candles,
                read,
                may_have_more: true,
            }),
            fee_percent: settings::fee_percent(),
            progress: Progress::new(),
            signals: 0,
        };
        for (symbol, candle) in first {
            take(&mut run.engine, &mut run.finer, &symbol, candle)?;
        }
        Ok(Some(run))
    }

    /// The next signal.
    ///
    /// # Errors
    /// What a query raises, and when a candle cannot be replayed.
    pub fn next_row(&mut self) -> Result<Option<Row>, Failure> {
        loop {
            if let Some(replayed) = self.engine.next_signal() {
                self.signals += 1;
                return rows::row(replayed, &self.resolution, self.fee_percent).map(Some);
            }
            let Some(mut candles) = self.candles.take() else {
                return Ok(None);
            };
            if self.read_on(&mut candles)? {
                self.candles = Some(candles);
                continue;
            }
            candles.close()?;
            self.engine.judge_last();
            if let Some(finer) = self.finer.take() {
                finer.push_rest(&mut self.engine)?;
            }
            self.engine.finish();
            self.progress.ended();
        }
    }

    /// Takes the next batch of candles. Returns whether there may be more.
    fn read_on(&mut self, candles: &mut Candles) -> Result<bool, Failure> {
        let (mut count, mut last) = (0, 0);
        let (engine, finer) = (&mut self.engine, &mut self.finer);
        let may_have_more = candles.fetch(|symbol, candle| {
            (count, last) = (count + 1, candle.open_time);
            take(engine, finer, symbol, candle)
        })?;
        self.progress.went_on(count, last, self.signals);
        Ok(may_have_more)
    }
}

/// The rule of a replay, read as whoever calls.
pub(super) fn rule_of(strategy: &str, overrides: Value) -> Result<Rule, Failure> {
    with_settings(&[SAFE_SEARCH_PATH], || {
        let db = Installation::current()?.db();
        rule::overridden(&db, strategy, overrides)
    })
}

/// The ticks that live signals are rounded by now, so that a replay of the same candles gives the
/// same levels. Read as whoever calls.
pub(super) fn ticks() -> Result<HashMap<String, Decimal>, Failure> {
    let Ok(exchanges) = settings::exchanges() else {
        return Ok(HashMap::new());
    };
    with_settings(&[SAFE_SEARCH_PATH], || {
        let db = Installation::current()?.db();
        ledger::instruments::ticks(&db, &exchanges)
    })
}

/// Pushes a candle, and before it the finer candles that end before the next tickers are judged.
fn take(
    engine: &mut Engine,
    finer: &mut Option<Finer>,
    symbol: &str,
    candle: Candle,
) -> Result<(), Failure> {
    if let Some(finer) = finer
        && let Some(now) = engine.judges_at(candle.open_time)
    {
        finer.push_until(now, engine)?;
    }
    let symbol = engine.symbol(symbol);
    let pushed = engine.push(symbol, candle);
    pushed.map_err(|fault| refused("candles", &fault))
}

impl Finer {
    /// Pushes those that begin before `time`.
    fn push_until(&mut self, time: UnixMillis, engine: &mut Engine) -> Result<(), Failure> {
        while self.has_one(engine)? {
            let next = self.read.pop_front_if(|(_, c)| c.open_time < time);
            let Some((symbol, candle)) = next else {
                return Ok(());
            };
            push_finer(engine, symbol, &candle)?;
        }
        Ok(())
    }

    fn push_rest(mut self, engine: &mut Engine) -> Result<(), Failure> {
        self.push_until(UnixMillis::MAX, engine)?;
        self.candles.close()
    }

    /// Whether there is one, read by now.
    fn has_one(&mut self, engine: &mut Engine) -> Result<bool, Failure> {
        while self.read.is_empty() && self.may_have_more {
            let read = &mut self.read;
            self.may_have_more = self.candles.fetch(|symbol, candle| {
                read.push_back((engine.symbol(symbol), candle));
                Ok(())
            })?;
        }
        Ok(!self.read.is_empty())
    }
}

fn push_finer(engine: &mut Engine, symbol: Symbol, candle: &Candle) -> Result<(), Failure> {
    let pushed = engine.push_finer(symbol, candle);
    pushed.map_err(|fault| refused("settle", &fault))
}

/// The first candles, and how long candles are. Reads until two begin at different times.
#[allow(clippy::type_complexity)]
pub(super) fn beginning(
    candles: &mut Candles,
) -> Result<(Vec<(String, Candle)>, Option<i64>), Failure> {
    let mut read: Vec<(String, Candle)> = Vec::new();
    loop {
        let may_have_more = candles.fetch(|symbol, candle| {
            read.push((symbol.to_owned(), candle));
            Ok(())
        })?;
        let times = || read.iter().map(|(_, candle)| candle.open_time);
        if let Some(place) = times().zip(times().skip(1)).position(|(a, b)| b < a) {
            let (symbol, candle) = &read[place + 1];
            let fault = Fault {
                symbol: symbol.clone(),
                open_time: candle.open_time,
                kind: replay::FaultKind::Unordered {
                    after: read[place].1.open_time,
                },
            };
            return Err(refused(candles.argument(), &fault));
        }
        let step_ms = step_ms(times());
        if step_ms.is_some() || !may_have_more {
            return Ok((read, step_ms));
        }
    }
}

/// A fault of candles as an error.
pub(super) fn refused(argument: &str, fault: &Fault) -> Failure {
    let sqlstate = match fault.is_about_numbers() {
        true => "22003",
        false => "22023",
    };
    let failure = Failure::new(sqlstate, format!("{argument}: {fault}"));
    match fault.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
