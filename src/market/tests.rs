use super::*;
use rust_decimal::Decimal;
use serde_json::Value;
use std::time::Duration;

fn number(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn ticker_with_prices(last: &str, bid: &str) -> Ticker {
    Ticker {
        symbol: "BTCUSDT".to_owned(),
        price_change: Decimal::ZERO,
        price_change_percent: Decimal::ZERO,
        weighted_average_price: number("0.123456789"),
        last_price: number(last),
        open_price: number("100.00000000"),
        high_price: number("100.00000000"),
        low_price: number("100.00000000"),
        bid_price: number(bid),
        ask_price: number("100.00000000"),
        base_volume: number("0.001"),
        quote_volume: number("0.001"),
        open_time: 0,
        close_time: 0,
        trade_count: 1,
    }
}

#[test]
fn the_tick_is_the_finest_place_that_any_price_uses() {
    let tick = |last, bid| ticker_with_prices(last, bid).tick_size().to_string();
    assert_eq!(tick("19900.00000000", "19890.00000000"), "1");
    assert_eq!(tick("19900.10000000", "19890.00000000"), "0.1");
    assert_eq!(tick("19900.10000000", "19890.01000000"), "0.01");
    assert_eq!(tick("0.00000012", "0.00000000"), "0.00000001");
    // More digits than 64 bits hold.
    assert_eq!(tick("1234567890123456789.120000", "0.1"), "0.01");
}

#[test]
fn every_error_reads_as_postgresql_errors_do() {
    let body = String::from("<html>busy</html>");
    let stop = |status| MarketError::LeftAlone {
        status,
        retry_after: Some(Duration::from_secs(7)),
        body: body.clone(),
    };
    let status = |status| MarketError::HttpStatus {
        status,
        body: body.clone(),
    };
    let errors = [
        (MarketError::BadUrl("it is not a URL".to_owned()), "22023"),
        (
            MarketError::BadCaFile {
                path: "ca.pem".to_owned(),
                reason: "it holds no certificate".to_owned(),
            },
            "22023",
        ),
        (
            MarketError::Unreachable("connection refused".to_owned()),
            "08001",
        ),
        (MarketError::CutOff("connection reset".to_owned()), "08006"),
        (MarketError::TimedOut(Duration::from_millis(1500)), "08006"),
        (stop(429), "08004"),
        (stop(418), "08004"),
        (stop(403), "08004"),
        (stop(451), "08004"),
        (status(302), "08P01"),
        (status(404), "08P01"),
        (status(502), "08P01"),
        (MarketError::TooLarge { limit: 1000 }, "08P01"),
        (
            MarketError::NotJson {
                reason: "it is empty".to_owned(),
                body: body.clone(),
            },
            "08P01",
        ),
        (
            MarketError::Rejected {
                code: -1100,
                message: "Illegal characters".to_owned(),
            },
            "08P01",
        ),
    ];
    for (error, sqlstate) in errors {
        let message = error.message();
        assert!(message.starts_with(char::is_lowercase), "{message}");
        assert!(!message.ends_with('.'), "{message}");
        for sentence in [error.detail(), error.hint()] {
            assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
            assert!(sentence.ends_with('.'), "{sentence}");
        }
        assert_eq!(error.sqlstate(), sqlstate, "{message}");
    }
    assert_eq!(
        stop(429).detail(),
        "The exchange asks to wait 7 s. The reply begins with \"<html>busy</html>\"."
    );
}

#[test]
fn recorded_numbers_arrive_as_the_exact_decimals_in_the_text() {
    for path in recorded::REPLIES {
        let (Some(body), Some(recording)) = (recorded::read(path), recorded::recording(path))
        else {
            return;
        };
        let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(rows.len(), recording.tickers.rows.len());
        for row in &rows {
            let ticker = recording.tickers.rows[row["symbol"].as_str().unwrap()]
                .as_ref()
                .expect("every recorded row is usable");
            let fields = [
                ("priceChange", ticker.price_change),
                ("priceChangePercent", ticker.price_change_percent),
                ("weightedAvgPrice", ticker.weighted_average_price),
                ("lastPrice", ticker.last_price),
                ("openPrice", ticker.open_price),
                ("highPrice", ticker.high_price),
                ("lowPrice", ticker.low_price),
                ("bidPrice", ticker.bid_price),
                ("askPrice", ticker.ask_price),
                ("volume", ticker.base_volume),
                ("quoteVolume", ticker.quote_volume),
            ];
            for (name, value) in fields {
                assert_eq!(row[name], value.to_string(), "{name} of {}", ticker.symbol);
            }
            assert_eq!(row["closeTime"], ticker.close_time);
            assert_eq!(row["count"], ticker.trade_count);
        }
    }
}
