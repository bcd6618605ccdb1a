//! The latest prices, for those who hold a signal that is open.

use crate::client::Stream;
use crate::service::open;
use crate::shop::import;
use serde_json::json;
use signal_hub_harness::session::Session;
use std::time::Instant;

fn set(admin: &mut Session, symbol: &str, price: &str) {
    admin.run(&format!(
        "INSERT INTO signal_prices VALUES ('{symbol}', {price}, 1, '2026-11-22 01:00+00', now())
             ON CONFLICT (symbol) DO UPDATE SET last_price = excluded.last_price"
    ));
}

fn priced(price: &str) -> serde_json::Value {
    json!({ "price": price, "at": "2026-11-22T01:00:00.000Z" })
}

#[test]
fn prices_come_for_open_signals_only_and_a_storm_of_changes_is_one_event() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 1, None);
    let mut without = Stream::open(&service, 2, None);
    let admin = &mut shop.admin;
    set(admin, "ETHUSDT", "10");
    set(admin, "BTCUSDT", "67998.42");
    admin.run(&import(1, 1000));
    stream.expect_signal(1000);
    // Whatever comes with it, the first price of the symbol does.
    set(admin, "BTCUSDT", "67998.50");
    let mut prices = stream.expect_prices();
    if prices["BTCUSDT"] == priced("67998.42") {
        prices = stream.expect_prices();
    }
    assert_eq!(prices, json!({ "BTCUSDT": priced("67998.50") }));

    let began = Instant::now();
    for step in 0..200 {
        set(admin, "BTCUSDT", &format!("67000.{step:03}"));
        set(admin, "ETHUSDT", &format!("9.{step:03}"));
    }
    let mut events = 1;
    while stream.expect_prices() != json!({ "BTCUSDT": priced("67000.199") }) {
        events += 1;
        let most = 3 + began.elapsed().as_secs() / 2;
        assert!(events <= most, "a price every two seconds");
    }

    // Who comes back, or is another, gets what they hold.
    admin.run(&import(2, 1001));
    without.expect_signal(1001);
    set(admin, "ETHUSDT", "8");
    assert_eq!(
        without.expect_prices(),
        json!({ "BTCUSDT": priced("67000.199") })
    );
}

#[test]
fn the_way_of_the_price_is_kept_while_a_signal_is_open_for_those_who_have_its_prices() {
    let (mut shop, service) = open();
    shop.signal();
    shop.admin.run("SELECT generate_signals_now()");
    let kept: Vec<String> = shop.admin.list(
        "SELECT format('%s %s', p.symbol, p.close = s.last_price)
           FROM signal_price_path p JOIN signals s USING (symbol)
          WHERE p.low <= p.open AND p.close <= p.high",
    );
    let symbol: String = shop.admin.one("SELECT symbol FROM signals");
    assert_eq!(kept, [format!("{symbol} t")], "of no other symbol");
    let signal: i64 = shop.admin.one("SELECT signal_id FROM signals");
    let path = format!("/api/signals/{signal}/path");
    let answer = service.json(&path, &service.token(1));
    assert_eq!(answer["seconds"], 300);
    assert_eq!(answer["path"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(service.get(&path, Some(&service.token(9))).status(), 404);
    // What cannot be written costs no run.
    shop.admin
        .run("DELETE FROM signal_price_path; ALTER TABLE signal_price_path ADD CONSTRAINT nothing_goes CHECK (close < 0)");
    let done: bool = shop
        .admin
        .one("SELECT (generate_signals_now() ->> 'success')::boolean");
    assert!(done);
}
