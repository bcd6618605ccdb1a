//! What a cycle with little to deliver costs, compared with the plain statement.

use crate::Arguments;
use signal_hub_harness::arena::{Arena, Order};
use signal_hub_harness::numbers::{line, median, ms, table};

/// Rounds are short, and differ as much as the times of a disk.
const ROUNDS: usize = 21;

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(10);
    // The first signal, so that the plain statement has something to copy.
    arena.turn(1);
    table(
        "Fixed cost of a cycle",
        &[
            "subscribers",
            "plain, ms",
            "in key order, ms",
            "reply to last row delivered, ms",
            "above plain, ms",
            "above key order, ms",
        ],
    );
    for subscribers in [10, 1_000, 100_000] {
        arena.subscribe(subscribers);
        let (mut plain, mut ordered, mut cycle) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.rounds.max(ROUNDS) {
            arena.clear();
            plain.push(ms(arena.plain(Order::AsWritten, 1, -1).0));
            arena.clear();
            ordered.push(ms(arena.plain(Order::OfTheKey, 1, -1).0));
            arena.clear();
            cycle.push(ms(arena.turn(1).after_fetch));
        }
        let (plain, ordered, cycle) = (median(&plain), median(&ordered), median(&cycle));
        line(&[
            subscribers.to_string(),
            format!("{plain:.1}"),
            format!("{ordered:.1}"),
            format!("{cycle:.1}"),
            format!("{:.1}", cycle - plain),
            format!("{:.1}", cycle - ordered),
        ]);
    }
}
