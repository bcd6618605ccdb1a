//! Tickers in replies of each exchange's own shape, with numbers made up for them.

use super::{fault, line, rows, ticker};

const BYBIT: &str = r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[
    {"symbol":"BTCUSDT","bid1Price":"103.00","bid1Size":"2","ask1Price":"103.01","ask1Size":"1",
     "lastPrice":"103","prevPrice24h":"100","price24hPcnt":"0.03","highPrice24h":"104",
     "lowPrice24h":"99.5","turnover24h":"203000.5","volume24h":"2000","usdIndexPrice":""},
    {"symbol":"ETHUSDT","bid1Price":"","bid1Size":"","ask1Price":"5","ask1Size":"1",
     "lastPrice":"5","prevPrice24h":"4","price24hPcnt":"0.5","highPrice24h":"5",
     "lowPrice24h":"4","turnover24h":"9","volume24h":"2"}
  ]},"retExtInfo":{},"time":1785142799123}"#;

#[test]
fn bybit_has_ratios_and_one_time_for_all() {
    assert_eq!(
        line(&ticker("bybit", BYBIT, "BTCUSDT")),
        "last 103 open 100 low 99.5 high 104 change 3 = 3.000 % bid 103.00 ask 103.01 base 2000 quote \
         203000.5 average - trades - 1785142799123"
    );
    assert_eq!(
        fault("bybit", BYBIT, "ETHUSDT"),
        "price24hPcnt is not what the prices make"
    );
}

#[test]
fn a_book_without_a_side_is_told_from_one_that_is_not_told() {
    let body = BYBIT.replace(r#""price24hPcnt":"0.5""#, r#""price24hPcnt":"0.25""#);
    let eth = ticker("bybit", &body, "ETHUSDT");
    assert_eq!(eth.bid_price, Some(0.into()));
    let none = body.replace("bid1Price", "bidPrice");
    assert_eq!(ticker("bybit", &none, "ETHUSDT").bid_price, None);
}

#[test]
fn okx_states_no_change_and_a_time_for_each() {
    let body = r#"{"code":"0","msg":"","data":[{"instType":"SPOT","instId":"NEAR-USDT",
        "last":"1.848","lastSz":"87.6","askPx":"1.849","askSz":"58.9","bidPx":"1.848",
        "bidSz":"7289.1","open24h":"1.8","high24h":"1.86","low24h":"1.788",
        "volCcy24h":"2557750.6","vol24h":"1398101.9","ts":"1785142798266","sodUtc0":"1.839",
        "sodUtc8":"1.804"}]}"#;
    assert_eq!(
        line(&ticker("okx", body, "NEARUSDT")),
        "last 1.848 open 1.8 low 1.788 high 1.86 change 0.048 = 2.667 % bid 1.848 ask 1.849 base \
         1398101.9 quote 2557750.6 average - trades - 1785142798266"
    );
}

#[test]
fn kucoin_has_changes_and_lacks_extremes_of_what_was_not_traded() {
    let body = r#"{"code":"200000","data":{"time":1785142799001,"ticker":[
        {"symbol":"ETH-USDT","symbolName":"ETH-USDT","buy":"1958.49","sell":"1958.5",
         "changeRate":"-0.0208","changePrice":"-41.5","high":"2010","low":"1950.1","vol":"100",
         "volValue":"197000.25","last":"1958.5","averagePrice":"1885.68524206"},
        {"symbol":"MKR-DAI","symbolName":"MKR-DAI","buy":"650","sell":"674","changeRate":"0",
         "changePrice":null,"high":null,"low":null,"vol":"0","volValue":"0","last":"600"}]}}"#;
    assert_eq!(
        line(&ticker("kucoin", body, "ETHUSDT")),
        "last 1958.5 open 2000.0 low 1950.1 high 2010 change -41.5 = -2.075 % bid 1958.49 ask \
         1958.5 base 100 quote 197000.25 average - trades - 1785142799001"
    );
    let untraded = ticker("kucoin", body, "MKRDAI");
    assert_eq!(untraded.open_price, untraded.last_price);
    assert!(untraded.base_volume.is_zero());
}

