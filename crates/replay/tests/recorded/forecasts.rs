//! Forecasts of the recorded candles' signals, as a server would have made and stored them day by
//! day: when it would have begun to show them, and what those that it showed were worth.

use crate::joint;
use market::UnixMillis;
use replay::{Fate, Replayed};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::ops::Range;
use strategy::distances::range_percent;
use strategy::forecast::{self, Example, FITTED_DAYS, Model, TESTED_DAYS, Test, Tested};

const DAY_MS: i64 = 86_400_000;

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

/// The signals whose time has passed, in the order of time; `None` where the candles are missing.
fn settled() -> Option<Vec<Settled>> {
    let mut all: Vec<Settled> = joint::whole()?.iter().filter_map(settled_one).collect();
    all.sort_by_key(|it| it.signal_at);
    Some(all)
}

fn settled_one(replayed: &Replayed) -> Option<Settled> {
    let Fate::Settled(outcome) = &replayed.fate else {
        return None;
    };
    let signal = &replayed.signal;
    let signal_at = signal.ticker.close_time;
    let x = forecast::feature(
        float(range_percent(&signal.ticker)?),
        float(signal.distances.stop_loss_percent),
        (signal.expires_at - signal_at) as f64,
    )?;
    Some(Settled {
        signal_at,
        expires_at: signal.expires_at,
        example: Example {
            day: signal_at.div_euclid(DAY_MS),
            x,
            first_touch: outcome.first_touch,
        },
    })
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
    let Some(all) = settled() else {
        return;
    };
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
