//! What became of every signal of the recorded candles, symbol by symbol, against a table that an
//! evaluator in another language made for the rule of release 0.2.0.

use crate::{candles, data};
use market::Candle;
use replay::{Replay, RollingDay};
use rust_decimal::Decimal;
use std::thread;
use strategy::outcome::{FirstTouch, Outcome, Settlement, Terms};
use strategy::shipped::rule_of_0_2_0;

/// Percent of the price on each side of a trade.
const FEE: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// Every signal of a symbol's history, and its outcome where its time has passed.
fn outcomes(symbol: &str, history: Vec<Candle>) -> (usize, Vec<Outcome>) {
    let rule = rule_of_0_2_0();
    let mut replay = Replay::new(&rule, symbol);
    let mut day = RollingDay::new(symbol, candles::CANDLE_MS);
    let mut open: Vec<Settlement> = Vec::new();
    let mut signals = 0;
    let mut settled = Vec::new();
    for candle in history {
        let now = candle.open_time + candles::CANDLE_MS;
        for settlement in &mut open {
            settlement.push(&candle, candles::CANDLE_MS);
        }
        open.retain(|settlement| {
            let is_open = settlement.expires_at() > now;
            if !is_open {
                settled.extend(settlement.outcome(FEE));
            }
            is_open
        });
        let Some(ticker) = day.push(candle) else {
            continue;
        };
        let terms = replay.judge(ticker, |verdict| {
            verdict.signal.as_ref().map(|signal| Terms {
                side: signal.side,
                levels: signal.levels.clone(),
                take_profit_percents: signal.distances.take_profit_percents.clone(),
                stop_loss_percent: signal.distances.stop_loss_percent,
                signal_at: signal.ticker.close_time,
                expires_at: signal.expires_at,
            })
        });
        signals += usize::from(terms.is_some());
        open.extend(terms.map(Settlement::new));
    }
    // At the end of the history: those that ended early.
    let ended = open.iter().filter(|settlement| settlement.has_ended());
    settled.extend(ended.filter_map(|settlement| settlement.outcome(FEE)));
    (signals, settled)
}

/// The row of the table that these outcomes make, without the columns on the signals themselves.
fn row(outcomes: &[Outcome]) -> Vec<String> {
    let count = |is_one: &dyn Fn(&Outcome) -> bool| {
        let number = outcomes.iter().filter(|outcome| is_one(outcome)).count();
        number.to_string()
    };
    let mean = |value: &dyn Fn(&Outcome) -> Decimal| {
        let sum: Decimal = outcomes.iter().map(value).sum();
        let mean = (sum / Decimal::from(outcomes.len())).round_dp(4);
        mean.normalize().to_string()
    };
    vec![
        outcomes.len().to_string(),
        count(&|o| o.best_target >= 1),
        count(&|o| o.best_target >= 2),
        count(&|o| o.best_target >= 3),
        count(&|o| o.stop_at.is_some()),
        count(&|o| o.first_touch == FirstTouch::Stop),
        count(&|o| o.first_touch == FirstTouch::None),
        count(&|o| o.ambiguous),
        count(&|o| o.gap),
        mean(&|o| o.returns_percent[0]),
        mean(&|o| o.returns_percent[1]),
        mean(&|o| o.returns_percent[2]),
        mean(&|o| o.ladder_percent),
        mean(&|o| o.hold_percent),
    ]
}

#[test]
fn every_signal_ends_as_another_evaluator_found() {
    let Some(table) = data::read("../honest/expected_momentum_dev5.csv") else {
        return;
    };
    let table = String::from_utf8(table).unwrap();
    let made: Vec<String> = thread::scope(|scope| {
        let threads = candles::SYMBOLS.map(|symbol| {
            scope.spawn(move || {
                let (signals, outcomes) = outcomes(symbol, candles::candles(symbol).unwrap());
                format!("{symbol},{signals},{}", row(&outcomes).join(","))
            })
        });
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let expected: Vec<String> = table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            // Between the number of signals and of settled ones stand sides and reasons.
            [&cells[..2], &cells[6..]].concat().join(",")
        })
        .collect();
    assert_eq!(made, expected);
}
