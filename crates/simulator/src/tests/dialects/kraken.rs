use super::*;
use crate::{Instrument, SimulatorOptions};

const TICKER: &str = "/0/public/Ticker";
const OHLC: &str = "/0/public/OHLC?pair=ETHUSDT&interval=5";

/// Kraken with pairs in dollars, whose names are its own.
fn with_dollars() -> Simulator {
    let usd = |base: &str, price: &str| Instrument {
        symbol: format!("{base}USD"),
        quote_asset: "USD".to_owned(),
        ..Instrument::usdt(base, price, "0.01", "5000000")
    };
    let symbols = vec![
        usd("BTC", "64250"),
        usd("DOGE", "12"),
        usd("SOL", "150"),
        Instrument::usdt("BTC", "64250", "0.1", "5000000"),
    ];
    let kraken = Simulator::start(SimulatorOptions {
        symbols,
        dialect: Dialect::Kraken,
        ..SimulatorOptions::default()
    });
    let kraken = kraken.expect("a free port");
    kraken.drive_time(A_TIME);
    kraken
}

#[test]
fn a_ticker_has_the_recorded_shape() {
    let kraken = with_dollars();
    let reply = good(&kraken, &format!("{TICKER}?pair=XBTUSDT"));
    let whole = |all: &Value| Some(all.clone());
    if let Some(theirs) = recorded("kraken_ticker_XBTUSDT_nautilus.json", whole) {
        assert_eq!(shape(&reply), shape(&theirs));
        let places = |reply: &Value| {
            let last = reply["result"]["XBTUSDT"]["c"][0].as_str();
            last.and_then(|last| last.split_once('.'))
                .map(|(_, decimals)| decimals.len())
        };
        assert_eq!(places(&reply), places(&theirs), "decimals of a price");
    }
}

#[test]
fn replies_name_pairs_in_their_canonical_form() {
    let kraken = with_dollars();
    for (asked, named) in [
        ("XBTUSD", "XXBTZUSD"),
        ("XXBTZUSD", "XXBTZUSD"),
        ("XBT/USD", "XXBTZUSD"),
        ("XDGUSD", "XDGUSD"),
        ("SOLUSD", "SOLUSD"),
        ("XBTUSDT", "XBTUSDT"),
    ] {
        for target in [
            format!("{TICKER}?pair={asked}"),
            format!("/0/public/OHLC?pair={asked}&interval=5"),
            format!("/0/public/AssetPairs?pair={asked}"),
        ] {
            let reply = good(&kraken, &target);
            assert!(reply["result"].get(named).is_some(), "{target}: {reply}");
        }
    }
    let reply = good(&kraken, "/0/public/AssetPairs");
    let btc = &reply["result"]["XXBTZUSD"];
    assert_eq!(
        (&btc["base"], &btc["quote"]),
        (&"XXBT".into(), &"ZUSD".into())
    );
    assert_eq!(
        (&btc["altname"], &btc["wsname"]),
        (&"XBTUSD".into(), &"XBT/USD".into())
    );
    let tether = &reply["result"]["XBTUSDT"];
    assert_eq!(
        (&tether["tick_size"], &tether["status"]),
        (&"0.1".into(), &"online".into())
    );
    assert_eq!(tether["pair_decimals"], 1);
}

#[test]
fn tickers_are_those_of_the_market_and_their_open_is_that_of_the_day() {
    let pair = Pair::of(Dialect::Kraken);
    let reply = good(&pair.other, &format!("{TICKER}?pair=ETHUSDT,XBTUSDT"));
    let eth = &reply["result"]["ETHUSDT"];
    for (place, binance) in [
        (&eth["c"][0], "lastPrice"),
        (&eth["v"][1], "volume"),
        (&eth["h"][1], "highPrice"),
        (&eth["l"][1], "lowPrice"),
        (&eth["b"][0], "bidPrice"),
    ] {
        assert_eq!(decimal(place), pair.market(binance), "{binance}");
    }
    let midnight = A_TIME.div_euclid(DAY) * DAY;
    let target = format!("/api/v3/klines?symbol=ETHUSDT&interval=1d&startTime={midnight}");
    let today = good(&pair.binance, &target);
    assert_eq!(decimal(&eth["o"]), decimal(&today[0][1]));
    assert_eq!(decimal(&eth["v"][0]), decimal(&today[0][5]));
    assert_ne!(decimal(&eth["o"]), pair.market("openPrice"));
}

#[test]
fn candles_are_the_last_720_without_the_time_that_was_known() {
    let pair = Pair::of(Dialect::Kraken);
    let expected = pair.candles();
    let reply = good(&pair.other, OHLC);
    let list = reply["result"]["ETHUSDT"].as_array().expect("a list");
    assert_eq!(list.len(), 720);
    for (candle, wanted) in list[717..].iter().zip(&expected) {
        assert_eq!(
            decimal(&candle[0]) * Decimal::ONE_THOUSAND,
            decimal(&wanted[0])
        );
        assert_candle(candle, wanted, [(1, 1), (2, 2), (3, 3), (4, 4), (6, 5)]);
        assert!(decimal(&candle[5]) >= decimal(&candle[3]), "{candle}");
        assert!(decimal(&candle[5]) <= decimal(&candle[2]), "{candle}");
        assert_eq!(candle.as_array().map(Vec::len), Some(8));
    }
    assert_eq!(reply["result"]["last"], list[718][0]);
    let since = good(&pair.other, &format!("{OHLC}&since={}", list[717][0]));
    assert_eq!(since["result"]["ETHUSDT"].as_array().map(Vec::len), Some(2));
}

#[test]
fn every_error_is_a_good_reply_and_one_unknown_pair_fails_all() {
    let pair = Pair::of(Dialect::Kraken);
    let said = |target: &str| good(&pair.other, target)["error"][0].clone();
    assert_eq!(
        said(&format!("{TICKER}?pair=XBTUSDT,NOSUCH")),
        "EQuery:Unknown asset pair"
    );
    assert_eq!(
        said("/0/public/OHLC?pair=ETHUSDT&interval=7"),
        "EGeneral:Invalid arguments"
    );
    pair.other
        .inject(Fault::TooManyRequests { retry_after: None }, Times::Once);
    pair.other.inject(Fault::Maintenance, Times::Once);
    assert_eq!(said(TICKER), "EGeneral:Too many requests");
    assert_eq!(said(TICKER), "EService:Unavailable");
    let entry = of_entry("kraken_unknown_pair_whole_batch_http200");
    if let Some(theirs) = recorded("transcribed_recent_rows.json", entry) {
        assert_eq!(good(&pair.other, &format!("{TICKER}?pair=NOSUCH")), theirs);
    }
}
