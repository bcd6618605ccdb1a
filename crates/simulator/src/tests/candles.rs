//! Candles as clients see them: the same prices as the tickers, and what goes wrong with them.

use super::{A_TIME, get, good, integer, number, start_at, ticker};
use crate::{CandleFault, Fault, Simulator, SimulatorOptions, Times, UnixMillis};
use rust_decimal::Decimal;
use serde_json::Value;
use std::time::Duration;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The begin of the minute of [`A_TIME`], whose seconds are a multiple of 60.
const A_MINUTE: UnixMillis = A_TIME - A_TIME % MINUTE;

fn target(interval: &str, rest: &str) -> String {
    format!("/api/v3/klines?symbol=BTCUSDT&interval={interval}{rest}")
}

fn candles(market: &Simulator, interval: &str, rest: &str) -> Vec<Value> {
    let rows = good(market, &target(interval, rest));
    rows.as_array().expect("an array").clone()
}

fn within(from: UnixMillis, until: UnixMillis) -> String {
    format!("&startTime={from}&endTime={}&limit=1000", until - 1)
}

fn begins(rows: &[Value]) -> Vec<i64> {
    let begin = |row: &Value| row[0].as_i64().expect("a time");
    rows.iter().map(begin).collect()
}

fn cell(row: &Value, place: usize) -> Decimal {
    Decimal::from_str_exact(row[place].as_str().expect("text")).expect("a decimal")
}

fn flat_at(now: UnixMillis) -> Simulator {
    let options = SimulatorOptions {
        volatility: 0.0,
        ..SimulatorOptions::default()
    };
    let market = Simulator::start(options).expect("a free port");
    market.drive_time(now);
    market
}

#[test]
fn a_candle_has_twelve_cells_and_ends_before_the_next_begins() {
    let market = start_at(A_TIME);
    let rows = candles(&market, "1m", "&limit=3");
    let minutes = [2, 1, 0].map(|back| A_MINUTE - back * MINUTE);
    assert_eq!(begins(&rows), minutes);
    for row in &rows {
        assert_eq!(row.as_array().expect("a list").len(), 12);
        assert_eq!(row[6], row[0].as_i64().expect("a time") + MINUTE - 1);
        assert_eq!(row[11], "0");
        let [open, high, low, close] = [1, 2, 3, 4].map(|place| cell(row, place));
        assert!(low <= open.min(close) && open.max(close) <= high, "{row}");
    }
}

#[test]
fn a_request_selects_by_times_and_limit() {
    let market = start_at(A_TIME);
    assert_eq!(candles(&market, "1m", "").len(), 500);
    assert_eq!(candles(&market, "1m", "&limit=5000").len(), 1_000);
    let from = A_MINUTE - 10 * MINUTE;
    let some = candles(&market, "1m", &format!("&startTime={}&limit=2", from + 1));
    assert_eq!(begins(&some), [from + MINUTE, from + 2 * MINUTE]);
    let last = candles(&market, "1m", &format!("&endTime={from}&limit=2"));
    assert_eq!(begins(&last), [from - MINUTE, from]);
    // The one under way is there; what is still to come is not.
    let now = candles(&market, "1m", &within(A_MINUTE - MINUTE, A_MINUTE + HOUR));
    assert_eq!(begins(&now), [A_MINUTE - MINUTE, A_MINUTE]);
    assert!(candles(&market, "1m", &format!("&startTime={}", A_TIME + 1)).is_empty());
}

#[test]
fn malformed_requests_are_refused_with_their_code() {
    let market = start_at(A_TIME);
    for (query, code) in [
        ("interval=1m", -1102),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTCUSDT&interval=2m", -1120),
        ("symbol=btcusdt&interval=1m", -1100),
        ("symbol=NOSUCHUSDT&interval=1m", -1121),
        ("symbol=BTCUSDT&interval=1m&limit=0", -1130),
        ("symbol=BTCUSDT&interval=1m&startTime=-1", -1100),
        ("symbol=BTCUSDT&interval=1m&interval=1s", -1101),
        ("symbol=BTCUSDT&interval=1m&page=2", -1104),
    ] {
        let reply = get(&market, &format!("/api/v3/klines?{query}"));
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.json()["code"], code, "{query}");
    }
}

#[test]
fn a_reply_costs_two_and_tells_the_time() {
    let market = start_at(A_TIME);
    let reply = get(&market, &target("1s", "&limit=1000"));
    assert_eq!(reply.header("x-mbx-used-weight-1m"), Some("2"));
    assert_eq!(
        reply.header("date"),
        Some("Sat, 21 Nov 2026 10:00:00 GMT"),
        "by its own clock"
    );
}

