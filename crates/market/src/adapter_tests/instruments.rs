//! Instruments in replies of each exchange's own shape, with numbers made up for them.

use super::of;
use crate::http::tests::{Peer, UNKNOWN_SYMBOL, answer};
use crate::{Instrument, Status};
use std::collections::HashSet;

fn line(instrument: &Instrument) -> String {
    format!(
        "{} = {}: {}/{} {} {}",
        instrument.symbol,
        instrument.native_symbol,
        instrument.base,
        instrument.quote,
        instrument
            .tick_size
            .map_or("-".to_owned(), |t| t.to_string()),
        instrument.status.name()
    )
}

const BINANCE: &str = r#"{"timezone":"UTC","symbols":[
    {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
        {"filterType":"LOT_SIZE","stepSize":"0.00001000"},
        {"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1","tickSize":"0.01000000"}]},
    {"symbol":"ETHUSDT","status":"BREAK","baseAsset":"ETH","quoteAsset":"USDT","filters":[]},
    7]}"#;

#[test]
fn every_exchange_says_tick_assets_and_status_in_its_own_shape() {
    let btc = "BTCUSDT = BTCUSDT: BTC/USDT 0.01 TRADING";
    let dashed = "BTCUSDT = BTC-USDT: BTC/USDT 0.01 TRADING";
    for (name, body, expected) in [
        (
            "binance",
            BINANCE,
            [btc, "ETHUSDT = ETHUSDT: ETH/USDT - HALTED"],
        ),
        (
            "bybit",
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[
                {"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","status":"Trading",
                 "lotSizeFilter":{},"priceFilter":{"tickSize":"0.01"}},
                {"symbol":"ETHUSDT","baseCoin":"ETH","quoteCoin":"USDT","status":"PreLaunch"}]},
                "time":1}"#,
            [btc, "ETHUSDT = ETHUSDT: ETH/USDT - HALTED"],
        ),
        (
            "okx",
            r#"{"code":"0","msg":"","data":[
                {"instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","tickSz":"0.01",
                 "state":"live"},
                {"instId":"ETH-USDT","baseCcy":"ETH","quoteCcy":"USDT","tickSz":"",
                 "state":"suspend"}]}"#,
            [dashed, "ETHUSDT = ETH-USDT: ETH/USDT - HALTED"],
        ),
        (
            "kucoin",
            r#"{"code":"200000","data":[
                {"symbol":"BTC-USDT","baseCurrency":"BTC","quoteCurrency":"USDT",
                 "priceIncrement":"0.01","enableTrading":true},
                {"symbol":"ETH-USDT","baseCurrency":"ETH","quoteCurrency":"USDT",
                 "priceIncrement":"0","enableTrading":false}]}"#,
            [dashed, "ETHUSDT = ETH-USDT: ETH/USDT - HALTED"],
        ),
        (
            "gate",
            r#"[{"id":"BTC_USDT","base":"BTC","quote":"USDT","precision":2,
                 "trade_status":"tradable"},
                {"id":"ETH_USDT","base":"ETH","quote":"USDT","trade_status":"untradable"}]"#,
            [
                "BTCUSDT = BTC_USDT: BTC/USDT 0.01 TRADING",
                "ETHUSDT = ETH_USDT: ETH/USDT - HALTED",
            ],
        ),
        (
            "coinbase",
            r#"[{"id":"BTC-USDT","base_currency":"BTC","quote_currency":"USDT",
                 "quote_increment":"0.01","status":"online","trading_disabled":false},
                {"id":"ETH-USDT","base_currency":"ETH","quote_currency":"USDT","status":"delisted",
                 "trading_disabled":true}]"#,
            [dashed, "ETHUSDT = ETH-USDT: ETH/USDT - DELISTED"],
        ),
        (
            "mexc",
            r#"{"timezone":"CST","symbols":[
                {"symbol":"BTCUSDT","status":"1","baseAsset":"BTC","quoteAsset":"USDT",
                 "quotePrecision":2},
                {"symbol":"ETHUSDT","status":"2","baseAsset":"ETH","quoteAsset":"USDT"}]}"#,
            [btc, "ETHUSDT = ETHUSDT: ETH/USDT - HALTED"],
        ),
        (
            "kraken",
            r#"{"error":[],"result":{
                "XBTUSDT":{"altname":"XBTUSDT","wsname":"XBT/USDT","base":"XXBT","quote":"USDT",
                 "tick_size":"0.01","status":"online"},
                "ETHUSDT":{"wsname":"ETH/USDT","status":"cancel_only"}}}"#,
            [
                "BTCUSDT = XBTUSDT: BTC/USDT 0.01 TRADING",
                "ETHUSDT = ETHUSDT: ETH/USDT - HALTED",
            ],
        ),
    ] {
        let peer = Peer::answering(&[&answer("200 OK", "", body)]);
        let asked = HashSet::from(["BTCUSDT", "ETHUSDT"]);
        let found = of(name).instruments(&peer.endpoint, &asked).unwrap();
        let found: Vec<String> = found.iter().map(line).collect();
        assert_eq!(found, expected, "{name}");
        let nobody = of(name).instruments(&peer.endpoint, &HashSet::new());
        assert_eq!(nobody, Ok(Vec::new()), "{name}: nothing is asked");
    }
}

