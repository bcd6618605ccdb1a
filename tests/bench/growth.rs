//! The cost of a row when the table has many already.

use crate::Arguments;
use signal_hub_harness::arena::{Arena, Order};
use signal_hub_harness::numbers::{line, median, ms, table};

const ALREADY: usize = 10;

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(arguments.subscribers);
    arena.turn(1);
    table(
        &format!(
            "Growing table, {} subscribers, 1 signal",
            arguments.subscribers
        ),
        &[
            "rows in user_signals before",
            "plain, ms",
            "in key order, ms",
            "fan-out, ms",
            "microseconds/row",
            "table, MB",
            "index, MB",
        ],
    );
    let (mut plain, mut ordered, mut fan_out) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        arena.clear();
        plain.push(ms(arena.plain(Order::AsWritten, 1, -1_000).0));
        arena.clear();
        ordered.push(ms(arena.plain(Order::OfTheKey, 1, -1_000).0));
        arena.clear();
        fan_out.push(ms(arena.turn(1).delivery));
    }
    report(
        &mut arena,
        arguments,
        "0",
        Some((&plain, &ordered)),
        &fan_out,
    );

    let mut second = Vec::new();
    for _ in 0..arguments.rounds {
        arena.clear();
        arena.turn(1);
        second.push(ms(arena.turn(1).delivery));
    }
    let one_each = arguments.subscribers.to_string();
    report(&mut arena, arguments, &one_each, None, &second);

    arena.clear();
    for _ in 0..ALREADY {
        arena.turn(1);
    }
    arena.session.run("VACUUM ANALYZE user_signals");
    arena.settle();
    let already = u64::from(arguments.subscribers) * ALREADY as u64;
    // After a checkpoint, the first change of each page writes the whole page to the WAL.
    let first = [ms(arena.turn(1).delivery)];
    let after_checkpoint = format!("{already}, right after a checkpoint");
    report(&mut arena, arguments, &after_checkpoint, None, &first);
    let mut fan_out = Vec::new();
    for _ in 0..arguments.rounds {
        fan_out.push(ms(arena.turn(1).delivery));
    }
    let (mut plain, mut ordered) = (Vec::new(), Vec::new());
    for round in 0..2 {
        ordered.push(ms(arena.plain(Order::OfTheKey, 1, -10 - round).0));
        plain.push(ms(arena.plain(Order::AsWritten, 1, -20 - round).0));
    }
    report(
        &mut arena,
        arguments,
        &format!("{already} and more"),
        Some((&plain, &ordered)),
        &fan_out,
    );
}

fn report(
    arena: &mut Arena,
    arguments: &Arguments,
    before: &str,
    plain: Option<(&[f64], &[f64])>,
    fan_out: &[f64],
) {
    let size = |arena: &mut Arena, what: &str| -> String {
        let bytes: i64 = arena
            .session
            .one(&format!("SELECT pg_relation_size('{what}')"));
        (bytes / 1_000_000).to_string()
    };
    let shown =
        |figures: Option<&[f64]>| figures.map_or(String::new(), |f| format!("{:.0}", median(f)));
    line(&[
        before.to_owned(),
        shown(plain.map(|(plain, _)| plain)),
        shown(plain.map(|(_, ordered)| ordered)),
        shown(Some(fan_out)),
        format!(
            "{:.2}",
            median(fan_out) * 1000.0 / f64::from(arguments.subscribers)
        ),
        size(arena, "user_signals"),
        size(arena, "user_signals_pkey"),
    ]);
}
