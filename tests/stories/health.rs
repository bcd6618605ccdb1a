//! `signal_health` tells the truth in one row, whatever happens.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, rising_market, wait_for_good_run, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Fault, Times};
use std::time::{Duration, Instant};

fn with_extension(cluster: &Cluster) -> Session {
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    session
}

/// The one row of `signal_health`.
struct Health {
    healthy: bool,
    state: String,
    message: String,
}

fn health(session: &mut Session) -> Health {
    let rows = session.rows("SELECT * FROM signal_health");
    assert_eq!(rows.len(), 1, "signal_health is one row");
    Health {
        healthy: rows[0].get("healthy"),
        state: rows[0].get("state"),
        message: rows[0].get("message"),
    }
}

#[track_caller]
fn wait_for_state(session: &mut Session, state: &str) -> Health {
    eventually(SOON, &format!("health says {state}"), || {
        Some(health(session)).filter(|health| health.state == state)
    })
}

#[test]
fn a_worker_whose_first_run_has_not_ended_is_starting() {
    let market = flat_market();
    market.inject(Fault::Silence, Times::Forever);
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    eventually(SOON, "the exchange is asked", || {
        market.request_count() == 1
    });
    let health = health(&mut session);
    assert_eq!(health.state, "starting", "{}", health.message);
    assert!(health.healthy);
}

#[test]
fn failures_are_shown_with_their_reason_and_so_is_recovery() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    let running = wait_for_state(&mut session, "running");
    assert!(running.healthy, "{}", running.message);
    eventually(SOON, "the rest is right, too", || {
        session.one::<bool>(
            "SELECT last_error IS NULL AND consecutive_failures = 0 AND worker_pid IS NOT NULL
                    AND last_success IS NOT NULL AND next_run > now() - interval '2 seconds' FROM signal_health",
        )
    });

    market.inject(Fault::InternalError, Times::Forever);
    let failing = wait_for_state(&mut session, "failing");
    assert!(!failing.healthy);
    assert!(
        failing.message.contains("HTTP status 500"),
        "{}",
        failing.message
    );

    market.clear_faults();
    wait_for_state(&mut session, "running");
    eventually(SOON, "the failure is over and not forgotten", || {
        session.one::<bool>(
            "SELECT healthy AND consecutive_failures = 0 AND last_error LIKE '%HTTP status 500%' AND last_error_at < last_success
               FROM signal_health",
        )
    });
    eventually(SOON, "the log has both, once", || {
        let log = cluster.log();
        log.matches("HTTP status 500").count() == 1
            && log.matches("signal_hub: recovered").count() == 1
    });
}

#[test]
fn a_worker_that_is_killed_is_back_soon_and_harms_nobody() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    let first = worker_pid(&mut session).expect("a worker runs");
    let server_start: String = session.one("SELECT pg_postmaster_start_time()::text");

    assert!(session.one::<bool>(&format!("SELECT pg_terminate_backend({first})")));
    eventually(SOON, "another worker runs", || {
        worker_pid(&mut session).is_some_and(|pid| pid != first)
    });
    assert_eq!(session.one::<i64>("SELECT restarts FROM signal_health"), 1);
    wait_for_state(&mut session, "running");
    // The server did not restart, and this session still works.
    assert_eq!(
        session.one::<String>("SELECT pg_postmaster_start_time()::text"),
        server_start
    );
    assert!(
        !cluster
            .log()
            .contains("terminating any other active server processes")
    );
}

#[test]
fn a_launcher_that_is_killed_is_back_and_starts_workers_again() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    session.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'signal_hub launcher'");
    let mut other = cluster.create_database("other");
    other.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut other);
    assert!(
        !cluster
            .log()
            .contains("terminating any other active server processes")
    );
}

#[test]
fn without_preloading_health_says_what_to_add_to_the_configuration() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = with_extension(&cluster);
    let health = health(&mut session);
    assert_eq!(health.state, "not_preloaded");
    assert!(!health.healthy);
    assert!(
        health.message.contains("shared_preload_libraries"),
        "{}",
        health.message
    );
    session.run("SELECT generate_signals_now()");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signal_runs"), 1);
}

