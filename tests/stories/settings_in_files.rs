//! Settings that cannot be used: refused where somebody sets them, and harmless in a file.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, rising_market, runs, subscribe, wait_for_deliveries,
    wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

fn with_extension(cluster: &Cluster) -> Session {
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    session
}

/// As above, with this many subscribers at the first run.
fn with_subscribers(cluster: &Cluster, count: u32) -> Session {
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, count);
    session.run("COMMIT");
    session
}

#[track_caller]
fn wait_for_message(session: &mut Session, part: &str) -> (String, String) {
    eventually(SOON, &format!("health says {part}"), || {
        let rows = session.rows("SELECT state, message FROM signal_health");
        let (state, message): (String, String) = (rows[0].get(0), rows[0].get(1));
        Some((state, message)).filter(|(_, message)| message.contains(part))
    })
}

/// Makes what was signalled, and a run, this old. It is purged some ten seconds later: the next
/// worker begins with a purge, and this one may have had its own already.
fn age(session: &mut Session, age: &str) {
    session.run(&format!(
        "UPDATE signals SET created_at = created_at - interval '{age}';
         INSERT INTO signal_runs (trigger, status, started_at, message)
         VALUES ('manual', 'skipped', now() - interval '{age}', 'old');
         SELECT pg_terminate_backend(worker_pid) FROM signal_worker_status()"
    ));
}

/// A server with such a retention in its file purges the history, and no signal.
fn keeps_signals_with(retention: &str) {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("signal_hub.signal_retention", retention)
        .set("signal_hub.run_retention", "30d")
        .start();
    let mut session = with_subscribers(&cluster, 2);
    wait_for_deliveries(&mut session, 2);
    age(&mut session, "4000 days");
    eventually(2 * SOON, "old runs are purged", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE message = 'old'") == 0
    });
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 2);
    let (state, message) = wait_for_message(&mut session, "signal_hub.signal_retention");
    assert_eq!(state, "failing");
    assert!(message.contains(&format!("'{retention}'")), "{message}");
    assert!(message.contains("number with its unit"), "{message}");
    // Signals go on, and the remedy is one.
    market.set_change("ETHUSDT", "3.5");
    wait_for_deliveries(&mut session, 4);
    cluster.configure("signal_hub.signal_retention", "90d");
    eventually(SOON, "health is well again", || {
        session.one::<bool>("SELECT healthy FROM signal_health")
    });
}

#[test]
fn a_retention_without_a_unit_purges_nothing_and_says_what_to_write() {
    keeps_signals_with("90");
}

#[test]
fn a_retention_of_less_than_a_day_purges_nothing_and_says_what_to_write() {
    keeps_signals_with("90min");
}

#[test]
fn minutes_without_a_unit_from_an_older_file_purge_nothing_and_say_what_to_write() {
    keeps_signals_with("129600");
}

#[test]
fn a_run_retention_that_cannot_be_read_keeps_the_history() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("signal_hub.run_retention", "30 dayz")
        .start();
    let mut session = with_subscribers(&cluster, 1);
    wait_for_deliveries(&mut session, 1);
    age(&mut session, "91 days");
    eventually(2 * SOON, "old signals are purged", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 0
    });
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE message = 'old'"),
        1
    );
    wait_for_message(&mut session, "signal_hub.run_retention");
}

#[test]
fn a_retention_that_cannot_be_used_is_refused_where_it_is_set() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = with_extension(&cluster);
    session.run("SELECT * FROM signal_health");
    for (name, value, why) in [
        ("signal_retention", "90", "no unit"),
        ("signal_retention", "23h", "less than a day"),
        ("signal_retention", "1 fortnight", "unit"),
        ("signal_retention", "-1d", "number"),
        ("run_retention", "43200", "no unit"),
        ("run_retention", "1s", "less than a minute"),
    ] {
        let error = session.error(&format!("ALTER SYSTEM SET signal_hub.{name} = '{value}'"));
        assert_eq!(error.code().code(), "22023", "{}", error.message());
        let detail = error.detail().unwrap_or_default();
        assert!(detail.contains(why) && detail.contains("'90d'"), "{detail}");
    }
    for (name, value) in [
        ("signal_retention", "0"),
        ("signal_retention", "24h"),
        ("signal_retention", "7 days"),
        ("run_retention", "0"),
        ("run_retention", "90min"),
    ] {
        session.run(&format!("ALTER SYSTEM SET signal_hub.{name} = '{value}'"));
    }
}

#[test]
fn a_purge_leaves_one_line_in_the_log_with_what_it_removed() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = with_subscribers(&cluster, 700);
    wait_for_deliveries(&mut session, 700);
    age(&mut session, "91 days");
    let line = "purged 1 rows of signals, 700 of user_signals and 1 of signal_runs";
    eventually(2 * SOON, "the log says what was purged", || {
        cluster.log().contains(line)
    });
    assert_eq!(cluster.log().matches("purged").count(), 1);
}

#[test]
fn an_exchange_url_that_is_refused_at_the_start_asks_nobody() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set(
            "signal_hub.exchange_url",
            "http://user:secret@exchange.internal",
        )
        .start();
    let mut session = with_extension(&cluster);
    let (state, message) = wait_for_message(&mut session, "signal_hub.exchange_url");
    assert_eq!(state, "failing");
    assert!(!message.contains("secret"), "{message}");
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "22023", "{}", error.message());
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE exchange_url IS NOT NULL"),
        0,
        "no other exchange was asked, and the history shows no password"
    );
    cluster.configure("signal_hub.exchange_url", &market.url());
    wait_for_good_run(&mut session);
}

#[test]
fn a_ca_file_that_cannot_be_read_asks_nobody() {
    let market = flat_market();
    let cluster = by_itself(&market)
        .set("signal_hub.exchange_url", "https://127.0.0.1:1")
        .set("signal_hub.ca_file", "/nowhere/ca.pem")
        .start();
    let mut session = with_extension(&cluster);
    wait_for_message(&mut session, "signal_hub.ca_file");
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_off() {
    let market = rising_market();
    let cluster = by_itself(&market).set("signal_hub.enabled", "offf").start();
    let mut session = with_extension(&cluster);
    wait_for_message(&mut session, "neither on nor off");
    meanwhile(Duration::from_secs(3), "nobody is asked", || {
        market.request_count() == 0
    });
    assert_eq!(runs(&mut session), 0);
    cluster.configure("signal_hub.enabled", "on");
    wait_for_good_run(&mut session);
}
