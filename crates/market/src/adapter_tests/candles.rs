//! Candles in replies of each exchange's own shape, with numbers made up for them.

use super::of;
use crate::http::tests::{Peer, answer};
use crate::{CandleQuery, Client, Interval, MarketError, UnixMillis};

const DAY: i64 = 86_400_000;
/// 2021-09-19 00:00:00 UTC.
const BEGIN: UnixMillis = 1_632_009_600_000;

fn query(interval: Interval, count: i64) -> CandleQuery {
    CandleQuery {
        symbol: "BTCUSDT".to_owned(),
        interval,
        from: BEGIN,
        until: BEGIN + count * interval.millis(),
    }
}

/// Candles of two days, of which the first begins before what is asked for where the exchange
/// gives more.
const REPLIES: [(&str, &str, &str); 8] = [
    (
        "bybit",
        r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","symbol":"BTCUSDT","list":[
            ["1632096000000","11","13","10","12","7","77"],
            ["1632009600000","10","12","9","11","5","55"]]},"time":1}"#,
        "GET /v5/market/kline?category=spot&symbol=BTCUSDT&interval=D&start=1632009600000\
         &end=1632182399999&limit=1000 HTTP/1.1",
    ),
    (
        "okx",
        r#"{"code":"0","msg":"","data":[
            ["1632096000000","11","13","10","12","7","77","77","1"],
            ["1632009600000","10","12","9","11","5","55","55","1"]]}"#,
        "GET /api/v5/market/history-candles?instId=BTC-USDT&bar=1Dutc&before=1632009599999\
         &after=1632182400000&limit=100 HTTP/1.1",
    ),
    (
        "kucoin",
        r#"{"code":"200000","data":[["1632182400","12","12","12","12","1","1"],
            ["1632096000","11","12","13","10","7","77"],
            ["1632009600","10","11","12","9","5","55"]]}"#,
        "GET /api/v1/market/candles?symbol=BTC-USDT&type=1day&startAt=1632009600\
         &endAt=1632182400 HTTP/1.1",
    ),
    (
        "gate",
        r#"[["1632009600","55","11","12","9","10","5","true"],
            ["1632096000","77","12","13","10","11","7","true"]]"#,
        "GET /api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1d&from=1632009600\
         &to=1632182399 HTTP/1.1",
    ),
    (
        "mexc",
        r#"[[1632009600000,"10","12","9","11","5",1632096000000,"55"],
            [1632096000000,"11","13","10","12","7",1632182400000,"77"]]"#,
        "GET /api/v3/klines?symbol=BTCUSDT&interval=1d&startTime=1632009600000\
         &endTime=1632182399999&limit=500 HTTP/1.1",
    ),
    (
        "binance_us",
        r#"[[1632009600000,"10","12","9","11","5",1632095999999,"55",1,"0","0","0"],
            [1632096000000,"11","13","10","12","7",1632182399999,"77",1,"0","0","0"]]"#,
        "GET /api/v3/klines?symbol=BTCUSDT&interval=1d&startTime=1632009600000\
         &endTime=1632182399999&limit=2 HTTP/1.1",
    ),
    (
        "coinbase",
        "[[1632096000,10,13,11,12,7],[1632009600,9,12,10,11,5]]",
        "GET /products/BTC-USDT/candles?granularity=86400&start=2021-09-19T00%3A00%3A00Z\
         &end=2021-09-20T00%3A00%3A00Z HTTP/1.1",
    ),
    (
        "kraken",
        r#"{"error":[],"result":{"XBTUSDT":[
            [1631923200,"9","9","9","9","9","1",1],
            [1632009600,"10","12","9","11","10.5","5",3],
            [1632096000,"11","13","10","12","11.5","7",4]],"last":1632096000}}"#,
        "GET /0/public/OHLC?pair=XBTUSDT&interval=1440&since=1632009599 HTTP/1.1",
    ),
];

#[test]
fn every_exchange_gives_the_same_candles_in_its_own_shape() {
    for (name, body, request) in REPLIES {
        let peer = Peer::answering(&[&answer("200 OK", "", body)]);
        let client = Client::new(&peer.endpoint).unwrap();
        let query = query(Interval::Day, 2);
        let candles = of(name).candles(&client, &query).unwrap();
        assert_eq!(candles.unusable, [""; 0], "{name}");
        let found: Vec<String> = candles
            .rows
            .iter()
            .map(|c| {
                let day = (c.open_time - BEGIN) / DAY;
                format!(
                    "{day}: {} {} {} {} {}",
                    c.open, c.high, c.low, c.close, c.base_volume
                )
            })
            .collect();
        assert_eq!(found, ["0: 10 12 9 11 5", "1: 11 13 10 12 7"], "{name}");
        let volumes: Vec<String> = candles
            .rows
            .iter()
            .map(|c| c.quote_volume.normalize().to_string())
            .collect();
        let expected = match name {
            // At the mean of the four prices.
            "coinbase" | "kraken" => ["52.5", "80.5"],
            _ => ["55", "77"],
        };
        assert_eq!(volumes, expected, "{name}");
        assert_eq!(peer.request_lines(), [request]);
        assert_eq!(candles.rest(&query), None, "{name}");
    }
}

#[test]
fn a_candle_that_is_not_finished_is_left_out() {
    for (name, body, _) in REPLIES {
        let query = query(Interval::Day, 2);
        let now = BEGIN + 2 * DAY - 1;
        let candles = of(name).read_candles(body.as_bytes(), &query, now).unwrap();
        assert_eq!((candles.rows.len(), candles.unfinished), (1, 1), "{name}");
    }
}

#[test]
fn an_interval_that_an_exchange_lacks_is_not_asked_for() {
    for (name, ..) in REPLIES {
        if name == "binance_us" {
            continue;
        }
        let peer = Peer::answering(&[]);
        let client = Client::new(&peer.endpoint).unwrap();
        let error = of(name).candles(&client, &query(Interval::Second, 10));
        assert!(
            matches!(error, Err(MarketError::NoSuchInterval { .. })),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn no_more_is_asked_for_than_one_reply_holds() {
    let peer = Peer::answering(&[&answer("200 OK", "", "[]")]);
    let client = Client::new(&peer.endpoint).unwrap();
    let _ = of("coinbase").candles(&client, &query(Interval::Minute, 1000));
    assert_eq!(
        peer.request_lines(),
        [
            "GET /products/BTC-USDT/candles?granularity=60&start=2021-09-19T00%3A00%3A00Z\
          &end=2021-09-19T04%3A59%3A00Z HTTP/1.1"
        ]
    );
}

#[test]
fn errors_where_candles_are_asked_for_are_those_of_the_exchange() {
    let query = query(Interval::Day, 2);
    for (name, body) in [
        (
            "okx",
            r#"{"code":"51001","msg":"Instrument ID does not exist","data":[]}"#,
        ),
        ("kraken", r#"{"error":["EQuery:Unknown asset pair"]}"#),
        ("coinbase", r#"{"message":"NotFound"}"#),
        ("mexc", r#"{"code":-1121,"msg":"Invalid symbol."}"#),
    ] {
        let error = of(name).read_candles(body.as_bytes(), &query, i64::MAX);
        assert!(
            matches!(error, Err(MarketError::Rejected { .. })),
            "{name}: {error:?}"
        );
    }
    for exchange in crate::exchanges() {
        let error = exchange.read_candles(b"<html>", &query, i64::MAX);
        assert!(
            matches!(error, Err(MarketError::NoCandles { .. })),
            "{error:?}"
        );
    }
}
