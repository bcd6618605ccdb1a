//! An exchange that tells a session to stay away is left alone, whatever becomes of what the session
//! writes.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, beside, by_hand_at, by_itself, by_itself_at, generate, in_order, rising_market, runs,
    wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{CandleFault, Dialect, Fault, Simulator, Times};
use std::time::Duration;

const CALL: &str = "SELECT generate_signals_now()";
const PREVIEW: &str = "SELECT count(*) FROM preview_signals()";

fn two_exchanges() -> (Simulator, Simulator) {
    let first = rising_market();
    let second = beside(&first, Dialect::Bybit);
    (first, second)
}

fn say_stop(exchange: &Simulator) {
    let stop = Fault::Banned {
        retry_after: Some(3600),
    };
    exchange.inject(stop, Times::Once);
}

/// A server whose worker asks these exchanges, and does not run again before an hour has passed.
fn between_two_runs(exchanges: &[&Simulator]) -> (Cluster, Session) {
    let cluster = Options::preloaded()
        .set("signal_hub.exchanges", &in_order(exchanges))
        .set("signal_hub.interval", "1h")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    (cluster, session)
}

fn left_alone(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT exchange FROM signal_exchanges
          WHERE asked_to_wait AND retry_at > now() + interval '9 minutes' AND error LIKE '%refuses requests for now%'
          ORDER BY 1",
    )
}

#[test]
fn when_all_exchanges_tell_a_caller_to_stop_nobody_asks_them_again() {
    let (first, second) = two_exchanges();
    let (mut cluster, mut session) = between_two_runs(&[&first, &second]);
    say_stop(&first);
    say_stop(&second);
    assert_eq!(session.error(CALL).code().code(), "08004");
    let asked = [first.request_count(), second.request_count()];
    // At once, in another session, and for a preview.
    assert_eq!(session.error(CALL).code().code(), "08004");
    let mut other = cluster.session(POSTGRES);
    assert_eq!(other.error(CALL).code().code(), "08004");
    assert_eq!(other.error(PREVIEW).code().code(), "08004");
    eventually(SOON, "the worker has put it on record", || {
        left_alone(&mut session) == ["binance", "bybit"]
    });
    drop((session, other));
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    assert_eq!(session.error(CALL).code().code(), "08004");
    assert_eq!([first.request_count(), second.request_count()], asked);
}

#[test]
fn a_stop_outlives_the_callers_rollback_while_the_next_one_serves() {
    let (first, second) = two_exchanges();
    let (_cluster, mut session) = between_two_runs(&[&first, &second]);
    say_stop(&first);
    session.run("BEGIN");
    assert_eq!(generate(&mut session)["success"], true);
    session.run("ROLLBACK");
    let asked = first.request_count();
    assert_eq!(generate(&mut session)["success"], true);
    eventually(SOON, "the worker has put it on record", || {
        left_alone(&mut session) == ["binance"]
    });
    assert_eq!(first.request_count(), asked);
    // What is on record may be corrected by an administrator.
    session.run("UPDATE signal_exchanges SET retry_at = NULL, asked_to_wait = false");
    eventually(SOON, "it is asked again", || {
        generate(&mut session);
        first.request_count() > asked
    });
}

#[test]
fn a_stop_told_to_a_preview_counts_for_calls_and_for_the_worker() {
    let market = rising_market();
    let (cluster, mut session) = between_two_runs(&[&market]);
    market.inject(
        Fault::TooManyRequests {
            retry_after: Some(15),
        },
        Times::Once,
    );
    assert_eq!(session.error(PREVIEW).code().code(), "08004");
    let asked = market.request_count();
    assert_eq!(session.error(CALL).code().code(), "08004");
    cluster.configure("signal_hub.interval", "1s");
    eventually(SOON, "nobody asks before the time is over", || {
        // Before a preview that is refused, the time was not over either.
        let count = market.request_count();
        let is_over = session.try_list::<i64>(PREVIEW).is_ok();
        assert!(is_over || count == asked);
        is_over
    });
}

#[test]
fn without_shared_memory_the_session_that_was_told_keeps_to_it() {
    let (first, second) = two_exchanges();
    let cluster = by_hand_at(&[&first, &second]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    say_stop(&first);
    say_stop(&second);
    for _ in 0..2 {
        assert_eq!(session.error(CALL).code().code(), "08004");
    }
    assert_eq!([first.request_count(), second.request_count()], [1, 1]);
}

#[test]
fn one_that_says_stop_in_the_first_run_is_not_asked_for_its_pairs_after_it() {
    let (first, second) = two_exchanges();
    say_stop(&first);
    let cluster = by_itself_at(&[&first, &second]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "three runs", || runs(&mut session) >= 3);
    let lists = "SELECT DISTINCT exchange FROM signal_instruments";
    eventually(SOON, "the list of the other is read", || {
        session.list::<String>(lists) == ["bybit"]
    });
    assert_eq!(first.requests().len(), 1, "{:?}", first.requests());
}

#[test]
fn a_stop_where_daily_candles_are_asked_for_is_one_for_all() {
    let market = rising_market();
    let stop = Fault::TooManyRequests {
        retry_after: Some(600),
    };
    market.inject_on_candles(CandleFault::Reply(stop), Times::Once);
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    session.run("UPDATE signal_rules SET enabled = true WHERE strategy = 'tsmom'; COMMIT");
    let kept = "SELECT format('%s %s', status, sqlstate) FROM signal_runs
                 WHERE retry_at > started_at + interval '9 minutes'";
    eventually(SOON, "the stop is on record", || {
        session.list::<String>(kept) == ["ok 08004"]
    });
    let asked = market.request_count();
    meanwhile(Duration::from_secs(3), "nobody asks", || {
        market.request_count() == asked
    });
    assert_eq!(session.error(CALL).code().code(), "08004");
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signals"),
        1,
        "the run is good"
    );
}
