//! The signals of a replay, moved to other days.

use super::candles::Candles;
use super::progress::Progress;
use super::run::{Asked, beginning, refused, rule_of, ticks};
use crate::postgres::Failure;
use crate::settings;
use market::Candle;
use replay::{Engine, Fate, Null, Options, Shifts};

/// What all whole-day shifts of the signals returned, left at target `exit`, counted from 1. The
/// candles settle themselves here; `None` where nothing can be told.
///
/// # Errors
/// When there is no such rule, what the query raises, and when a candle cannot be replayed.
pub fn null(asked: Asked, exit: usize) -> Result<Option<Null>, Failure> {
    let rule = rule_of(&asked.strategy, asked.overrides)?;
    let mut candles = Candles::open(&asked.candles, "candles", asked.search_path.as_deref())?;
    let (first, step_ms) = beginning(&mut candles)?;
    let Some(step_ms) = step_ms else {
        return Ok(None);
    };
    let mut shifts = Shifts::new(
        rule.clone(),
        step_ms,
        settings::fee_percent(),
        exit.saturating_sub(1),
    );
    let mut engine = Engine::new(Options {
        rule,
        step_ms,
        finer_ms: None,
        fee_percent: settings::fee_percent(),
        ticks: ticks()?,
    })
    .map_err(|fault| refused("candles", &fault))?;
    let mut signals = Vec::new();
    let mut take = |engine: &mut Engine, name: &str, candle: Candle| {
        let symbol = engine.symbol(name);
        let pushed = engine.push(symbol, candle.clone());
        pushed.map_err(|fault| refused("candles", &fault))?;
        shifts.push(symbol, &candle);
        Ok(())
    };
    let mut drain = |engine: &mut Engine| {
        while let Some(replayed) = engine.next_signal() {
            if let Fate::Settled(_) = replayed.fate {
                let signal = &replayed.signal;
                let symbol = engine.symbol(&replayed.symbol);
                signals.push((symbol, signal.ticker.close_time, signal.side));
            }
        }
        signals.len() as u64
    };
    for (symbol, candle) in first {
        take(&mut engine, &symbol, candle)?;
    }
    let mut progress = Progress::new();
    loop {
        let (mut count, mut last) = (0, 0);
        let may_have_more = candles.fetch(|symbol, candle| {
            (count, last) = (count + 1, candle.open_time);
            take(&mut engine, symbol, candle)
        })?;
        progress.went_on(count, last, drain(&mut engine));
        if !may_have_more {
            break;
        }
    }
    candles.close()?;
    engine.judge_last();
    engine.finish();
    drain(&mut engine);
    Ok(shifts.null(&signals))
}
