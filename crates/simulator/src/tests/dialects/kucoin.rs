use super::*;

const TICKERS: &str = "/api/v1/market/allTickers";
const CANDLES: &str = "/api/v1/market/candles?symbol=ETH-USDT&type=5min";

#[test]
fn tickers_and_candles_have_the_recorded_shape() {
    let pair = Pair::of(Dialect::Kucoin);
    let all = good(&pair.other, TICKERS);
    let file = "freqdash_kucoin_responses.json";
    if let Some(reply) = recorded(file, of_request("allTickers")) {
        // Sizes at bid and ask came later, as the newest recorded rows show.
        let mut old = all.clone();
        for row in old["data"]["ticker"].as_array_mut().expect("rows") {
            let row = row.as_object_mut().expect("a row");
            assert!(row.remove("bestBidSize").is_some() && row.remove("bestAskSize").is_some());
        }
        assert_eq!(shape(&old), shape(&reply));
    }
    if let Some(reply) = recorded(file, of_request("spot_api_url}/api/v1/market/candles")) {
        let hour = A_TIME / 1_000 - 3_600;
        let candles = good(&pair.other, &format!("{CANDLES}&startAt={hour}"));
        assert_eq!(shape(&candles), shape(&reply));
        assert_eq!(candles["data"][0].as_array().map(Vec::len), Some(7));
    }
}

#[test]
fn a_pair_without_a_trade_lacks_the_keys_that_were_recorded_to_be_missing() {
    let pair = Pair::of(Dialect::Kucoin);
    pair.binance.zero("ETHUSDT");
    let reply = good(&pair.other, TICKERS);
    let eth = row(&reply["data"]["ticker"], "symbol", "ETH-USDT");
    assert_eq!(
        (&eth["vol"], &eth["changeRate"]),
        (&"0".into(), &"0".into())
    );
    assert_ne!(eth["last"], "0");
    let untraded = |all: &Value| {
        let mut rows = all["data"]["ticker"].as_array()?.iter();
        rows.find(|row| row["vol"] == "0").cloned()
    };
    let file = "kucoin_allTickers_2019-02-21_full.json";
    if let Some(theirs) = recorded(file, untraded) {
        for name in [
            "high",
            "low",
            "changePrice",
            "last",
            "buy",
            "vol",
            "changeRate",
        ] {
            assert_eq!(
                eth.get(name).is_some(),
                theirs.get(name).is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn tickers_are_those_of_the_market() {
    let pair = Pair::of(Dialect::Kucoin);
    pair.binance.set_change("BTCUSDT", "2.119");
    let reply = good(&pair.other, TICKERS);
    assert_eq!(reply["data"]["time"], A_TIME);
    let rows = &reply["data"]["ticker"];
    let eth = row(rows, "symbol", "ETH-USDT");
    for (theirs, binance) in [
        ("last", "lastPrice"),
        ("changePrice", "priceChange"),
        ("high", "highPrice"),
        ("buy", "bidPrice"),
        ("sell", "askPrice"),
        ("volValue", "quoteVolume"),
        ("vol", "volume"),
    ] {
        assert_eq!(decimal(&eth[theirs]), pair.market(binance), "{theirs}");
    }
    assert_eq!(eth["changeRate"], "-0.0351", "a ratio");
    let btc = row(rows, "symbol", "BTC-USDT");
    assert_eq!(btc["changeRate"], "0.0211", "cut off after 4 decimals");
}

#[test]
fn candles_have_the_close_before_the_high() {
    let pair = Pair::of(Dialect::Kucoin);
    let expected = pair.candles();
    let minutes = good(&pair.other, &CANDLES.replace("5min", "1min"));
    assert_eq!(minutes["data"].as_array().map(Vec::len), Some(1_500));
    let hour = A_TIME / 1_000 - 3_600;
    let reply = good(&pair.other, &format!("{CANDLES}&startAt={hour}"));
    let list = reply["data"].as_array().expect("a list");
    for (candle, wanted) in list[..3].iter().rev().zip(&expected) {
        assert_eq!(
            decimal(&candle[0]) * Decimal::ONE_THOUSAND,
            decimal(&wanted[0])
        );
        assert_candle(candle, wanted, [(1, 1), (2, 4), (3, 2), (4, 3), (5, 5)]);
        assert_eq!(decimal(&candle[6]), decimal(&wanted[7]));
    }
    let begin = A_TIME.div_euclid(DAY) * DAY / 1_000;
    let target = format!("{CANDLES}&startAt={begin}&endAt={}", begin + 600);
    let two = good(&pair.other, &target);
    assert_eq!(
        two["data"].as_array().map(Vec::len),
        Some(2),
        "the end is left out"
    );
}

#[test]
fn instruments_tell_the_tick() {
    let pair = Pair::of(Dialect::Kucoin);
    pair.binance.halt("SOLUSDT");
    let reply = good(&pair.other, "/api/v2/symbols");
    let xrp = row(&reply["data"], "symbol", "XRP-USDT");
    assert_eq!(
        (&xrp["priceIncrement"], &xrp["enableTrading"]),
        (&"0.0001".into(), &true.into())
    );
    assert_eq!(
        (&xrp["baseCurrency"], &xrp["quoteCurrency"]),
        (&"XRP".into(), &"USDT".into())
    );
    assert_eq!(
        row(&reply["data"], "symbol", "SOL-USDT")["enableTrading"],
        false
    );
}

#[test]
fn it_says_stop_with_the_milliseconds_to_wait() {
    let pair = Pair::of(Dialect::Kucoin);
    let reply = pair.struck(
        TICKERS,
        Fault::TooManyRequests {
            retry_after: Some(3),
        },
    );
    assert_eq!(
        (reply.status, reply.json()["code"].as_str()),
        (429, Some("429000"))
    );
    assert_eq!(reply.header("gw-ratelimit-reset"), Some("3000"));
    let unknown = good(
        &pair.other,
        "/api/v1/market/candles?symbol=NO-SUCH&type=5min",
    );
    assert_eq!(unknown["code"], "400100");
    let reply = pair.struck(TICKERS, Fault::RestrictedLocation);
    assert_eq!(reply.json()["code"], "400302");
}