#[test]
fn gate_tells_what_a_price_was_by_a_percentage() {
    let body = r#"[{"currency_pair":"BTC_USDT","last":"26019.8","lowest_ask":"26019.9",
         "highest_bid":"26019.8","change_percentage":"1.09","change_utc0":"0.36",
         "base_volume":"4722.9","quote_volume":"122324034.6","high_24h":"26202.4",
         "low_24h":"25606.3"},
        {"currency_pair":"PEPE_USDT","last":"0.00000022","lowest_ask":"0.00000023",
         "highest_bid":"0.00000022","change_percentage":"4.76","base_volume":"1000000",
         "quote_volume":"0.215","high_24h":"0.00000023","low_24h":"0.00000021"},
        {"currency_pair":"NAN_USDT","last":"1","lowest_ask":"","highest_bid":"",
         "change_percentage":"0","base_volume":"nan","quote_volume":"nan","high_24h":"1",
         "low_24h":"1"},
        {"currency_pair":"LOW_USDT","last":"104.17","lowest_ask":"104.18","highest_bid":"104.16",
         "change_percentage":"4.17","base_volume":"10","quote_volume":"1010","high_24h":"105",
         "low_24h":"100"}]"#;
    assert_eq!(
        line(&ticker("gate", body, "BTCUSDT")),
        "last 26019.8 open 25739.2 low 25606.3 high 26202.4 change 280.6 = 1.090 % bid 26019.8 ask \
         26019.9 base 4722.9 quote 122324034.6 average - trades - by date"
    );
    // A price on the tick, and the percentage that it makes.
    let pepe = ticker("gate", body, "PEPEUSDT");
    assert_eq!(pepe.open_price.to_string(), "0.00000021");
    assert_eq!(pepe.price_change_percent.to_string(), "4.762");
    assert_eq!(pepe.tick_size().to_string(), "0.00000001");
    assert_eq!(
        fault("gate", body, "NANUSDT"),
        "base_volume is not a number: nan"
    );
    // Only by rounding below the low.
    assert_eq!(
        ticker("gate", body, "LOWUSDT").open_price.to_string(),
        "100"
    );
}

#[test]
fn coinbase_has_neither_book_nor_time_nor_quote_volume() {
    let body = r#"{"NEAR-USD":{"stats_30day":{"volume":"131512950.5","rfq_volume":"923595.8"},
        "stats_24hour":{"open":"1.8","high":"1.9","low":"1.7","last":"1.8","volume":"1000",
        "rfq_volume":"19973.9"}},"GONE-USD":{"stats_30day":{},"stats_24hour":{}},
        "ZERO-USD":{"stats_30day":{}}}"#;
    assert_eq!(
        line(&ticker("coinbase", body, "NEARUSD")),
        "last 1.8 open 1.8 low 1.7 high 1.9 change 0.0 = 0.000 % bid - ask - base 1000 quote 1800.000 \
         average - trades - by date"
    );
    assert_eq!(fault("coinbase", body, "GONEUSD"), "last is missing");
    assert_eq!(
        fault("coinbase", body, "ZEROUSD"),
        "stats_24hour is missing"
    );
}

#[test]
fn mexc_has_ratios_in_the_shape_of_binance() {
    let body = r#"[{"symbol":"BTCUSDT","priceChange":"184.34","priceChangePercent":"0.0400",
        "prevClosePrice":"4608","lastPrice":"4792.84","bidPrice":"4792.8","bidQty":"1",
        "askPrice":"4792.9","askQty":"1","openPrice":"4608.50","highPrice":"4800","lowPrice":"4600",
        "volume":"10","quoteVolume":"47000.5","openTime":1785056400000,"closeTime":1785142799999,
        "count":null}]"#;
    let ticker = ticker("mexc", body, "BTCUSDT");
    assert_eq!(
        line(&ticker),
        "last 4792.84 open 4608.50 low 4600 high 4800 change 184.34 = 4.000 % bid 4792.8 ask \
         4792.9 base 10 quote 47000.5 average - trades - 1785142799999"
    );
    assert_eq!(ticker.open_time, Some(1_785_056_400_000));
}

