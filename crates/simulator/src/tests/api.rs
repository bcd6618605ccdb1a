//! The REST API as clients see it.

use super::{A_TIME, ALL, get, good, integer, number, start, start_at, symbols_of, text, ticker};
use crate::{Fault, Instrument, Simulator, SimulatorOptions, Times};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Percent-encoded `symbols=["A","B"]`.
fn list(symbols: &[&str]) -> String {
    format!("{ALL}?symbols=%5B%22{}%22%5D", symbols.join("%22,%22"))
}

fn assert_refused(market: &Simulator, target: &str, code: i64) {
    let reply = get(market, target);
    assert_eq!(reply.status, 400, "{target}");
    assert_eq!(reply.json()["code"], code, "{target}");
    assert!(!text(&reply.json(), "msg").is_empty());
}

#[test]
fn one_symbol_is_an_object_and_a_list_an_array_in_alphabetical_order() {
    let market = start();
    assert_eq!(text(&ticker(&market, "ETHUSDT"), "symbol"), "ETHUSDT");
    let rows = good(&market, &list(&["XRPUSDT", "ADAUSDT", "BTCUSDT"]));
    assert_eq!(symbols_of(&rows), ["ADAUSDT", "BTCUSDT", "XRPUSDT"]);
    let one = good(&market, &list(&["BTCUSDT"]));
    assert_eq!(symbols_of(&one), ["BTCUSDT"]);
}

#[test]
fn without_a_symbol_all_come_in_listing_order() {
    let market = start();
    market.add_symbol(Instrument::usdt("AAVE", "95.10", "0.01", "20000000"));
    let rows = good(&market, ALL);
    let symbols = symbols_of(&rows);
    assert_eq!(symbols.len(), 11);
    assert_eq!(symbols[..3], ["BTCUSDT", "ETHUSDT", "BNBUSDT"]);
    assert_eq!(symbols[10], "AAVEUSDT");
}

#[test]
fn the_short_form_leaves_fields_out_and_changes_none() {
    let market = start_at(A_TIME);
    let full = ticker(&market, "BTCUSDT");
    let mini = good(&market, &format!("{ALL}?symbol=BTCUSDT&type=MINI"));
    assert_eq!(full.as_object().expect("an object").len(), 21);
    let mini = mini.as_object().expect("an object").clone();
    assert_eq!(mini.len(), 12);
    for (name, value) in mini {
        assert_eq!(full[&name], value);
    }
    assert_refused(&market, &format!("{ALL}?type=LONG"), -1139);
}

#[test]
fn one_unknown_symbol_fails_the_whole_request() {
    let market = start();
    let target = list(&["BTCUSDT", "NOSUCHUSDT"]);
    assert_refused(&market, &target, -1121);
    assert_refused(&market, &format!("{ALL}?symbol=NOSUCHUSDT"), -1121);
    let info = "/api/v3/exchangeInfo?symbol=NOSUCHUSDT";
    assert_refused(&market, info, -1121);

    market.add_symbol(Instrument::usdt("NOSUCH", "1.5", "0.001", "1000000"));
    assert_eq!(
        symbols_of(&good(&market, &target)),
        ["BTCUSDT", "NOSUCHUSDT"]
    );
    market.remove_symbol("NOSUCHUSDT");
    assert_refused(&market, &target, -1121);
}

#[test]
fn malformed_queries_are_refused_with_their_code() {
    let market = start();
    for (query, code) in [
        ("symbol=btcusdt", -1100),
        ("symbol=BTC%20USDT", -1100),
        ("symbols=BTCUSDT,ETHUSDT", -1100),
        ("symbols=%5B%22btcusdt%22%5D", -1100),
        ("symbols=%5B%22BTCUSDT%22,%20%22ETHUSDT%22%5D", -1100),
        ("symbol=", -1105),
        ("symbols=", -1105),
        ("symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D", -1151),
        ("symbol=BTCUSDT&symbol=ETHUSDT", -1101),
        ("symbol=BTCUSDT&limit=5", -1104),
    ] {
        assert_refused(&market, &format!("{ALL}?{query}"), code);
    }
    assert_eq!(get(&market, "/api/v1/ticker/24hr").status, 404);
}

#[test]
fn a_symbol_may_be_written_in_any_script() {
    let market = start();
    // Two Chinese characters in UTF-8: real symbols have them since 2026.
    market.add_symbol(Instrument::usdt(
        "\u{5e01}\u{5b89}",
        "0.10",
        "0.0001",
        "5000000",
    ));
    let row = ticker(&market, "%E5%B8%81%E5%AE%89USDT");
    assert_eq!(text(&row, "symbol"), "\u{5e01}\u{5b89}USDT");
}

