use super::requests::names;
use super::*;
use crate::symbols::is_possible;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn row(symbol: &str) -> Value {
    json!({
        "symbol": symbol, "priceChange": "-1769.06000000", "priceChangePercent": "-8.163",
        "weightedAvgPrice": "20385.06000000", "prevClosePrice": "21671.05000000",
        "lastPrice": "19901.98000000", "lastQty": "0.00100000",
        "bidPrice": "19901.97000000", "bidQty": "1.00000000",
        "askPrice": "19901.98000000", "askQty": "1.00000000",
        "openPrice": "21671.04000000", "highPrice": "21834.99000000",
        "lowPrice": "19549.09000000", "volume": "1.00000000", "quoteVolume": "20385.06000000",
        "openTime": 1678372474000_i64, "closeTime": 1678458874000_i64,
        "firstId": 1, "lastId": 2, "count": 2
    })
}

fn changed(symbol: &str, field: &str, value: Value) -> Value {
    let mut row = row(symbol);
    row[field] = value;
    row
}

fn without(symbol: &str, field: &str) -> Value {
    let mut row = row(symbol);
    row.as_object_mut().unwrap().remove(field);
    row
}

fn parse_rows(rows: Vec<Value>, asked: &[&str]) -> Result<Rows, MarketError> {
    let body = Value::Array(rows).to_string();
    parse(body.as_bytes(), &asked.iter().copied().collect())
}

fn refusal_of(body: &[u8]) -> String {
    parse(body, &HashSet::from(["BTCUSDT"]))
        .unwrap_err()
        .detail()
}

#[test]
fn one_bad_row_costs_only_itself() {
    let bad = [
        (without("A", "lastPrice"), "lastPrice is missing"),
        (
            changed("A", "lastPrice", Value::Null),
            "lastPrice is missing",
        ),
        (
            changed("A", "bidPrice", json!("nan")),
            "bidPrice is not a number: nan",
        ),
        (
            changed("A", "bidPrice", json!("")),
            "bidPrice is not a number: ",
        ),
        (
            changed("A", "bidPrice", json!([1])),
            "bidPrice is not a number: [1]",
        ),
        (
            changed("A", "lowPrice", json!("-0.01")),
            "lowPrice is negative: -0.01",
        ),
        (
            changed("A", "volume", json!("9".repeat(40))),
            &format!("volume has too many digits: {}", "9".repeat(40)),
        ),
        (
            changed("A", "closeTime", json!("soon")),
            "closeTime is not a whole number: soon",
        ),
        (
            changed("A", "count", json!(-1)),
            "count is not a whole number: -1",
        ),
        (
            changed("A", "count", json!(1.5)),
            "count is not a whole number: 1.5",
        ),
    ];
    for (bad, reason) in bad {
        let rows = parse_rows(vec![bad, row("BTCUSDT")], &["A", "BTCUSDT"]).unwrap();
        assert_eq!(rows["A"].as_ref().unwrap_err(), reason);
        assert!(rows["BTCUSDT"].is_ok(), "{reason}");
    }
}

#[test]
fn a_symbol_that_comes_twice_is_unusable() {
    let rows = vec![row("A"), row("BTCUSDT"), row("A"), row("A")];
    let rows = parse_rows(rows, &["A", "BTCUSDT"]).unwrap();
    assert_eq!(
        rows["A"].as_ref().unwrap_err(),
        "the reply holds this symbol twice"
    );
    assert!(rows["BTCUSDT"].is_ok());
}

#[test]
fn rows_are_matched_by_symbol_and_others_ignored() {
    let odd = [
        json!(7),
        json!("BTCUSDT"),
        Value::Null,
        json!({"symbol": 5}),
        json!([]),
    ];
    let rows = odd
        .into_iter()
        .chain([row("ETHUSDT"), row("BTCUSDT")])
        .collect();
    let rows = parse_rows(rows, &["BTCUSDT", "GONEUSDT"]).unwrap();
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["BTCUSDT"]);
}

#[test]
fn a_row_that_says_a_thing_twice_costs_only_itself() {
    let twice = |field: &str| {
        row("A")
            .to_string()
            .replacen('{', &format!("{{\"{field}\":\"1\","), 1)
    };
    let parsed = |odd: String| {
        let body = format!("[{odd},{}]", row("BTCUSDT"));
        parse(body.as_bytes(), &HashSet::from(["A", "BTCUSDT"])).unwrap()
    };
    let rows = parsed(twice("lastPrice"));
    let reason = rows["A"].as_ref().unwrap_err();
    assert!(
        reason.starts_with("duplicate field `lastPrice`"),
        "{reason}"
    );
    assert!(rows["BTCUSDT"].is_ok());
    let rows = parsed(twice("symbol"));
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["BTCUSDT"]);
    assert!(rows["BTCUSDT"].is_ok());
}

