//! How each exchange says stop, that it does not know a symbol, and that it is out of order.

use super::{NOW, of};
use crate::http::tests::{Peer, answer, asked};
use crate::{Asked, LastLook, MarketError, Tickers};
use std::time::Duration;

/// [`NOW`], less a second.
const DATE: &str = "Date: Mon, 27 Jul 2026 08:59:59 GMT\r\n";

pub fn fetch(name: &str, status: &str, headers: &str, body: &str) -> Result<Tickers, MarketError> {
    let peer = Peer::answering(&[&answer(status, &format!("{DATE}{headers}"), body)]);
    of(name).tickers(&peer.endpoint, &[asked("BTCUSDT", LastLook::Listed)])
}

/// Status, code and wait of an exchange that says stop.
pub fn stop(
    name: &str,
    status: &str,
    headers: &str,
    body: &str,
) -> (u16, Option<String>, Option<Duration>) {
    match fetch(name, status, headers, body) {
        Err(MarketError::LeftAlone {
            status,
            code,
            retry_after,
            ..
        }) => (status, code, retry_after),
        other => panic!("{name}: {other:?}"),
    }
}

pub fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

#[test]
fn each_exchange_says_stop_in_its_own_way() {
    let code = |code: &str| Some(code.to_owned());
    let ban = format!(
        r#"{{"code":-1003,"msg":"Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans."}}"#,
        NOW + 59_000
    );
    let weight = r#"{"code":-1003,"msg":"Too much request weight used"}"#;
    let rate = r#"{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1}"#;
    let okx = r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#;
    let busy = r#"{"code":"50013","msg":"System is busy","data":[]}"#;
    let kucoin = r#"{"code":"429000","msg":"Too Many Requests"}"#;
    let gate = r#"{"label":"TOO_MANY_REQUESTS","message":"Request Rate Limit Exceeded"}"#;
    let coinbase = r#"{"message":"Public rate limit exceeded"}"#;
    let kraken = r#"{"error":["EAPI:Rate limit exceeded"]}"#;
    let lockout = r#"{"error":["EGeneral:Temporary lockout"]}"#;
    let service = r#"{"error":["EService:Unavailable"]}"#;
    for (name, status, headers, body, expected) in [
        // A ban that is told in words alone.
        (
            "binance",
            "418 No",
            "",
            ban.as_str(),
            (418, None, seconds(60)),
        ),
        (
            "binance",
            "400 No",
            "",
            &ban,
            (418, code("-1003"), seconds(60)),
        ),
        (
            "binance",
            "200 OK",
            "",
            &ban,
            (418, code("-1003"), seconds(60)),
        ),
        // In seconds, in other words, and under a status of another kind.
        (
            "binance",
            "418 No",
            "",
            &format!("Your IP is Banned until: {}", NOW / 1000 + 59),
            (418, None, seconds(60)),
        ),
        (
            "mexc",
            "500 No",
            "",
            &ban,
            (429, code("-1003"), seconds(60)),
        ),
        (
            "gate",
            "502 No",
            "",
            &format!("<html>banned until {}</html>", NOW + 59_000),
            (502, None, seconds(60)),
        ),
        // A ban that is over says nothing of how long to wait.
        (
            "binance",
            "418 No",
            "",
            r#"{"code":-1003,"msg":"IP banned until 1595650000000."}"#,
            (418, None, None),
        ),
        ("okx", "503 No", "", busy, (503, code("50013"), None)),
        (
            "binance_us",
            "200 OK",
            "",
            weight,
            (429, code("-1003"), None),
        ),
        (
            "binance",
            "200 OK",
            "Retry-After: 7\r\n",
            weight,
            (429, code("-1003"), seconds(7)),
        ),
        (
            "binance",
            "429 No",
            "Retry-After: 1785142829\r\n",
            weight,
            (429, None, seconds(30)),
        ),
        (
            "binance",
            "429 No",
            "Retry-After: 1785142829000\r\n",
            weight,
            (429, None, seconds(30)),
        ),
        (
            "binance",
            "503 No",
            "Retry-After: 600\r\n",
            "",
            (503, None, seconds(600)),
        ),
        ("bybit", "200 OK", "", rate, (429, code("10006"), None)),
        (
            "bybit",
            "200 OK",
            "X-Bapi-Limit-Reset-Timestamp: 1785142804000\r\n",
            rate,
            (429, code("10006"), seconds(5)),
        ),
        (
            "bybit",
            "403 No",
            "X-Bapi-Limit-Reset-Timestamp: 1785142799000\r\n",
            "access too frequent",
            (403, None, None),
        ),
        ("okx", "429 No", "", okx, (429, None, None)),
        ("okx", "200 OK", "", okx, (429, code("50011"), None)),
        ("okx", "200 OK", "", busy, (503, code("50013"), None)),
        (
            "kucoin",
            "429 No",
            "gw-ratelimit-reset: 12000\r\n",
            kucoin,
            (429, None, seconds(12)),
        ),
        (
            "kucoin",
            "200 OK",
            "gw-ratelimit-reset: 12000\r\n",
            kucoin,
            (429, code("429000"), seconds(12)),
        ),
        (
            "gate",
            "429 No",
            "X-Gate-RateLimit-Reset-Timestamp: 1785142809\r\n",
            gate,
            (429, None, seconds(10)),
        ),
        (
            "gate",
            "200 OK",
            "",
            gate,
            (429, code("TOO_MANY_REQUESTS"), None),
        ),
        ("coinbase", "429 No", "", coinbase, (429, None, None)),
        (
            "mexc",
            "429 No",
            "Retry-After: 3\r\n",
            "",
            (429, None, seconds(3)),
        ),
        (
            "mexc",
            "200 OK",
            "",
            r#"{"code":429,"msg":"Too Many Requests"}"#,
            (429, code("429"), None),
        ),
        (
            "kraken",
            "200 OK",
            "",
            kraken,
            (429, code("EAPI:Rate limit exceeded"), None),
        ),
        (
            "kraken",
            "200 OK",
            "",
            lockout,
            (403, code("EGeneral:Temporary lockout"), None),
        ),
        (
            "kraken",
            "200 OK",
            "",
            service,
            (503, code("EService:Unavailable"), None),
        ),
        ("kraken", "451 No", "", "", (451, None, None)),
    ] {
        let found = stop(name, status, headers, body);
        assert_eq!(found, expected, "{name}, {status}, {headers}{body}");
    }
}

