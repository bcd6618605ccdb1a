//! Rows per second, compared with the plain statement.

use crate::Arguments;
use signal_hub_harness::arena::{Arena, Order, own_memory_kb};
use signal_hub_harness::numbers::{line, median, ms, table};

/// The batch size that is best for the rate alone.
const LARGE_BATCH: &str = "20000";

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(arguments.subscribers);
    let default: String = arena
        .session
        .one("SELECT current_setting('signal_hub.delivery_batch')");
    // The first signal, so that the plain statement has something to copy.
    arena.turn(1);
    table(
        &format!("Rate, {} rounds", arguments.rounds),
        &[
            "",
            "processes",
            "batch",
            "plain, ms",
            "in key order, ms",
            "fan-out, ms",
            "rows/s",
            "plain / fan-out",
            "in key order / fan-out",
            "WAL of plain, bytes/row",
            "WAL of fan-out",
            "worker's memory, kB",
        ],
    );
    let one = format!("{} subscribers, 1 signal", arguments.subscribers);
    for (processes, batch) in [
        ("1", default.as_str()),
        ("1", LARGE_BATCH),
        ("2", default.as_str()),
        ("2", LARGE_BATCH),
    ] {
        set(&mut arena, processes, batch);
        contest(&mut arena, arguments, &one, 1, processes, batch, &|_| {});
    }
    let tenth = arguments.subscribers / 10;
    arena.subscribe(tenth);
    let ten = format!("{tenth} subscribers, 10 signals");
    for (processes, batch) in [
        ("1", default.as_str()),
        ("1", LARGE_BATCH),
        ("2", default.as_str()),
    ] {
        set(&mut arena, processes, batch);
        contest(&mut arena, arguments, &ten, 10, processes, batch, &|_| {});
    }
    set(&mut arena, "1", &default);
    arena.subscribe(arguments.subscribers);
    let quotas = format!(
        "{} subscribers, 1 signal, each has 2 of 3 a day",
        arguments.subscribers
    );
    contest(&mut arena, arguments, &quotas, 1, "1", &default, &|arena| {
        arena
            .session
            .run("UPDATE signal_tiers SET daily_quota = NULL");
        arena.turn(1);
        arena.turn(1);
        arena.session.run("UPDATE signal_tiers SET daily_quota = 3");
        arena.settle();
    });
}

fn set(arena: &mut Arena, processes: &str, batch: &str) {
    arena.configure("signal_hub.delivery_workers", processes);
    arena.configure("signal_hub.delivery_batch", batch);
}

/// Rounds of both, each on tables that `prepare` has prepared.
fn contest(
    arena: &mut Arena,
    arguments: &Arguments,
    what: &str,
    signals: usize,
    processes: &str,
    batch: &str,
    prepare: &dyn Fn(&mut Arena),
) {
    let worker = arena.worker();
    let (mut plain, mut ordered, mut fan_out) = (Vec::new(), Vec::new(), Vec::new());
    let (mut plain_wal, mut fan_out_wal) = (Vec::new(), Vec::new());
    let mut rows = 0;
    let memory = own_memory_kb(worker);
    let mut most_memory = memory;
    for _ in 0..arguments.rounds {
        arena.clear();
        prepare(arena);
        let (time, wal) = arena.plain(Order::AsWritten, signals, -1_000);
        plain.push(ms(time));
        plain_wal.push(wal);
        arena.clear();
        prepare(arena);
        ordered.push(ms(arena.plain(Order::OfTheKey, signals, -1_000).0));
        arena.clear();
        prepare(arena);
        let turn = arena.turn(signals);
        fan_out.push(ms(turn.delivery));
        fan_out_wal.push(turn.wal_bytes);
        rows = turn.rows;
        most_memory = most_memory.max(own_memory_kb(worker));
    }
    let (plain, ordered, fan_out) = (median(&plain), median(&ordered), median(&fan_out));
    let rows = rows as f64;
    line(&[
        what.to_owned(),
        processes.to_owned(),
        batch.to_owned(),
        format!("{plain:.0}"),
        format!("{ordered:.0}"),
        format!("{fan_out:.0}"),
        format!("{:.0}", rows / fan_out * 1000.0),
        format!("{:.2}", plain / fan_out),
        format!("{:.2}", ordered / fan_out),
        format!("{:.0}", median(&plain_wal) / rows),
        format!("{:.0}", median(&fan_out_wal) / rows),
        format!("{memory} -> {most_memory}"),
    ]);
}
