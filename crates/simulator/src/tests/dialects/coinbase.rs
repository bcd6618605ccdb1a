use super::*;

const STATS: &str = "/products/stats";
const CANDLES: &str = "/products/ETH-USDT/candles?granularity=300";

#[test]
fn statistics_and_ticker_have_the_recorded_shape() {
    let pair = Pair::of(Dialect::Coinbase);
    let all = good(&pair.other, STATS);
    let file = "transcribed_recent_rows.json";
    let entry = of_entry("coinbase_exchange_products_stats_2026-07-27");
    if let Some(reply) = recorded(file, entry) {
        assert_eq!(shape(&all["ETH-USDT"]), shape(&reply["NEAR-USD"]));
    }
    let ticker = good(&pair.other, "/products/ETH-USDT/ticker");
    let entry = of_entry("coinbase_exchange_ticker_2026-07-27");
    if let Some(reply) = recorded(file, entry) {
        // Fields were left out of the recorded one.
        for (name, value) in reply.as_object().expect("an object") {
            assert_eq!(shape(&ticker[name]), shape(value), "{name}");
        }
    }
}

#[test]
fn statistics_are_those_of_the_market() {
    let pair = Pair::of(Dialect::Coinbase);
    let all = good(&pair.other, STATS);
    assert_eq!(all.as_object().map(serde_json::Map::len), Some(10));
    let eth = &all["ETH-USDT"]["stats_24hour"];
    for (theirs, binance) in [
        ("last", "lastPrice"),
        ("open", "openPrice"),
        ("high", "highPrice"),
        ("low", "lowPrice"),
        ("volume", "volume"),
    ] {
        assert_eq!(decimal(&eth[theirs]), pair.market(binance), "{theirs}");
    }
    assert_eq!(
        good(&pair.other, "/products/ETH-USDT/stats")["last"],
        eth["last"]
    );
    let ticker = good(&pair.other, "/products/ETH-USDT/ticker");
    assert_eq!(decimal(&ticker["bid"]), pair.market("bidPrice"));
    assert_eq!(ticker["time"], "2026-11-21T10:00:00.123Z");
}

#[test]
fn a_pair_without_a_trade_has_no_statistics_and_one_that_is_not_listed_is_absent() {
    let pair = Pair::of(Dialect::Coinbase);
    pair.binance.zero("ETHUSDT");
    pair.other.unlist("BTCUSDT");
    let all = good(&pair.other, STATS);
    assert_eq!(all["ETH-USDT"]["stats_24hour"], serde_json::json!({}));
    assert!(all.get("BTC-USDT").is_none());
    let reply = get(&pair.other, "/products/BTC-USDT/ticker");
    assert_eq!(
        (reply.status, &reply.json()["message"]),
        (404, &"NotFound".into())
    );
}

#[test]
fn candles_are_numbers_with_the_low_first_and_at_most_300() {
    let pair = Pair::of(Dialect::Coinbase);
    let expected = pair.candles();
    let reply = good(&pair.other, CANDLES);
    let list = reply.as_array().expect("a list");
    assert_eq!(list.len(), 300);
    for (candle, wanted) in list[..3].iter().rev().zip(&expected) {
        assert_eq!(
            decimal(&candle[0]) * Decimal::ONE_THOUSAND,
            decimal(&wanted[0])
        );
        assert_candle(candle, wanted, [(1, 3), (2, 2), (3, 1), (4, 4), (5, 5)]);
        assert_eq!(shape(candle), "[integer, float]");
    }
    let day = "start=2026-11-20T00:00:00Z&end=2026-11-20T01:00:00Z";
    let hour = good(&pair.other, &format!("{CANDLES}&{day}"));
    assert_eq!(
        hour.as_array().map(Vec::len),
        Some(13),
        "both ends are included"
    );
    for query in [
        "granularity=7",
        "granularity=60&start=1795200000&end=1795255200",
    ] {
        let target = format!("/products/ETH-USDT/candles?{query}");
        assert_eq!(get(&pair.other, &target).status, 400, "{query}");
    }
}

#[test]
fn products_tell_the_tick() {
    let pair = Pair::of(Dialect::Coinbase);
    pair.binance.halt("SOLUSDT");
    let reply = good(&pair.other, "/products");
    let xrp = row(&reply, "id", "XRP-USDT");
    assert_eq!(
        (&xrp["quote_increment"], &xrp["status"]),
        (&"0.0001".into(), &"online".into())
    );
    assert_eq!(xrp["trading_disabled"], false);
    assert_eq!(
        (&xrp["base_currency"], &xrp["quote_currency"]),
        (&"XRP".into(), &"USDT".into())
    );
    let sol = good(&pair.other, "/products/SOL-USDT");
    assert_eq!(sol["trading_disabled"], true);
}

#[test]
fn it_says_stop_and_that_it_is_maintained() {
    let pair = Pair::of(Dialect::Coinbase);
    let reply = pair.struck(
        STATS,
        Fault::TooManyRequests {
            retry_after: Some(2),
        },
    );
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("2"))
    );
    let reply = pair.struck(STATS, Fault::Maintenance);
    assert_eq!(shape(&reply.json()), "{message: \"text\"}");
}
