//! Single symbols and the time, driven by a test.

use super::identities::assert_identities;
use super::{A_TIME, ALL, get, good, integer, number, start, start_at, symbols_of, text, ticker};
use crate::{Corruption, Instrument};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_change_is_held_exactly_while_the_market_moves() {
    let market = start_at(A_TIME);
    for instrument in Instrument::ten_liquid_pairs() {
        for change in [
            "3.500", "-8.163", "2.000", "2.001", "-2.001", "0.000", "-37.049", "120.000",
        ] {
            market.set_change(&instrument.symbol, change);
            market.advance(Duration::from_secs(7));
            let row = ticker(&market, &instrument.symbol);
            assert_eq!(text(&row, "priceChangePercent"), change, "{row}");
            assert_identities(&row, instrument.tick_size);
        }
    }
}

#[test]
fn a_driven_symbol_leaves_the_others_alone_and_can_be_released() {
    let market = start_at(A_TIME);
    let before = good(&market, ALL);
    market.set_change("BTCUSDT", "12.5");
    market.set_spread_bps("BTCUSDT", "30");
    market.set_quote_volume("BTCUSDT", "10");
    let driven = good(&market, ALL);
    assert_ne!(driven[0], before[0]);
    for other in 1..10 {
        assert_eq!(driven[other], before[other]);
    }
    market.release("BTCUSDT");
    assert_eq!(good(&market, ALL), before);
}

#[test]
fn volume_and_spread_are_held() {
    let market = start_at(A_TIME);
    for instrument in Instrument::ten_liquid_pairs() {
        let symbol = &instrument.symbol;
        market.set_quote_volume(symbol, "500000.25");
        let row = ticker(&market, symbol);
        assert_eq!(number(&row, "quoteVolume"), Decimal::new(50_000_025, 2));
        assert_identities(&row, instrument.tick_size);

        market.set_volume(symbol, "1234.5");
        let row = ticker(&market, symbol);
        assert_eq!(number(&row, "volume"), Decimal::new(12_345, 1));
        assert_identities(&row, instrument.tick_size);

        market.set_spread_bps(symbol, "50");
        let row = ticker(&market, symbol);
        let spread = number(&row, "askPrice") - number(&row, "bidPrice");
        let wanted = number(&row, "lastPrice") * Decimal::new(5, 3);
        assert!((spread - wanted).abs() <= instrument.tick_size, "{row}");
        assert_identities(&row, instrument.tick_size);
    }
}

#[test]
fn a_halted_symbol_keeps_its_statistics_and_its_time() {
    let market = start_at(A_TIME);
    market.set_change("SOLUSDT", "-37.049");
    market.halt("SOLUSDT");
    let frozen = ticker(&market, "SOLUSDT");
    market.advance(Duration::from_hours(24 * 30));
    assert_eq!(ticker(&market, "SOLUSDT"), frozen);
    assert_eq!(text(&frozen, "priceChangePercent"), "-37.049");
    assert_eq!(text(&frozen, "bidPrice"), "0.00000000");
    assert_eq!(text(&frozen, "askPrice"), "0.00000000");
    assert_eq!(integer(&frozen, "closeTime"), A_TIME);
    let alive = ticker(&market, "BTCUSDT");
    assert!(integer(&alive, "closeTime") > A_TIME);
}

#[test]
fn an_untraded_symbol_is_all_zeros_except_for_the_previous_close() {
    let market = start_at(A_TIME);
    market.zero("SOLUSDT");
    let row = ticker(&market, "SOLUSDT");
    for (name, value) in row.as_object().expect("an object") {
        match name.as_str() {
            "symbol" | "openTime" => {}
            "closeTime" => assert_eq!(value, A_TIME),
            "firstId" | "lastId" => assert_eq!(value, -1),
            "count" => assert_eq!(value, 0),
            "prevClosePrice" => assert_ne!(value, "0.00000000"),
            "priceChangePercent" => assert_eq!(value, "0.000"),
            _ => assert_eq!(value, "0.00000000", "{name}"),
        }
    }
}

#[test]
fn a_bad_row_is_bad_in_its_own_way_and_the_only_one() {
    let market = start_at(A_TIME);
    let sound = good(&market, ALL);
    let spoiled = |how| {
        market.corrupt_row("SOLUSDT", how);
        let rows = good(&market, ALL);
        for other in (0..10).filter(|row| *row != 3) {
            assert_eq!(rows[other], sound[other]);
        }
        rows[3].clone()
    };
    assert_eq!(spoiled(Corruption::MissingField)["lastPrice"], Value::Null);
    assert_eq!(spoiled(Corruption::NotANumber)["lastPrice"], "NaN");
    assert!(spoiled(Corruption::WrongType)["lastPrice"].is_object());
    let liar = spoiled(Corruption::Inconsistent);
    assert_eq!(number(&liar, "priceChangePercent").abs(), 50.into());
    assert_eq!(liar["lastPrice"], sound[3]["lastPrice"]);
}

#[test]
fn time_stands_moves_on_and_runs_again() {
    let market = start();
    market.drive_time(A_TIME);
    assert_eq!(ticker(&market, "BTCUSDT")["closeTime"], A_TIME);
    market.advance(Duration::from_millis(1_500));
    assert_eq!(ticker(&market, "BTCUSDT")["closeTime"], A_TIME + 1_500);
    market.advance(Duration::from_hours(25));
    let row = ticker(&market, "BTCUSDT");
    assert_eq!(row["openTime"], A_TIME + 1_500 + 60 * 60 * 1_000);
    assert_identities(&row, Decimal::new(1, 2));
    market.follow_clock();
    let driven = A_TIME + 1_500 + 25 * 60 * 60 * 1_000;
    assert_ne!(market.now(), driven);
}

#[test]
fn a_recorded_reply_is_served_as_if_it_were_of_now() {
    let market = start_at(A_TIME);
    let recorded = json!([
        { "symbol": "OLDUSDT", "lastPrice": "1.00000000", "openTime": 1_000_000, "closeTime": 87_400_000 },
        { "symbol": "BTCUSDT", "lastPrice": "19980.19000000", "openTime": 2_000_000, "closeTime": 88_400_000 },
    ]);
    market.replay(&recorded.to_string()).expect("rows");
    let rows = good(&market, ALL);
    assert_eq!(symbols_of(&rows), ["OLDUSDT", "BTCUSDT"]);
    assert_eq!(rows[0]["closeTime"], A_TIME - 1_000_000);
    assert_eq!(rows[1]["closeTime"], A_TIME);
    assert_eq!(rows[1]["openTime"], A_TIME - 86_400_000);
    let bitcoin = ticker(&market, "BTCUSDT");
    assert_eq!(text(&bitcoin, "lastPrice"), "19980.19000000");
    assert_eq!(get(&market, &format!("{ALL}?symbol=ETHUSDT")).status, 400);

    market.end_replay();
    assert_identities(&ticker(&market, "ETHUSDT"), Decimal::new(1, 2));
    assert!(market.replay("[]").is_err());
    assert!(market.replay("{\"code\":-1121}").is_err());
}

#[test]
#[should_panic(expected = "NOSUCHUSDT is not listed")]
fn a_mistaken_symbol_is_a_mistake_of_the_test() {
    start().set_change("NOSUCHUSDT", "3");
}

#[test]
#[should_panic(expected = "\"much\" is not a decimal number")]
fn a_mistaken_number_is_a_mistake_of_the_test() {
    start().set_change("BTCUSDT", "much");
}