#[test]
fn progress_is_shown_whatever_the_clock_showed_when_the_fan_out_began() {
    let market = rising_market();
    market.set_change("ETHUSDT", "-4");
    let cluster = by_hand(&market).start();
    let mut session = with_extension(&cluster);
    session.run("SELECT generate_signals_now()");
    // A million subscribers have the first signal, and a hundred of them the second.
    session.run(
        "UPDATE signals SET deliveries = 1000000;
         UPDATE signals SET deliveries = 100, delivered_at = NULL
          WHERE signal_id = (SELECT max(signal_id) FROM signals)",
    );
    for (began, is_foreseen) in [("-40 years", false), ("1 year", false), ("-10 s", true)] {
        session.run(&format!(
            "UPDATE signals SET delivery_started_at = now() + interval '{began}' WHERE delivered_at IS NULL"
        ));
        let progress_row = &session
            .rows("SELECT progress, estimated_end IS NOT NULL FROM signal_delivery_progress")[0];
        let progress: String = progress_row.get(0);
        assert!(
            progress.contains("100 rows of about 1000000"),
            "{began}: {progress}"
        );
        assert_eq!(progress_row.get::<_, bool>(1), is_foreseen, "{began}");
    }
}

#[test]
fn a_standby_is_healthy_and_generates_once_promoted() {
    let market = rising_market();
    let mut primary = by_itself(&market).start();
    let mut session = with_extension(&primary);
    wait_for_good_run(&mut session);
    let standby = primary.standby();
    let mut reader = standby.session(POSTGRES);
    let health = health(&mut reader);
    assert_eq!(health.state, "standby", "{}", health.message);
    assert!(health.healthy);
    assert_eq!(worker_pid(&mut reader), None);
    drop(session);
    primary.stop(signal_hub_harness::cluster::Stop::Immediate);

    let signals: i64 = reader.one("SELECT count(*) FROM signals");
    market.set_change("ETHUSDT", "-4");
    assert!(reader.one::<bool>("SELECT pg_promote()"));
    eventually(SOON, "the new primary generates", || {
        reader.one::<i64>("SELECT count(*) FROM signals") == signals + 1
    });
    wait_for_state(&mut reader, "running");
}

#[test]
fn a_transaction_left_open_after_a_call_by_hand_blocks_runs_and_health_says_so() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    let mut forgetful = cluster.session(POSTGRES);
    forgetful.run("BEGIN; SELECT generate_signals_now()");
    let blocked = wait_for_state(&mut session, "blocked");
    assert!(!blocked.healthy);
    assert!(
        blocked.message.contains("another cycle is running"),
        "{}",
        blocked.message
    );
    let skipped: i64 =
        session.one("SELECT count(*) FROM signal_runs WHERE status = 'skipped' AND message <> ''");
    assert!(skipped >= 3, "{skipped} runs are on record as skipped");
    forgetful.run("COMMIT");
    wait_for_state(&mut session, "running");
    wait_for_good_run(&mut session);
}

#[test]
fn monitoring_roles_read_health_and_others_do_not() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    session.run("CREATE ROLE watcher IN ROLE pg_monitor; CREATE ROLE visitor");
    session.run("SET ROLE watcher");
    eventually(SOON, "the watcher sees it run", || {
        health(&mut session).state == "running"
    });
    session.run("SELECT * FROM signal_stats; SELECT * FROM signal_runs");
    session.run("SET ROLE visitor");
    for relation in [
        "signal_health",
        "signal_stats",
        "signal_runs",
        "signals",
        "user_signals",
        "user_subscriptions",
    ] {
        let error = session.error(&format!("SELECT * FROM {relation}"));
        assert_eq!(error.code().code(), "42501", "{relation}");
    }
}

