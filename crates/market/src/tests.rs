use super::*;
use rust_decimal::Decimal;
use std::time::Duration;

fn number(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn ticker_with_prices(last: &str, bid: &str) -> Ticker {
    Ticker {
        symbol: "BTCUSDT".to_owned(),
        price_change: Decimal::ZERO,
        price_change_percent: Decimal::ZERO,
        weighted_average_price: Some(number("0.123456789")),
        last_price: number(last),
        open_price: number("100.00000000"),
        high_price: number("100.00000000"),
        low_price: number("100.00000000"),
        bid_price: Some(number(bid)),
        ask_price: Some(number("100.00000000")),
        base_volume: number("0.001"),
        quote_volume: number("0.001"),
        open_time: Some(0),
        close_time: 0,
        time_source: TimeSource::Exchange,
        trade_count: Some(1),
    }
}

#[test]
fn the_tick_is_the_finest_place_that_any_price_uses() {
    let tick = |last, bid| ticker_with_prices(last, bid).tick_size().to_string();
    assert_eq!(tick("19900.00000000", "19890.00000000"), "1");
    assert_eq!(tick("19900.10000000", "19890.00000000"), "0.1");
    assert_eq!(tick("19900.10000000", "19890.01000000"), "0.01");
    assert_eq!(tick("0.00000012", "0.00000000"), "0.00000001");
    // As an exchange prints a binary fraction.
    assert_eq!(tick("345.09000000000003", "345.1"), "0.01");
    assert_eq!(tick("345.1", "330.29999999999995"), "0.1");
    assert_eq!(tick("12345678.12345678", "1"), "0.00000001");
    // More digits than 64 bits hold.
    assert_eq!(tick("1234567890123456789.120000", "0.1"), "0.01");
}

#[test]
fn every_error_reads_as_postgresql_errors_do() {
    let body = String::from("<html>busy</html>");
    let stop = |status| MarketError::LeftAlone {
        status,
        code: None,
        retry_after: Some(Duration::from_secs(7)),
        body: body.clone(),
    };
    let status = |status| MarketError::HttpStatus {
        status,
        body: body.clone(),
    };
    let errors = [
        MarketError::BadUrl("it is not a URL".to_owned()),
        MarketError::BadProxy("it is not a URL".to_owned()),
        MarketError::BadCaFile {
            path: "ca.pem".to_owned(),
            reason: "it holds no certificate".to_owned(),
        },
        MarketError::Unreachable("connection refused".to_owned()),
        MarketError::CutOff("connection reset".to_owned()),
        MarketError::TimedOut(Duration::from_millis(1500)),
        stop(429),
        stop(418),
        stop(403),
        stop(451),
        status(302),
        status(404),
        status(502),
        MarketError::TooLarge { limit: 1000 },
        MarketError::NotJson {
            reason: "it is empty".to_owned(),
            body: body.clone(),
        },
        MarketError::Rejected {
            code: "-1100".to_owned(),
            message: "Illegal characters".to_owned(),
        },
        MarketError::NoCandles {
            reason: "it is empty".to_owned(),
            body: String::new(),
        },
        MarketError::BadCandles(CandleFault::Twice { at: 0 }),
        MarketError::NoSuchInterval {
            interval: Interval::Second.name(),
            message: "Invalid interval.".to_owned(),
        },
    ];
    for error in errors {
        let message = error.message();
        assert!(message.starts_with(char::is_lowercase), "{message}");
        assert!(!message.ends_with('.'), "{message}");
        let detail = error.detail();
        assert!(detail.starts_with(char::is_uppercase), "{detail}");
        assert!(detail.ends_with('.'), "{detail}");
    }
    assert_eq!(
        stop(429).detail(),
        "The exchange asks to wait 7 s. The reply begins with \"<html>busy</html>\"."
    );
}

#[test]
fn what_is_no_text_is_not_quoted() {
    let gzip = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xad, 0x92, 0xcd, 0x6a, 0xc3, 0x30,
    ];
    let detail = |body: &[u8]| {
        let body = error::excerpt(body);
        MarketError::HttpStatus { status: 500, body }.detail()
    };
    assert_eq!(detail(&gzip), "The reply is no text.");
    let latin_1 = b"<html>Zugriff f\xfcr Sie gesperrt</html>";
    assert_eq!(
        detail(latin_1),
        "The reply begins with \"<html>Zugriff f\u{fffd}r Sie gesperrt</html>\"."
    );
}

#[test]
fn what_is_invisible_or_turns_text_around_is_not_shown() {
    for c in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{61c}\u{ad}\u{2060}\u{feff}\u{180e}\u{fff9}\u{e0041}\u{3164}\u{fe0f}\0\u{9b}"
        .chars()
    {
        assert_eq!(error::sanitized(&format!("a{c}b")), "ab", "{c:?}");
    }
    for c in "\u{2028}\u{2029}\n\t\u{a0}\u{3000}".chars() {
        assert_eq!(error::sanitized(&format!("a{c}b")), "a b", "{c:?}");
    }
    let shown = "M\u{fc}ll \u{975e}\u{6cd5} \u{5d0}\u{627} \u{1f600}";
    assert_eq!(error::sanitized(shown), shown);
}
