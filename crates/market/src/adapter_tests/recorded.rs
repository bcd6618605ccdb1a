//! Replies as exchanges gave them, which are not part of this project: they are looked for in the
//! folder that SIGNAL_HUB_MARKET_DATA names, else in shared/market beside the repository. A test
//! that does not find them says so and passes.

use super::of;
use crate::{CandleQuery, Interval, ReplyTime, Rows, Ticker};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::HashSet;
use std::path::PathBuf;

fn read(path: &str) -> Option<Value> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/market"
            ))
        },
        PathBuf::from,
    );
    let Ok(text) = std::fs::read(folder.join(path)) else {
        eprintln!("skipped: no recorded market data {path} (set SIGNAL_HUB_MARKET_DATA)");
        return None;
    };
    Some(serde_json::from_slice(&text).expect("recorded data is JSON"))
}

fn rows(name: &str, body: &Value, asked: &HashSet<&str>) -> Rows {
    let time = ReplyTime {
        date: None,
        received: 1_785_145_000_000,
    };
    let body = body.to_string();
    of(name)
        .read_tickers(body.as_bytes(), asked, time)
        .expect("a list of tickers")
}

fn usable(name: &str, body: &Value, symbol: &str) -> Ticker {
    let mut rows = rows(name, body, &HashSet::from([symbol]));
    rows.remove(symbol)
        .expect("a row")
        .unwrap_or_else(|reason| panic!("{name} {symbol}: {reason}"))
}

/// What a judge would find: prices in order, and a change that is what it says.
fn check(ticker: &Ticker) {
    let day = ticker.low_price..=ticker.high_price;
    assert!(day.contains(&ticker.last_price), "{ticker:?}");
    assert!(day.contains(&ticker.open_price), "{ticker:?}");
    assert_eq!(ticker.price_change, ticker.last_price - ticker.open_price);
    if !ticker.open_price.is_zero() {
        let percent = ticker.price_change / ticker.open_price * Decimal::ONE_HUNDRED;
        let off = (percent - ticker.price_change_percent).abs();
        assert!(off < Decimal::new(15, 4), "{ticker:?}");
    }
    if let Some(average) = ticker.weighted_average_price {
        assert!(day.contains(&average), "{ticker:?}");
    }
}

#[test]
fn recorded_rows_of_every_exchange_are_usable() {
    let Some(recent) = read("exchanges/transcribed_recent_rows.json") else {
        return;
    };
    for (name, entry, symbol, percent) in [
        ("okx", "okx_tickers_2026-07-27", "NEARUSDT", "2.439"),
        ("okx", "okx_ticker_single_2026-08-22", "BTCUSDT", "-0.137"),
        (
            "coinbase",
            "coinbase_exchange_products_stats_2026-07-27",
            "NEARUSD",
            "2.611",
        ),
        (
            "gate",
            "gateio_v4_spot_tickers_2026-07-27",
            "NEARUSDT",
            "1.941",
        ),
        (
            "gate",
            "gateio_v4_spot_tickers_2026-07-27",
            "ETHUSDT",
            "4.040",
        ),
        (
            "bybit",
            "bybit_v5_spot_list_rows_2023-06",
            "BTCUSDT",
            "0.088",
        ),
        (
            "bybit",
            "bybit_v5_spot_list_rows_2023-06",
            "ETHUSDT",
            "-0.192",
        ),
    ] {
        let ticker = usable(name, &recent[entry]["body"], symbol);
        check(&ticker);
        assert_eq!(ticker.price_change_percent.to_string(), percent, "{entry}");
    }
    let files = [
        (
            "bybit",
            "exchanges/bybit_v5_tickers_spot_docsample.json",
            "BTCUSDT",
        ),
        (
            "gate",
            "exchanges/gateio_v4_tickers_2023_xchange.json",
            "BTCUSDT",
        ),
    ];
    for (name, path, symbol) in files {
        if let Some(body) = read(path) {
            check(&usable(name, &body, symbol));
        }
    }
}

