//! Strategies are rows of signal_rules: which are there, and what becomes of one that is enabled.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_hand, flat_market, generate, installed_by_hand, rising_market,
};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{CandleFault, Fault, RecordedCandle, Times};
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;

#[test]
fn all_but_momentum_are_disabled_and_say_that_they_are_unproven() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    let rows: Vec<String> = session.list(
        "SELECT format('%s %s %s %s', strategy, CASE WHEN enabled THEN 'on' ELSE 'off' END, lifetime,
                       split_part(description, '.', 1))
           FROM signal_rules WHERE shipped ORDER BY strategy",
    );
    assert_eq!(
        rows,
        [
            "breakout off 7 days Unproven",
            "momentum on 04:00:00 Follows a 24h change beyond a threshold",
            "reversal off 24:00:00 Unproven",
            "tsmom off 7 days Unproven",
        ]
    );
}

#[test]
fn a_row_with_a_name_that_is_no_strategy_costs_only_itself() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("INSERT INTO signal_rules (strategy) VALUES ('astrology')");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    let message = report["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("there is no strategy astrology")
            && message.contains("breakout, momentum, reversal, tsmom"),
        "{message}"
    );
    let error = session.error("INSERT INTO signal_rules (strategy) VALUES ('')");
    assert!(error.message().contains("strategy must not be empty"));
}

#[test]
fn a_fall_is_followed_by_one_strategy_and_bought_by_another() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("UPDATE signal_rules SET enabled = true WHERE strategy = 'reversal'");
    market.set_change("BTCUSDT", "-7");
    market.set_change("ETHUSDT", "-9");
    let previews: Vec<String> = session.list(
        "SELECT DISTINCT split_part(verdict, ':', 1) || ' ' || signal_type FROM preview_signals()
          WHERE symbol = 'ETHUSDT' ORDER BY 1",
    );
    assert_eq!(previews, ["momentum SHORT", "reversal LONG"]);
    generate(&mut session);
    let signals: Vec<String> = session
        .list("SELECT format('%s %s %s', strategy, symbol, signal_type) FROM signals ORDER BY 1");
    assert_eq!(
        signals,
        [
            "momentum BTCUSDT SHORT",
            "momentum ETHUSDT SHORT",
            "reversal ETHUSDT LONG",
        ]
    );
    assert!(session.one::<bool>(
        "SELECT expires_at - created_at = '24 hours' AND why = '24h change -9 % is beyond -8 %, entered LONG'
                AND round(take_profit[1] / entry_price, 3) = 1.05 AND round(stop_loss / entry_price, 3) = 0.95
           FROM signals WHERE strategy = 'reversal'"
    ));
}

/// Days that opened and closed at 100, up to the one that is not finished at `now`.
fn thirty_days(now: i64) -> Vec<RecordedCandle> {
    let number = |text: &str| text.parse().expect("a number");
    let today = now.div_euclid(DAY_MS);
    let day = |number_of: i64| RecordedCandle {
        open_time: number_of * DAY_MS,
        open: number("100"),
        high: number("101"),
        low: number("99"),
        close: number("100"),
        base_volume: number("1000000"),
        quote_volume: number("100000000"),
    };
    (today - 30..=today).map(day).collect()
}

#[test]
fn a_symbol_without_daily_candles_costs_those_after_it_nothing() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    // The first in alphabetical order is not listed, so the exchange refuses to give its candles.
    session.run(
        "INSERT INTO signal_symbols (symbol) VALUES ('AAAUSDT');
         UPDATE signal_rules SET enabled = strategy = 'tsmom'",
    );
    // Three runs do, or some more where the machine is slow.
    eventually(SOON, "all others have theirs", || {
        generate(&mut session);
        let lacking: Vec<String> = session.list(
            "SELECT symbol FROM signal_symbols EXCEPT SELECT symbol FROM signal_daily_candles",
        );
        lacking == ["AAAUSDT"]
    });
}

#[test]
fn daily_candles_take_no_longer_than_a_fetch_may_and_go_on_at_the_next_run() {
    let market = flat_market();
    let cluster = by_hand(&market)
        .set("signal_hub.http_timeout", "10s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE EXTENSION signal_hub;
         UPDATE signal_symbols SET enabled = symbol IN ('BTCUSDT', 'ETHUSDT', 'SOLUSDT');
         UPDATE signal_rules SET enabled = strategy = 'tsmom'",
    );
    let late = CandleFault::Reply(Fault::Late(Duration::from_secs(6)));
    market.inject_on_candles(late, Times::Once);
    let asked_for = || -> Vec<&str> {
        let requests = market.requests();
        let is_asked = |symbol: &&str| {
            requests
                .iter()
                .any(|r| r.contains("kline") && r.contains(*symbol))
        };
        ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
            .into_iter()
            .filter(is_asked)
            .collect()
    };
    generate(&mut session);
    assert_eq!(asked_for(), ["BTCUSDT"], "no time was left for the others");
    let fetch_ms: f64 = session.one("SELECT max(fetch_ms)::float8 FROM signal_runs");
    assert!(fetch_ms < 15_000.0, "{fetch_ms} ms");
    // At the next run, or one more where the machine is slow.
    for _ in 0..5 {
        generate(&mut session);
    }
    assert_eq!(asked_for(), ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
}

#[test]
fn daily_candles_are_fetched_once_a_day_for_the_strategies_that_need_them() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "UPDATE signal_symbols SET enabled = symbol IN ('BTCUSDT', 'ETHUSDT');
         UPDATE signal_rules SET enabled = strategy = 'tsmom'",
    );
    market.play_candles("BTCUSDT", DAY_MS, thirty_days(market.now()));
    let report = generate(&mut session);
    let message = report["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("with too few daily candles"),
        "at first: {message}"
    );
    let days: Vec<i64> = session.list(
        "SELECT count(*) FROM signal_daily_candles
          WHERE day < (now() AT TIME ZONE 'UTC')::date AND symbol = 'BTCUSDT'",
    );
    assert_eq!(days, [28]);
    let asked = market.request_count();
    let report = generate(&mut session);
    assert_eq!(
        market.request_count(),
        asked + 1,
        "the tickers alone: {report}"
    );
    // What is in the table is judged by, wherever it is from.
    session.run(
        "INSERT INTO signal_daily_candles (symbol, day, open, high, low, close, base_volume, quote_volume)
         SELECT 'ETHUSDT', (now() AT TIME ZONE 'UTC')::date - i, 1000000, 1000000, 1000000, 1000000, 1, 1
           FROM generate_series(1, 28) i
         ON CONFLICT (symbol, day) DO UPDATE SET open = excluded.open",
    );
    let why: String =
        session.one("SELECT DISTINCT verdict FROM preview_signals() WHERE symbol = 'ETHUSDT'");
    assert!(
        why.starts_with("28-day return -") && why.ends_with("% is beyond 0 %, entered SHORT"),
        "{why}"
    );
}
