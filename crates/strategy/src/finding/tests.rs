use super::*;
use crate::tests::{MINUTE, NOW, number, ticker};

fn contradiction_after(change: impl Fn(&mut Ticker)) -> Option<String> {
    let mut ticker = ticker("BTCUSDT", "-3");
    change(&mut ticker);
    contradiction(&ticker)
}

#[test]
fn a_sound_ticker_does_not_contradict_itself() {
    assert_eq!(contradiction_after(|_| {}), None);
    // One tick off, and the last of the printed places off.
    assert_eq!(
        contradiction_after(|t| t.price_change = number("-30.01")),
        None
    );
    assert_eq!(
        contradiction_after(|t| t.price_change_percent = number("-3.0005")),
        None
    );
    assert_eq!(
        contradiction_after(|t| t.weighted_average_price = Some(number("1000.5"))),
        None
    );
}

#[test]
fn each_broken_identity_is_named() {
    type Change = fn(&mut Ticker);
    let cases: [(Change, &str); 10] = [
        (
            |t| t.low_price = number("980"),
            "last price is outside low to high",
        ),
        (
            |t| t.high_price = number("990"),
            "open price is outside low to high",
        ),
        (
            |t| t.weighted_average_price = Some(number("1020")),
            "average price is outside low to high",
        ),
        (
            |t| t.price_change = number("-30.1"),
            "change is not last minus open price",
        ),
        (
            |t| t.price_change_percent = number("-3.01"),
            "change percent is not change over open price",
        ),
        (
            |t| t.quote_volume = number("51000000"),
            "average price is not quote volume over base volume",
        ),
        (
            |t| t.open_time = Some(t.close_time + 1),
            "window ends before it begins",
        ),
        (|t| t.low_price = number("-1"), "low price is negative"),
        (
            |t| t.bid_price = Some(number("-1")),
            "bid price is negative",
        ),
        (|t| t.base_volume = number("-1"), "base volume is negative"),
    ];
    for (change, expected) in cases {
        assert_eq!(contradiction_after(change).as_deref(), Some(expected));
    }
}

#[test]
fn averages_of_tiny_prices_are_compared_at_the_last_printed_place() {
    let tiny = |average: &str| {
        contradiction_after(|t| {
            t.open_price = number("0.00000022");
            t.last_price = number("0.00000022");
            t.low_price = number("0.00000021");
            t.high_price = number("0.00000023");
            t.price_change = Decimal::ZERO;
            t.price_change_percent = Decimal::ZERO;
            t.weighted_average_price = Some(number(average));
            t.base_volume = number("100000000");
            t.quote_volume = number("21.5");
        })
    };
    assert_eq!(tiny("0.00000022"), None);
    assert!(tiny("0.00000023").is_some());
}

#[test]
fn averages_are_compared_at_the_places_that_the_exchange_prints() {
    // As Binance.US prints four places and cuts off the rest.
    let four = |average: &str, low: &str| {
        contradiction_after(|t| {
            t.open_price = number("0.0335");
            t.last_price = number("0.0335");
            t.low_price = number(low);
            t.high_price = number("0.0338");
            t.price_change = Decimal::ZERO;
            t.price_change_percent = Decimal::ZERO;
            t.weighted_average_price = Some(number(average));
            t.base_volume = number("300000000");
            t.quote_volume = number("9975000");
        })
    };
    assert_eq!(four("0.0332", "0.0331"), None);
    assert_eq!(
        four("0.0332", "0.03324"),
        None,
        "below the low only as cut off"
    );
    assert_eq!(
        four("0.0330", "0.0330").as_deref(),
        Some("average price is not quote volume over base volume")
    );
    assert!(
        four("0.03320000", "0.0331").is_some(),
        "eight places are exact"
    );
    assert_eq!(
        four("0.0330", "0.0332").as_deref(),
        Some("average price is outside low to high")
    );
}

#[test]
fn zeros_are_not_a_contradiction_but_no_trading_either() {
    let zero = Ticker {
        price_change: Decimal::ZERO,
        price_change_percent: Decimal::ZERO,
        weighted_average_price: Some(Decimal::ZERO),
        last_price: Decimal::ZERO,
        open_price: Decimal::ZERO,
        high_price: Decimal::ZERO,
        low_price: Decimal::ZERO,
        bid_price: Some(Decimal::ZERO),
        ask_price: Some(Decimal::ZERO),
        base_volume: Decimal::ZERO,
        quote_volume: Decimal::ZERO,
        trade_count: Some(0),
        ..ticker("BTCUSDT", "0")
    };
    assert_eq!(contradiction(&zero), None);
    assert!(!is_trading(&zero));
}

#[test]
fn a_market_trades_when_it_has_two_sides_and_trades() {
    let is_trading_after = |change: fn(&mut Ticker)| {
        let mut ticker = ticker("BTCUSDT", "3");
        change(&mut ticker);
        is_trading(&ticker)
    };
    assert!(is_trading_after(|_| {}));
    assert!(is_trading_after(|t| t.bid_price = t.ask_price));
    assert!(!is_trading_after(|t| t.bid_price = Some(Decimal::ZERO)));
    assert!(!is_trading_after(|t| t.ask_price = Some(Decimal::ZERO)));
    assert!(!is_trading_after(
        |t| t.bid_price = t.ask_price.map(|ask| ask + Decimal::ONE)
    ));
    assert!(!is_trading_after(|t| t.open_price = Decimal::ZERO));
    assert!(!is_trading_after(|t| t.trade_count = Some(0)));
}

#[test]
fn what_an_exchange_does_not_tell_speaks_neither_for_nor_against_a_market() {
    let mut silent = Ticker {
        weighted_average_price: None,
        bid_price: None,
        ask_price: None,
        open_time: None,
        trade_count: None,
        ..ticker("BTCUSDT", "3")
    };
    assert_eq!(contradiction(&silent), None);
    assert!(is_trading(&silent));
    assert!(!has_no_book(&silent));
    // Without trades to count, their volume tells whether there were any.
    silent.base_volume = Decimal::ZERO;
    assert!(!is_trading(&silent));
    silent.base_volume = Decimal::ONE;
    // Half a book is as much as is known of it.
    silent.bid_price = Some(Decimal::ZERO);
    assert!(!is_trading(&silent));
    silent.bid_price = Some(Decimal::ONE);
    assert!(is_trading(&silent));
}

#[test]
fn a_ticker_is_fresh_for_a_while_and_may_be_a_little_ahead() {
    let is_fresh = |close_time| {
        let ticker = Ticker {
            close_time,
            ..ticker("BTCUSDT", "3")
        };
        is_fresh(age_ms(&ticker, NOW), 5 * MINUTE)
    };
    assert!(is_fresh(NOW));
    assert!(is_fresh(NOW - 5 * MINUTE));
    assert!(!is_fresh(NOW - 5 * MINUTE - 1));
    assert!(is_fresh(NOW + MINUTE));
    assert!(!is_fresh(NOW + MINUTE + 1));
    assert!(!is_fresh(i64::MIN));
    assert!(!is_fresh(i64::MAX));
}

#[test]
fn a_time_of_whole_seconds_is_not_ahead_in_the_rest_of_its_second() {
    let mut ticker = ticker("BTCUSDT", "3");
    ticker.close_time = NOW + 999;
    assert_eq!(age_ms(&ticker, NOW), -999);
    ticker.time_source = TimeSource::Date;
    assert_eq!(age_ms(&ticker, NOW), 0);
    assert_eq!(age_ms(&ticker, NOW - 1), -1000);
    assert_eq!(age_ms(&ticker, NOW + 1999), 1000);
}
