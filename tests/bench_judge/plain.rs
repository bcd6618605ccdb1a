//! The limit: the reply read into rows with the types of its fields, and nothing made of them.

#![allow(dead_code, reason = "reading the fields is all that is measured")]

use serde::Deserialize;
use std::hint::black_box;

/// A row of the reply. Prices and volumes stay the text that they are there; `T` is `&str`, which
/// points into the reply, or `String`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<T> {
    symbol: T,
    price_change: T,
    price_change_percent: T,
    weighted_avg_price: T,
    prev_close_price: T,
    last_price: T,
    last_qty: T,
    bid_price: T,
    bid_qty: T,
    ask_price: T,
    ask_qty: T,
    open_price: T,
    high_price: T,
    low_price: T,
    volume: T,
    quote_volume: T,
    open_time: i64,
    close_time: i64,
    first_id: i64,
    last_id: i64,
    count: i64,
}

/// A reply of KuCoin.
#[derive(Deserialize)]
pub struct KuCoin<T> {
    code: T,
    data: KuCoinData<T>,
}

#[derive(Deserialize)]
struct KuCoinData<T> {
    ticker: Vec<KuCoinRow<T>>,
    time: i64,
}

/// A row of it; of a pair that was not traded some fields are missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KuCoinRow<T> {
    symbol: T,
    high: Option<T>,
    vol: T,
    last: T,
    low: Option<T>,
    buy: T,
    sell: T,
    change_price: Option<T>,
    change_rate: T,
}

/// Reads a reply with text that points into it.
pub fn borrowed(exchange: &str, body: &[u8]) {
    read::<&str>(exchange, body);
}

/// Reads a reply with text of its own.
pub fn owned(exchange: &str, body: &[u8]) {
    read::<String>(exchange, body);
}

fn read<'de, T: Deserialize<'de>>(exchange: &str, body: &'de [u8]) {
    match exchange {
        "kucoin" => {
            let reply: KuCoin<T> = serde_json::from_slice(body).expect("a list of tickers");
            black_box(reply);
        }
        _ => {
            let rows: Vec<Row<T>> = serde_json::from_slice(body).expect("a list of tickers");
            black_box(rows);
        }
    }
}
