//! Several exchanges of one market, and what a test sets at one of them alone.

use super::{
    A_TIME, ALL, Reply, good, integer, number, request, start_at, symbols_of, text, ticker,
};
use crate::{Dialect, Fault, Instrument, Simulator, Times};
use rust_decimal::Decimal;
use std::io;
use std::time::{Duration, Instant};

/// Two exchanges that speak the same language.
fn two() -> (Simulator, Simulator) {
    let first = start_at(A_TIME);
    let second = first.beside(Dialect::Binance).expect("a free port");
    (first, second)
}

fn refused(market: &Simulator) -> Option<io::ErrorKind> {
    request(market, ALL).err().map(|error| error.kind())
}

#[test]
fn exchanges_of_one_market_have_the_same_prices_and_the_same_time() {
    let (first, second) = two();
    second.set_change("BTCUSDT", "3.5");
    first.advance(Duration::from_secs(61));
    assert_eq!(second.now(), A_TIME + 61_000);
    assert_eq!(good(&first, ALL), good(&second, ALL));
    assert_eq!(
        text(&ticker(&first, "BTCUSDT"), "priceChangePercent"),
        "3.500"
    );
    let candles = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3";
    assert_eq!(good(&first, candles), good(&second, candles));
    assert_eq!((first.request_count(), second.request_count()), (3, 2));
}

#[test]
fn a_fault_strikes_one_exchange_alone() {
    let (first, second) = two();
    first.inject(Fault::InternalError, Times::Forever);
    assert_eq!(super::get(&first, ALL).status, 500);
    good(&second, ALL);
}