#[test]
fn recorded_replies_of_2022_are_usable() {
    for (name, path, place, symbols) in [
        (
            "okx",
            "exchanges/freqdash_okx_responses.json",
            1,
            ["BCDBTC", "MDTUSDT"],
        ),
        (
            "kucoin",
            "exchanges/freqdash_kucoin_responses.json",
            1,
            ["NKNUSDT", "LOOMBTC"],
        ),
        (
            "gate",
            "exchanges/freqdash_gateio_responses.json",
            1,
            ["VGXUSDT", "OOEUSDT"],
        ),
    ] {
        let Some(replies) = read(path) else {
            return;
        };
        for symbol in symbols {
            check(&usable(name, &replies[place]["body"], symbol));
        }
    }
}

#[test]
fn recorded_candles_are_usable() {
    for (name, path) in [
        ("okx", "exchanges/freqdash_okx_responses.json"),
        ("kucoin", "exchanges/freqdash_kucoin_responses.json"),
        ("gate", "exchanges/freqdash_gateio_responses.json"),
    ] {
        let Some(replies) = read(path) else {
            return;
        };
        let is_of_spot = |reply: &&Value| {
            let url = reply["url"].as_str().unwrap_or_default();
            url.contains("spot_api_url") && url.contains("candle")
        };
        let reply = replies.as_array().expect("a list").iter().find(is_of_spot);
        let body = reply.expect("candles")["body"].to_string();
        let query = CandleQuery {
            symbol: "BTCUSDT".to_owned(),
            interval: Interval::Day,
            from: 1_632_009_600_000,
            until: 1_632_009_600_000 + 3 * 86_400_000,
        };
        let candles = of(name).read_candles(body.as_bytes(), &query, i64::MAX);
        let candles = candles.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(candles.unusable, [""; 0], "{name}");
        assert_eq!(candles.rows.len(), 3, "{name}");
        for candle in candles.rows {
            // In dollars what they are in bitcoin, at a price of the day.
            let price = candle.quote_volume / candle.base_volume;
            assert!((candle.low..=candle.high).contains(&price), "{candle:?}");
        }
    }
}

#[test]
fn every_row_of_a_full_reply_of_kucoin_is_usable() {
    let Some(body) = read("exchanges/kucoin_allTickers_2019-02-21_full.json") else {
        return;
    };
    let list = body["data"]["ticker"].as_array().expect("a list");
    let symbols: Vec<String> = list
        .iter()
        .map(|row| row["symbol"].as_str().expect("a symbol").replace('-', ""))
        .collect();
    let asked: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    let rows = rows("kucoin", &body, &asked);
    assert_eq!(rows.len(), 394);
    for (symbol, row) in &rows {
        check(
            row.as_ref()
                .unwrap_or_else(|reason| panic!("{symbol}: {reason}")),
        );
    }
}

#[test]
fn recorded_instruments_are_read() {
    let Some(body) = read("binance/recorded-replies-2024.json") else {
        return;
    };
    // Whatever it is kept under: the list of instruments is the object with symbols in it.
    let Some(info) = find(&body, "symbols") else {
        panic!("no list of instruments");
    };
    let symbols: Vec<&str> = info["symbols"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["symbol"].as_str())
        .collect();
    let asked: HashSet<&str> = symbols.iter().copied().collect();
    let text = info.to_string();
    let found = crate::binance::exchange_info::parse(text.as_bytes(), &asked).unwrap();
    assert_eq!(found.len(), symbols.len());
    for instrument in &found {
        assert!(instrument.tick_size.is_some(), "{instrument:?}");
        assert_eq!(
            instrument.symbol,
            format!("{}{}", instrument.base, instrument.quote)
        );
    }
}

/// The first object with a member of this name whose value is a list.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) if members.get(name).is_some_and(Value::is_array) => Some(value),
        Value::Object(members) => members.values().find_map(|value| find(value, name)),
        Value::Array(list) => list.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}