#[test]
fn candles_of_any_length_agree_with_each_other_and_with_the_ticker() {
    // In the last second of a minute: the 24 hours are a second and whole minutes.
    let market = start_at(A_MINUTE - 1);
    let highest = |rows: &[Value]| rows.iter().map(|row| cell(row, 2)).max();
    let lowest = |rows: &[Value]| rows.iter().map(|row| cell(row, 3)).min();
    let sum = |rows: &[Value], place| rows.iter().map(|row| cell(row, place)).sum::<Decimal>();
    let day = A_MINUTE - DAY;
    let mut all = candles(&market, "1s", &within(day - 1_000, day));
    for part in [
        within(day, day + 12 * HOUR),
        within(day + 12 * HOUR, A_MINUTE),
    ] {
        all.extend(candles(&market, "1m", &part));
    }
    assert_eq!(all.len(), 1 + 24 * 60);
    let row = ticker(&market, "BTCUSDT");
    assert_eq!(Some(number(&row, "highPrice")), highest(&all));
    assert_eq!(Some(number(&row, "lowPrice")), lowest(&all));
    assert_eq!(number(&row, "volume"), sum(&all, 5));
    assert_eq!(number(&row, "quoteVolume"), sum(&all, 7));
    assert_eq!(number(&row, "openPrice"), cell(&all[0], 1));
    assert_eq!(number(&row, "lastPrice"), cell(&all[24 * 60], 4));

    for (interval, length, part) in [
        ("1m", MINUTE, "1s"),
        ("15m", 15 * MINUTE, "1s"),
        ("1h", HOUR, "1m"),
        ("12h", 12 * HOUR, "1m"),
        ("1d", DAY, "1h"),
    ] {
        let long = candles(&market, interval, "&limit=2")[0].clone();
        let begin = long[0].as_i64().expect("a time");
        assert_eq!(begin % length, 0);
        let parts = candles(&market, part, &within(begin, begin + length));
        assert_eq!(cell(&long, 1), cell(&parts[0], 1), "{interval}");
        assert_eq!(Some(cell(&long, 2)), highest(&parts), "{interval}");
        assert_eq!(Some(cell(&long, 3)), lowest(&parts), "{interval}");
        assert_eq!(cell(&long, 4), cell(&parts[parts.len() - 1], 4));
        assert_eq!(cell(&long, 5), sum(&parts, 5), "{interval}");
    }
}

#[test]
fn what_a_test_drives_is_in_the_candles_of_its_time() {
    let market = flat_at(A_MINUTE);
    let last = || number(&ticker(&market, "BTCUSDT"), "lastPrice");
    let calm = last();
    market.advance(Duration::from_secs(90));
    market.set_change("BTCUSDT", "3.5");
    let up = last();
    market.advance(Duration::from_millis(60_500));
    market.set_price("BTCUSDT", "60000");
    assert_eq!(last(), Decimal::from(60_000));
    market.advance(Duration::from_secs(60));
    market.release("BTCUSDT");
    assert_eq!(last(), calm);
    market.advance(Duration::from_secs(60));

    let rows = candles(&market, "1m", &within(A_MINUTE, A_MINUTE + 5 * MINUTE));
    let of = |row: &Value| [1, 2, 3, 4].map(|place| cell(row, place));
    let low = Decimal::from(60_000);
    let expected = [
        [calm; 4],
        [calm, up, calm, up],
        [up, up, low, low],
        [low, calm, low, calm],
        [calm; 4],
    ];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), expected);
    let second = A_MINUTE + 150_000;
    let rows = candles(&market, "1s", &within(second - 1_000, second + 2_000));
    let expected = [[up; 4], [up, up, low, low], [low; 4]];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), expected);
}

#[test]
fn a_trade_between_two_tickers_is_in_its_candle_and_in_the_day() {
    let market = flat_at(A_MINUTE);
    let before = ticker(&market, "BTCUSDT");
    market.trade("BTCUSDT", A_MINUTE + 30_250, "70000");
    assert_eq!(ticker(&market, "BTCUSDT"), before, "it is still to come");
    market.advance(Duration::from_secs(60));
    let after = ticker(&market, "BTCUSDT");
    assert_eq!(after["lastPrice"], before["lastPrice"]);
    assert_eq!(number(&after, "highPrice"), Decimal::from(70_000));
    let rows = candles(&market, "1m", &within(A_MINUTE, A_MINUTE + MINUTE));
    assert_eq!(cell(&rows[0], 2), Decimal::from(70_000));
    assert_eq!(rows[0][4].as_str(), before["lastPrice"].as_str());
    let seconds = candles(&market, "1s", &within(A_MINUTE, A_MINUTE + MINUTE));
    let reached: Vec<usize> = (0..60)
        .filter(|second| cell(&seconds[*second], 2) == Decimal::from(70_000))
        .collect();
    assert_eq!(reached, [30]);
    // A day later it is out of the ticker.
    market.advance(Duration::from_millis(DAY as u64));
    let later = ticker(&market, "BTCUSDT");
    assert_eq!(later["highPrice"], before["highPrice"]);
}