#[test]
fn numbers_may_come_bare_and_keep_every_digit() {
    let text = row("BTCUSDT")
        .to_string()
        .replace("\"19901.98000000\"", "19901.98000000000000000001")
        .replace("\"1.00000000\"", "1.0E+0")
        .replace("1678458874000", "\"1678458874000\"");
    let rows = parse(format!("[{text}]").as_bytes(), &HashSet::from(["BTCUSDT"])).unwrap();
    let ticker = rows["BTCUSDT"].as_ref().unwrap();
    assert_eq!(ticker.last_price.to_string(), "19901.98000000000000000001");
    assert_eq!(ticker.base_volume, Decimal::ONE);
    assert_eq!(ticker.close_time, 1_678_458_874_000);
}

#[test]
fn symbols_in_other_scripts_are_read_and_asked_for() {
    let symbol = "\u{5e01}\u{5b89}USDT";
    assert!(is_possible(symbol));
    let rows = parse_rows(vec![row(symbol)], &[symbol]).unwrap();
    assert!(rows[symbol].is_ok());
    let escaped = row(symbol).to_string().replace('\u{5e01}', "\\u5e01");
    let rows = parse(format!("[{escaped}]").as_bytes(), &HashSet::from([symbol])).unwrap();
    assert!(rows[symbol].is_ok());
    assert_eq!(
        names(["BTCUSDT", symbol].into_iter()),
        "%5B%22BTCUSDT%22%2C%22%E5%B8%81%E5%AE%89USDT%22%5D"
    );
}

#[test]
fn what_the_exchange_cannot_list_is_never_sent() {
    for symbol in [
        "",
        "btcusdt",
        "BTC USDT",
        "BTC\"USDT",
        "BTC/USDT",
        "A&B",
        "%41",
        "A\n",
    ] {
        assert!(!is_possible(symbol), "{symbol:?}");
    }
    assert!(!is_possible(&"A".repeat(51)));
    assert!(is_possible("1000SATSUSDT"));
    assert!(is_possible("BTC-USD_PERP.X"));
}

#[test]
fn what_is_no_list_of_tickers_is_refused_with_its_reason() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\xff\xfe[]", "it is not UTF-8"),
        (
            b"<html>",
            "it is not JSON: expected value at line 1 column 1",
        ),
        (
            b"[{\"symbol\":\"BTC",
            "it is not JSON: EOF while parsing a string at line 1 column 15",
        ),
        (
            b"\"at any length\" and more",
            "it is not JSON: trailing characters at line 1 column 17",
        ),
        (b"{\"retCode\":0}", "it is JSON, but not a list"),
        (b"[]", "no row of it names a symbol"),
        (
            b"[{\"currency_pair\":\"BTC_USDT\"}]",
            "no row of it names a symbol",
        ),
    ];
    for (body, reason) in cases {
        let refused = format!("It was refused because {reason}.");
        assert!(refusal_of(body).starts_with(&refused), "{reason}");
    }
    assert_eq!(
        refusal_of(br#"{"code":-1121,"msg":"Invalid symbol.\u0000"}"#),
        "Its words are \"Invalid symbol.\"."
    );
}

#[test]
fn excerpts_of_a_reply_are_short_and_printable() {
    let body = format!("\u{1b}[31m<html>\r\n\t{}", "\u{5e01}".repeat(500));
    let Err(MarketError::NotJson { body, .. }) = parse(body.as_bytes(), &HashSet::new()) else {
        panic!("refused");
    };
    assert!(body.starts_with("[31m<html>   \u{5e01}"), "{body}");
    assert!(body.chars().count() <= 200);
    assert!(!body.contains(char::is_control));
}

/// Any JSON, with the parser's own field names often enough to get anywhere.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[-0-9.eE]{0,40}|BTCUSDT|.{0,9}".prop_map(Value::from),
    ];
    let key = "symbol|code|msg|lastPrice|volume|closeTime|count|.{0,5}";
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..8)
                .prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body, &HashSet::from(["BTCUSDT"]));
    }

    #[test]
    fn no_json_panics(value in any_json()) {
        let _ = parse(value.to_string().as_bytes(), &HashSet::from(["BTCUSDT"]));
    }

    #[test]
    fn no_field_panics(value in any_json(), field in prop::sample::select(vec![
        "symbol", "priceChange", "lastPrice", "volume", "openTime", "count",
    ])) {
        let rows = vec![changed("BTCUSDT", field, value), row("ETHUSDT")];
        let rows = parse_rows(rows, &["BTCUSDT", "ETHUSDT"]).unwrap();
        prop_assert!(rows.contains_key("ETHUSDT"));
    }
}
