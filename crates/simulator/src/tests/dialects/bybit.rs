use super::*;

const TICKERS: &str = "/v5/market/tickers?category=spot";
const KLINE: &str = "/v5/market/kline?category=spot&symbol=ETHUSDT&interval=5";

#[test]
fn tickers_have_the_recorded_shape() {
    let pair = Pair::of(Dialect::Bybit);
    let one = good(&pair.other, &format!("{TICKERS}&symbol=ETHUSDT"));
    let file = "bybit_v5_tickers_spot_docsample.json";
    if let Some(reply) = recorded(file, |all| Some(all.clone())) {
        assert_eq!(shape(&one), shape(&reply));
    }
}

#[test]
fn tickers_are_those_of_the_market() {
    let pair = Pair::of(Dialect::Bybit);
    let reply = good(&pair.other, TICKERS);
    assert_eq!(
        (&reply["retCode"], &reply["time"]),
        (&0.into(), &A_TIME.into())
    );
    let eth = row(&reply["result"]["list"], "symbol", "ETHUSDT");
    for (theirs, binance) in [
        ("lastPrice", "lastPrice"),
        ("prevPrice24h", "openPrice"),
        ("bid1Price", "bidPrice"),
        ("turnover24h", "quoteVolume"),
        ("volume24h", "volume"),
    ] {
        assert_eq!(decimal(&eth[theirs]), pair.market(binance), "{theirs}");
    }
    assert_eq!(eth["price24hPcnt"], "-0.0351", "a ratio");
}

#[test]
fn candles_come_newest_first() {
    let pair = Pair::of(Dialect::Bybit);
    let expected = pair.candles();
    let reply = good(&pair.other, &format!("{KLINE}&limit=3"));
    let list = reply["result"]["list"].as_array().expect("a list");
    for (candle, wanted) in list.iter().rev().zip(&expected) {
        assert_eq!(decimal(&candle[0]), decimal(&wanted[0]));
        assert_candle(candle, wanted, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        assert_eq!(decimal(&candle[6]), decimal(&wanted[7]));
    }
    let from = A_TIME - DAY;
    let count = |query: &str| {
        let reply = good(&pair.other, &format!("{KLINE}{query}"));
        reply["result"]["list"].as_array().map(Vec::len)
    };
    assert_eq!(count(&format!("&start={from}&limit=1000")), Some(288));
    assert_eq!(count(""), Some(200));
    assert_eq!(
        count(&format!("&start={from}&end={}", from + 10 * MINUTE)),
        Some(2)
    );
}

#[test]
fn instruments_tell_the_tick() {
    let pair = Pair::of(Dialect::Bybit);
    pair.binance.halt("SOLUSDT");
    let reply = good(&pair.other, "/v5/market/instruments-info?category=spot");
    let list = &reply["result"]["list"];
    let xrp = row(list, "symbol", "XRPUSDT");
    assert_eq!(xrp["priceFilter"]["tickSize"], "0.0001");
    assert_eq!(
        (&xrp["baseCoin"], &xrp["quoteCoin"]),
        (&"XRP".into(), &"USDT".into())
    );
    assert_eq!(xrp["status"], "Trading");
    assert_ne!(row(list, "symbol", "SOLUSDT")["status"], "Trading");
}

#[test]
fn errors_are_codes_in_a_good_reply() {
    let pair = Pair::of(Dialect::Bybit);
    let code = |target: &str| good(&pair.other, target)["retCode"].clone();
    assert_eq!(code("/v5/market/tickers"), 10001);
    assert_eq!(code(&format!("{TICKERS}&symbol=NOSUCH")), 10001);
    assert_eq!(
        code("/v5/market/kline?category=spot&symbol=ETHUSDT&interval=7"),
        10001
    );
    pair.other.refuse("ETHUSDT");
    assert_eq!(code(KLINE), 10001);

    let wait = Fault::TooManyRequests {
        retry_after: Some(7),
    };
    let reply = pair.struck(TICKERS, wait);
    assert_eq!(
        (reply.status, reply.json()["retCode"].as_i64()),
        (200, Some(10006))
    );
    let reset = (A_TIME + 7_000).to_string();
    assert_eq!(
        reply.header("x-bapi-limit-reset-timestamp"),
        Some(reset.as_str())
    );
    let reply = pair.struck(TICKERS, Fault::Banned { retry_after: None });
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (403, b"access too frequent".as_slice())
    );
}

#[test]
fn a_stale_reply_says_so_in_its_time() {
    let pair = Pair::of(Dialect::Bybit);
    let reply = pair.struck(TICKERS, Fault::Stale);
    assert_eq!(reply.json()["time"], A_TIME - 60 * MINUTE);
    assert_eq!(reply.header("date"), Some("Sat, 21 Nov 2026 09:00:00 GMT"));
}
