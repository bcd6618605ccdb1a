//! `signal_uptime`: how many runs were due, and how many were made, by UTC day.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market, wait_for_good_run};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Times};

fn with_extension(cluster: &Cluster) -> Session {
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    session
}

/// What the view says of the day that was this many days ago.
fn day(session: &mut Session, days_ago: i32, column: &str) -> Option<String> {
    session
        .list::<Option<String>>(&format!(
            "SELECT {column}::text FROM signal_uptime
              WHERE day = (now() AT TIME ZONE 'UTC')::date - {days_ago}"
        ))
        .into_iter()
        .next()
        .flatten()
}

fn days(session: &mut Session) -> i64 {
    session.one("SELECT count(*) FROM signal_uptime")
}

/// Makes all that was accounted for so far three days older.
fn three_days_pass(session: &mut Session) {
    session.run(
        "UPDATE signal_run_days SET day = day - 3, accounted_until = accounted_until - interval '72 hours',
                last_good_at = last_good_at - interval '72 hours'",
    );
}

#[track_caller]
fn wait_for_run_today(session: &mut Session) {
    eventually(SOON, "a run of today is accounted for", || {
        session.one::<i64>(
            "SELECT count(*) FROM signal_run_days
              WHERE day = (now() AT TIME ZONE 'UTC')::date AND made > 0",
        ) == 1
    });
}

/// What the two whole days in between say.
#[track_caller]
fn whole_days(session: &mut Session, column: &str, expected: &str) {
    for days_ago in [1, 2] {
        assert_eq!(
            day(session, days_ago, column).as_deref(),
            Some(expected),
            "{column}"
        );
    }
}

#[test]
fn a_day_without_trouble_has_all_its_runs_across_a_restart() {
    let market = flat_market();
    let mut cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    let made = "SELECT coalesce(sum(made), 0)::bigint FROM signal_uptime";
    eventually(SOON, "some runs are made", || session.one::<i64>(made) >= 3);
    // By the history, at the same moment: on a busy machine runs are late, and beats missed.
    let says = &session.rows(
        "WITH runs AS MATERIALIZED (
             SELECT started_at, started_at - lag(started_at) OVER (ORDER BY run_id) AS gap FROM signal_runs
         ), uptime AS MATERIALIZED (
             SELECT sum(made) AS made, sum(failed) AS failed, sum(missed) AS missed, max(longest_gap) AS longest_gap,
                    bool_and(good_percent = trunc(100.0 * made / nullif(due, 0), 3)) AS percents
               FROM signal_uptime
         ), history AS MATERIALIZED (
             SELECT count(*) AS made, max(gap) AS gap, clock_timestamp() - max(started_at) AS since_the_last,
                    floor(1.1 + extract(epoch FROM clock_timestamp() - min(started_at))) AS beats
               FROM uptime CROSS JOIN runs
         )
         SELECT u.failed = 0 AND u.made = h.made AND u.missed BETWEEN 0 AND greatest(h.beats - h.made, 0)
                    AND u.percents
                    AND u.longest_gap BETWEEN h.gap - interval '10 ms'
                                          AND greatest(h.gap, h.since_the_last) + interval '10 ms',
                format('%s %s', u, h)
           FROM uptime u CROSS JOIN history h",
    )[0];
    assert!(says.get::<_, bool>(0), "{}", says.get::<_, &str>(1));
    let before: i64 = session.one(made);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    eventually(SOON, "some runs more are made", || {
        session.one::<i64>(made) >= before + 2
    });
    assert!(session.one::<bool>(
        "SELECT has_table_privilege('pg_monitor', 'signal_uptime', 'SELECT')
                AND NOT has_table_privilege('public', 'signal_uptime', 'SELECT')"
    ));
}

#[test]
fn a_worker_that_was_down_for_days_has_missed_them_before_and_after_it_is_back() {
    let market = flat_market();
    let cluster = by_itself(&market).set("signal_hub.interval", "1h").start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    three_days_pass(&mut session);
    assert_eq!(days(&mut session), 4);
    whole_days(&mut session, "due", "24");
    whole_days(&mut session, "made", "0");
    whole_days(&mut session, "missed", "24");
    whole_days(&mut session, "longest_gap", "1 day");
    whole_days(&mut session, "good_percent", "0.000");
    whole_days(&mut session, "paused", "00:00:00");

    cluster.configure("signal_hub.interval", "1s");
    wait_for_run_today(&mut session);
    assert_eq!(days(&mut session), 4);
    whole_days(&mut session, "due", "86400");
    whole_days(&mut session, "missed", "86400");
    whole_days(&mut session, "longest_gap", "1 day");
}

