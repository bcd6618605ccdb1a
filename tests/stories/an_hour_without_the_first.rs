//! The first of two exchanges is gone for an hour, by clocks that a test drives: no run is lost, no
//! signal comes twice, and each is settled by the exchange that it came from.

use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, beside, by_itself_at, rising_market, runs};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Dialect, Simulator, UnixMillis};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE: i64 = 60_000;
/// How much faster than the machine's the worker's clocks for waiting run.
const FASTER: u32 = 20;

/// Sets all clocks, and waits for a run that began at what they show.
fn pass_to(clock: &Clocks, market: &Simulator, session: &mut Session, time: UnixMillis) {
    clock.stand_at(market, time);
    let before = runs(session);
    eventually(SOON, "two runs", || runs(session) >= before + 2);
}

/// Requests for candles of these.
fn candles(market: &Simulator, of: &str) -> Vec<String> {
    let mut requests = market.requests();
    requests.retain(|request| request.contains("kline") && request.contains(of));
    requests
}

#[test]
fn no_run_is_lost_no_signal_comes_twice_and_each_is_settled_where_it_came_from() {
    let first = rising_market();
    let second = beside(&first, Dialect::Bybit);
    let clock = Clocks::standing(FASTER);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let began = since.expect("after 1970").as_millis() as i64 / MINUTE * MINUTE;
    clock.stand_at(&first, began);
    let cluster = clock
        .of(by_itself_at(&[&first, &second]))
        .set("signal_hub.interval", &format!("{FASTER}s"))
        .set("signal_hub.http_timeout", "200s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the first signal", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 1
    });

    first.go_down();
    for minute in (4..=60).step_by(4) {
        pass_to(&clock, &first, &mut session, began + minute * MINUTE);
        if minute == 28 {
            first.set_change("ETHUSDT", "3.5");
        }
    }
    first.come_back();
    for minute in (64..=84).step_by(4) {
        pass_to(&clock, &first, &mut session, began + minute * MINUTE);
    }
    let not_good: Vec<String> =
        session.list("SELECT format('%s %s', status, error) FROM signal_runs WHERE status <> 'ok'");
    assert_eq!(not_good, Vec::<String>::new());
    let served: Vec<String> = session.list(
        "SELECT exchange FROM (SELECT run_id, exchange, lag(exchange) OVER (ORDER BY run_id) AS before
                                 FROM signal_runs) r
          WHERE exchange IS DISTINCT FROM before ORDER BY run_id",
    );
    assert_eq!(served, ["binance", "bybit", "binance"]);
    let signals: Vec<String> = session.list(
        "SELECT format('%s %s of %s', symbol, reason, exchange) FROM signals ORDER BY signal_id",
    );
    let expected = ["BTCUSDT entered of binance", "ETHUSDT entered of bybit"];
    assert_eq!(signals, expected);

    // Four hours and five seconds after the second one.
    pass_to(&clock, &first, &mut session, began + 5 * 60 * MINUTE);
    eventually(SOON, "both are settled", || {
        session.one::<i64>("SELECT count(*) FROM signal_outcomes WHERE state = 'settled'") == 2
    });
    for (market, own, other) in [
        (&first, "BTCUSDT", "ETHUSDT"),
        (&second, "ETHUSDT", "BTCUSDT"),
    ] {
        assert!(!candles(market, own).is_empty(), "{:?}", market.requests());
        assert_eq!(candles(market, other), Vec::<String>::new());
    }
}
