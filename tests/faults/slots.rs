//! There is no process left for a database, or no connection to it is allowed: the other
//! databases run, the log stays quiet, and this one runs as soon as it can.

use crate::ground::extension_for;
use crate::processes::{WORKER, pids};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, rising_market, runs, wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

/// Long enough for some attempts, which are made after 1, 2 and 4 s.
const SOME_ATTEMPTS: Duration = Duration::from_secs(8);

#[test]
fn a_database_without_a_free_process_is_warned_of_once_and_served_when_one_is_free() {
    let market = rising_market();
    let cluster = by_itself(&market)
        // One process for the launcher and one for a worker.
        .set("max_worker_processes", "2")
        .set("max_logical_replication_workers", "0")
        .start();
    let mut first = cluster.session(POSTGRES);
    extension_for(&mut first, 3);
    wait_for_deliveries(&mut first, 3);
    let mut second = cluster.create_database("second");
    extension_for(&mut second, 3);

    let warnings = || {
        let log = cluster.log();
        log.matches("no background worker slot is free").count()
    };
    eventually(SOON, "the shortage is logged", || warnings() == 1);
    let before = runs(&mut first);
    meanwhile(
        SOME_ATTEMPTS,
        "it is logged once, and no worker starts",
        || warnings() == 1 && pids(&mut second, WORKER).len() == 1,
    );
    eventually(SOON, "the first database goes on at its rate", || {
        runs(&mut first) >= before + 5
    });
    let health = &second.rows("SELECT state, message, restarts FROM signal_health")[0];
    assert_eq!(
        health.get::<_, &str>(0),
        "stopped",
        "{}",
        health.get::<_, &str>(1)
    );
    assert_eq!(health.get::<_, i64>(2), 0, "nothing was started");

    first.run("DROP EXTENSION signal_hub");
    eventually(SOON, "the second database is served", || {
        second.one::<i64>("SELECT count(*) FROM user_signals") == 3
    });
    assert_eq!(warnings(), 1);
}

#[test]
fn a_database_that_allows_no_connections_is_left_alone_until_it_does() {
    let market = flat_market();
    let mut cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, 1);
    let mut closed = cluster.create_database("closed");
    extension_for(&mut closed, 1);
    eventually(SOON, "both have runs", || {
        runs(&mut session) > 0 && runs(&mut closed) > 0
    });
    drop(closed);
    session.run("ALTER DATABASE closed ALLOW_CONNECTIONS false");
    session.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'closed' AND backend_type = 'signal_hub worker'",
    );
    left_alone(&mut session, || cluster.log());

    drop(session);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    left_alone(&mut session, || cluster.log());

    session.run("ALTER DATABASE closed ALLOW_CONNECTIONS true");
    let mut opened = cluster.session("closed");
    let before = runs(&mut opened);
    eventually(SOON, "its runs go on", || runs(&mut opened) > before);
}

/// Runs happen only in the session's database, and the log says nothing about the other.
fn left_alone(session: &mut Session, log: impl Fn() -> String) {
    eventually(SOON, "the other database has no worker", || {
        pids(session, WORKER).len() == 1
    });
    let before = runs(session);
    eventually(SOON, "this database's runs go on", || {
        runs(session) > before + 1
    });
    let complaints = |what: &str| log().matches(what).count();
    let fatals = complaints("FATAL");
    meanwhile(SOME_ATTEMPTS, "no attempt at the closed database", || {
        complaints("FATAL") == fatals && pids(session, WORKER).len() == 1
    });
    // A worker may have been connecting when connections were forbidden.
    assert!(complaints("not currently accepting connections") <= 1);
}
