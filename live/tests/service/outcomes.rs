//! What became of signals, as clients learn it: those who hold the signal, and nobody else.

use crate::client::Stream;
use crate::service::open;
use crate::shop::import;
use serde_json::Value;
use signal_hub_harness::scene::subscribe;
use signal_hub_harness::session::Session;

const TAKE_OUT: &str = "ALTER PUBLICATION signal_hub DROP TABLE signal_outcomes";
const PUT_BACK: &str = "SELECT enable_realtime()";

/// The last price touches target 1, 130 minutes after the entry.
fn see_target(admin: &mut Session, signal: i64) {
    admin.run(&format!(
        "UPDATE signal_outcomes
            SET best_target = 1, first_touch = 'target', target_at = ARRAY[signal_at + interval '130 minutes'],
                high_seen = take_profit[1]
          WHERE signal_id = {signal}"
    ));
}

/// Candles show that target 1 was touched, and then the stop.
fn settle(admin: &mut Session, signal: i64) {
    admin.run(&format!(
        "UPDATE signal_outcomes
            SET state = 'settled', best_target = 1, first_touch = 'target', ended = 'stop',
                target_at = ARRAY[signal_at + interval '130 minutes'], stop_at = signal_at + interval '3 hours',
                ended_at = signal_at + interval '3 hours', returns_percent = '{{1.3,-1.7,-1.7}}', ladder_percent = -0.7,
                hold_percent = -2, mirror_percent = -1.7, mirror_returns_percent = '{{-1.7,-1.7,-1.7}}', mfe_percent = 1.6,
                mae_percent = 1.5, fee_percent = 0.1, resolution = '1s', ambiguous = false, gap = false
          WHERE signal_id = {signal}"
    ));
}

/// The next outcome of a stream.
fn outcome(stream: &mut Stream) -> Value {
    stream.expect("outcome").data
}

/// That no outcome comes before this signal.
fn no_outcome_before(stream: &mut Stream, signal: i64) {
    loop {
        let event = stream.next().expect("the stream goes on");
        assert_ne!(event.name, "outcome", "{}", event.data);
        if event.name == "signal" && event.data["signal_id"] == signal {
            return;
        }
    }
}

fn has_no_price(outcome: &Value) {
    for (name, _) in outcome.as_object().expect("an object") {
        let is_price = ["price", "stop_loss", "take_profit", "seen"]
            .iter()
            .any(|part| name.contains(part));
        assert!(!is_price, "{name}");
    }
}

#[test]
fn an_outcome_comes_to_those_who_hold_the_signal_and_to_nobody_else() {
    let (mut shop, service) = open();
    let admin = &mut shop.admin;
    admin.run("UPDATE signal_tiers SET enabled = true, daily_quota = NULL");
    subscribe(admin, "FREE", 10, 10);
    let mut holder = Stream::open(&service, 1, None);
    let mut without_prices = Stream::open(&service, 10, None);
    // A new client reads twice; the second reading would bring outcomes again.
    for stream in [&mut holder, &mut without_prices] {
        stream.expect("watermark");
    }
    shop.signal();
    let admin = &mut shop.admin;
    subscribe(admin, "MAX", 20, 20);
    let mut newcomer = Stream::open(&service, 20, None);
    for stream in [&mut holder, &mut without_prices] {
        stream.expect_signal(1);
    }

    see_target(admin, 1);
    for stream in [&mut holder, &mut without_prices] {
        let seen = outcome(stream);
        assert_eq!(seen["signal_id"], 1);
        assert_eq!(seen["state"], "open");
        assert_eq!(seen["best_target"], 1);
        has_no_price(&seen);
    }
    // What changes in a price alone is nothing to clients.
    admin.run("UPDATE signal_outcomes SET high_seen = high_seen + 1");
    settle(admin, 1);
    for stream in [&mut holder, &mut without_prices] {
        let settled = outcome(stream);
        assert_eq!(settled["state"], "settled");
        assert_eq!(settled["returns_percent"][0], "1.3");
        has_no_price(&settled);
    }
    for number in [1, 10, 20] {
        admin.run(&import(number, 1000));
    }
    for stream in [&mut holder, &mut without_prices, &mut newcomer] {
        no_outcome_before(stream, 1000);
    }
    assert_eq!(service.metric("outcomes_total"), 4.0);
}

