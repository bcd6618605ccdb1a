//! Removing what has expired while signals are delivered.

use crate::Arguments;
use signal_hub_harness::arena::Arena;
use signal_hub_harness::numbers::{line, ms, table};
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant};

/// Signals that expire at the same time: as many as a busy day has.
const EXPIRED: usize = 30;
/// Time between two signals meanwhile; on such a day it would be 48 minutes.
const PAUSE: Duration = Duration::from_secs(15);
/// Signals after the purge, which use the space of the expired ones.
const AFTERWARDS: usize = 5;
/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub fn measure(arguments: &Arguments) {
    let subscribers = arguments.subscribers;
    let mut arena = Arena::new(subscribers);
    // Checkpoints may come at any time, and the WAL stays small beside the table.
    arena.configure("max_wal_size", "4GB");
    arena.configure("autovacuum_naptime", "10s");
    for _ in 0..EXPIRED {
        arena.turn(1);
    }
    arena.session.run("VACUUM ANALYZE user_signals");
    let alone = ms(arena.turn(1).delivery);
    arena.session.run(&format!(
        "UPDATE signals SET created_at = created_at - interval '91 days' WHERE signal_id <= (SELECT min(signal_id) + {} FROM signals)",
        EXPIRED - 1
    ));
    table(
        &format!("Purge, {subscribers} subscribers, {EXPIRED} signals expired"),
        &[
            "",
            "rows",
            "dead",
            "inserted",
            "deleted",
            "vacuums",
            "table, MB",
        ],
    );
    table_line(&mut arena, "before");
    // A new worker purges soon after it starts.
    arena
        .session
        .run("SELECT pg_terminate_backend(worker_pid) FROM signal_health");
    let began = Instant::now();
    let mut meanwhile = Vec::new();
    let mut due = began;
    eventually(PATIENCE, "the expired signals are gone", || {
        if due <= Instant::now() {
            due += PAUSE;
            meanwhile.push(ms(arena.turn(1).delivery));
        }
        arena.session.one::<i64>(
            "SELECT count(*) FROM signals WHERE created_at < now() - interval '90 days'",
        ) == 0
    });
    let took = began.elapsed();
    table_line(&mut arena, "after");
    eventually(PATIENCE, "autovacuum has run", || {
        arena.session.one::<bool>("SELECT n_dead_tup < n_live_tup / 10 FROM pg_stat_user_tables WHERE relname = 'user_signals'")
    });
    table_line(&mut arena, "after autovacuum");
    for _ in 0..AFTERWARDS {
        arena.turn(1);
    }
    let turns = EXPIRED + 1 + meanwhile.len() + AFTERWARDS;
    let written = turns as u64 * u64::from(subscribers);
    eventually(PATIENCE, "the statistics have all of it", || {
        arena.session.one::<bool>(&format!(
            "SELECT n_tup_ins >= {written} FROM pg_stat_user_tables WHERE relname = 'user_signals'"
        ))
    });
    table_line(&mut arena, &format!("after {AFTERWARDS} more signals"));
    let slowest = meanwhile.iter().copied().fold(0.0, f64::max);
    println!(
        "\nIt took {:.0} s from the start of a new worker. A signal took {alone:.0} ms before, and {slowest:.0} ms at most of {} meanwhile.",
        took.as_secs_f64(),
        meanwhile.len()
    );
}

/// Prints what the statistics say about user_signals.
fn table_line(arena: &mut Arena, when: &str) {
    let row = &arena.session.rows(
        "SELECT n_live_tup, n_dead_tup, n_tup_ins, n_tup_del, vacuum_count + autovacuum_count, pg_relation_size(relid) / 1000000
           FROM pg_stat_user_tables WHERE relname = 'user_signals'",
    )[0];
    let mut cells = vec![when.to_owned()];
    cells.extend((0..6).map(|column| row.get::<_, i64>(column).to_string()));
    line(&cells);
}
