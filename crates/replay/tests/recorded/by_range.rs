//! What it brings, and costs, to let the stop or the lifetime follow the 24-hour range. To see it:
//! `cargo test --release -p signal_hub_replay --test recorded -- by_range --ignored --nocapture`.

use crate::joint;
use crate::worth::{DAY_MS, interval};
use replay::{Fate, Replayed};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use strategy::distances::range_percent;
use strategy::outcome::FirstTouch;
use strategy::shipped::rule;
use strategy::{LifetimeByRange, Rule};

const HOUR_MS: i64 = 3_600_000;

/// A signal whose outcome is known.
struct Known {
    /// 24-hour range at the entry, in percent.
    range: f64,
    is_touched: bool,
    lifetime_hours: f64,
    day: i64,
    /// To who leaves at the first target.
    returns: f64,
    mirror: f64,
}

fn known(all: &[Replayed]) -> Vec<Known> {
    let known = all.iter().filter_map(|replayed| {
        let Fate::Settled(outcome) = &replayed.fate else {
            return None;
        };
        let signal = &replayed.signal;
        let ticker = &signal.ticker;
        Some(Known {
            range: range_percent(ticker)?.to_f64()?,
            is_touched: outcome.first_touch != FirstTouch::None,
            lifetime_hours: (signal.expires_at - ticker.close_time) as f64 / HOUR_MS as f64,
            day: ticker.close_time.div_euclid(DAY_MS),
            returns: outcome.returns_percent[0].to_f64()?,
            mirror: outcome.mirror_percent[0].to_f64()?,
        })
    });
    known.collect()
}

/// Share that touches the stop or a target, in percent.
fn touched<'a>(those: impl Iterator<Item = &'a Known>) -> f64 {
    let (mut all, mut touched) = (0, 0);
    for one in those {
        all += 1;
        touched += i32::from(one.is_touched);
    }
    100.0 * f64::from(touched) / f64::from(all.max(1))
}

/// A line of the table in docs/replay.md.
fn line(name: &str, rule: Rule, candles: &[joint::Row]) -> String {
    let all = known(&joint::replayed(rule, candles.iter().cloned()));
    let mut ranges: Vec<f64> = all.iter().map(|one| one.range).collect();
    ranges.sort_by(f64::total_cmp);
    let third = ranges[ranges.len() / 3];
    let two_thirds = ranges[ranges.len() * 2 / 3];
    let mut lifetimes: Vec<f64> = all.iter().map(|one| one.lifetime_hours).collect();
    lifetimes.sort_by(f64::total_cmp);
    let by_day = |value: fn(&Known) -> f64| {
        let values: Vec<(i64, f64)> = all.iter().map(|one| (one.day, value(one))).collect();
        interval(&values)
    };
    let (mean, mean_low, mean_high) = by_day(|one| one.returns);
    let (edge, edge_low, edge_high) = by_day(|one| (one.returns - one.mirror) / 2.0);
    format!(
        "| {name} | {} | {:.1} h | {:.1} % | {:.1} % | {:.1} % | {mean:+.3} [{mean_low:+.3}, {mean_high:+.3}] | {edge:+.3} [{edge_low:+.3}, {edge_high:+.3}] |",
        all.len(),
        lifetimes[lifetimes.len() / 2],
        touched(all.iter()),
        touched(all.iter().filter(|one| one.range <= third)),
        touched(all.iter().filter(|one| one.range >= two_thirds)),
    )
}

#[test]
#[ignore = "by hand: replays everything five times"]
fn the_range_evens_out_what_is_touched_and_brings_no_gain() {
    let Some(candles) = joint::candles() else {
        return;
    };
    let shipped = Rule {
        max_signals_per_run: 1000,
        ..rule()
    };
    let by_lifetime = |stops| Rule {
        lifetime_by_range: Some(LifetimeByRange {
            stops: Decimal::from(stops),
            floor_ms: HOUR_MS,
            cap_ms: 24 * HOUR_MS,
        }),
        ..shipped.clone()
    };
    let by_stop = Rule {
        stop_loss_range_share: Some(Decimal::new(15, 2)),
        ..shipped.clone()
    };
    let table = [
        ("as shipped", shipped.clone()),
        ("`stop_loss_range_share` 0.15", by_stop),
        ("`lifetime_per_range` 2", by_lifetime(2)),
        ("`lifetime_per_range` 3", by_lifetime(3)),
        ("`lifetime_per_range` 4", by_lifetime(4)),
    ]
    .map(|(name, rule)| line(name, rule, candles));
    for line in &table {
        println!("{line}");
    }
    let documented = include_str!("../../../../docs/replay.md");
    for line in &table {
        assert!(documented.contains(line), "docs/replay.md lacks {line}");
    }
}