#[test]
fn binance_is_asked_by_halves_until_the_unknown_symbol_is_alone() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let known = answer("200 OK", "", BINANCE);
    let none = answer("200 OK", "", r#"{"symbols":[]}"#);
    // All three; GONEUSDT and its neighbour; GONEUSDT; its neighbour; the first.
    let peer = Peer::answering(&[&refusal, &refusal, &refusal, &none, &known]);
    let asked = HashSet::from(["BTCUSDT", "ETHUSDT", "GONEUSDT"]);
    let found = of("binance").instruments(&peer.endpoint, &asked).unwrap();
    let lines = peer.request_lines();
    assert_eq!(lines.len(), 5);
    assert!(lines[0].contains("?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%2C%22GONEUSDT%22%5D"));
    assert!(
        lines[2].contains("?symbols=%5B%22GONEUSDT%22%5D"),
        "{lines:?}"
    );
    assert!(found.iter().all(|i| i.status != Status::Delisted));
    assert!(found.iter().any(|i| i.symbol == "BTCUSDT"));
}

#[test]
fn numbers_as_texts_and_texts_as_numbers_and_nulls_cost_no_instrument() {
    for (name, body, expected) in [
        (
            "binance",
            r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
                "filters":[{"maxNumOrders":200},{"filterType":"PRICE_FILTER","tickSize":0.01}]},
                {"symbol":"ETHUSDT","status":null,"baseAsset":"ETH","quoteAsset":"USDT","filters":null}]}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "bybit",
            r#"{"retCode":0,"result":{"list":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT",
                "status":"Trading","priceFilter":{"tickSize":0.01}},{"symbol":"ETHUSDT","baseCoin":"ETH",
                "quoteCoin":"USDT","priceFilter":null}]}}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "okx",
            r#"{"code":"0","data":[{"instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","tickSz":0.01,
                "state":"live"},{"instId":"ETH-USDT","baseCcy":"ETH","quoteCcy":"USDT","tickSz":null}]}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "kucoin",
            r#"{"code":"200000","data":[{"symbol":"BTC-USDT","baseCurrency":"BTC","quoteCurrency":"USDT",
                "priceIncrement":1e-2,"enableTrading":"true"},{"symbol":"ETH-USDT","baseCurrency":"ETH",
                "quoteCurrency":"USDT","enableTrading":null}]}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "gate",
            r#"[{"id":"BTC_USDT","base":"BTC","quote":"USDT","precision":"2","trade_status":"tradable"},
                {"id":"ETH_USDT","base":"ETH","quote":"USDT","precision":null}]"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "coinbase",
            r#"[{"id":"BTC-USDT","base_currency":"BTC","quote_currency":"USDT","quote_increment":0.01,
                "status":"online","trading_disabled":null},{"id":"ETH-USDT","base_currency":"ETH",
                "quote_currency":"USDT","status":"online","cancel_only":"true"}]"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "mexc",
            r#"{"symbols":[{"symbol":"BTCUSDT","status":1,"baseAsset":"BTC","quoteAsset":"USDT",
                "quotePrecision":"2"},{"symbol":"ETHUSDT","baseAsset":"ETH","quoteAsset":"USDT",
                "quotePrecision":-1}]}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
        (
            "kraken",
            r#"{"result":{"XBTUSDT":{"wsname":"XBT/USDT","tick_size":0.01,"status":"online"},
                "ETHUSDT":{"wsname":"ETH/USDT","tick_size":null,"status":null}}}"#,
            ["0.01 TRADING", "- HALTED"],
        ),
    ] {
        let peer = Peer::answering(&[&answer("200 OK", "", body)]);
        let asked = HashSet::from(["BTCUSDT", "ETHUSDT"]);
        let found = of(name).instruments(&peer.endpoint, &asked).unwrap();
        let found: Vec<String> = found.iter().map(line).collect();
        let ends = |line: &String, end: &str| line.ends_with(&format!("/USDT {end}"));
        assert!(
            found.len() == 2
                && found
                    .iter()
                    .zip(expected)
                    .all(|(found, end)| ends(found, end)),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn an_exchange_that_refuses_every_list_is_not_asked_for_ever() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let peer = Peer::answering(&[refusal.as_str(); 40]);
    let names: Vec<String> = (0..300).map(|i| format!("GONE{i}USDT")).collect();
    let asked: HashSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        of("binance").instruments(&peer.endpoint, &asked),
        Ok(Vec::new())
    );
    assert_eq!(peer.request_lines().len(), 32);
}