#[test]
fn ping_time_and_exchange_info_answer() {
    let market = start_at(A_TIME);
    assert_eq!(good(&market, "/api/v3/ping"), json!({}));
    assert_eq!(
        good(&market, "/api/v3/time"),
        json!({ "serverTime": A_TIME })
    );

    market.halt("SOLUSDT");
    let info = good(&market, "/api/v3/exchangeInfo");
    let symbols = info["symbols"].as_array().expect("an array");
    assert_eq!(symbols.len(), 10);
    assert_eq!(symbols[0]["status"], "TRADING");
    assert_eq!(symbols[3]["status"], "HALT");
    let one = "/api/v3/exchangeInfo?showPermissionSets=false&symbol=SOLUSDT";
    assert_eq!(good(&market, one)["symbols"][0], symbols[3]);
    let filter = &symbols[4]["filters"][0];
    assert_eq!(filter["filterType"], "PRICE_FILTER");
    assert_eq!(filter["tickSize"], "0.00010000");
}

#[test]
fn used_weight_adds_up_within_a_minute() {
    let market = start_at(A_TIME);
    let used = |target: &str| {
        let reply = get(&market, target);
        let used = reply.header("x-mbx-used-weight-1m").map(str::parse);
        used.expect("the header").unwrap_or(0)
    };
    assert_eq!(used(&list(&["BTCUSDT", "ETHUSDT"])), 2);
    assert_eq!(used(ALL), 82);
    assert_eq!(used("/api/v3/ping"), 83);
    market.advance(Duration::from_secs(60));
    assert_eq!(used("/api/v3/ping"), 1);
}

#[test]
fn requests_are_counted_and_remembered() {
    let market = start();
    assert_eq!(market.request_count(), 0);
    get(&market, "/api/v3/ping");
    get(&market, "/nowhere?x=1");
    assert_eq!(market.request_count(), 2);
    assert_eq!(market.requests(), ["/api/v3/ping", "/nowhere?x=1"]);
    for _ in 0..1_005 {
        market.market().answer("GET", "/api/v3/time").body.clear();
    }
    assert_eq!(market.requests().len(), 1_000);
    assert_eq!(market.request_count(), 1_007);
}

#[test]
fn one_connection_takes_many_requests() {
    let market = start();
    let mut stream = TcpStream::connect(("127.0.0.1", market.port())).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    let answer = |stream: &mut TcpStream| {
        let mut received = Vec::new();
        let mut byte = [0];
        while !received.ends_with(b"\r\n\r\n{}") {
            stream.read_exact(&mut byte).expect("an answer");
            received.push(byte[0]);
        }
    };
    let ping = b"GET /api/v3/ping HTTP/1.1\r\nHost: here\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(ping).expect("a request");
        answer(&mut stream);
    }
    // Two requests at once, then one in two parts.
    stream.write_all(&ping.repeat(2)).expect("two requests");
    answer(&mut stream);
    answer(&mut stream);
    stream.write_all(&ping[..20]).expect("half a request");
    get(&market, "/api/v3/ping");
    stream.write_all(&ping[20..]).expect("the other half");
    answer(&mut stream);
    assert_eq!(market.request_count(), 7);
}

#[test]
fn other_routes_are_not_struck_by_faults() {
    let market = start();
    market.inject(Fault::InternalError, Times::Once);
    good(&market, "/api/v3/ping");
    good(&market, "/api/v3/exchangeInfo");
    assert_eq!(get(&market, ALL).status, 500);
    good(&market, ALL);
}

#[test]
fn options_that_make_no_market_are_refused() {
    let start = |change: fn(&mut SimulatorOptions)| {
        let mut options = SimulatorOptions::default();
        change(&mut options);
        Simulator::start(options).err().map(|error| error.kind())
    };
    let refused = Some(std::io::ErrorKind::InvalidInput);
    assert_eq!(start(|options| options.volatility = f64::NAN), refused);
    assert_eq!(start(|options| options.volatility = -1.0), refused);
    assert_eq!(
        start(|options| options.symbols[0].tick_size = 0.into()),
        refused
    );
    assert_eq!(
        start(|options| options.symbols[0] = options.symbols[1].clone()),
        refused
    );
    assert_eq!(start(|options| options.symbols.clear()), None);
}

#[test]
fn rows_follow_the_system_clock_by_default() {
    let market = start();
    let before = market.now();
    let row = ticker(&market, "BTCUSDT");
    let after = market.now();
    assert!((before..=after).contains(&integer(&row, "closeTime")));
    assert!(number(&row, "lastPrice") > 0.into());
}
