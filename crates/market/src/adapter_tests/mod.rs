//! All exchanges: their tickers, candles, instruments and errors.

mod bans;
mod candles;
mod errors;
mod instruments;
mod kraken;
mod one_bad_field;
mod recorded;
mod tickers;

use crate::{Exchange, ReplyTime, Rows, Ticker, TimeSource, UnixMillis, exchange};
use std::collections::HashSet;

/// 2026-07-27 09:00:00 UTC.
const NOW: UnixMillis = 1_785_142_800_000;

fn of(name: &str) -> &'static dyn Exchange {
    exchange(name).expect("an exchange of this name")
}

/// What a reply that came at [`NOW`] says of these symbols.
fn rows(name: &str, body: &str, asked: &[&str]) -> Rows {
    let time = ReplyTime {
        date: Some(NOW - 1000),
        received: NOW,
    };
    let asked: HashSet<&str> = asked.iter().copied().collect();
    of(name)
        .read_tickers(body.as_bytes(), &asked, time)
        .expect("a list of tickers")
}

fn ticker(name: &str, body: &str, symbol: &str) -> Ticker {
    rows(name, body, &[symbol])
        .remove(symbol)
        .expect("a row")
        .expect("a usable row")
}

/// Why a row is unusable.
fn fault(name: &str, body: &str, symbol: &str) -> String {
    rows(name, body, &[symbol])
        .remove(symbol)
        .expect("a row")
        .expect_err("an unusable row")
}

/// Prices, change, volumes and times of a ticker in one line.
fn line(ticker: &Ticker) -> String {
    let known = |number: Option<rust_decimal::Decimal>| {
        number.map_or("-".to_owned(), |number| number.to_string())
    };
    format!(
        "last {} open {} low {} high {} change {} = {} % bid {} ask {} base {} quote {} average {} trades {} {}",
        ticker.last_price,
        ticker.open_price,
        ticker.low_price,
        ticker.high_price,
        ticker.price_change,
        ticker.price_change_percent,
        known(ticker.bid_price),
        known(ticker.ask_price),
        ticker.base_volume,
        ticker.quote_volume,
        known(ticker.weighted_average_price),
        known(ticker.trade_count.map(Into::into)),
        match ticker.time_source {
            TimeSource::Exchange => ticker.close_time.to_string(),
            TimeSource::Date => "by date".to_owned(),
            TimeSource::Receipt => "by receipt".to_owned(),
        }
    )
}

#[test]
fn exchanges_are_found_by_their_names() {
    let mut names: Vec<&str> = crate::exchanges().iter().map(|e| e.name()).collect();
    assert_eq!(names.len(), 9);
    for exchange in crate::exchanges() {
        assert_eq!(of(exchange.name()).base_url(), exchange.base_url());
        assert!(exchange.base_url().starts_with("https://"));
        assert_eq!(crate::check_url(exchange.base_url()), Ok(()));
    }
    names.dedup();
    assert_eq!(names.len(), 9);
    assert!(exchange("Binance").is_none());
}
