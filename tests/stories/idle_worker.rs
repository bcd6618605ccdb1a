//! A worker that has nothing to do rests: it looks every two seconds, and costs nothing else.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, by_itself, flat_market, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::fs;

/// How often a process went to sleep since it began.
fn rests(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok())
        .expect("proc(5)")
}

/// A worker that turns in circles rests a thousand times in this time.
#[track_caller]
fn assert_rests(session: &mut Session) {
    let pid = eventually(SOON, "there is a worker", || worker_pid(session));
    let before = rests(pid);
    session.run("SELECT pg_sleep(3)");
    let since = rests(pid) - before;
    assert!(since < 100, "it woke {since} times in 3 s");
}

#[test]
fn while_a_dump_is_restored() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    let mut restorer = cluster.session(POSTGRES);
    restorer.run(
        "SET row_security = off; SET check_function_bodies = off; CREATE EXTENSION signal_hub",
    );
    eventually(SOON, "it waits for the restore", || {
        session
            .one::<String>("SELECT message FROM signal_health")
            .contains("restores a dump")
    });
    assert_rests(&mut session);
}

#[test]
fn while_the_tables_are_of_an_older_release() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub VERSION '0.2.0'");
    assert_rests(&mut session);
}

#[test]
fn while_the_database_refuses_it() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    // It may not read what it needs to begin.
    session.run(
        "BEGIN; CREATE EXTENSION signal_hub; ALTER TABLE signal_runs RENAME TO moved_away; COMMIT",
    );
    assert_rests(&mut session);
}
