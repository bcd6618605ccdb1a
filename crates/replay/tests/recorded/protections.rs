//! What a stop guard would have withheld of the recorded candles' signals.

use crate::{candles, joint};
use market::UnixMillis;
use replay::{Fate, Replayed};
use rust_decimal::prelude::ToPrimitive;
use std::collections::HashMap;
use strategy::Side;
use strategy::outcome::{FirstTouch, Outcome};
use strategy::protection::{Ending, Kind, Protection, Scope, withheld_by};

const HOUR: i64 = 3_600_000;

struct Settled {
    side: Side,
    at: UnixMillis,
    outcome: Outcome,
}

/// The signals of one symbol whose time has passed, in the order of time.
fn settled(symbol: &str, all: &[Replayed]) -> Vec<Settled> {
    let those = all.iter().filter(|replayed| *replayed.symbol == *symbol);
    let settled = those.filter_map(|replayed| match &replayed.fate {
        Fate::Settled(outcome) => Some(Settled {
            side: replayed.signal.side,
            at: replayed.signal.ticker.close_time,
            outcome: (**outcome).clone(),
        }),
        Fate::Open | Fate::Void(_) => None,
    });
    let mut settled: Vec<Settled> = settled.collect();
    settled.sort_by_key(|it| it.at);
    settled
}

/// Whether each signal is withheld, by what became of those before it until it came.
fn guarded(symbol: &str, all: &[Settled]) -> Vec<bool> {
    let guard = [Protection {
        name: "stop_guard".to_owned(),
        kind: Kind::StopGuard,
        scope: Scope::SymbolSide,
        lookback_ms: 24 * HOUR,
        max_count: 2,
        duration_ms: 12 * HOUR,
    }];
    let withholds = |it: &Settled| {
        // No signal lives longer than it may be counted.
        let before = all
            .iter()
            .filter(|earlier| earlier.at < it.at && earlier.at > it.at - 48 * HOUR);
        let endings: Vec<Ending> = before
            .map(|earlier| Ending {
                symbol: symbol.to_owned(),
                side: earlier.side,
                ended_at: earlier.outcome.ended_at,
                stop_first: earlier.outcome.first_touch == FirstTouch::Stop,
                // Of no matter to a guard.
                was_withheld: false,
            })
            .collect();
        withheld_by(&guard, &endings, symbol, it.side, it.at).is_some()
    };
    all.iter().map(withholds).collect()
}

#[test]
fn a_stop_guard_cuts_messages_and_not_the_loss_per_signal() {
    let Some(all) = joint::whole() else {
        return;
    };
    let mut signals: Vec<(i64, f64, bool)> = Vec::new();
    for symbol in candles::SYMBOLS {
        let settled = settled(symbol, all);
        let withheld = guarded(symbol, &settled);
        signals.extend(settled.iter().zip(withheld).map(|(signal, withheld)| {
            let first_exit = signal.outcome.returns_percent[0].to_f64().unwrap();
            (signal.at.div_euclid(24 * HOUR), first_exit, withheld)
        }));
    }
    let mean = |are_withheld: bool| {
        let those = || {
            signals
                .iter()
                .filter(|(.., withheld)| *withheld == are_withheld)
        };
        let n = those().count() as f64;
        (those().map(|(_, it, _)| it).sum::<f64>() / n, n)
    };
    let ((kept, n_kept), (gone, n_gone)) = (mean(false), mean(true));
    let difference = gone - kept;
    // Signals of one day move together: what each adds to the difference is summed by day.
    let mut days: HashMap<i64, f64> = HashMap::new();
    for (day, it, withheld) in &signals {
        *days.entry(*day).or_default() += match withheld {
            true => (it - gone) / n_gone,
            false => -(it - kept) / n_kept,
        };
    }
    let d = days.len() as f64;
    let deviation = (d / (d - 1.0) * days.values().map(|sum| sum * sum).sum::<f64>()).sqrt();
    let (low, high) = (difference - 1.96 * deviation, difference + 1.96 * deviation);
    let share = 100.0 * n_gone / (n_gone + n_kept);
    let shown = format!("{share:.1} % withheld, {difference:+.3} [{low:+.3}, {high:+.3}]");
    println!("{shown}");
    assert_eq!(shown, "45.7 % withheld, -0.010 [-0.064, +0.043]");
}
