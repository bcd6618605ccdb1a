use super::*;

const TICKERS: &str = "/api/v4/spot/tickers";
const CANDLES: &str = "/api/v4/spot/candlesticks?currency_pair=ETH_USDT&interval=5m";

#[test]
fn tickers_and_candles_have_the_recorded_shape() {
    let pair = Pair::of(Dialect::Gate);
    let one = good(&pair.other, &format!("{TICKERS}?currency_pair=ETH_USDT"));
    let entry = of_entry("gateio_v4_spot_tickers_2026-07-27");
    if let Some(reply) = recorded("transcribed_recent_rows.json", entry) {
        assert_eq!(shape(&one), shape(&reply));
    }
    let zones = good(&pair.other, &format!("{TICKERS}?timezone=all"));
    let file = "gateio_v4_tickers_2023_xchange.json";
    if let Some(reply) = recorded(file, |all| Some(all.clone())) {
        assert_eq!(shape(&zones), shape(&reply));
    }
    let request = of_request("candlesticks");
    if let Some(reply) = recorded("freqdash_gateio_responses.json", request) {
        // The column that says whether a candle is complete came later.
        let candles = good(&pair.other, CANDLES);
        let columns = candles[0].as_array().expect("a row");
        assert_eq!(shape(&columns[..7].into()), shape(&reply[0]));
        assert_eq!((columns.len(), columns[7].as_str()), (8, Some("true")));
    }
}

#[test]
fn tickers_are_those_of_the_market() {
    let pair = Pair::of(Dialect::Gate);
    pair.binance.set_change("BTCUSDT", "2.118");
    let reply = good(&pair.other, TICKERS);
    let eth = row(&reply, "currency_pair", "ETH_USDT");
    for (theirs, binance) in [
        ("last", "lastPrice"),
        ("high_24h", "highPrice"),
        ("highest_bid", "bidPrice"),
        ("lowest_ask", "askPrice"),
        ("quote_volume", "quoteVolume"),
        ("base_volume", "volume"),
    ] {
        assert_eq!(decimal(&eth[theirs]), pair.market(binance), "{theirs}");
    }
    assert_eq!(eth["change_percentage"], "-3.51");
    let btc = row(&reply, "currency_pair", "BTC_USDT");
    assert_eq!(btc["change_percentage"], "2.12", "2 decimals");
}

#[test]
fn a_pair_without_a_trade_has_volumes_that_are_no_numbers() {
    let pair = Pair::of(Dialect::Gate);
    pair.binance.zero("ETHUSDT");
    let reply = good(&pair.other, TICKERS);
    let eth = row(&reply, "currency_pair", "ETH_USDT");
    assert_eq!(
        (&eth["base_volume"], &eth["quote_volume"]),
        (&"nan".into(), &"nan".into())
    );
    assert_eq!(
        (&eth["lowest_ask"], &eth["highest_bid"]),
        (&"".into(), &"".into())
    );
}

#[test]
fn candles_come_oldest_first_and_limit_conflicts_with_from_and_to() {
    let pair = Pair::of(Dialect::Gate);
    let expected = pair.candles();
    let reply = good(&pair.other, &format!("{CANDLES}&limit=3"));
    for (candle, wanted) in reply.as_array().expect("a list").iter().zip(&expected) {
        assert_eq!(
            decimal(&candle[0]) * Decimal::ONE_THOUSAND,
            decimal(&wanted[0])
        );
        assert_candle(candle, wanted, [(2, 4), (3, 2), (4, 3), (5, 1), (6, 5)]);
        assert_eq!(decimal(&candle[1]), decimal(&wanted[7]));
    }
    let now = A_TIME / 1_000;
    let day = good(
        &pair.other,
        &format!("{CANDLES}&from={}&to={now}", now - 86_400),
    );
    assert_eq!(
        day.as_array().map(Vec::len),
        Some(289),
        "both ends are included"
    );
    for query in [
        format!("&limit=3&from={now}"),
        format!("&from={}", now - 5 * 86_400),
        "&limit=1001".to_owned(),
    ] {
        let reply = get(&pair.other, &format!("{CANDLES}{query}"));
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.json()["label"], "INVALID_PARAM_VALUE", "{query}");
    }
}

#[test]
fn instruments_tell_the_tick_as_a_number_of_decimals() {
    let pair = Pair::of(Dialect::Gate);
    pair.binance.halt("SOLUSDT");
    let path = "/api/v4/spot/currency_pairs";
    let reply = good(&pair.other, path);
    let xrp = row(&reply, "id", "XRP_USDT");
    assert_eq!(
        (&xrp["precision"], &xrp["trade_status"]),
        (&4.into(), &"tradable".into())
    );
    assert_eq!(
        (&xrp["base"], &xrp["quote"]),
        (&"XRP".into(), &"USDT".into())
    );
    let sol = good(&pair.other, &format!("{path}/SOL_USDT"));
    assert_eq!(sol["trade_status"], "untradable");
}

#[test]
fn errors_have_labels() {
    let pair = Pair::of(Dialect::Gate);
    let reply = get(&pair.other, &format!("{TICKERS}?currency_pair=NO_SUCH"));
    assert_eq!(
        (reply.status, &reply.json()["label"]),
        (400, &"INVALID_CURRENCY_PAIR".into())
    );
    let reply = pair.struck(
        TICKERS,
        Fault::TooManyRequests {
            retry_after: Some(9),
        },
    );
    assert_eq!(
        (reply.status, &reply.json()["label"]),
        (429, &"TOO_MANY_REQUESTS".into())
    );
    let reset = (A_TIME / 1_000 + 9).to_string();
    assert_eq!(
        reply.header("x-gate-ratelimit-reset-timestamp"),
        Some(reset.as_str())
    );
    let reply = pair.struck(TICKERS, Fault::Maintenance);
    assert_eq!(reply.status, 503);
}
