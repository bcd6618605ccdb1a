//! Attempts to drop the database that are refused.

use super::*;

#[test]
fn a_drop_of_the_database_that_is_refused_sends_no_worker_away() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let pid: i32 = session.one("SELECT worker_pid FROM signal_health");
    session.run("CREATE ROLE maker LOGIN CREATEDB");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for statement in [
            "DROP DATABASE postgres",
            "ALTER DATABASE postgres RENAME TO mine",
            "CREATE DATABASE mine TEMPLATE postgres",
            "ALTER DATABASE postgres SET TABLESPACE pg_global",
            "COMMENT ON DATABASE postgres IS 'mine'",
        ] {
            let mut maker = cluster.session_as("maker", "template1");
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    maker.error(statement);
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            signals_flow(&market, &mut session, ("BTCUSDT", "3.5"), 3);
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(
        session.one::<i32>("SELECT worker_pid FROM signal_health"),
        pid,
        "still the same worker"
    );
}

#[test]
fn a_drop_of_the_database_that_waits_to_be_refused_sends_no_worker_away() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let pid: i32 = session.one("SELECT worker_pid FROM signal_health");
    let mut holder = cluster.session_as("mallory", "template1");
    holder.run("BEGIN; ALTER ROLE mallory IN DATABASE postgres SET work_mem = '8MB'");
    let mut mallory = cluster.session_as("mallory", "template1");
    std::thread::scope(|scope| {
        // Not for ever, should the test fail.
        mallory.run("SET statement_timeout = '60s'");
        let dropping = scope.spawn(move || mallory.error("DROP DATABASE postgres"));
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        signals_flow(&market, &mut session, ("BTCUSDT", "3.5"), 3);
        holder.run("ROLLBACK");
        let error = dropping.join().expect("it is refused");
        assert_eq!(error.code().code(), "42501");
    });
    assert_eq!(
        session.one::<i32>("SELECT worker_pid FROM signal_health"),
        pid,
        "still the same worker"
    );
}

/// A session that connects waits behind it, and so would a worker, before it can do anything.
#[test]
fn a_drop_of_the_database_that_waits_to_be_refused_keeps_no_worker_from_starting() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let pid: i32 = session.one("SELECT worker_pid FROM signal_health");
    let mut holder = cluster.session_as("mallory", "template1");
    holder.run("BEGIN; ALTER ROLE mallory IN DATABASE postgres SET work_mem = '8MB'");
    let mut mallory = cluster.session_as("mallory", "template1");
    std::thread::scope(|scope| {
        // Not for ever, should the test fail.
        mallory.run("SET statement_timeout = '60s'");
        let dropping = scope.spawn(move || mallory.error("DROP DATABASE postgres"));
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        session.run(&format!("SELECT pg_terminate_backend({pid})"));
        eventually(SOON, "another worker runs", || {
            session.one::<bool>(&format!(
                "SELECT state = 'running' AND worker_pid <> {pid} FROM signal_health"
            ))
        });
        signals_flow(&market, &mut session, ("BTCUSDT", "3.5"), 3);
        let error = dropping.join().expect("it is sent away");
        assert_eq!(error.code().code(), "57014");
    });
    holder.run("ROLLBACK");
    assert!(cluster.log().contains("kept a worker from starting"));
}