#[test]
fn failed_runs_are_counted_apart() {
    let market = flat_market();
    market.inject(Fault::InternalError, Times::Forever);
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    eventually(SOON, "failures are counted", || {
        session.one::<i64>("SELECT coalesce(sum(failed), 0)::bigint FROM signal_uptime") >= 2
    });
    assert!(session.one::<bool>(
        "SELECT bool_and(made = failed AND due >= made AND good_percent = 0) FROM signal_uptime"
    ));
}

#[test]
fn days_of_a_pause_are_not_missed() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    session.run("SELECT pause_signals('holidays')");
    eventually(SOON, "the pause is noted", || {
        session.one::<i64>("SELECT count(*) FROM signal_run_days WHERE state = 'paused'") == 1
    });
    // No machine is so late that a beat is missed; another name of the exchange
    // brings one at once.
    cluster.configure("signal_hub.interval", "1h");
    three_days_pass(&mut session);
    for _ in 0..2 {
        whole_days(&mut session, "paused", "1 day");
        whole_days(&mut session, "due", "0");
        whole_days(&mut session, "missed", "0");
        assert_eq!(day(&mut session, 1, "good_percent"), None);
        session.run("SELECT resume_signals()");
        cluster.configure("signal_hub.exchange_url", &format!("{}/", market.url()));
        wait_for_run_today(&mut session);
    }
    assert_eq!(day(&mut session, 0, "missed").as_deref(), Some("0"));
}

#[test]
fn days_after_a_pause_that_ended_while_no_worker_ran_are_missed() {
    let market = flat_market();
    let mut cluster = by_itself(&market).set("signal_hub.interval", "1h").start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    session.run("SELECT pause_signals('holidays')");
    cluster.configure("signal_hub.interval", "1s");
    eventually(SOON, "the pause is noted", || {
        session.one::<i64>("SELECT count(*) FROM signal_run_days WHERE state = 'paused'") == 1
    });
    cluster.configure("signal_hub.interval", "1h");
    cluster.append_setting("shared_preload_libraries", "");
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    three_days_pass(&mut session);
    session.run("SELECT resume_signals()");
    whole_days(&mut session, "paused", "1 day");
    whole_days(&mut session, "missed", "0");
    three_days_pass(&mut session);
    whole_days(&mut session, "paused", "00:00:00");
    whole_days(&mut session, "missed", "24");
}

#[test]
fn days_with_the_switch_off_are_not_missed() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    cluster.configure("signal_hub.enabled", "off");
    eventually(SOON, "the switch is noted", || {
        session.one::<i64>("SELECT count(*) FROM signal_run_days WHERE state = 'disabled'") == 1
    });
    three_days_pass(&mut session);
    whole_days(&mut session, "disabled", "1 day");
    whole_days(&mut session, "missed", "0");
    cluster.configure("signal_hub.enabled", "on");
    wait_for_run_today(&mut session);
    whole_days(&mut session, "disabled", "1 day");
    whole_days(&mut session, "missed", "0");
}

#[test]
fn days_are_kept_as_long_as_signals() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = with_extension(&cluster);
    wait_for_good_run(&mut session);
    session.run(
        "BEGIN;
         INSERT INTO signal_run_days
         SELECT day - 80, due, made, failed, paused, disabled, longest_gap, state, accounted_until, last_good_at, run_interval
           FROM signal_run_days;
         INSERT INTO signal_run_days
         SELECT day - 20, due, made, failed, paused, disabled, longest_gap, state, accounted_until, last_good_at, run_interval
           FROM signal_run_days",
    );
    assert_eq!(days(&mut session), 4);
    // The first purge of the next worker is still to come.
    session.run("SELECT pg_terminate_backend(worker_pid) FROM signal_worker_status(); COMMIT");
    eventually(2 * SOON, "the day before the signals is purged", || {
        days(&mut session) == 3
    });
}
