//! What all signals came to, for every subscriber.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::scene::SOON;
use crate::service::open;
use crate::shop::import;
use crate::wait::eventually;
use serde_json::Value;
use signal_hub_harness::session::Session;

/// 40 days with a LONG and a SHORT each: the LONG reached target 1 and then the stop, the SHORT was
/// stopped.
fn fill(admin: &mut Session) {
    admin.run(
        "INSERT INTO signal_outcomes
             (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
              stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent)
         SELECT 1000 + n, 'momentum', CASE n % 2 WHEN 0 THEN 'BTCUSDT' ELSE 'ETHUSDT' END,
                CASE n % 2 WHEN 0 THEN 'LONG' ELSE 'SHORT' END, 'entered', at, at + interval '4 hours', 100, 98.5, '{101.5,103,105}',
                1.5, '{1.5,3,5}', 50, 50, 2, 4
           FROM generate_series(0, 79) n, LATERAL (SELECT now() - interval '1 day' * (n / 2 + 1)) t (at);
         UPDATE signal_outcomes
            SET state = 'settled', best_target = 1 - signal_id % 2, first_touch = CASE signal_id % 2 WHEN 0 THEN 'target' ELSE 'stop' END,
                ended = 'stop', target_at = CASE signal_id % 2 WHEN 0 THEN ARRAY[signal_at + interval '1 hour'] ELSE '{}' END,
                stop_at = signal_at + interval '2 hours', ended_at = signal_at + interval '2 hours',
                returns_percent = CASE signal_id % 2 WHEN 0 THEN '{1.3,-1.7,-1.7}'::numeric[] ELSE '{-1.7,-1.7,-1.7}' END,
                ladder_percent = -1, hold_percent = -2, mirror_percent = -0.2, mirror_returns_percent = '{-0.2,-0.2,-0.2}',
                mfe_percent = 1.6, mae_percent = 1.5, fee_percent = 0.1, resolution = '1m', ambiguous = false, gap = false
          WHERE signal_id >= 1000",
    );
}

#[test]
fn every_subscriber_gets_the_record_of_all_signals_made_once_a_minute() {
    let (mut shop, service) = open();
    fill(&mut shop.admin);
    shop.signal();
    assert_eq!(service.get("/api/track-record", None).status(), 401);
    // 20 has no subscription and no signal.
    let record = service.json("/api/track-record", &service.token(20));
    let total = &record["total"];
    let counts = ["signals", "settled", "open", "target1", "stop_first"];
    let counts = counts.map(|name| total[name].as_i64());
    assert_eq!(counts, [81, 80, 1, 40, 40].map(Some), "{total}");
    assert_eq!(total["target1_rate"].as_f64(), Some(50.0));
    assert!(total["target1_low"].as_f64() < Some(50.0), "{total}");
    assert_eq!(total["mean_percent"].as_f64(), Some(-0.2));
    assert_eq!(total["mirror_percent"].as_f64(), Some(-0.2));
    assert_eq!(total["verdict"], "too few");

    let list = |name: &str| record[name].as_array().expect("a list").clone();
    let named = |rows: Vec<Value>, name: &str| -> Vec<String> {
        let text = |row: &Value| format!("{} {}", row[name], row["settled"]).replace('"', "");
        rows.iter().map(text).collect()
    };
    assert_eq!(named(list("sides"), "signal_type"), ["LONG 40", "SHORT 40"]);
    assert_eq!(
        named(list("symbols"), "symbol"),
        ["BTCUSDT 40", "ETHUSDT 40"]
    );
    assert_eq!(record["symbols_total"], 2);
    let days = list("days");
    assert_eq!(days.iter().filter(|day| day["settled"] == 2).count(), 40);
    assert!(
        days.iter()
            .all(|day| day["mean_percent"].is_null() || day["mean_percent"].as_f64() == Some(-0.2)),
        "{days:?}"
    );
    for price in ["98.5", "101.5", "entry_price", "signal_id"] {
        assert!(!record.to_string().contains(price), "{price}");
    }

    // One more signal: within the minute nothing is made anew.
    shop.signal();
    let again = service.json("/api/track-record", &service.token(1));
    assert_eq!(again, record);
}

#[test]
fn a_record_that_cannot_be_made_is_refused_and_delays_no_signal() {
    let (mut shop, service) = open();
    let token = service.token(1);
    let mut other = shop.cluster.session(POSTGRES);
    other.run("BEGIN; LOCK TABLE signal_rule_versions");
    let mut stream = Stream::open(&service, 1, None);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| service.get("/api/track-record", Some(&token)).status());
        shop.admin.run(&import(1, 1000));
        stream.expect_signal(1000);
        assert_eq!(asking.join().expect("no panic"), 503);
    });
    other.run("ROLLBACK");
    eventually(SOON, "it is made again", || {
        service.get("/api/track-record", Some(&token)).status() == 200
    });
}
