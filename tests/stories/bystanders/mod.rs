//! A role without rights on the extension neither stops signals nor delays them, whatever locks
//! its statements take before PostgreSQL refuses them.

mod by_hand;
mod drops;
mod storms;
mod waiting;

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, subscribe, wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::Simulator;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A server with the extension, a few subscribers, good runs, and a role that may only log in.
fn shop(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE ROLE mallory LOGIN; BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 3);
    session.run("COMMIT");
    wait_for_good_run(&mut session);
    (cluster, session)
}

/// How many runs are on record, by their status.
fn runs(session: &mut Session, status: &str) -> i64 {
    session.one(&format!(
        "SELECT count(*) FROM signal_runs WHERE status = '{status}'"
    ))
}

/// Fewer runs than this are skipped while five are made: a call by hand may be at work at the
/// time of one, and on a busy machine the worker's patience ends before a lock is free.
const MANY_SKIPPED: i64 = 5;

/// Checks that for some seconds runs are made, that a signal reaches everybody, and that a call
/// by hand works.
fn signals_flow(market: &Simulator, session: &mut Session, signal: (&str, &str), rows: i64) {
    let before = runs(session, "ok");
    let skipped = runs(session, "skipped");
    let began = Instant::now();
    market.set_change(signal.0, signal.1);
    wait_for_deliveries(session, rows);
    eventually(SOON, "five more runs", || runs(session, "ok") >= before + 5);
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(30),
        "five runs, one a second, took {took:?}"
    );
    assert!(runs(session, "skipped") - skipped < MANY_SKIPPED);
    assert_eq!(runs(session, "failed"), 0);
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
    // It gives up when a run takes two seconds.
    eventually(SOON, "a call by hand works", || {
        generate(session)["success"] == true
    });
}

#[test]
fn a_lock_on_the_extension_that_anybody_can_hold_stops_nothing() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let mut mallory = cluster.session_as("mallory", POSTGRES);
    mallory.run(
        "BEGIN;
         CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         ALTER FUNCTION pg_temp.f() DEPENDS ON EXTENSION signal_hub",
    );
    signals_flow(&market, &mut session, ("BTCUSDT", "3.5"), 3);
    // One more waits behind it for as long.
    let mut other = cluster.session_as("mallory", POSTGRES);
    // Not for ever, should the test fail.
    other.run("SET statement_timeout = '60s'");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || other.error("COMMENT ON EXTENSION signal_hub IS 'mine'"));
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        signals_flow(&market, &mut session, ("ETHUSDT", "-3.5"), 6);
        mallory.run("ROLLBACK");
        let error = waiting.join().expect("it is refused");
        assert_eq!(error.code().code(), "42501");
    });
}

/// Locks that a role without rights can take and keep to the end of its transaction.
const HELD: &str = "
    BEGIN;
    PREPARE a AS SELECT 1 FROM public.user_signals;
    PREPARE b AS SELECT 1 FROM public.signal_runs FOR UPDATE;
    PREPARE c AS INSERT INTO public.signals OVERRIDING SYSTEM VALUE SELECT * FROM public.signals;
    PREPARE d AS UPDATE public.signal_delivery_ranges SET tier = tier;
    PREPARE e AS DELETE FROM public.user_subscriptions;
    SELECT pg_advisory_xact_lock(oid::bigint), pg_advisory_xact_lock(oid::integer, 1), pg_advisory_xact_lock(1, oid::integer)
      FROM pg_extension";