#[test]
fn an_exchange_that_is_down_refuses_connections_and_comes_back_on_its_port() {
    let (first, second) = two();
    let url = first.url();
    for _ in 0..3 {
        first.go_down();
        assert_eq!(refused(&first), Some(io::ErrorKind::ConnectionRefused));
        good(&second, ALL);
        first.come_back();
        good(&first, ALL);
    }
    assert_eq!(first.url(), url);
    first.go_down();
    first.go_down();
    assert_eq!(refused(&first), Some(io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_ban_answers_every_request_until_it_ends() {
    let (first, second) = two();
    first.ban_until(A_TIME + 90_500);
    let status = |target: &str| super::get(&first, target).status;
    for target in [ALL, "/api/v3/exchangeInfo", "/api/v3/ping"] {
        assert_eq!(status(target), 418, "{target}");
    }
    let banned: Reply = super::get(&first, ALL);
    assert_eq!(banned.header("retry-after"), Some("91"));
    good(&second, ALL);
    first.advance(Duration::from_secs(91));
    good(&first, ALL);
}

#[test]
fn a_ban_may_be_told_in_words_alone() {
    let (first, _) = two();
    let fault = Fault::BannedInWords {
        status: 400,
        seconds: 600,
    };
    first.inject(fault, Times::Once);
    let reply = super::get(&first, ALL);
    assert_eq!((reply.status, reply.header("retry-after")), (400, None));
    let told = format!("banned until {}", A_TIME + 600_000);
    assert!(text(&reply.json(), "msg").contains(&told));
}

#[test]
fn a_load_balancer_says_when_to_come_again_and_a_slow_exchange_answers_late() {
    let (first, _) = two();
    first.inject(Fault::UnavailableFor { seconds: 600 }, Times::Once);
    let reply = super::get(&first, ALL);
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("600"))
    );

    let late = Duration::from_millis(300);
    first.inject(Fault::Late(late), Times::Once);
    let begun = Instant::now();
    good(&first, ALL);
    assert!(begun.elapsed() >= late);
}

#[test]
fn one_exchange_may_not_list_a_symbol_or_refuse_it() {
    let (first, second) = two();
    first.unlist("BTCUSDT");
    first.refuse("ETHUSDT");
    let status = |symbol: &str| super::get(&first, &format!("{ALL}?symbol={symbol}")).status;
    assert_eq!((status("BTCUSDT"), status("ETHUSDT")), (400, 400));
    let list = good(&first, ALL);
    let listed = symbols_of(&list);
    assert!(!listed.contains(&"BTCUSDT") && listed.contains(&"ETHUSDT"));
    let info = good(&first, "/api/v3/exchangeInfo");
    assert_eq!(symbols_of(&info["symbols"]).len(), 9);
    assert_eq!(symbols_of(&good(&second, ALL)).len(), 10);
    first.relist("BTCUSDT");
    first.relist("ETHUSDT");
    assert_eq!((status("BTCUSDT"), status("ETHUSDT")), (200, 200));
}

#[test]
fn the_ticker_of_one_exchange_may_stand_still() {
    let (first, second) = two();
    let before = ticker(&first, "BTCUSDT");
    first.freeze("BTCUSDT");
    second.set_change("BTCUSDT", "5");
    first.advance(Duration::from_secs(600));
    assert_eq!(ticker(&first, "BTCUSDT"), before);
    assert_eq!(
        integer(&ticker(&second, "BTCUSDT"), "closeTime"),
        A_TIME + 600_000
    );
    assert_eq!(
        integer(&ticker(&first, "ETHUSDT"), "closeTime"),
        A_TIME + 600_000
    );
    first.thaw("BTCUSDT");
    assert_eq!(ticker(&first, "BTCUSDT"), ticker(&second, "BTCUSDT"));
}

#[test]
fn prices_of_one_exchange_may_differ() {
    let (first, second) = two();
    first.set_change("BTCUSDT", "3.5");
    first.differ("BTCUSDT", "-2");
    let (here, there) = (ticker(&first, "BTCUSDT"), ticker(&second, "BTCUSDT"));
    for name in ["lastPrice", "openPrice", "highPrice", "bidPrice"] {
        let wanted = number(&there, name) * Decimal::new(98, 2);
        assert!(
            (number(&here, name) - wanted).abs() <= Decimal::new(5, 3),
            "{name}"
        );
    }
    assert_eq!(text(&here, "priceChangePercent"), "3.500");
    let candles = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3";
    assert_ne!(good(&first, candles), good(&second, candles));
    first.differ("BTCUSDT", "0");
    assert_eq!(ticker(&first, "BTCUSDT"), there);
}

#[test]
fn a_tick_becomes_coarser_while_the_market_runs() {
    let (first, second) = two();
    let symbol = "LTCUSDT";
    first.set_change(symbol, "2.5");
    let before = ticker(&second, symbol);
    first.set_tick_size(symbol, "0.1");
    let after = ticker(&second, symbol);
    for name in ["lastPrice", "openPrice", "bidPrice", "askPrice"] {
        assert!(
            (number(&after, name) % Decimal::new(1, 1)).is_zero(),
            "{name}"
        );
    }
    let moved = number(&after, "openPrice") - number(&before, "openPrice");
    assert!(moved.abs() < Decimal::TWO, "{before} {after}");
    let info = good(&second, "/api/v3/exchangeInfo?symbol=LTCUSDT");
    let filter = &info["symbols"][0]["filters"][0];
    assert_eq!(text(filter, "tickSize"), "0.10000000");
}

#[test]
fn a_new_listing_appears_at_every_exchange() {
    let (first, second) = two();
    first.add_symbol(Instrument::usdt("NEW", "25.00", "0.01", "5000000"));
    assert_eq!(integer(&ticker(&second, "NEWUSDT"), "closeTime"), A_TIME);
    second.remove_symbol("NEWUSDT");
    assert_eq!(
        super::get(&first, &format!("{ALL}?symbol=NEWUSDT")).status,
        400
    );
}

#[test]
fn the_list_of_instruments_may_fail_alone() {
    let (first, _) = two();
    first.inject_on_instruments(Fault::Unavailable, Times::Once);
    let info = "/api/v3/exchangeInfo";
    good(&first, ALL);
    assert_eq!(super::get(&first, info).status, 503);
    good(&first, info);
}

#[test]
fn binance_us_prints_four_decimals() {
    let first = start_at(A_TIME);
    let us = first.beside(Dialect::BinanceUs).expect("a free port");
    let row = ticker(&us, "BTCUSDT");
    assert_eq!(
        number(&row, "lastPrice"),
        number(&ticker(&first, "BTCUSDT"), "lastPrice")
    );
    let (_, decimals) = text(&row, "lastPrice").split_once('.').expect("a point");
    assert_eq!(decimals.len(), 4);
    for name in ["weightedAvgPrice", "quoteVolume"] {
        assert!(number(&row, name).scale() <= 4, "{row}");
    }
    // As a recorded row has it, whose average is not its quote volume over its volume.
    first.add_symbol(Instrument::usdt("SHIB", "0.0332", "0.0001", "9975000"));
    first.set_price("SHIBUSDT", "0.0332");
    first.set_volume("SHIBUSDT", "300000000");
    let row = ticker(&us, "SHIBUSDT");
    let average = number(&row, "quoteVolume") / number(&row, "volume");
    assert_eq!(number(&row, "weightedAvgPrice"), average.round_dp(4));
    assert_ne!(number(&row, "weightedAvgPrice"), average);
    assert_eq!(us.entry(), format!("binance_us={}", us.url()));
}
