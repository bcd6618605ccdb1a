//! Bans that replies tell in words alone, under whatever status and code.

use super::errors::{fetch, seconds, stop};

#[test]
fn a_ban_is_obeyed_under_any_code_as_a_date_in_a_page_and_for_a_length_of_time() {
    for (name, status, headers, body, (as_status, code)) in [
        (
            "okx",
            "200 OK",
            "",
            r#"{"code":"50102","msg":"IP banned until 2026-07-27 09:00:59","data":[]}"#,
            (418, Some("50102")),
        ),
        (
            "kucoin",
            "400 No",
            "",
            r#"{"code":"400000","msg":"Your IP is banned until 1785142859"}"#,
            (400, Some("400000")),
        ),
        (
            "coinbase",
            "200 OK",
            "",
            "<html>You are banned for 60 seconds</html>",
            (418, Some("ban")),
        ),
        (
            "kraken",
            "200 OK",
            "",
            r#"{"error":["EGeneral:Lockout until 2026-07-27T09:00:59Z"]}"#,
            (418, Some("EGeneral:Lockout until 2026-07-27T09:00:59Z")),
        ),
        (
            "gate",
            "429 No",
            "",
            "Too many requests, retry after 60 seconds",
            (429, None),
        ),
        ("bybit", "429 No", "Retry-After: 59.2\r\n", "", (429, None)),
    ] {
        let found = stop(name, status, headers, body);
        let expected = (as_status, code.map(str::to_owned), seconds(60));
        assert_eq!(found, expected, "{name}, {status}, {headers}{body}");
    }
}

#[test]
fn requests_that_are_too_many_are_understood_by_their_words_too() {
    for (name, status, body) in [
        (
            "kucoin",
            "200 OK",
            r#"{"code":"200002","msg":"Too many requests in a short period of time, please retry later"}"#,
        ),
        (
            "okx",
            "400 No",
            r#"{"code":"1","msg":"Requests too frequent","data":[]}"#,
        ),
        (
            "bybit",
            "200 OK",
            r#"{"retCode":10429,"retMsg":"System level frequency protection: rate limit","result":{}}"#,
        ),
        (
            "gate",
            "400 No",
            r#"{"label":"LIMIT","message":"Request limit reached"}"#,
        ),
        (
            "mexc",
            "400 No",
            r#"{"code":30005,"msg":"Too many requests"}"#,
        ),
        (
            "binance",
            "400 No",
            r#"{"code":-1099,"msg":"Too much request weight used; current limit is 6000"}"#,
        ),
        (
            "kraken",
            "200 OK",
            r#"{"error":["EQuery:Unknown asset pair","EAPI:Rate limit exceeded"],"result":{}}"#,
        ),
        (
            "kraken",
            "200 OK",
            r#"{"error":["EAPI:Rate limit exceeded"],"result":{"XBTUSDT":{}}}"#,
        ),
    ] {
        let (status_meant, code, wait) = stop(name, status, "", body);
        assert_eq!((status_meant, wait), (429, None), "{name}: {body}");
        assert!(code.is_some(), "{name}: {body}");
    }
    let elsewhere = r#"{"code":0,"msg":"Service unavailable from a restricted location according to 'b. Eligibility'"}"#;
    assert_eq!(stop("binance", "400 No", "", elsewhere).0, 451);
}

#[test]
fn an_error_of_kraken_beside_a_part_of_the_result_costs_only_what_is_missing() {
    let part = r#"{"error":["EQuery:Unknown asset pair"],"result":{"XETHXXBT":{}}}"#;
    let tickers = fetch("kraken", "200 OK", "", part).unwrap();
    assert!(tickers.missing.contains("BTCUSDT"));
    let nothing = r#"{"error":["EQuery:Unknown asset pair"],"result":{ }}"#;
    assert!(fetch("kraken", "200 OK", "", nothing).is_err());
}
