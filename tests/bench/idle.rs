//! A worker that has no signal to deliver.

use crate::Arguments;
use signal_hub_harness::arena::{Arena, processor_seconds};
use signal_hub_harness::numbers::{line, table};
use std::thread;
use std::time::{Duration, Instant};

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(1_000);
    table(
        "Idle",
        &[
            "interval",
            "watched, s",
            "worker, % of a core",
            "launcher",
            "together",
            "rows written to signal_runs",
            "to other tables",
            "WAL, bytes/run",
        ],
    );
    for (interval, seconds) in [
        ("30s", arguments.seconds),
        ("1s", arguments.seconds.min(60)),
    ] {
        arena.configure("signal_hub.interval", interval);
        let worker = arena.worker();
        let launcher: i32 = arena
            .session
            .one("SELECT pid FROM pg_stat_activity WHERE backend_type = 'signal_hub launcher'");
        // By then the server has done what it does after its start.
        arena.settle();
        thread::sleep(Duration::from_secs(5));
        let written = |arena: &mut Arena, which: &str| -> i64 {
            arena.session.one(&format!(
                "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables WHERE relname {which} 'signal_runs'"
            ))
        };
        let before = (
            processor_seconds(worker),
            processor_seconds(launcher),
            written(&mut arena, "="),
            written(&mut arena, "<>"),
            arena.wal(),
        );
        let began = Instant::now();
        // A fixed time, because use per time is what is measured.
        thread::sleep(Duration::from_secs(seconds));
        let watched = began.elapsed().as_secs_f64();
        let worker = (processor_seconds(worker) - before.0) / watched * 100.0;
        let launcher = (processor_seconds(launcher) - before.1) / watched * 100.0;
        let runs = written(&mut arena, "=") - before.2;
        line(&[
            interval.to_owned(),
            format!("{watched:.0}"),
            format!("{worker:.4}"),
            format!("{launcher:.4}"),
            format!("{:.4}", worker + launcher),
            runs.to_string(),
            (written(&mut arena, "<>") - before.3).to_string(),
            format!("{:.0}", (arena.wal() - before.4) / runs as f64),
        ]);
    }
}