#[test]
fn kraken_alone_does_not_tell_the_price_of_yesterday() {
    let body = r#"{"error":[],"result":{"XXBTZUSD":{"a":["103.1","1","1.000"],
        "b":["103.0","1","1.000"],"c":["103.0","0.1"],"v":["10","20"],"p":["101.5","101.25"],
        "t":[35,3276],"l":["99","98.5"],"h":["104","104.5"],"o":"100"},
        "RHEAUSD":{"a":["0.034","1","1"],"b":["0.0044","2","2"],"c":["0.000000000","0.0"],
        "v":["0.0","0.0"]}}}"#;
    assert_eq!(
        fault("kraken", body, "BTCUSD"),
        "its price of 24 hours ago is not known yet"
    );
    assert_eq!(fault("kraken", body, "RHEAUSD"), "t is missing");
    assert!(rows("kraken", body, &["ETHUSD"]).is_empty());
}

#[test]
fn a_symbol_that_comes_twice_is_unusable_everywhere() {
    let twice = BYBIT.replace("ETHUSDT", "BTCUSDT");
    assert_eq!(
        fault("bybit", &twice, "BTCUSDT"),
        "the reply holds this symbol twice"
    );
    let field = BYBIT.replace(
        r#""lastPrice":"103","#,
        r#""lastPrice":"103","lastPrice":"104","#,
    );
    assert_eq!(
        fault("bybit", &field, "BTCUSDT"),
        "duplicate field `lastPrice`"
    );
}

#[test]
fn without_a_date_the_time_is_that_of_receipt() {
    let time = crate::ReplyTime {
        date: None,
        received: super::NOW,
    };
    let body = br#"{"NEAR-USD":{"stats_24hour":{"open":"1","high":"1","low":"1","last":"1","volume":"1"}}}"#;
    let asked = ["NEARUSD"].into_iter().collect();
    let rows = super::of("coinbase").read_tickers(body, &asked, time);
    let ticker = rows.unwrap().remove("NEARUSD").unwrap().unwrap();
    assert_eq!(ticker.time_source, crate::TimeSource::Receipt);
    assert_eq!(ticker.close_time, super::NOW);
}

#[test]
fn by_a_date_of_whole_seconds_the_numbers_are_of_the_end_of_that_second() {
    let gate = r#"[{"currency_pair":"BTC_USDT","last":"103","change_percentage":"3","base_volume":"9","quote_volume":"900",
                    "high_24h":"104","low_24h":"99"}]"#;
    let coinbase = r#"{"BTC-USDT":{"stats_24hour":{"open":"1","high":"1","low":"1","last":"1","volume":"1"}}}"#;
    for (name, body) in [("gate", gate), ("coinbase", coinbase)] {
        let ticker = super::ticker(name, body, "BTCUSDT");
        assert_eq!(ticker.time_source, crate::TimeSource::Date, "{name}");
        assert_eq!(ticker.close_time, super::NOW - 1, "{name}");
    }
}

#[test]
fn what_is_missing_is_called_by_the_name_that_the_exchange_has_for_it() {
    let gate = r#"[{"currency_pair":"BTC_USDT","last":"103","base_volume":"9","quote_volume":"900","high_24h":"104",
                    "low_24h":"99","change_percentage":null}]"#;
    assert_eq!(
        fault("gate", gate, "BTCUSDT"),
        "change_percentage is missing"
    );
    let kucoin = r#"{"code":"200000","data":{"ticker":[{"symbol":"BTC-USDT","last":103,"vol":"9","volValue":"900",
                    "high":"104","low":"99"}]}}"#;
    assert_eq!(fault("kucoin", kucoin, "BTCUSDT"), "changeRate is missing");
    let bybit = BYBIT.replace(r#""prevPrice24h":"100","price24hPcnt":"0.03","#, "");
    assert_eq!(fault("bybit", &bybit, "BTCUSDT"), "prevPrice24h is missing");
}
