//! The cost of a row when there are many already.

use crate::Arguments;
use crate::arena::{Arena, Order};
use crate::numbers::{line, median, ms, table};

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
    report(&mut arena, arguments, "0", &plain, &ordered, &fan_out);

    arena.clear();
    for _ in 0..ALREADY {
        arena.turn(1);
    }
    arena.session.run("VACUUM ANALYZE user_signals");
    let (mut plain, mut ordered, mut fan_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = -1_000_000;
    for _ in 0..arguments.rounds {
        arena.settle();
        fan_out.push(ms(arena.turn(1).delivery));
        arena.settle();
        ordered.push(ms(arena.plain(Order::OfTheKey, 1, number).0));
        arena.settle();
        plain.push(ms(arena.plain(Order::AsWritten, 1, number + 1).0));
        number += 2;
    }
    let before = format!(
        "{} and more",
        u64::from(arguments.subscribers) * ALREADY as u64
    );
    report(&mut arena, arguments, &before, &plain, &ordered, &fan_out);
}

fn report(
    arena: &mut Arena,
    arguments: &Arguments,
    before: &str,
    plain: &[f64],
    ordered: &[f64],
    fan_out: &[f64],
) {
    let size = |arena: &mut Arena, what: &str| -> String {
        let bytes: i64 = arena
            .session
            .one(&format!("SELECT pg_relation_size('{what}')"));
        (bytes / 1_000_000).to_string()
    };
    line(&[
        before.to_owned(),
        format!("{:.0}", median(plain)),
        format!("{:.0}", median(ordered)),
        format!("{:.0}", median(fan_out)),
        format!(
            "{:.2}",
            median(fan_out) * 1000.0 / f64::from(arguments.subscribers)
        ),
        size(arena, "user_signals"),
        size(arena, "user_signals_pkey"),
    ]);
}
