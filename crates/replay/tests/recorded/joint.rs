//! All recorded candles together, in the order of time.

use crate::candles;
use market::Candle;
use replay::{Engine, Options, Replayed};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::OnceLock;
use strategy::Rule;
use strategy::shipped::rule_of_0_2_0;

/// A candle, and the place of its symbol among [`candles::SYMBOLS`].
pub type Row = (usize, Candle);

/// The rule as release 0.2.0 shipped it, without a limit to the signals of a run.
pub fn first_rule() -> Rule {
    Rule {
        max_signals_per_run: 1000,
        ..rule_of_0_2_0()
    }
}

/// Every recorded candle, by time; `None` where they are missing. Read once for all tests.
pub fn candles() -> Option<&'static [Row]> {
    static READ: OnceLock<Option<Vec<Row>>> = OnceLock::new();
    READ.get_or_init(read).as_deref()
}

/// The signals of the rule of 0.2.0 over all of them.
pub fn whole() -> Option<&'static [Replayed]> {
    static REPLAYED: OnceLock<Option<Vec<Replayed>>> = OnceLock::new();
    let all = || Some(replayed(first_rule(), candles()?.iter().cloned()));
    REPLAYED.get_or_init(all).as_deref()
}

fn read() -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, symbol) in candles::SYMBOLS.iter().enumerate() {
        rows.extend(
            candles::candles(symbol)?
                .into_iter()
                .map(|candle| (number, candle)),
        );
    }
    rows.sort_by_key(|(number, candle)| (candle.open_time, *number));
    Some(rows)
}

/// The signals of a rule over these candles.
pub fn replayed(rule: Rule, rows: impl IntoIterator<Item = Row>) -> Vec<Replayed> {
    let options = Options {
        rule,
        step_ms: candles::CANDLE_MS,
        finer_ms: None,
        fee_percent: Decimal::new(1, 1),
        ticks: HashMap::new(),
    };
    let mut engine = Engine::new(options).unwrap();
    let mut signals = Vec::new();
    for (number, candle) in rows {
        let symbol = engine.symbol(candles::SYMBOLS[number]);
        engine.push(symbol, candle).unwrap();
        signals.extend(std::iter::from_fn(|| engine.next_signal()));
    }
    engine.judge_last();
    engine.finish();
    signals.extend(std::iter::from_fn(|| engine.next_signal()));
    signals
}
