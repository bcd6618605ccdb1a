use super::*;

const TICKERS: &str = "/api/v5/market/tickers?instType=SPOT";
const CANDLES: &str = "/api/v5/market/candles?instId=ETH-USDT&bar=5m";

#[test]
fn tickers_and_candles_have_the_recorded_shape() {
    let pair = Pair::of(Dialect::Okx);
    let one = good(&pair.other, "/api/v5/market/ticker?instId=ETH-USDT");
    let entry = of_entry("okx_ticker_single_2026-08-22");
    if let Some(reply) = recorded("transcribed_recent_rows.json", entry) {
        assert_eq!(shape(&one), shape(&reply));
    }
    let request = of_request("market/candles?instId=BTC-USDT&");
    if let Some(reply) = recorded("freqdash_okx_responses.json", request) {
        let all = good(&pair.other, CANDLES);
        assert_eq!(shape(&all), shape(&reply));
        let columns = |reply: &Value| reply["data"][0].as_array().map(Vec::len);
        assert_eq!(columns(&all), columns(&reply));
    }
}

#[test]
fn tickers_are_those_of_the_market() {
    let pair = Pair::of(Dialect::Okx);
    let reply = good(&pair.other, TICKERS);
    let eth = row(&reply["data"], "instId", "ETH-USDT");
    for (theirs, binance) in [
        ("last", "lastPrice"),
        ("open24h", "openPrice"),
        ("high24h", "highPrice"),
        ("askPx", "askPrice"),
        ("volCcy24h", "quoteVolume"),
        ("vol24h", "volume"),
    ] {
        assert_eq!(decimal(&eth[theirs]), pair.market(binance), "{theirs}");
    }
    assert_eq!(eth["ts"], A_TIME.to_string());
    // The first price of the day in two zones.
    let midnight = A_TIME.div_euclid(DAY) * DAY;
    for (name, begin) in [
        ("sodUtc0", midnight),
        ("sodUtc8", midnight - 8 * 60 * MINUTE),
    ] {
        let target = format!("/api/v3/klines?symbol=ETHUSDT&interval=1m&startTime={begin}&limit=1");
        let candle = good(&pair.binance, &target);
        assert_eq!(decimal(&eth[name]), decimal(&candle[0][1]), "{name}");
    }
}

#[test]
fn a_halted_pair_has_an_empty_book_and_its_old_time() {
    let pair = Pair::of(Dialect::Okx);
    pair.binance.halt("ETHUSDT");
    pair.binance.advance(std::time::Duration::from_secs(600));
    let reply = good(&pair.other, TICKERS);
    let eth = row(&reply["data"], "instId", "ETH-USDT");
    assert_eq!((&eth["bidPx"], &eth["askPx"]), (&"".into(), &"".into()));
    assert_eq!(eth["ts"], A_TIME.to_string());
    let info = good(&pair.other, "/api/v5/public/instruments?instType=SPOT");
    assert_eq!(row(&info["data"], "instId", "ETH-USDT")["state"], "suspend");
    let btc = row(&info["data"], "instId", "BTC-USDT");
    assert_eq!(
        (&btc["state"], &btc["tickSz"]),
        (&"live".into(), &"0.01".into())
    );
}

#[test]
fn candles_lie_between_before_and_after_newest_first() {
    let pair = Pair::of(Dialect::Okx);
    let expected = pair.candles();
    let reply = good(&pair.other, &format!("{CANDLES}&limit=3"));
    let list = reply["data"].as_array().expect("a list");
    for (candle, wanted) in list.iter().rev().zip(&expected) {
        assert_eq!(decimal(&candle[0]), decimal(&wanted[0]));
        assert_candle(candle, wanted, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        assert_eq!(decimal(&candle[6]), decimal(&wanted[7]));
    }
    assert_eq!((&list[0][8], &list[1][8]), (&"0".into(), &"1".into()));

    let [first, _, last] = [0, 1, 2].map(|place| decimal(&expected[place][0]));
    let between = good(
        &pair.other,
        &format!("{CANDLES}&before={first}&after={last}"),
    );
    assert_eq!(
        between["data"].as_array().map(Vec::len),
        Some(1),
        "limits are left out"
    );
    let old = A_TIME - 10 * DAY;
    let count = |route: &str| {
        let target = format!("/api/v5/market/{route}?instId=ETH-USDT&bar=5m&after={old}");
        good(&pair.other, &target)["data"].as_array().map(Vec::len)
    };
    assert_eq!(count("candles"), Some(0), "too long ago");
    assert_eq!(count("history-candles"), Some(100));
}

#[test]
fn errors_have_codes() {
    let pair = Pair::of(Dialect::Okx);
    let code = |target: &str| {
        let reply = get(&pair.other, target);
        (
            reply.status,
            reply.json()["code"].as_str().map(str::to_owned),
        )
    };
    let told = |status: u16, code: &str| (status, Some(code.to_owned()));
    let unknown = "/api/v5/market/ticker?instId=NO-SUCH";
    assert_eq!(code(unknown), told(200, "51001"));
    assert_eq!(code("/api/v5/market/tickers"), told(400, "51000"));
    assert_eq!(
        code("/api/v5/market/candles?instId=ETH-USDT&bar=7m"),
        told(400, "51000")
    );
    pair.other
        .inject(Fault::TooManyRequests { retry_after: None }, Times::Once);
    pair.other
        .inject(Fault::Banned { retry_after: None }, Times::Once);
    pair.other.inject(Fault::Maintenance, Times::Once);
    assert_eq!(code(TICKERS), told(429, "50011"));
    assert_eq!(code(TICKERS), told(200, "50011"));
    assert_eq!(code(TICKERS), told(503, "50001"));
}
