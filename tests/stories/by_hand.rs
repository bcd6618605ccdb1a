//! `generate_signals_now()` and `preview_signals()`, called by a person.

use serde_json::Value;
use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_hand, contents, flat_market, rising_market, subscribe, user, wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Simulator, Times};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// A database with the extension on a server that asks `market`, never by itself.
fn shop(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_hand(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

fn generate(session: &mut Session) -> Value {
    session.one("SELECT generate_signals_now()")
}

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
    let (_cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 1, 1);
    drop(market);
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
fn preview_shows_every_symbol_with_every_gate_and_writes_nothing() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 1, 1);
    let before = contents(&mut session);
    let rows =
        session.rows("SELECT symbol, gate, threshold, verdict, passed FROM preview_signals()");
    assert_eq!(market.request_count(), 1);
    let symbols: Vec<String> = session.list("SELECT symbol FROM signal_symbols ORDER BY symbol");
    let gates = [
        "listed",
        "valid",
        "trading",
        "fresh",
        "momentum",
        "volume",
        "confidence",
        "quality",
        "levels",
        "episode",
        "max_per_run",
    ];
    let shown: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected: Vec<(String, String)> = symbols
        .iter()
        .flat_map(|symbol| gates.map(|gate| (symbol.clone(), gate.to_owned())))
        .collect();
    assert_eq!(shown, expected);
    for row in &rows {
        assert!(
            !row.get::<_, String>(2).is_empty() && !row.get::<_, String>(3).is_empty(),
            "{row:?}"
        );
    }
    let all_passed: Vec<String> = session
        .list("SELECT symbol FROM preview_signals() GROUP BY symbol HAVING bool_and(passed)");
    assert_eq!(all_passed, ["BTCUSDT"]);
    assert_eq!(contents(&mut session), before);
    assert_eq!(
        generate(&mut session)["signals_generated"],
        1,
        "the preview did not use it up"
    );
}

#[test]
fn rolling_back_the_callers_transaction_leaves_nothing() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
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
    let (_cluster, mut session) = shop(&market);
    let before = contents(&mut session);
    market.inject(Fault::Silence, Times::Forever);
    session.run("SET statement_timeout = '500ms'");
    for _ in 0..3 {
        let started = Instant::now();
        let error = session.error("SELECT generate_signals_now()");
        assert!(
            started.elapsed() < Duration::from_millis(1500),
            "{:?}",
            started.elapsed()
        );
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

#[test]
fn targets_are_nearest_first_in_whatever_order_the_rule_has_them() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
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
    let (_cluster, mut session) = shop(&market);
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('NOSUCHUSDT')");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1);
    assert_eq!(report["symbols_evaluated"], 10);
    let status = "SELECT status FROM signal_symbols WHERE symbol = 'NOSUCHUSDT'";
    assert_eq!(session.one::<String>(status), "UNKNOWN");
    let requests = market.request_count();
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
    let (_cluster, mut session) = shop(&market);
    let error = session.error("INSERT INTO signal_symbols (symbol) VALUES ('btcusdt')");
    assert_eq!(error.code().code(), "23514");
    assert!(error.message().contains("symbol"), "{}", error.message());
}

#[test]
fn eight_callers_at_once_make_one_signal() {
    const CALLERS: usize = 8;
    let market = rising_market();
    let (cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 1, 50);
    let start = Barrier::new(CALLERS);
    let reports: Vec<Value> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut session = cluster.session(POSTGRES);
                    start.wait();
                    generate(&mut session)
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("a report"))
            .collect()
    });
    let generated: Vec<&Value> = reports
        .iter()
        .filter(|r| r["signals_generated"] == 1)
        .collect();
    assert_eq!(generated.len(), 1, "{reports:?}");
    assert_eq!(generated[0]["deliveries"], 50);
    for report in reports.iter().filter(|r| r["signals_generated"] != 1) {
        assert_eq!(report["signals_generated"], 0);
        assert!(
            report["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{report}"
        );
    }
    wait_for_deliveries(&mut session, 50);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
}

#[test]
fn a_caller_is_told_when_another_cycle_is_running() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    market.inject(Fault::Silence, Times::Once);
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut session = cluster.session(POSTGRES);
            session.run("SET statement_timeout = '6s'");
            session.error("SELECT generate_signals_now()")
        });
        eventually(Duration::from_secs(5), "the first call waits", || {
            market.request_count() == 1
        });
        let report = generate(&mut session);
        assert_eq!(report["success"], false);
        assert!(
            report["message"]
                .as_str()
                .is_some_and(|m| m.contains("another cycle")),
            "{report}"
        );
        assert_eq!(slow.join().expect("an error").code().code(), "57014");
    });
}

#[test]
fn a_paused_database_says_so_to_a_caller() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    session.run("SELECT pause_signals('maintenance')");
    let report = generate(&mut session);
    assert_eq!(report["success"], false);
    assert!(
        report["message"]
            .as_str()
            .is_some_and(|m| m.contains("maintenance")),
        "{report}"
    );
    assert_eq!(market.request_count(), 0);
}

