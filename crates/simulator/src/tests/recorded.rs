//! Recorded candles in place of the model.

use super::{get, good, ticker};
use crate::{RecordedCandle, Simulator, SimulatorOptions, UnixMillis};
use market::binance;
use proptest::prelude::*;
use replay::RollingDay;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::HashSet;

const MINUTE: i64 = 60_000;
const FIVE: i64 = 5 * MINUTE;
const DAY: i64 = 24 * 60 * MINUTE;
/// 2021-01-01.
const BEGIN: UnixMillis = 1_609_459_200_000;

/// A walk of prices and volumes, five minutes a candle.
fn walk(steps: &[(i16, u16)]) -> Vec<RecordedCandle> {
    let mut price = 2_900_000_i64;
    let candle = |(place, (step, volume)): (usize, &(i16, u16))| {
        let open = price;
        price = (price + i64::from(*step)).max(100);
        let cents = |amount: i64| Decimal::new(amount, 2);
        let base_volume = Decimal::new(i64::from(*volume), 3);
        let (high, low) = (open.max(price) + 50, open.min(price) - 50);
        RecordedCandle {
            open_time: BEGIN + place as i64 * FIVE,
            open: cents(open),
            high: cents(high),
            low: cents(low),
            close: cents(price),
            base_volume,
            quote_volume: base_volume * cents(open + high + low + price) / Decimal::from(4),
        }
    };
    steps.iter().enumerate().map(candle).collect()
}

fn playing(candles: Vec<RecordedCandle>) -> Simulator {
    let market = Simulator::start(SimulatorOptions::default()).expect("a free port");
    market.play_candles("BTCUSDT", FIVE, candles);
    market
}

fn candles(market: &Simulator, interval: &str, from: UnixMillis) -> Vec<Value> {
    let target =
        format!("/api/v3/klines?symbol=BTCUSDT&interval={interval}&startTime={from}&limit=3");
    let rows = good(market, &target);
    rows.as_array().expect("an array").clone()
}

#[test]
fn what_was_recorded_is_served_alone_and_joined_and_nothing_finer() {
    let recorded = walk(&[(300, 10), (-900, 20), (100, 30), (5, 40)]);
    let market = playing(recorded.clone());
    market.drive_time(BEGIN + 3 * FIVE + 1);
    let five = candles(&market, "5m", BEGIN);
    assert_eq!(five.len(), 3, "the fourth has not ended");
    assert_eq!(five[1][2], "29003.50000000");
    let joined = &candles(&market, "15m", BEGIN)[0];
    assert_eq!(joined[1], five[0][1]);
    assert_eq!(joined[3], "28993.50000000");
    assert_eq!(joined[4], five[2][4]);
    assert_eq!(joined[5], "0.06000000");
    let finer = "/api/v3/klines?symbol=BTCUSDT&interval=1m";
    assert_eq!(get(&market, finer).json()["code"], -1120);

    let minute = RecordedCandle {
        open_time: BEGIN + MINUTE,
        ..recorded[0].clone()
    };
    market.play_candles("BTCUSDT", MINUTE, vec![minute]);
    assert_eq!(candles(&market, "1m", BEGIN).len(), 1);
    assert_eq!(candles(&market, "5m", BEGIN), five);
    market.release("BTCUSDT");
    assert_eq!(candles(&market, "1m", BEGIN).len(), 3);
}

#[test]
fn a_file_is_read_and_its_first_bad_line_named() {
    let text = "open_time,open,high,low,close,base_volume\n\
                1609459200000,1,3,0.5,2,10\n1609459500000,2,2,2,2,0,7.5\n";
    let read = RecordedCandle::from_csv(text).expect("candles");
    assert_eq!(read[0].quote_volume, Decimal::new(1625, 2));
    assert_eq!(read[1].quote_volume, Decimal::new(75, 1));
    let bad = RecordedCandle::from_csv(&text.replace("0.5", "low"));
    assert_eq!(bad, Err("line 2: 1609459200000,1,3,low,2,10".to_owned()));
}

#[test]
fn before_the_first_full_day_a_symbol_does_not_trade() {
    let market = playing(walk(&[(1, 10); 300]));
    market.drive_time(BEGIN + DAY - 1);
    assert_eq!(ticker(&market, "BTCUSDT")["count"], 0);
    market.drive_time(BEGIN + DAY);
    let row = ticker(&market, "BTCUSDT");
    assert_eq!(row["closeTime"], BEGIN + DAY);
    market.drive_time(BEGIN + DAY + FIVE - 1);
    assert_eq!(
        ticker(&market, "BTCUSDT"),
        row,
        "until the next candle ends"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn tickers_are_those_that_the_replay_computes(
        steps in proptest::collection::vec((any::<i16>(), 1u16..), 288..600),
        missing in proptest::collection::vec(0usize..600, 0..20),
    ) {
        let mut recorded = walk(&steps);
        let gone: HashSet<i64> = missing.iter().map(|place| BEGIN + *place as i64 * FIVE).collect();
        recorded.retain(|candle| !gone.contains(&candle.open_time));
        let market = playing(recorded.clone());
        let mut day = RollingDay::new("BTCUSDT", FIVE);
        for candle in recorded {
            let now = candle.open_time + FIVE;
            let taken = day.take(market::Candle {
                open_time: candle.open_time,
                open: candle.open,
                high: candle.high,
                low: candle.low,
                close: candle.close,
                base_volume: candle.base_volume,
                quote_volume: candle.quote_volume,
            });
            prop_assert!(taken.is_ok());
            let expected = day.ticker();
            if now % (10 * FIVE) != 0 {
                continue;
            }
            market.drive_time(now);
            let target = "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22%5D";
            let body = market.market().answer("GET", target).body;
            let rows = binance::parse(&body, &HashSet::from(["BTCUSDT"])).expect("a list");
            let served = rows["BTCUSDT"].as_ref().expect("a ticker");
            match expected {
                // Every number; texts may differ in their trailing zeros.
                Some(expected) => prop_assert_eq!(
                    (normal(served), served.tick_size()),
                    (normal(&expected), expected.tick_size())
                ),
                None => prop_assert_eq!(served.trade_count, Some(0)),
            }
        }
    }
}

/// A ticker in words, with numbers without trailing zeros.
fn normal(ticker: &market::Ticker) -> String {
    let numbers = [
        ticker.price_change,
        ticker.price_change_percent,
        ticker.weighted_average_price.expect("told"),
        ticker.last_price,
        ticker.open_price,
        ticker.high_price,
        ticker.low_price,
        ticker.bid_price.expect("told"),
        ticker.ask_price.expect("told"),
        ticker.base_volume,
        ticker.quote_volume,
    ];
    let texts: Vec<String> = numbers.map(|number| number.normalize().to_string()).into();
    let times = [
        ticker.open_time.expect("told"),
        ticker.close_time,
        ticker.trade_count.expect("told"),
    ];
    format!("{} {texts:?} {times:?}", ticker.symbol)
}