#[test]
fn a_fault_of_the_exchange_is_no_request_to_stay_away() {
    for exchange in crate::exchanges() {
        let error = fetch(exchange.name(), "503 No", "", "busy").unwrap_err();
        assert!(
            matches!(error, MarketError::HttpStatus { status: 503, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn what_an_exchange_rejects_has_its_code_and_its_words() {
    for (name, status, body, code, message) in [
        (
            "bybit",
            "200 OK",
            r#"{"retCode":10001,"retMsg":"Not supported symbols","result":{}}"#,
            "10001",
            "Not supported symbols",
        ),
        (
            "okx",
            "200 OK",
            r#"{"code":"51001","msg":"Instrument ID does not exist","data":[]}"#,
            "51001",
            "Instrument ID does not exist",
        ),
        (
            "kucoin",
            "400 No",
            r#"{"code":"400100","msg":"symbol not exists"}"#,
            "400100",
            "symbol not exists",
        ),
        (
            "gate",
            "400 No",
            r#"{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair X_Y"}"#,
            "INVALID_CURRENCY_PAIR",
            "Invalid currency pair X_Y",
        ),
        (
            "coinbase",
            "404 No",
            r#"{"message":"NotFound"}"#,
            "NotFound",
            "NotFound",
        ),
        (
            "mexc",
            "400 No",
            r#"{"code":-1121,"msg":"Invalid symbol."}"#,
            "-1121",
            "Invalid symbol.",
        ),
        (
            "kraken",
            "200 OK",
            r#"{"error":["EQuery:Unknown asset pair"]}"#,
            "EQuery:Unknown asset pair",
            "EQuery:Unknown asset pair",
        ),
    ] {
        let expected = MarketError::Rejected {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(fetch(name, status, "", body).unwrap_err(), expected);
    }
}

#[test]
fn whatever_way_binance_refuses_a_symbol_the_list_of_all_tells_which() {
    let list = answer(
        "200 OK",
        "",
        &format!("[{}]", include_str!("../http/ticker.json")),
    );
    for (status, code) in [
        ("400 Bad Request", "-1100"),
        ("400 Bad Request", "-1101"),
        ("400 Bad Request", "-1104"),
        ("400 Bad Request", "-1121"),
        ("400 Bad Request", "\"-1121\""),
        ("404 Not Found", "-1121"),
        ("200 OK", "-1121"),
    ] {
        let body = format!(r#"{{"code":{code},"msg":"Invalid symbol."}}"#);
        let peer = Peer::answering(&[&answer(status, "", &body), &list]);
        let tickers = peer.fetch().unwrap();
        assert!(tickers.rows["BTCUSDT"].is_ok(), "{status} {code}");
        assert_eq!(tickers.unknown, ["GONEUSDT"], "{status} {code}");
    }
}

#[test]
fn a_list_of_all_is_one_request_and_tells_who_is_missing() {
    let body = r#"{"code":"0","msg":"","data":[{"instId":"NEAR-USDT","last":"1","open24h":"1",
        "high24h":"1","low24h":"1","volCcy24h":"1","vol24h":"1","ts":"1785142798266"}]}"#;
    let peer = Peer::answering(&[&answer("200 OK", DATE, body)]);
    let asked: Vec<Asked> = [
        ("NEARUSDT", LastLook::Never),
        ("BTCUSDT", LastLook::Listed),
        ("NEWUSDT", LastLook::Never),
        ("btc usdt", LastLook::Never),
    ]
    .map(|(symbol, last)| asked(symbol, last))
    .into();
    let tickers = of("okx").tickers(&peer.endpoint, &asked).unwrap();
    assert!(tickers.rows["NEARUSDT"].is_ok());
    assert!(tickers.missing.contains("BTCUSDT"));
    assert_eq!(tickers.unknown, ["NEWUSDT", "btc usdt"]);
    assert_eq!(tickers.exchange_time, Some(NOW - 1000));
    assert_eq!(
        peer.request_lines(),
        ["GET /api/v5/market/tickers?instType=SPOT HTTP/1.1"]
    );
    let nobody = of("okx").tickers(&peer.endpoint, &[]).unwrap();
    assert!(nobody.rows.is_empty(), "nothing is asked");
}

#[test]
fn what_is_no_list_is_refused_in_words_that_quote_little() {
    let long = format!("\"{}\"", "x".repeat(22_000));
    let binary = "\u{1f}\u{fffd}\u{8}\u{0}".repeat(50);
    for exchange in crate::exchanges() {
        for body in [
            "",
            "<html>busy</html>",
            "[",
            "{",
            "null",
            "7",
            "[]",
            "{}",
            &long,
            &binary,
        ] {
            let error = fetch(exchange.name(), "200 OK", "", body).map(|_| ());
            // An empty object is a list of no pairs where pairs are members.
            if exchange.name() == "kraken" && error.is_ok() {
                continue;
            }
            let error = error.unwrap_err();
            assert!(
                matches!(error, MarketError::NotJson { .. }),
                "{} {body}: {error:?}",
                exchange.name()
            );
            assert!(error.detail().len() < 800, "{}", error.detail());
            assert!(!error.detail().contains(char::is_control));
        }
    }
}