#[test]
fn the_row_stays_short_in_every_script() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    // Four bytes each.
    session.run("SELECT pause_signals(repeat(U&'\\+01F31A', 1000))");
    let bytes: i32 = session.one("SELECT octet_length(h::text) FROM signal_health h");
    assert!(bytes < 1024, "{bytes} bytes");
    let message: String = session.one("SELECT message FROM signal_health");
    assert!(message.len() <= 500, "{} bytes", message.len());
    assert!(message.ends_with("\u{1F31A}\u{1F31A}"), "{message}");
}

#[test]
fn sql_objects_of_another_release_stop_the_worker_politely() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let release: String =
        session.one("SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'");

    session.run("UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'signal_hub'");
    let mismatch = wait_for_state(&mut session, "version_mismatch");
    assert!(!mismatch.healthy);
    assert!(
        mismatch
            .message
            .contains("ALTER EXTENSION signal_hub UPDATE"),
        "{}",
        mismatch.message
    );
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    assert!(
        error
            .hint()
            .is_some_and(|h| h.contains("ALTER EXTENSION signal_hub UPDATE")),
        "{error:?}"
    );
    // A run that had begun when the version changed may still ask.
    let mut last = (Instant::now(), market.request_count());
    eventually(SOON, "the exchange is left alone", || {
        if market.request_count() != last.1 {
            last = (Instant::now(), market.request_count());
        }
        last.0.elapsed() > Duration::from_secs(3)
    });

    session.run(&format!(
        "UPDATE pg_extension SET extversion = '{release}' WHERE extname = 'signal_hub'"
    ));
    let before = market.request_count();
    eventually(SOON, "runs go on", || market.request_count() > before);
    wait_for_state(&mut session, "running");
    assert_eq!(worker_pid(&mut session), worker, "the same process");
}

#[test]
fn an_idle_server_beats_its_heart_at_next_to_no_cost() {
    /// How long the processes are watched.
    const TIME: Duration = Duration::from_secs(20);
    /// 1 % of that time on a slow machine, in ticks of a hundredth of a second; 0.1 % is usual.
    const TICKS: u64 = 20;
    let market = flat_market();
    let cluster = by_itself(&market)
        .set("signal_hub.interval", "10min")
        .start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    let processes: Vec<i32> =
        session.list("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'signal_hub %'");
    assert_eq!(processes.len(), 2, "launcher and worker");
    let before: u64 = processes.iter().map(|pid| cpu_ticks(*pid)).sum();
    let beats_before: String = session.one("SELECT last_heartbeat::text FROM signal_health");
    meanwhile(TIME, "the heart beats", || {
        // By then it would be stalled.
        session.one::<bool>("SELECT heartbeat_age < interval '15 seconds' FROM signal_health")
    });
    let used = processes.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>() - before;
    // A tick that began before the time counts as a whole one: one more for each process.
    assert!(used <= TICKS + 2, "{used} ticks in {TIME:?}");
    assert_ne!(
        session.one::<String>("SELECT last_heartbeat::text FROM signal_health"),
        beats_before
    );
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs"),
        1,
        "idle: only the first run"
    );
}

#[test]
fn an_idle_run_uses_one_transaction_number() {
    const RUNS: i64 = 5;
    let market = flat_market();
    // Autovacuum uses transaction numbers, too.
    let cluster = by_itself(&market).set("autovacuum", "off").start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    // The list of pairs comes after the first run, and takes a number of its own.
    eventually(SOON, "the exchange's list of pairs is kept", || {
        session.one::<i64>("SELECT count(*) FROM signal_instruments") == 10
    });
    let mut runs_and_numbers = || {
        let row = &session.rows(
            "SELECT (SELECT count(*) FROM signal_runs), pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
        )[0];
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    let (runs, number) = runs_and_numbers();
    let (runs_after, number_after) = eventually(SOON, "more runs", || {
        Some(runs_and_numbers()).filter(|(now, _)| *now >= runs + RUNS)
    });
    let (runs, used) = (runs_after - runs, number_after - number);
    assert!(
        used <= runs + 1,
        "{used} transaction numbers for {runs} runs"
    );
}

/// Processor time that a process has used so far, in user and in kernel mode, in ticks: fields 14
/// and 15 of /proc/PID/stat, see proc(5).
fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum()
}
