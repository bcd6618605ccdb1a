//! The limit: the reply read into rows with the types of its fields, and nothing made of them.

#![allow(dead_code, reason = "reading the fields is all that is measured")]

use serde::Deserialize;

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

pub fn borrowed(body: &[u8]) -> Vec<Row<&str>> {
    serde_json::from_slice(body).expect("a list of tickers")
}

pub fn owned(body: &[u8]) -> Vec<Row<String>> {
    serde_json::from_slice(body).expect("a list of tickers")
}
