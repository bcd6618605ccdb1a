//! Forecasts of the recorded candles' signals, as a server would have made and stored them day by
//! day: when it would have begun to show them, and what those that it showed were worth.

use crate::candles;
use market::{Candle, UnixMillis};
use replay::{Replay, RollingDay};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::ops::Range;
use std::thread;
use strategy::distances::range_percent;
use strategy::forecast::{self, Example, FITTED_DAYS, Model, TESTED_DAYS, Test, Tested};
use strategy::outcome::{Outcome, Settlement, Terms};
use strategy::shipped::rule_of_0_2_0;

const DAY_MS: i64 = 86_400_000;
const FEE: Decimal = Decimal::from_parts(1, 0, 0, false, 1);

/// A signal whose time has passed.
#[derive(Clone, Copy)]
struct Settled {
    signal_at: UnixMillis,
    expires_at: UnixMillis,
    example: Example,
}

fn float(number: Decimal) -> f64 {
    number.to_f64().unwrap()
}

/// The signals of one symbol's history whose time has passed.
fn settled(symbol: &str, history: Vec<Candle>) -> Vec<Settled> {
    let rule = rule_of_0_2_0();
    let mut replay = Replay::new(&rule, symbol);
    let mut day = RollingDay::new(symbol, candles::CANDLE_MS);
    let mut open: Vec<(Settlement, UnixMillis, f64)> = Vec::new();
    let mut settled = Vec::new();
    for candle in history {
        let now = candle.open_time + candles::CANDLE_MS;
        for (settlement, ..) in &mut open {
            settlement.push(&candle, candles::CANDLE_MS);
        }
        open.retain(|(settlement, signal_at, x)| {
            let is_open = settlement.expires_at() > now;
            if let Some(outcome) = settlement.outcome(FEE).filter(|_| !is_open) {
                settled.push(settled_as(&outcome, settlement, *signal_at, *x));
            }
            is_open
        });
        day.take(candle).expect("the numbers fit");
        let Some(ticker) = day.ticker() else {
            continue;
        };
        open.extend(replay.judge(ticker, |verdict| {
            let signal = verdict.signal.as_ref()?;
            let range = range_percent(&signal.ticker)?;
            let lifetime_ms = (signal.expires_at - signal.ticker.close_time) as f64;
            let stop = float(signal.distances.stop_loss_percent);
            let x = forecast::feature(float(range), stop, lifetime_ms)?;
            let terms = Terms {
                side: signal.side,
                levels: signal.levels.clone(),
                take_profit_percents: signal.distances.take_profit_percents.clone(),
                stop_loss_percent: signal.distances.stop_loss_percent,
                signal_at: signal.ticker.close_time,
                expires_at: signal.expires_at,
            };
            Some((Settlement::new(terms), signal.ticker.close_time, x))
        }));
    }
    // At the end of the history: those that ended early.
    let ended = open
        .iter()
        .filter(|(settlement, ..)| settlement.has_ended());
    settled.extend(ended.filter_map(|(settlement, signal_at, x)| {
        let outcome = settlement.outcome(FEE)?;
        Some(settled_as(&outcome, settlement, *signal_at, *x))
    }));
    settled
}

fn settled_as(
    outcome: &Outcome,
    settlement: &Settlement,
    signal_at: UnixMillis,
    x: f64,
) -> Settled {
    Settled {
        signal_at,
        expires_at: settlement.expires_at(),
        example: Example {
            day: signal_at.div_euclid(DAY_MS),
            x,
            first_touch: outcome.first_touch,
        },
    }
}

/// Those of the days before `day` that are settled when it begins.
fn known(all: &[Settled], day: i64, days: i64) -> impl Iterator<Item = &Settled> {
    let times: Range<i64> = (day - days) * DAY_MS..day * DAY_MS;
    all.iter().filter(move |it| times.contains(&it.expires_at))
}

/// The forecasts of a day, by the model that is fitted when it begins.
fn forecasts(all: &[Settled], day: i64) -> Vec<(Settled, Tested)> {
    let examples: Vec<Example> = known(all, day, FITTED_DAYS).map(|it| it.example).collect();
    let Some(model) = Model::fit(&examples) else {
        return Vec::new();
    };
    let of_day = all
        .iter()
        .filter(|it| it.signal_at.div_euclid(DAY_MS) == day);
    of_day
        .map(|it| {
            let tested = Tested {
                day,
                forecast: model.forecast(it.example.x),
                base: model.base(),
                first_touch: it.example.first_touch,
            };
            (*it, tested)
        })
        .collect()
}

#[test]
fn forecasts_are_shown_from_day_42_on_and_come_true_as_often_as_they_say() {
    let histories = candles::SYMBOLS.map(candles::candles);
    if histories.iter().any(Option::is_none) {
        return;
    }
    let mut all: Vec<Settled> = thread::scope(|scope| {
        let threads = candles::SYMBOLS
            .iter()
            .zip(histories)
            .map(|(symbol, history)| scope.spawn(move || settled(symbol, history.unwrap())));
        let threads: Vec<_> = threads.collect();
        let settled = threads.into_iter().map(|thread| thread.join().unwrap());
        settled.flatten().collect()
    });
    all.sort_by_key(|it| it.signal_at);
    let day_of = |it: &Settled| it.signal_at.div_euclid(DAY_MS);
    let (first, last) = (day_of(&all[0]), day_of(&all[all.len() - 1]));
    let mut stored: Vec<(Settled, Tested)> = Vec::new();
    let mut shown: Vec<Tested> = Vec::new();
    let mut shown_days = Vec::new();
    for day in first..=last {
        let looked_at: Vec<Tested> = stored
            .iter()
            .filter(|(it, tested)| it.expires_at < day * DAY_MS && tested.day >= day - TESTED_DAYS)
            .map(|(_, tested)| *tested)
            .collect();
        let made = forecasts(&all, day);
        if Test::of(&looked_at).objection().is_none() {
            shown_days.push(day - first);
            shown.extend(made.iter().map(|(_, tested)| *tested));
        }
        stored.extend(made);
    }
    let everything: Vec<Tested> = stored.iter().map(|(_, tested)| *tested).collect();
    let rounded = |number: f64, places: usize| format!("{number:.places$}");
    let all = Test::of(&everything);
    let shown = Test::of(&shown);
    println!("all {all:?}, shown {shown:?}");
    assert_eq!(last - first + 1, 228);
    assert_eq!(shown_days, Vec::from_iter(42..228), "186 days in a row");
    assert_eq!(shown.forecasts, 15_534);
    assert_eq!(rounded(shown.skill_percent, 2), "2.29");
    assert_eq!(rounded(shown.target_error, 3), "0.016");
    assert_eq!(rounded(shown.stop_error, 3), "0.013");
    assert_eq!(rounded(all.skill_percent, 1), "2.5");
    assert_eq!(rounded(all.target_error.max(all.stop_error), 3), "0.011");
}