#[test]
fn what_a_caller_has_deferred_is_checked_when_signals_are_written_and_not_by_a_preview() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    session.run(
        "CREATE TABLE people (id integer PRIMARY KEY);
         CREATE TABLE pets (owner integer REFERENCES people DEFERRABLE INITIALLY DEFERRED)",
    );
    // A pet comes before its owner, which is fine until the end of the transaction.
    session.run("BEGIN; INSERT INTO pets VALUES (1)");
    session.run("SELECT * FROM preview_signals()");
    session.run("INSERT INTO pets VALUES (2)");
    session.run("INSERT INTO people VALUES (1), (2); COMMIT");

    session.run("BEGIN; INSERT INTO pets VALUES (3)");
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "23503", "{}", error.message());
    session.run("ROLLBACK");

    session.run("BEGIN; INSERT INTO pets VALUES (3); INSERT INTO people VALUES (3)");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    // From then on at once, unless the caller says so anew.
    session.run("SAVEPOINT here");
    let error = session.error("INSERT INTO pets VALUES (4)");
    assert_eq!(error.code().code(), "23503", "{}", error.message());
    session.run("ROLLBACK TO here; SET CONSTRAINTS ALL DEFERRED; INSERT INTO pets VALUES (4)");
    session.run("INSERT INTO people VALUES (4); COMMIT");
}

#[test]
fn one_user_cannot_be_given_the_same_signal_twice() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
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

#[test]
fn a_role_that_was_granted_the_function_needs_no_other_right() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 1, 2);
    session.run(
        "CREATE ROLE operator;
         GRANT EXECUTE ON FUNCTION generate_signals_now(), preview_signals() TO operator;
         SET ROLE operator",
    );
    session.run("SELECT * FROM preview_signals()");
    assert_eq!(generate(&mut session)["deliveries"], 2);
    assert_eq!(
        session.one::<String>("SELECT current_user::text"),
        "operator"
    );
    let error = session.error("SELECT * FROM signals");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
}

#[test]
fn a_caller_cannot_slip_in_objects_of_their_own() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 1, 2);
    session.run(
        "CREATE ROLE attacker;
         GRANT EXECUTE ON FUNCTION generate_signals_now() TO attacker;
         CREATE SCHEMA trap AUTHORIZATION attacker;
         SET ROLE attacker;
         CREATE FUNCTION trap.fooled() RETURNS boolean LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'fooled as %', current_user; END $$;
         CREATE FUNCTION trap.same(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.fooled()';
         CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.fooled()';
         CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT CASE WHEN trap.fooled() THEN clock_timestamp() END';
         CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = text, FUNCTION = trap.same);
         CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
         CREATE TEMP TABLE signals (signal_id bigint);
         CREATE TEMP TABLE user_signals (user_id uuid);
         CREATE TEMP TABLE pg_extension (extname text);
         SET search_path = trap, pg_temp, pg_catalog, public",
    );
    assert_eq!(
        session.one::<Value>("SELECT public.generate_signals_now()")["deliveries"],
        2
    );
    assert_eq!(
        session.one::<String>("SHOW search_path"),
        "trap, pg_temp, pg_catalog, public",
        "the caller's own setting is as it was"
    );
}

#[test]
fn a_read_only_transaction_is_refused_before_the_exchange_is_asked() {
    let market = rising_market();
    let (_cluster, mut session) = shop(&market);
    session.run("BEGIN READ ONLY");
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "25006", "{}", error.message());
    session.run("ROLLBACK");
    assert_eq!(market.request_count(), 0);
}

#[test]
fn preview_works_where_nothing_can_be_written() {
    let market = rising_market();
    let options = Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.enabled", "off");
    let primary = options.start();
    let mut session = primary.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let passing = "SELECT symbol FROM preview_signals() GROUP BY symbol HAVING bool_and(passed)";
    session.run("BEGIN READ ONLY");
    assert_eq!(session.list::<String>(passing), ["BTCUSDT"]);
    session.run("COMMIT");

    let standby = primary.standby();
    let mut reader = standby.session(POSTGRES);
    assert!(reader.one::<bool>("SELECT pg_is_in_recovery()"));
    eventually(SOON, "the standby has the extension", || {
        reader.one::<i64>("SELECT count(*) FROM pg_extension WHERE extname = 'signal_hub'") == 1
    });
    assert_eq!(reader.list::<String>(passing), ["BTCUSDT"]);
    let error = reader.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "25006", "{}", error.message());
}

#[track_caller]
fn assert_no_backtrace(error: &postgres::error::DbError) {
    let said = format!(
        "{:?} {:?} {:?}",
        error.detail(),
        error.hint(),
        error.where_()
    );
    assert!(
        !said.to_lowercase().contains("backtrace") && !said.contains(".rs:"),
        "{said}"
    );
}

#[test]
fn a_call_whose_transaction_cannot_see_what_others_do_is_refused() {
    let market = rising_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        session.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        let error = session.error("SELECT generate_signals_now()");
        session.run("ROLLBACK");
        assert_eq!(error.code().code(), "0A000", "{}", error.message());
        assert_eq!(error.hint(), Some("Use isolation level read committed."));
    }
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signal_runs"), 0);
}