#[test]
fn a_halted_symbol_has_no_candles_until_it_trades_again() {
    let market = flat_at(A_MINUTE);
    market.halt("BTCUSDT");
    market.advance(Duration::from_secs(180));
    market.release("BTCUSDT");
    market.advance(Duration::from_secs(60));
    let rows = candles(
        &market,
        "1m",
        &within(A_MINUTE - MINUTE, A_MINUTE + 5 * MINUTE),
    );
    let expected = [-1, 3, 4].map(|place| A_MINUTE + place * MINUTE);
    assert_eq!(begins(&rows), expected);
}

#[test]
fn candles_go_wrong_in_their_own_ways_and_the_next_ones_are_good() {
    let market = start_at(A_TIME);
    let ten = within(A_MINUTE - 10 * MINUTE, A_MINUTE);
    let sound = candles(&market, "1m", &ten);
    let struck = |fault: CandleFault| {
        market.inject_on_candles(fault, Times::Once);
        let rows = candles(&market, "1m", &ten);
        assert_eq!(candles(&market, "1m", &ten), sound);
        rows
    };
    let gap = struck(CandleFault::Gap);
    assert_eq!(gap, [&sound[..5], &sound[6..]].concat());
    assert_eq!(struck(CandleFault::ShortPage(4)), sound[..4]);
    let turned: Vec<Value> = sound.iter().rev().cloned().collect();
    assert_eq!(struck(CandleFault::WrongOrder), turned);
    assert_eq!(
        struck(CandleFault::Duplicate),
        [&sound[..1], &sound[..]].concat()
    );
    let bad = struck(CandleFault::BadRow);
    assert_eq!((&bad[0][2], &bad[1..]), (&"NaN".into(), &sound[1..]));
    let lagging = struck(CandleFault::Lagging(3 * MINUTE));
    assert_eq!(lagging[..7], sound[..7]);
    assert_eq!(begins(&lagging).len(), 8, "the last is not finished");
    assert_ne!(lagging[7], sound[7]);
}

#[test]
fn an_exchange_may_have_no_candles_of_a_second() {
    let market = start_at(A_TIME);
    market.inject_on_candles(CandleFault::RefusedInterval("1s"), Times::Forever);
    market.inject_on_candles(CandleFault::Gap, Times::Once);
    let reply = get(&market, &target("1s", ""));
    assert_eq!(
        (reply.status, reply.json()["code"].as_i64()),
        (400, Some(-1120))
    );
    assert_eq!(candles(&market, "1m", "&limit=5").len(), 4);
    assert_eq!(candles(&market, "1m", "&limit=5").len(), 5);
    assert_eq!(get(&market, &target("1s", "")).status, 400);
    market.clear_faults();
    assert_eq!(candles(&market, "1s", "&limit=5").len(), 5);
}

#[test]
fn whole_replies_go_wrong_as_those_with_tickers_do_and_apart_from_them() {
    let market = start_at(A_TIME);
    let stop = Fault::TooManyRequests {
        retry_after: Some(7),
    };
    market.inject_on_candles(CandleFault::Reply(stop), Times::Once);
    ticker(&market, "BTCUSDT");
    let reply = get(&market, &target("1m", ""));
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7"))
    );
    market.inject(Fault::InternalError, Times::Once);
    let row = &candles(&market, "1m", "&limit=1")[0];
    assert!(
        integer(&ticker_after_failure(&market), "closeTime") >= row[0].as_i64().expect("a time")
    );
}

/// The ticker that follows one failed request.
fn ticker_after_failure(market: &Simulator) -> Value {
    assert_eq!(get(market, super::ALL).status, 500);
    ticker(market, "BTCUSDT")
}

#[test]
fn candles_that_were_kept_are_those_of_a_simulator_that_was_never_asked() {
    let (asked, fresh) = (start_at(A_TIME), start_at(A_TIME));
    let page = || within(A_MINUTE - 2 * HOUR, A_MINUTE + HOUR);
    let ask = || candles(&asked, "1m", &page());
    ask();
    for market in [&asked, &fresh] {
        market.trade("BTCUSDT", A_MINUTE - HOUR + 1, "50000");
        market.advance(Duration::from_secs(90));
    }
    ask();
    for market in [&asked, &fresh] {
        market.set_change("BTCUSDT", "4");
        market.advance(Duration::from_secs(300));
    }
    ask();
    // Time is set back, and the price goes another way from there.
    for market in [&asked, &fresh] {
        market.drive_time(A_TIME + 60_000);
        market.halt("BTCUSDT");
        market.advance(Duration::from_secs(600));
    }
    assert_eq!(ask(), candles(&fresh, "1m", &page()));
    asked.set_tick_size("BTCUSDT", "10");
    fresh.set_tick_size("BTCUSDT", "10");
    assert_eq!(ask(), candles(&fresh, "1m", &page()));
}
