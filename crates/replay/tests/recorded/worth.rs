//! What the signals of the shipped rule are worth on the recorded candles. To see it:
//! `cargo test --release -p signal_hub_replay --test recorded -- worth --nocapture`.

use crate::joint;
use replay::Fate;
use rust_decimal::prelude::ToPrimitive;
use std::collections::HashMap;
use strategy::Rule;
use strategy::shipped::rule;

pub const DAY_MS: i64 = 86_400_000;

/// A mean and its interval of 95 %, signals of one day taken together.
pub fn interval(values: &[(i64, f64)]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|(_, value)| value).sum::<f64>() / n;
    let mut days: HashMap<i64, f64> = HashMap::new();
    for (day, value) in values {
        *days.entry(*day).or_default() += value - mean;
    }
    let d = days.len() as f64;
    let variance = d / (d - 1.0) * days.values().map(|sum| sum * sum).sum::<f64>() / (n * n);
    let half = 1.96 * variance.sqrt();
    (mean, mean - half, mean + half)
}

#[test]
fn the_shipped_rule_has_no_edge_over_a_coin_flip_at_the_same_moments() {
    let Some(candles) = joint::candles() else {
        return;
    };
    let rule = Rule {
        max_signals_per_run: 1000,
        ..rule()
    };
    let all = joint::replayed(rule, candles.iter().cloned());
    let mut returns = Vec::new();
    let mut edges = Vec::new();
    for replayed in &all {
        let Fate::Settled(outcome) = &replayed.fate else {
            continue;
        };
        let day = replayed.signal.ticker.close_time.div_euclid(DAY_MS);
        let [own, mirror] = [&outcome.returns_percent, &outcome.mirror_percent]
            .map(|returns| returns[0].to_f64().unwrap());
        returns.push((day, own));
        edges.push((day, (own - mirror) / 2.0));
    }
    let (mean, low, high) = interval(&returns);
    println!(
        "{} signals return {mean:+.3} % [{low:+.3}, {high:+.3}] each after fees, to who leaves at the first target",
        all.len()
    );
    let (edge, low, high) = interval(&edges);
    println!("edge over a coin flip at the same moments: {edge:+.3} % [{low:+.3}, {high:+.3}]");
    assert_eq!(all.len(), 6_362);
    assert!(low < 0.0 && 0.0 < high, "no edge is shown");
}