/// Statements that are refused, most of them once they have a lock.
const REFUSED: [&str; 28] = [
    "COMMENT ON EXTENSION signal_hub IS 'mine'",
    "DROP EXTENSION signal_hub",
    "ALTER EXTENSION signal_hub UPDATE",
    "ALTER EXTENSION signal_hub SET SCHEMA pg_temp",
    "ALTER EXTENSION signal_hub DROP TABLE signals",
    "DROP TABLE user_signals",
    "DROP VIEW signal_health",
    "DROP FUNCTION generate_signals_now()",
    "DROP SEQUENCE signals_signal_id_seq",
    "DROP INDEX user_signals_pkey",
    "DROP TRIGGER stamp_marks ON user_signals",
    "DROP POLICY own_rows ON user_signals",
    "TRUNCATE signal_runs",
    "LOCK TABLE user_signals IN ACCESS SHARE MODE",
    "ALTER TABLE user_signals ADD COLUMN mine int",
    "ALTER TABLE signals RENAME TO mine",
    "ALTER INDEX user_signals_pkey RENAME TO mine",
    "CREATE INDEX ON user_signals (viewed)",
    "CREATE TRIGGER mine BEFORE INSERT ON user_signals EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE POLICY mine ON user_signals",
    "CREATE TABLE pg_temp.mine (u uuid REFERENCES public.user_subscriptions)",
    "COMMENT ON TABLE user_signals IS 'mine'",
    "COMMENT ON COLUMN user_signals.viewed IS 'mine'",
    "REINDEX TABLE user_signals",
    "CLUSTER user_signals USING user_signals_pkey",
    "COMMENT ON SCHEMA public IS 'mine'",
    "SELECT pg_cancel_backend(worker_pid) FROM signal_worker_status()",
    "SELECT start_signal_worker()",
];

#[test]
fn statements_that_are_refused_delay_nothing_however_often_they_are_tried() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let mut holder = cluster.session_as("mallory", POSTGRES);
    holder.run(HELD);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for nth in 0..3 {
            let mut mallory = cluster.session_as("mallory", POSTGRES);
            let stop = &stop;
            scope.spawn(move || {
                let mut turn = nth;
                while !stop.load(Ordering::Relaxed) {
                    // Most of the time the worst of them.
                    let statement = match turn % 3 {
                        0 => REFUSED[turn / 3 % REFUSED.len()],
                        n => REFUSED[n - 1],
                    };
                    // Those behind the holder would wait for it.
                    mallory.run("SET lock_timeout = '20ms'");
                    mallory.error(statement);
                    turn += 1;
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            signals_flow(&market, &mut session, ("BTCUSDT", "3.5"), 3);
            signals_flow(&market, &mut session, ("ETHUSDT", "-3.5"), 6);
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A statement that will be refused waits for a strong lock behind a weak one that anybody can hold,
/// and everybody else behind it.
#[test]
fn a_statement_that_waits_to_be_refused_holds_up_no_delivery() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run("GRANT TEMPORARY ON DATABASE postgres TO mallory");
    let mut holder = cluster.session_as("mallory", POSTGRES);
    holder.run(
        "BEGIN;
         PREPARE a AS INSERT INTO public.user_signals SELECT * FROM public.user_signals;
         PREPARE b AS DELETE FROM public.signals;
         PREPARE c AS DELETE FROM public.signal_runs",
    );
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for columns in [
            "(u uuid, s bigint, FOREIGN KEY (u, s) REFERENCES public.user_signals)",
            "(s bigint REFERENCES public.signals)",
            "(r bigint REFERENCES public.signal_runs)",
        ] {
            let mut mallory = cluster.session_as("mallory", POSTGRES);
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    mallory.run("SET statement_timeout = '60s'");
                    mallory.error(&format!("CREATE TEMP TABLE theirs {columns}"));
                }
            });
        }
        eventually(SOON, "they wait", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let before = runs(&mut session, "ok");
            let skipped = runs(&mut session, "skipped");
            market.set_change("BTCUSDT", "3.5");
            wait_for_deliveries(&mut session, 3);
            market.set_change("ETHUSDT", "-3.5");
            wait_for_deliveries(&mut session, 6);
            eventually(SOON, "more runs", || runs(&mut session, "ok") >= before + 5);
            assert!(runs(&mut session, "skipped") - skipped < MANY_SKIPPED);
        }));
        stop.store(true, Ordering::Relaxed);
        holder.run("ROLLBACK");
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The same of an index: whoever makes the planner slow holds it without any right.
#[test]
fn a_statement_that_waits_to_be_refused_an_index_holds_up_no_delivery() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut holder = cluster.session_as("mallory", POSTGRES);
        holder.run(
            "SET statement_timeout = '40s';
             CREATE FUNCTION pg_temp.slow() RETURNS uuid STABLE LANGUAGE plpgsql
                 AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END'",
        );
        let holder_pid: i32 = holder.one("SELECT pg_backend_pid()");
        scope.spawn(move || {
            holder.error("SELECT 1 FROM public.user_signals, public.signals s WHERE user_id = pg_temp.slow()")
        });
        eventually(SOON, "an index is held", || {
            session.one::<bool>(&format!(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = {holder_pid} AND relation = 'user_signals_pkey'::regclass)"
            ))
        });
        for index in ["user_signals_pkey", "signals_pkey"] {
            let mut mallory = cluster.session_as("mallory", POSTGRES);
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    mallory.run("SET statement_timeout = '60s'");
                    mallory.error(&format!(
                        "ALTER INDEX {index} DEPENDS ON EXTENSION signal_hub"
                    ));
                }
            });
        }
        eventually(SOON, "one waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let before = runs(&mut session, "ok");
            let skipped = runs(&mut session, "skipped");
            market.set_change("BTCUSDT", "3.5");
            eventually(SOON, "a signal is delivered, and more runs made", || {
                session.one::<i64>("SELECT coalesce(sum(deliveries), 0)::bigint FROM signal_runs")
                    == 3
                    && runs(&mut session, "ok") >= before + 5
            });
            assert!(runs(&mut session, "skipped") - skipped < MANY_SKIPPED);
        }));
        stop.store(true, Ordering::Relaxed);
        session.run(&format!("SELECT pg_cancel_backend({holder_pid})"));
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn a_fan_out_goes_on_while_somebody_locks_the_extension_and_its_owner_can_drop_it() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 4, 5000);
    session.run(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END';
         CREATE TRIGGER take_time AFTER INSERT ON user_signals EXECUTE FUNCTION take_time()",
    );
    cluster.configure("signal_hub.delivery_batch", "200");
    let mut mallory = cluster.session_as("mallory", POSTGRES);
    let lock = "BEGIN;
         CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         ALTER FUNCTION pg_temp.f() DEPENDS ON EXTENSION signal_hub";
    mallory.run(lock);
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 5000);
    market.set_change("ETHUSDT", "3.5");
    eventually(SOON, "the next fan-out is under way", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") > 5500
    });
    // The owner waits for mallory, and then for the end of a batch.
    let mut owner = cluster.session(POSTGRES);
    std::thread::scope(|scope| {
        let dropping = scope
            .spawn(move || owner.run("SET statement_timeout = '60s'; DROP EXTENSION signal_hub"));
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        mallory.run("ROLLBACK");
        dropping.join().expect("the extension is dropped");
    });
    eventually(SOON, "the worker leaves", || {
        session.one::<i64>(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'signal_hub worker'",
        ) == 0
    });
    assert!(!cluster.log().contains("deadlock detected"));
}

