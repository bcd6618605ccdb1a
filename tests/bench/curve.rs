//! How the batch size changes the rate, the first and the last commit, and the time that somebody
//! else's commit takes meanwhile to reach a client of logical replication.

use crate::Arguments;
use crate::follower::Follower;
use signal_hub_harness::arena::{Arena, Order};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::numbers::{line, median, ms, percentile, table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

const BATCHES: [&str; 7] = ["100", "250", "500", "1000", "2000", "5000", "100000"];

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(arguments.subscribers);
    arena.turn(1);
    let mut plain = Vec::new();
    for _ in 0..arguments.rounds {
        arena.clear();
        plain.push(ms(arena.plain(Order::AsWritten, 1, -1_000).0));
    }
    let plain = median(&plain);
    table(
        &format!(
            "Batch size, {} subscribers, 1 signal, 1 process; the plain statement took {plain:.0} ms",
            arguments.subscribers
        ),
        &[
            "batch",
            "rows/s",
            "plain / fan-out",
            "reply to first commit, ms",
            "to last, ms",
            "with a follower: rows/s",
            "last row at the client, ms",
            "others' commits to the client, p50 ms",
            "p99 ms",
            "spilled",
        ],
    );
    for batch in BATCHES {
        arena.configure("signal_hub.delivery_batch", batch);
        let (mut alone, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            arena.clear();
            let (turn, commit) = with_first_commit(&mut arena);
            alone.push(ms(turn.delivery));
            first.push(commit);
            last.push(ms(turn.after_fetch));
        }
        let followed = followed(&mut arena, arguments, |arena| {
            let turn = arena.turn(1);
            (turn.created, turn.delivery)
        });
        let rows = f64::from(arguments.subscribers) * 1000.0;
        let alone = median(&alone);
        let mut cells = vec![
            batch.to_owned(),
            format!("{:.0}", rows / alone),
            format!("{:.2}", plain / alone),
            format!("{:.0}", median(&first)),
            format!("{:.0}", median(&last)),
        ];
        cells.extend(followed);
        line(&cells);
    }
    let mut cells = vec![
        "plain".to_owned(),
        format!("{:.0}", f64::from(arguments.subscribers) * 1000.0 / plain),
        "1.00".to_owned(),
        String::new(),
        String::new(),
    ];
    cells.extend(followed(&mut arena, arguments, |arena| {
        let began = SystemTime::now();
        (began, arena.plain(Order::AsWritten, 1, -1_000).0)
    }));
    line(&cells);
}

/// Cells of the table: what a follower sees of `work`, which returns when it began and what it
/// took.
fn followed(
    arena: &mut Arena,
    arguments: &Arguments,
    work: impl Fn(&mut Arena) -> (SystemTime, Duration),
) -> [String; 5] {
    let follower = Follower::start(arena);
    let (mut took, mut last, mut delays) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.min(3) {
        arena.clear();
        let watched = follower.watch(arena, arguments.subscribers, &work);
        let (began, time) = watched.done;
        took.push(ms(time));
        last.push(ms(watched.last.duration_since(began).expect("one clock")));
        delays.extend(watched.delays);
    }
    let spilled = follower.spilled(arena);
    follower.stop(arena);
    [
        format!(
            "{:.0}",
            f64::from(arguments.subscribers) * 1000.0 / median(&took)
        ),
        format!("{:.0}", median(&last)),
        format!("{:.1}", percentile(&delays, 50.0)),
        format!("{:.1}", percentile(&delays, 99.0)),
        spilled.to_string(),
    ]
}

/// Makes a turn; also returns the milliseconds from the exchange's reply until a session saw the
/// first batch.
fn with_first_commit(arena: &mut Arena) -> (signal_hub_harness::arena::Turn, f64) {
    let signal: i64 = arena.session.one("SELECT max(signal_id) FROM signals");
    let stop = Arc::new(AtomicBool::new(false));
    let looking = {
        let stop = Arc::clone(&stop);
        let mut session = arena.cluster.session(POSTGRES);
        thread::spawn(move || {
            loop {
                let seen = session.list::<f64>(&format!(
                    "SELECT extract(epoch FROM clock_timestamp() - s.created_at)::float8 * 1000 FROM signals s
                      WHERE s.signal_id > {signal}
                        AND (s.deliveries > 0 OR EXISTS (SELECT FROM signal_delivery_ranges r WHERE r.signal_id = s.signal_id AND r.deliveries > 0))"
                ));
                if let Some(seen) = seen.first() {
                    return *seen;
                }
                assert!(!stop.load(Ordering::Relaxed), "the first batch was seen");
                thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let turn = arena.turn(1);
    let first = looking.join().expect("the first batch was seen");
    stop.store(true, Ordering::Relaxed);
    (turn, first)
}
