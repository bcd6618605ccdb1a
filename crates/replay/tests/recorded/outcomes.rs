//! What became of every signal of the recorded candles, symbol by symbol, against a table that an
//! evaluator in another language made for the rule of release 0.2.0.

use crate::{candles, data, joint};
use replay::{Fate, Replayed};
use rust_decimal::Decimal;
use strategy::outcome::{FirstTouch, Outcome};

/// The row of the table that these outcomes make, without the columns on the signals themselves.
fn row(outcomes: &[&Outcome]) -> Vec<String> {
    let count = |is_one: &dyn Fn(&Outcome) -> bool| {
        let number = outcomes.iter().filter(|outcome| is_one(outcome)).count();
        number.to_string()
    };
    let mean = |value: &dyn Fn(&Outcome) -> Decimal| {
        let sum: Decimal = outcomes.iter().map(|outcome| value(outcome)).sum();
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

/// The outcomes of those signals whose time has passed.
fn outcomes<'a>(signals: &[&'a Replayed]) -> Vec<&'a Outcome> {
    let settled = signals.iter().filter_map(|replayed| match &replayed.fate {
        Fate::Settled(outcome) => Some(&**outcome),
        Fate::Open | Fate::Void(_) => None,
    });
    settled.collect()
}

#[test]
fn every_signal_ends_as_another_evaluator_found() {
    let table = data::read("../honest/expected_momentum_dev5.csv");
    let (Some(table), Some(all)) = (table, joint::whole()) else {
        return;
    };
    let table = String::from_utf8(table).unwrap();
    let made: Vec<String> = candles::SYMBOLS
        .iter()
        .map(|symbol| {
            let signals: Vec<&Replayed> = all.iter().filter(|s| *s.symbol == **symbol).collect();
            let row = row(&outcomes(&signals)).join(",");
            format!("{symbol},{},{row}", signals.len())
        })
        .collect();
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
