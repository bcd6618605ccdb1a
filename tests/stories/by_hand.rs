//! `generate_signals_now()`, called by a person: what it does, and what it leaves when it fails.

use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::{
    by_hand, contents, flat_market, generate, installed_by_hand, rising_market, subscribe, user,
};
use signal_hub_simulator::{Fault, Simulator, Times};
use std::time::{Duration, Instant};

#[test]
fn one_call_fetches_judges_records_and_delivers_without_preloading() {
    let market = rising_market();
    one_call(by_hand(&market), &market);
}

#[test]
fn one_call_fetches_judges_records_and_delivers_with_preloading() {
    let market = rising_market();
    let options = Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        // The worker would ask the exchange, too.
        .set("signal_hub.enabled", "off");
    one_call(options, &market);
}

fn one_call(options: Options, market: &Simulator) {
    let cluster = options.start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 3);

    let first = generate(&mut session);
    assert_eq!(market.request_count(), 1, "{:?}", market.requests());
    let mut keys: Vec<&String> = first.as_object().expect("an object").keys().collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "deliveries",
            "message",
            "run_id",
            "signals_generated",
            "success",
            "symbols_evaluated",
            "timestamp",
        ]
    );
    assert_eq!(first["success"], true);
    assert_eq!(first["signals_generated"], 1);
    assert_eq!(first["deliveries"], 3);
    assert_eq!(first["symbols_evaluated"], 10);
    assert!(first["run_id"].is_i64());
    let message = first["message"].as_str().expect("a text");
    assert!(message.contains("BTCUSDT LONG"), "{message}");
    let timestamp = first["timestamp"].as_str().expect("a text");
    let age: f64 = session.one(&format!(
        "SELECT extract(epoch FROM clock_timestamp() - '{timestamp}'::timestamptz)::float8"
    ));
    assert!((0.0..60.0).contains(&age), "{timestamp} is {age} s ago");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 3);

    let second = generate(&mut session);
    assert_eq!(market.request_count(), 2);
    assert_eq!(second["success"], true);
    assert_eq!(second["signals_generated"], 0);
    assert_eq!(second["deliveries"], 0);
    let message = second["message"].as_str().expect("a text");
    assert!(message.contains("signalled already"), "{message}");
    assert!(message.contains("BTCUSDT"), "{message}");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 3);
}

#[test]
fn an_exchange_that_is_down_is_an_error_that_changes_nothing() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    market.go_down();
    let before = contents(&mut session);
    for call in [
        "SELECT generate_signals_now()",
        "SELECT * FROM preview_signals()",
    ] {
        let error = session.error(call);
        assert_eq!(error.code().code(), "08001", "{}", error.message());
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("signal_hub.exchange_url")),
            "{error:?}"
        );
        assert_no_backtrace(&error);
    }
    assert!(
        session
            .error("SELECT generate_signals_now()")
            .detail()
            .is_some(),
        "the error has a DETAIL"
    );
    assert_eq!(contents(&mut session), before);
}

#[test]
fn rolling_back_the_callers_transaction_leaves_nothing() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    let before: i64 = session.one("SELECT count(*) FROM signals");
    session.run("BEGIN");
    assert_eq!(generate(&mut session)["deliveries"], 3);
    session.run("ROLLBACK");
    for table in [
        "signals",
        "user_signals",
        "user_signal_quotas",
        "signal_runs",
        "signal_episodes",
    ] {
        let rows: i64 = session.one(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows, before, "{table}");
    }
    assert_eq!(
        generate(&mut session)["deliveries"],
        3,
        "the signal is still to come"
    );
}

#[test]
fn statement_timeout_ends_a_call_behind_a_silent_exchange() {
    let market = rising_market();
    let cluster = by_hand(&market)
        .set("signal_hub.http_timeout", "60s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let before = contents(&mut session);
    market.inject(Fault::Silence, Times::Forever);
    session.run("SET statement_timeout = '500ms'");
    for _ in 0..3 {
        let started = Instant::now();
        let error = session.error("SELECT generate_signals_now()");
        // A third of the time for which the exchange is waited for.
        let took = started.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert_eq!(error.code().code(), "57014", "{}", error.message());
        assert_no_backtrace(&error);
    }
    assert_eq!(contents(&mut session), before);
    market.clear_faults();
    session.run("SET statement_timeout = 0");
    assert_eq!(
        generate(&mut session)["signals_generated"],
        1,
        "the backend goes on working"
    );
}

#[track_caller]
fn assert_no_backtrace(error: &postgres::error::DbError) {
    let text = format!(
        "{:?} {:?} {:?}",
        error.detail(),
        error.hint(),
        error.where_()
    );
    assert!(
        !text.to_lowercase().contains("backtrace") && !text.contains(".rs:"),
        "{text}"
    );
}

#[test]
fn targets_are_nearest_first_in_whatever_order_the_rule_has_them() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("UPDATE signal_rules SET take_profit_percents = '{5,1.5,3}'");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert!(session.one::<bool>(
        "SELECT cardinality(take_profit) = 3 AND take_profit[1] < take_profit[2] AND take_profit[2] < take_profit[3]
           FROM signals WHERE signal_type = 'LONG'"
    ));
}

#[test]
fn an_unknown_symbol_is_marked_and_costs_the_others_nothing() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('NOSUCHUSDT')");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1);
    assert_eq!(report["symbols_evaluated"], 10);
    let status = "SELECT status FROM signal_symbols WHERE symbol = 'NOSUCHUSDT'";
    assert_eq!(session.one::<String>(status), "UNKNOWN");
    let requests = market.request_count();
    // After some seconds it would be asked for again.
    session
        .run("UPDATE signal_symbols SET checked_at = clock_timestamp() WHERE status = 'UNKNOWN'");
    generate(&mut session);
    assert_eq!(
        market.request_count(),
        requests + 1,
        "it is not asked for again at once"
    );
    assert!(
        market
            .requests()
            .last()
            .is_some_and(|request| !request.contains("NOSUCHUSDT"))
    );
    assert_eq!(session.one::<String>(status), "UNKNOWN");
}

#[test]
fn a_lower_case_symbol_is_refused() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    let error = session.error("INSERT INTO signal_symbols (symbol) VALUES ('btcusdt')");
    assert_eq!(error.code().code(), "23514");
    assert!(error.message().contains("symbol"), "{}", error.message());
}

#[test]
fn one_user_cannot_be_given_the_same_signal_twice() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    generate(&mut session);
    let error = session.error("INSERT INTO user_signals SELECT * FROM user_signals");
    assert_eq!(error.code().code(), "23505");
    let quota: i32 = session.one(&format!(
        "SELECT received FROM user_signal_quotas WHERE user_id = '{}'",
        user(1)
    ));
    assert_eq!(quota, 1);
}
