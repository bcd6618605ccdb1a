//! Several exchanges: when the first fails, says stop or cannot be judged, the next is asked in the
//! same run, and nothing is lost or repeated by that.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, beside, by_hand_at, by_itself_at, generate, in_order, rising_market, runs,
    wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Corruption, Dialect, Fault, Simulator, Times};
use std::time::{Duration, Instant};

/// BTCUSDT is 3.5 % up at both.
fn two_exchanges() -> (Simulator, Simulator) {
    let first = rising_market();
    let second = beside(&first, Dialect::Bybit);
    (first, second)
}

fn by_hand(first: &Simulator, second: &Simulator) -> (Cluster, Session) {
    let cluster = by_hand_at(&[first, second]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

fn by_itself(first: &Simulator, second: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself_at(&[first, second]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

/// The exchange of the last run.
fn asked(session: &mut Session) -> Option<String> {
    let last = session.list("SELECT exchange FROM signal_runs ORDER BY run_id DESC LIMIT 1");
    last.into_iter().next()
}

fn signals(session: &mut Session) -> Vec<String> {
    session.list("SELECT format('%s of %s', symbol, exchange) FROM signals ORDER BY signal_id")
}

#[test]
fn the_first_is_asked_alone_while_it_answers_and_the_next_in_the_same_run_when_it_does_not() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = by_hand(&first, &second);
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!((first.request_count(), second.request_count()), (1, 0));

    first.go_down();
    first.set_change("ETHUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    let message = report["message"].as_str().expect("words");
    assert!(
        message.contains("asked bybit instead of binance: could not reach the exchange"),
        "{message}"
    );
    assert_eq!(
        signals(&mut session),
        ["BTCUSDT of binance", "ETHUSDT of bybit"]
    );
    assert_eq!(asked(&mut session).as_deref(), Some("bybit"));
    let url: String = session.one("SELECT exchange_url FROM signal_runs WHERE exchange = 'bybit'");
    assert_eq!(url, second.url());
    let same: bool = session.one(
        "SELECT bool_and(o.source = r.exchange_url AND s.exchange = r.exchange)
           FROM signal_outcomes o JOIN signals s USING (signal_id) JOIN signal_runs r USING (run_id)",
    );
    assert!(same, "an outcome is settled by the exchange of its signal");
}

#[test]
fn killing_the_first_loses_no_run_and_repeats_no_signal_and_it_is_taken_up_again() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = by_itself(&first, &second);
    wait_for_good_run(&mut session);
    first.go_down();
    eventually(SOON, "the next one serves", || {
        asked(&mut session).as_deref() == Some("bybit")
    });
    let since = runs(&mut session);
    eventually(SOON, "ten runs more", || runs(&mut session) >= since + 10);
    let (state, message): (String, String) = {
        let rows = session.rows("SELECT state, message FROM signal_health");
        (rows[0].get(0), rows[0].get(1))
    };
    assert_eq!(state, "running", "{message}");
    assert!(message.contains("bybit instead of binance"), "{message}");

    first.come_back();
    eventually(4 * SOON, "the first one is taken up again", || {
        asked(&mut session).as_deref() == Some("binance")
    });
    let since = runs(&mut session);
    eventually(SOON, "three runs more", || runs(&mut session) >= since + 3);
    let changes: i64 = session.one(
        "SELECT count(*) FROM (SELECT exchange, lag(exchange) OVER (ORDER BY run_id) AS before FROM signal_runs) r
          WHERE exchange <> before",
    );
    assert_eq!(changes, 2, "there and back, once");
    let not_good: i64 = session.one("SELECT count(*) FROM signal_runs WHERE status <> 'ok'");
    assert_eq!(not_good, 0);
    assert_eq!(signals(&mut session), ["BTCUSDT of binance"]);
}

#[test]
fn when_both_are_down_the_state_is_failing_with_both_reasons() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = by_itself(&first, &second);
    wait_for_good_run(&mut session);
    first.go_down();
    second.go_down();
    let message = eventually(SOON, "health says so", || {
        let rows = session.rows("SELECT state, message FROM signal_health");
        let (state, message): (String, String) = (rows[0].get(0), rows[0].get(1));
        (state == "failing").then_some(message)
    });
    assert!(
        message.contains("binance: could not reach the exchange"),
        "{message}"
    );
    assert!(
        message.contains("bybit: could not reach the exchange"),
        "{message}"
    );
    let size: i64 = session.one("SELECT length(signal_health::text)::bigint FROM signal_health");
    assert!(size < 1000, "{size}");
    second.come_back();
    wait_for_good_run(&mut session);
    assert_eq!(asked(&mut session).as_deref(), Some("bybit"));
}

#[test]
fn one_that_says_stop_is_left_alone_across_a_restart_while_the_next_one_serves() {
    let (first, second) = two_exchanges();
    let (mut cluster, mut session) = by_itself(&first, &second);
    wait_for_good_run(&mut session);
    first.inject(
        Fault::Banned {
            retry_after: Some(3600),
        },
        Times::Once,
    );
    eventually(SOON, "the next one serves", || {
        asked(&mut session).as_deref() == Some("bybit")
    });
    let before = first.request_count();
    drop(session);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    let since = runs(&mut session);
    eventually(SOON, "runs go on", || runs(&mut session) >= since + 3);
    let report = generate(&mut session);
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(first.request_count(), before, "not even by hand");
    let known: bool = session.one(
        "SELECT asked_to_wait AND failures = 1 AND retry_at > now() + interval '50 minutes'
                AND error LIKE '%status 418%'
           FROM signal_exchanges WHERE exchange = 'binance'",
    );
    assert!(known);
}

#[test]
fn what_the_first_does_not_list_or_has_stale_comes_from_the_next() {
    let (first, second) = two_exchanges();
    first.unlist("SOLUSDT");
    // The first row of its replies, which is that of BTCUSDT in the list of all.
    first.inject(Fault::BadRow(Corruption::MissingField), Times::Forever);
    let (_cluster, mut session) = by_hand(&first, &second);
    first.set_change("SOLUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 2, "{report}");
    let message = report["message"].as_str().expect("words");
    assert!(
        message.ends_with("BTCUSDT, SOLUSDT from bybit"),
        "{message}"
    );
    let mut found = signals(&mut session);
    found.sort();
    assert_eq!(found, ["BTCUSDT of bybit", "SOLUSDT of bybit"]);
    let status: String = session.one("SELECT status FROM signal_symbols WHERE symbol = 'SOLUSDT'");
    assert_eq!(status, "TRADING");
    let asked = first.request_count();
    generate(&mut session);
    assert_eq!(
        first.request_count(),
        asked + 1,
        "it is not asked for it again"
    );
}

#[test]
fn what_the_next_does_not_list_either_comes_from_the_one_after_it() {
    let (first, second) = two_exchanges();
    let third = beside(&first, Dialect::Okx);
    for exchange in [&first, &second] {
        exchange.unlist("SOLUSDT");
    }
    first.unlist("ETHUSDT");
    let cluster = by_hand_at(&[&first, &second, &third]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    first.set_change("SOLUSDT", "3.5");
    first.set_change("ETHUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 3, "{report}");
    let message = report["message"].as_str().expect("words");
    assert!(
        message.ends_with("ETHUSDT from bybit; SOLUSDT from okx"),
        "{message}"
    );
    let mut found = signals(&mut session);
    found.sort();
    let wanted = ["BTCUSDT of binance", "ETHUSDT of bybit", "SOLUSDT of okx"];
    assert_eq!(found, wanted);
}

#[test]
fn when_none_of_the_first_ones_tickers_can_be_judged_the_next_is_asked() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = by_hand(&first, &second);
    first.inject(Fault::Stale, Times::Forever);
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!(signals(&mut session), ["BTCUSDT of bybit"]);
    let message = report["message"].as_str().expect("words");
    assert!(
        message.contains("instead of binance: none of its tickers can be judged"),
        "{message}"
    );
}

#[test]
fn whatever_the_first_answers_the_next_serves_in_the_same_run_within_the_same_time() {
    let (first, second) = two_exchanges();
    let cluster = by_hand_at(&[&first, &second])
        .set("signal_hub.http_timeout", "12s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    // Those that say stop come last: the first is not asked again then.
    let faults = [
        Fault::Reset,
        Fault::Redirect,
        Fault::Html,
        Fault::Truncated,
        Fault::MalformedJson,
        Fault::NotUtf8,
        Fault::EmptyBody,
        Fault::Silence,
        Fault::InternalError,
        Fault::Unavailable,
        Fault::Zeros,
        Fault::Microseconds,
        Fault::Shifted(120_000),
        Fault::BadRows(Corruption::NoBook),
        Fault::RestrictedLocation,
    ];
    for fault in faults {
        first.inject(fault.clone(), Times::Once);
        let began = Instant::now();
        let report = generate(&mut session);
        let took = began.elapsed();
        assert_eq!(report["symbols_evaluated"], 10, "{fault:?}: {report}");
        let message = report["message"].as_str().expect("words");
        assert!(
            message.contains("asked bybit instead of binance: "),
            "{fault:?}: {message}"
        );
        assert!(took < Duration::from_secs(12), "{fault:?}: {took:?}");
        assert_eq!(asked(&mut session).as_deref(), Some("bybit"), "{fault:?}");
    }
    assert_eq!(signals(&mut session), ["BTCUSDT of bybit"]);
}

#[test]
fn two_that_disagree_give_no_signal_where_the_rule_asks_for_agreement() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = by_hand(&first, &second);
    session.run("UPDATE signal_rules SET max_disagreement_percent = 1");
    second.differ("BTCUSDT", "2");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 0, "{report}");
    let message = report["message"].as_str().expect("words");
    assert!(
        message.contains("on whose price two exchanges disagree"),
        "{message}"
    );
    let verdict: String = session.one(
        "SELECT DISTINCT verdict FROM preview_signals() WHERE symbol = 'BTCUSDT' AND gate = 'agreement'",
    );
    assert!(
        verdict.contains("at bybit, more than 1 % apart"),
        "{verdict}"
    );
    second.differ("BTCUSDT", "0");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
}

#[test]
fn a_list_of_exchanges_that_cannot_be_used_is_refused_or_asks_nobody() {
    let (first, second) = two_exchanges();
    let (cluster, mut session) = by_itself(&first, &second);
    wait_for_good_run(&mut session);
    for (list, why) in [
        ("nowhere", "there is no exchange nowhere"),
        ("binance, binance", "twice"),
        ("bybit=http://user:secret@host", "of the URL of bybit"),
    ] {
        let error = session.error(&format!("ALTER SYSTEM SET signal_hub.exchanges = '{list}'"));
        assert_eq!(error.code().code(), "22023", "{}", error.message());
        let detail = error.detail().unwrap_or_default();
        assert!(
            detail.contains(why) && !detail.contains("secret"),
            "{detail}"
        );
    }
    for (proxy, why) in [("user:secret@host", "http"), ("ftp://host:1", "http")] {
        let error = session.error(&format!(
            "ALTER SYSTEM SET signal_hub.http_proxy = '{proxy}'"
        ));
        let detail = error.detail().unwrap_or_default();
        assert!(
            detail.contains(why) && !detail.contains("secret"),
            "{detail}"
        );
    }
    session.run("ALTER SYSTEM SET signal_hub.http_proxy = 'http://user:secret@proxy.example:3128'");
    session.run("ALTER SYSTEM RESET signal_hub.http_proxy");
    cluster.configure("signal_hub.exchanges", &in_order(&[&second, &first]));
    eventually(SOON, "the new order is kept", || {
        asked(&mut session).as_deref() == Some("bybit")
    });
}

#[test]
fn a_list_of_exchanges_in_a_file_that_cannot_be_used_asks_nobody() {
    let (first, second) = two_exchanges();
    let cluster = by_itself_at(&[&first, &second])
        .set("signal_hub.exchanges", "nowhere")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "health says so", || {
        let rows = session.rows("SELECT state, message FROM signal_health");
        let (state, message): (String, String) = (rows[0].get(0), rows[0].get(1));
        state == "failing" && message.contains("there is no exchange nowhere")
    });
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "22023", "{}", error.message());
    assert_eq!((first.request_count(), second.request_count()), (0, 0));
    cluster.configure("signal_hub.exchanges", &in_order(&[&first]));
    wait_for_good_run(&mut session);
}