#[test]
fn outcomes_are_read_with_the_signals_and_for_those_that_are_named() {
    let (mut shop, service) = open();
    shop.signal();
    shop.signal();
    settle(&mut shop.admin, 1);
    subscribe(&mut shop.admin, "MAX", 20, 20);
    shop.admin.run(&import(20, 1000));
    let read = |number: u32, query: &str| -> Vec<String> {
        let page = service.json(&format!("/api/signals{query}"), &service.token(number));
        let outcomes = page["outcomes"].as_array().expect("a list").iter();
        let mut found: Vec<_> = outcomes
            .map(|one| format!("{} {}", one["signal_id"], one["state"]).replace('"', ""))
            .collect();
        found.sort();
        found
    };
    assert_eq!(read(2, ""), ["1 settled", "2 open"]);
    assert_eq!(read(2, "?limit=1"), ["2 open"]);
    assert_eq!(read(2, "?limit=1&open=1"), ["1 settled", "2 open"]);
    assert_eq!(read(20, "?open=1,2"), [""; 0], "they are of others");

    let token = service.token(2);
    for open in ["x", "1,y", "1;2", "99999999999999999999", "-", "1.5"] {
        for path in ["signals", "stream"] {
            let refused = service.get(&format!("/api/{path}?open={open}"), Some(&token));
            assert_eq!(refused.status(), 400, "{path} {open}");
        }
    }
    let many: Vec<String> = (1..=501).map(|number: i32| number.to_string()).collect();
    let refused = service.get(
        &format!("/api/signals?open={}", many.join(",")),
        Some(&token),
    );
    assert_eq!(refused.status(), 400);
}

#[test]
fn who_was_away_learns_what_was_settled_meanwhile() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    shop.signal();
    shop.signal();
    stream.expect_signal(2);
    stream.settle();
    let away = stream.watermark.clone();
    drop(stream);
    settle(&mut shop.admin, 1);
    let since = format!("{away}&open=1,2");
    let mut stream = Stream::open(&service, 2, Some(&since));
    let mut states = [outcome(&mut stream), outcome(&mut stream)]
        .map(|one| format!("{} {}", one["signal_id"], one["state"]));
    states.sort();
    assert_eq!(states, ["1 \"settled\"", "2 \"open\""]);
    // Of what is open it hears without having been sent the signal in this stream.
    settle(&mut shop.admin, 2);
    assert_eq!(outcome(&mut stream)["state"], "settled");

    // Naming a signal of others is of no use, whatever becomes of it.
    shop.signal();
    let since = service.json("/api/signals", &service.token(20))["watermark"].clone();
    let since = format!("{}&open=3", since.as_str().expect("a text"));
    let mut other = Stream::open(&service, 20, Some(&since));
    see_target(&mut shop.admin, 3);
    settle(&mut shop.admin, 3);
    shop.admin.run(&import(20, 1000));
    no_outcome_before(&mut other, 1000);
}

#[test]
fn an_outcome_that_was_not_published_is_read_once_the_table_is_published_again() {
    let (mut shop, mut service) = open();
    let mut stream = Stream::open(&service, 2, None);
    shop.signal();
    stream.expect_signal(1);
    stream.settle();
    shop.admin.run(TAKE_OUT);
    settle(&mut shop.admin, 1);
    shop.admin.run(PUT_BACK);
    let settled =
        std::iter::from_fn(|| Some(outcome(&mut stream))).find(|one| one["state"] == "settled");
    assert_eq!(settled.map(|one| one["signal_id"].clone()), Some(1.into()));

    shop.admin.run(TAKE_OUT);
    assert!(service.stop().success());
    service.start(&[]);
    let said = service.said();
    assert!(
        said.contains("does not publish signal_outcomes")
            && said.contains("HINT: SELECT \"public\".enable_realtime('signal_hub')"),
        "{said}"
    );
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1000));
    stream.expect_signal(1000);
}