#[test]
fn calling_oneself_pg_restore_delays_no_first_run_and_health_says_who_is_waited_for() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.create_database("moved");
    session.run("CREATE ROLE mallory LOGIN; CREATE ROLE mover LOGIN SUPERUSER");
    let mut mallory = cluster.session_as("mallory", "moved");
    mallory.run("SET application_name = 'pg_restore'");
    // As a dump begins.
    let restorer_settings = "SET row_security = off; SET check_function_bodies = off";
    let mut restorer = cluster.session_as("mover", "moved");
    restorer.run(&format!("{restorer_settings}; CREATE EXTENSION signal_hub"));
    let restorer_pid: i32 = restorer.one("SELECT pg_backend_pid()");
    let message = eventually(SOON, "health says who is waited for", || {
        session
            .list::<String>("SELECT message FROM signal_health WHERE state = 'starting'")
            .into_iter()
            .find(|message| message.contains(&format!("process {restorer_pid}")))
    });
    assert!(message.contains("restores a dump"), "{message}");
    // pg_restore --jobs goes on in other sessions of the same role, or of a superuser.
    let mut another = cluster.session("moved");
    another.run("SET application_name = 'pg_restore'");
    let another_pid: i32 = another.one("SELECT pg_backend_pid()");
    drop(restorer);
    eventually(SOON, "health says that it waits for the other", || {
        session
            .one::<String>("SELECT message FROM signal_health")
            .contains(&format!("process {another_pid}"))
    });
    meanwhile(Duration::from_secs(2), "no run", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs") == 0
    });
    drop(another);
    wait_for_good_run(&mut session);
    mallory.run("SELECT 1");
}
