//! Candles.

use super::*;
use market::{Candle, CandleQuery, Client, Interval, MarketError};
use signal_hub_simulator::{CandleFault, RecordedCandle};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

for_each_exchange!(
    minutes_are_those_of_the_market,
    days_are_those_of_the_market,
    pages_join_to_a_whole,
    a_candle_that_is_missing_is_missed,
    a_symbol_that_is_not_listed_is_refused
);

fn query(interval: Interval, from: UnixMillis, until: UnixMillis) -> CandleQuery {
    CandleQuery {
        symbol: "ETHUSDT".to_owned(),
        interval,
        from,
        until,
    }
}

fn ask(asking: &Asking, query: &CandleQuery) -> Result<market::Candles, MarketError> {
    let endpoint = asking.endpoint();
    let client = Client::new(&endpoint).expect("a client");
    asking.adapter.candles(&client, query)
}

/// All candles of a query, page after page.
fn all(asking: &Asking, query: &CandleQuery) -> Vec<Candle> {
    let mut rows = Vec::new();
    let mut rest = Some(query.clone());
    while let Some(query) = rest {
        let page = ask(asking, &query).unwrap_or_else(|error| panic!("{query:?}: {error:?}"));
        assert!(page.unusable.is_empty(), "{:?}", page.unusable);
        rest = page.rest(&query);
        rows.extend(page.rows);
        assert!(asking.simulator.request_count() < 50, "pages without end");
    }
    rows
}

#[track_caller]
fn assert_candles(asking: &Asking, rows: &[Candle], query: &CandleQuery) {
    let length = query.interval.millis();
    let (begin, end) = (query.begin(), query.end().min(asking.simulator.now()));
    let last = end.div_euclid(length) * length - length;
    let wanted = asking.simulator.candles(&query.symbol, length, begin, last);
    let times = |candle: &Candle| candle.open_time;
    let begins: Vec<i64> = wanted.iter().map(|candle| candle.open_time).collect();
    assert_eq!(rows.iter().map(times).collect::<Vec<_>>(), begins);
    rows.iter()
        .zip(&wanted)
        .for_each(|(row, wanted)| assert_candle(asking, row, wanted));
}

#[track_caller]
fn assert_candle(asking: &Asking, row: &Candle, wanted: &RecordedCandle) {
    let prices = [row.open, row.high, row.low, row.close];
    assert_eq!(
        prices,
        [wanted.open, wanted.high, wanted.low, wanted.close],
        "{row:?}"
    );
    assert_eq!(row.base_volume, wanted.base_volume, "{row:?}");
    // Two exchanges tell the base volume alone, or with it a mean price in whole ticks.
    let part = match asking.dialect {
        Dialect::Coinbase | Dialect::Kraken => "0.02",
        _ => "0",
    };
    assert_close(row.quote_volume, wanted.quote_volume, part, "quote volume");
}

fn minutes_are_those_of_the_market(asking: &Asking) {
    asking.simulator.set_change("ETHUSDT", "4");
    asking.simulator.advance(Duration::from_secs(150));
    let now = asking.simulator.now();
    let query = query(Interval::Minute, now - 30 * MINUTE, now + MINUTE);
    let rows = all(asking, &query);
    assert!(rows.len() >= 29, "{}", rows.len());
    assert_candles(asking, &rows, &query);
}

fn days_are_those_of_the_market(asking: &Asking) {
    let query = query(Interval::Day, A_TIME - 4 * DAY, A_TIME);
    let rows = all(asking, &query);
    assert_eq!(rows.len(), 3, "today is not over");
    assert_candles(asking, &rows, &query);
}

fn pages_join_to_a_whole(asking: &Asking) {
    // Kraken serves no more than the last 720.
    let minutes = match asking.dialect {
        Dialect::Kraken => 700,
        _ => 1_300,
    };
    let query = query(Interval::Minute, A_TIME - minutes * MINUTE, A_TIME);
    let rows = all(asking, &query);
    assert_candles(asking, &rows, &query);
}

fn a_candle_that_is_missing_is_missed(asking: &Asking) {
    asking
        .simulator
        .inject_on_candles(CandleFault::Gap, Times::Once);
    let query = query(Interval::Minute, A_TIME - 20 * MINUTE, A_TIME);
    let page = ask(asking, &query).expect("candles");
    assert_eq!(page.gaps(&query).len(), 1, "{:?}", page.rows);
    let all = asking
        .simulator
        .candles("ETHUSDT", MINUTE, query.begin(), query.end() - MINUTE);
    assert_eq!(page.rows.len() + 1, all.len());
}

fn a_symbol_that_is_not_listed_is_refused(asking: &Asking) {
    asking.simulator.unlist("ETHUSDT");
    let query = query(Interval::Minute, A_TIME - 20 * MINUTE, A_TIME);
    let error = ask(asking, &query).expect_err("an unknown symbol");
    assert!(error.is_of_the_request(), "{error:?}");
}
