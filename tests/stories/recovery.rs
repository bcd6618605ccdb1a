//! Interrupted work goes on where it stopped, and what was configured is restored.

use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::binaries::{output, succeed};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, installed_by_hand, rising_market, runs, subscribe,
    wait_for_deliveries, wait_for_good_run, waiting_behind_a_silent_exchange, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Simulator, Times};
use std::time::Duration;

const SUBSCRIBERS: u32 = 20_000;

/// A fan-out to 20,000 subscribers in batches of 200 that has begun and not ended.
fn delivery_under_way(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market)
        .set("signal_hub.delivery_batch", "200")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, SUBSCRIBERS);
    // Slow enough that it has not ended on any machine when a test interrupts it.
    session.run(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
         CREATE TRIGGER take_time AFTER INSERT ON user_signals EXECUTE FUNCTION take_time();
         COMMIT",
    );
    let mut seen = 0;
    eventually(SOON, "the fan-out is under way", || {
        seen = session.one::<i64>("SELECT count(*) FROM user_signals");
        seen >= 1000
    });
    assert!(
        seen < i64::from(SUBSCRIBERS),
        "too fast: nothing to interrupt"
    );
    (cluster, session)
}

/// What is left of the fan-out goes on at full speed.
fn exactly_one_row_each(session: &mut Session) {
    session.run("DROP TRIGGER take_time ON user_signals");
    wait_for_deliveries(session, SUBSCRIBERS.into());
    assert_eq!(
        session.one::<i64>("SELECT count(DISTINCT user_id) FROM user_signals"),
        i64::from(SUBSCRIBERS)
    );
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
    assert_eq!(
        session.one::<i64>("SELECT deliveries FROM signals"),
        i64::from(SUBSCRIBERS)
    );
    assert_eq!(
        session.one::<i32>("SELECT max(received) FROM user_signal_quotas"),
        1
    );
    eventually(SOON, "the run is closed", || {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM signal_runs WHERE deliveries = {SUBSCRIBERS} AND finished_at IS NOT NULL"
        )) == 1
    });
}

#[test]
fn a_crash_in_the_middle_of_a_fan_out_costs_nobody_a_signal() {
    let market = rising_market();
    let (mut cluster, session) = delivery_under_way(&market);
    drop(session);
    cluster.kill9();
    cluster.start();
    let mut session = cluster.session(POSTGRES);
    let left: i64 = session.one("SELECT count(*) FROM user_signals");
    assert!(
        left < i64::from(SUBSCRIBERS),
        "the crash came too late to prove anything"
    );
    exactly_one_row_each(&mut session);
}

#[test]
fn a_worker_killed_in_the_middle_of_a_fan_out_costs_nobody_a_signal() {
    let market = rising_market();
    let (_cluster, mut session) = delivery_under_way(&market);
    let worker = worker_pid(&mut session).expect("a worker runs");
    session.run(&format!("SELECT pg_terminate_backend({worker})"));
    eventually(SOON, "another worker runs", || {
        worker_pid(&mut session).is_some_and(|pid| pid != worker)
    });
    exactly_one_row_each(&mut session);
}

#[test]
fn a_call_by_hand_in_the_middle_of_a_fan_out_costs_nobody_a_signal() {
    let market = rising_market();
    let (_cluster, mut session) = delivery_under_way(&market);
    session.run("SELECT generate_signals_now()");
    exactly_one_row_each(&mut session);
}

#[test]
fn dropping_the_extension_in_the_middle_of_a_fan_out_just_ends_it() {
    let market = rising_market();
    let (cluster, mut session) = delivery_under_way(&market);
    session.run("SET statement_timeout = '60s'; DROP EXTENSION signal_hub");
    eventually(SOON, "the worker leaves", || {
        worker_pid(&mut session).is_none()
    });
    let log = cluster.log();
    assert!(!log.contains("deadlock detected"));
    assert!(!log.contains("terminating any other active server processes"));
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
}

/// Everything that a dump has to restore, as text.
fn possessions(session: &mut Session) -> Vec<String> {
    let mut all = Vec::new();
    for table in [
        "signal_tiers",
        "signal_symbols",
        "signal_rules",
        "signal_rule_versions",
        "signal_episodes",
        "signal_pause",
        "user_subscriptions",
        "signals",
        "user_signals",
        "user_signal_quotas",
    ] {
        let rows: Vec<String> =
            session.list(&format!("SELECT t::text FROM {table} AS t ORDER BY 1"));
        all.extend(rows.into_iter().map(|row| format!("{table} {row}")));
    }
    all
}

