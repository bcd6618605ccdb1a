//! No reply of MEXC was recorded: shapes are those of its documentation.

use super::*;

const TICKERS: &str = "/api/v3/ticker/24hr";

#[test]
fn a_ticker_is_like_that_of_binance_but_its_change_is_a_ratio() {
    let pair = Pair::of(Dialect::Mexc);
    let eth = good(&pair.other, &format!("{TICKERS}?symbol=ETHUSDT"));
    let binance = super::super::ticker(&pair.binance, "ETHUSDT");
    let lacking = ["weightedAvgPrice", "lastQty", "firstId", "lastId"];
    for name in binance.as_object().expect("an object").keys() {
        assert_eq!(
            eth.get(name).is_none(),
            lacking.contains(&name.as_str()),
            "{name}"
        );
    }
    for name in [
        "lastPrice",
        "openPrice",
        "bidPrice",
        "volume",
        "quoteVolume",
    ] {
        assert_eq!(decimal(&eth[name]), pair.market(name), "{name}");
    }
    assert_eq!(
        (&eth["priceChangePercent"], &eth["count"]),
        (&"-0.0351".into(), &Value::Null)
    );
    let all = good(&pair.other, TICKERS);
    assert_eq!(row(&all, "symbol", "ETHUSDT"), &eth);
}

#[test]
fn candles_have_eight_columns() {
    let pair = Pair::of(Dialect::Mexc);
    let target = "/api/v3/klines?symbol=ETHUSDT&interval=5m&limit=3";
    let reply = good(&pair.other, target);
    for (candle, wanted) in reply.as_array().expect("a list").iter().zip(pair.candles()) {
        assert_eq!(candle.as_array().map(Vec::len), Some(8));
        assert_eq!(candle[0], wanted[0]);
        assert_candle(candle, &wanted, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        assert_eq!(decimal(&candle[7]), decimal(&wanted[7]));
    }
    let hour = "/api/v3/klines?symbol=ETHUSDT&interval=1h&limit=3";
    assert_eq!(get(&pair.other, hour).status, 400, "an hour is 60m");
    good(&pair.other, &hour.replace("1h", "60m"));
}

#[test]
fn instruments_tell_the_tick_as_a_number_of_decimals() {
    let pair = Pair::of(Dialect::Mexc);
    pair.binance.halt("SOLUSDT");
    let reply = good(&pair.other, "/api/v3/exchangeInfo");
    let xrp = row(&reply["symbols"], "symbol", "XRPUSDT");
    assert_eq!(
        (&xrp["quotePrecision"], &xrp["status"]),
        (&4.into(), &"1".into())
    );
    assert_eq!(row(&reply["symbols"], "symbol", "SOLUSDT")["status"], "2");
    let two = good(&pair.other, "/api/v3/exchangeInfo?symbols=XRPUSDT,BTCUSDT");
    assert_eq!(two["symbols"].as_array().map(Vec::len), Some(2));
}

#[test]
fn errors_have_codes() {
    let pair = Pair::of(Dialect::Mexc);
    let reply = get(&pair.other, &format!("{TICKERS}?symbol=NOSUCH"));
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (400, &(-1121).into())
    );
    let reply = pair.struck(
        TICKERS,
        Fault::TooManyRequests {
            retry_after: Some(4),
        },
    );
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("4"))
    );
}
