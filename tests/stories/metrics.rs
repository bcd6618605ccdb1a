//! Numbers for exporters that query SQL.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, rising_market, subscribe, user,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

fn metric(session: &mut Session, name: &str, labels: &str) -> f64 {
    session.one(&format!(
        "SELECT value FROM signal_metrics WHERE name = 'signal_hub_{name}' AND labels = '{labels}'"
    ))
}

#[test]
fn a_monitor_reads_numbers_that_do_not_fall_when_runs_are_purged() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("signal_hub.run_retention", "1d")
        .start();
    let mut admin = cluster.session(POSTGRES);
    admin.run("CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor");
    admin.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut admin, "MAX", 1, 3);
    admin.run("COMMIT");
    // A year of a busy server, most of it purged within seconds.
    admin.run(
        "INSERT INTO signal_runs (trigger, status, started_at, finished_at, fetch_ms, signals_generated, deliveries)
         SELECT 'worker', CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'ok' END, t, t, 30, 1, 2
           FROM generate_series(1, 1000) i CROSS JOIN LATERAL (SELECT now() - i * interval '8 hours') AS a (t);
         -- The next worker begins with a purge.
         SELECT pg_terminate_backend(worker_pid) FROM signal_worker_status()",
    );
    let mut monitor = cluster.session_as("monitor", POSTGRES);
    assert!(metric(&mut monitor, "runs_total", r#"{"status": "failed"}"#) >= 100.0);
    eventually(2 * SOON, "old runs are purged", || {
        admin.one::<bool>(
            "SELECT NOT EXISTS (SELECT FROM signal_runs WHERE started_at < now() - interval '25 hours')
                AND EXISTS (SELECT FROM user_signals)",
        )
    });
    for (name, labels, least) in [
        ("runs_total", r#"{"status": "ok"}"#, 901.0),
        ("runs_total", r#"{"status": "failed"}"#, 100.0),
        ("signals_total", "{}", 1001.0),
        ("deliveries_total", "{}", 2003.0),
        ("run_stage_seconds_count", r#"{"stage": "fetch"}"#, 1001.0),
        ("run_stage_seconds_sum", r#"{"stage": "fetch"}"#, 30.0),
        (
            "run_stage_seconds_bucket",
            r#"{"stage": "fetch", "le": "0.05"}"#,
            1000.0,
        ),
        ("worker_up", "{}", 1.0),
        ("symbols_judged", "{}", 1.0),
    ] {
        let value = eventually(SOON, "the number is there", || {
            let value = metric(&mut monitor, name, labels);
            (value >= least).then_some(value)
        });
        // Runs go on meanwhile, and none is counted twice.
        assert!(value < least + 100.0, "{name} {labels}: {value}");
    }
    let broken: Vec<String> = monitor.list(
        "WITH metrics AS MATERIALIZED (SELECT * FROM signal_metrics)
         SELECT name FROM metrics m
          WHERE name !~ '^signal_hub_[a-z0-9_]+$' OR help IS NULL OR value IS NULL
             OR name = 'signal_hub_run_stage_seconds_bucket' AND labels ->> 'le' = '+Inf'
            AND value <> (SELECT c.value FROM metrics c
                           WHERE c.name = 'signal_hub_run_stage_seconds_count'
                             AND c.labels ->> 'stage' = m.labels ->> 'stage')",
    );
    assert!(broken.is_empty(), "{broken:?}");
}

/// The tables belong to a role that has no rights on functions, and the worker acts as it.
#[test]
fn old_runs_are_purged_where_the_tables_belong_to_a_role_without_rights() {
    let market = flat_market();
    let cluster = by_itself(&market)
        .set("signal_hub.run_retention", "1d")
        .start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE EXTENSION signal_hub;
         CREATE ROLE keeper; GRANT CREATE ON SCHEMA public TO keeper;
         DO $$
         DECLARE owned regclass;
         BEGIN
             FOR owned IN SELECT objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                           WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
             LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO keeper', owned);
             END LOOP;
         END $$;
         INSERT INTO signal_runs (trigger, status, started_at, finished_at, fetch_ms)
         SELECT 'worker', 'ok', t, t, 30
           FROM generate_series(1, 100) i CROSS JOIN LATERAL (SELECT now() - i * interval '2 days') AS a (t)",
    );
    eventually(2 * SOON, "old runs are purged", || {
        admin.one::<bool>(
            "SELECT NOT EXISTS (SELECT FROM signal_runs WHERE started_at < now() - interval '25 hours')",
        )
    });
    assert!(metric(&mut admin, "runs_total", r#"{"status": "ok"}"#) >= 100.0);
    let health: Vec<String> =
        admin.list("SELECT concat_ws(': ', state, message) FROM signal_health");
    assert!(health[0].starts_with("running: "), "{health:?}");
}

#[test]
fn the_counter_of_refused_rows_does_not_fall_when_they_are_delivered_after_all() {
    let market = rising_market();
    let (_cluster, mut admin) = installed_by_hand(&market);
    subscribe(&mut admin, "MAX", 1, 3);
    admin.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT refused CHECK (user_id <> '{}')",
        user(2)
    ));
    generate(&mut admin);
    assert_eq!(metric(&mut admin, "delivery_failures_total", "{}"), 1.0);
    admin.run("ALTER TABLE user_signals DROP CONSTRAINT refused");
    assert_eq!(admin.one::<i64>("SELECT retry_refused_deliveries()"), 1);
    assert_eq!(metric(&mut admin, "delivery_failures_total", "{}"), 1.0);
    generate(&mut admin);
    assert_eq!(admin.one::<i64>("SELECT count(*) FROM user_signals"), 3);
    assert_eq!(metric(&mut admin, "delivery_failures_total", "{}"), 1.0);
    assert_eq!(metric(&mut admin, "deliveries_total", "{}"), 3.0);
    let of_the_run: i64 = admin.one("SELECT max(delivery_failures) FROM signal_runs");
    assert_eq!(of_the_run, 0);
}

#[test]
fn each_state_of_health_is_a_metric() {
    let market = flat_market();
    let (_cluster, mut admin) = installed_by_hand(&market);
    let of_health: Vec<String> = admin.list(
        r"SELECT DISTINCT m[1]
            FROM (SELECT substring(pg_get_viewdef('signal_health'), 'CASE\s+WHEN [a-z.]*standby THEN.*?END AS state'))
                     AS c (states)
           CROSS JOIN LATERAL regexp_matches(c.states, $$(?:THEN|ELSE) '([a-z_]+)'$$, 'g') AS m ORDER BY 1",
    );
    assert!(of_health.len() > 10, "{of_health:?}");
    let of_metrics: Vec<String> = admin.list(
        "SELECT labels ->> 'state' FROM signal_metrics WHERE name = 'signal_hub_state' ORDER BY 1",
    );
    assert_eq!(of_metrics, of_health);
}