#[test]
fn a_dump_restores_what_was_changed_and_earned() {
    let market = rising_market();
    let (old, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run(
        "UPDATE signal_tiers SET daily_quota = 7 WHERE tier = 'MAX';
         UPDATE signal_tiers SET enabled = true WHERE tier = 'PRO';
         INSERT INTO signal_tiers (tier, priority) VALUES ('TEAM', 5);
         UPDATE signal_rules SET stop_loss_percent = 2.5, take_profit_percents = '{1,2}';
         INSERT INTO signal_symbols (symbol) VALUES ('TRXUSDT');
         SELECT generate_signals_now();
         UPDATE signal_symbols SET enabled = false WHERE symbol = 'BTCUSDT';
         SELECT pause_signals('moving house')",
    );
    let before = possessions(&mut session);
    let last: i64 = session.one("SELECT max(signal_id) FROM signals");
    let dump = old.folder().join("dump");
    succeed(
        old.tool("pg_dump")
            .arg("--format=custom")
            .arg("--file")
            .arg(&dump)
            .arg(POSTGRES),
    );

    // A worker that generates signals before the dump is restored would be in the way.
    let new = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = new.create_database("moved");
    succeed(
        new.tool("pg_restore")
            .args(["--exit-on-error", "--dbname=moved"])
            .arg(&dump),
    );
    assert_eq!(possessions(&mut session), before);
    new.configure("signal_hub.enabled", "on");
    eventually(SOON, "health says paused", || {
        session.one::<String>("SELECT state FROM signal_health") == "paused"
    });
    market.set_change("ETHUSDT", "-4");
    session.run("SELECT resume_signals()");
    eventually(SOON, "the new server generates", || {
        session
            .list::<i64>("SELECT signal_id FROM signals WHERE symbol = 'ETHUSDT'")
            .first()
            .is_some_and(|id| *id > last)
    });
    let failed: i64 = session.one("SELECT count(*) FROM signal_runs WHERE status = 'failed'");
    assert_eq!(failed, 0, "no number is given out twice");
}

#[test]
fn a_dump_restores_into_a_server_that_generates_signals() {
    let market = rising_market();
    let (old, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("SELECT generate_signals_now()");
    let before = possessions(&mut session);
    let dump = old.folder().join("dump.sql");
    succeed(old.tool("pg_dump").arg("--file").arg(&dump).arg(POSTGRES));

    let new = by_itself(&market).start();
    let mut session = new.create_database("moved");
    succeed(
        new.tool("psql")
            .args([
                "--quiet",
                "--single-transaction",
                "--set=ON_ERROR_STOP=1",
                "--dbname=moved",
            ])
            .arg("--file")
            .arg(&dump),
    );
    wait_for_good_run(&mut session);
    assert_eq!(
        possessions(&mut session)
            .into_iter()
            .filter(|row| !row.starts_with("signal_symbols"))
            .collect::<Vec<_>>(),
        before
            .into_iter()
            .filter(|row| !row.starts_with("signal_symbols"))
            .collect::<Vec<_>>(),
        "one episode, one signal, also across the move"
    );
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 3);
}

#[test]
fn a_session_that_restored_a_dump_and_was_left_open_holds_runs_up_for_five_minutes() {
    // Five minutes are half a minute, so that health is read in time.
    const FASTER: u32 = 10;
    let market = rising_market();
    let clocks = Clocks::faster(FASTER);
    let cluster = clocks.of(by_itself(&market)).start();
    let mut session = cluster.session(POSTGRES);
    let mut restorer = cluster.session(POSTGRES);
    // What a dump begins with.
    restorer.run("SET row_security = off; SET check_function_bodies = off");
    restorer.run("CREATE EXTENSION signal_hub");
    let said = "SELECT state || ' ' || message FROM signal_health";
    eventually(SOON, "health names the session", || {
        session
            .one::<String>(said)
            .contains("which restores a dump")
    });
    assert_eq!(runs(&mut session), 0);
    eventually(2 * SOON, "runs begin", || runs(&mut session) > 0);
    assert!(restorer.one::<bool>("SELECT true"), "it is still there");
}

#[test]
fn no_run_happens_while_the_session_that_restores_a_dump_lives() {
    let market = rising_market();
    let (old, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("SELECT generate_signals_now()");
    let before = possessions(&mut session);
    // Only the statements: lines that begin with a backslash are for psql.
    let dumped = |section: &str| -> String {
        let text = output(old.tool("pg_dump").args(["--inserts", section, POSTGRES]));
        let lines = text.lines().filter(|line| !line.starts_with('\\'));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (definitions, rows) = (dumped("--section=pre-data"), dumped("--section=data"));

    let new = by_itself(&market).start();
    let mut session = new.create_database("moved");
    let mut restorer = new.session("moved");
    restorer.run(&definitions);
    // In a large database, restoring the other tables takes a while.
    eventually(SOON, "the worker is up", || {
        session
            .one::<Option<i32>>("SELECT worker_pid FROM signal_worker_status()")
            .is_some()
    });
    meanwhile(
        Duration::from_secs(3),
        "no run, and health says why",
        || {
            runs(&mut session) == 0
                && session.one::<String>("SELECT state FROM signal_health") == "starting"
        },
    );
    restorer.run(&rows);
    assert_eq!(possessions(&mut session), before);
    drop(restorer);
    wait_for_good_run(&mut session);
    let owned = |rows: Vec<String>| -> Vec<String> {
        // The first run records what the exchange says about the symbols.
        let rows = rows.into_iter();
        rows.filter(|row| !row.starts_with("signal_symbols"))
            .collect()
    };
    assert_eq!(
        owned(possessions(&mut session)),
        owned(before),
        "one episode, one signal, also across the move"
    );
}

#[test]
fn the_servers_statistics_know_of_the_workers_rows() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 100);
    session.run("COMMIT");
    eventually(SOON, "autovacuum can see the rows", || {
        session
            .one::<i64>("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'user_signals'")
            == 100
    });
}

#[test]
fn vacuum_is_not_held_back_while_the_exchange_is_silent() {
    let market = flat_market();
    let (_cluster, mut session) = waiting_behind_a_silent_exchange(&market, Times::Forever);
    let worker = worker_pid(&mut session).expect("a worker runs");
    let held = format!(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE pid = {worker}
                    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR xact_start IS NOT NULL))
              + (SELECT count(*) FROM pg_locks WHERE pid = {worker})"
    );
    // Within the minute of the wait. Every second it looks at the database for a moment.
    eventually(SOON / 2, "no transaction is open and no lock held", || {
        session.one::<i64>(&held) == 0
    });
}
