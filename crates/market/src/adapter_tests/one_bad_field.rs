//! Whatever stands in a field of one row, in any exchange's reply: the other rows are as they were,
//! and the row is unusable for a reason that fits into a line, or is without what it does not tell.

use super::of;
use crate::{ReplyTime, Rows};
use std::collections::HashSet;

/// An exchange, its reply around two rows, and a row of a symbol in which nothing is amiss.
type Shape = (
    &'static str,
    &'static str,
    fn(&str) -> String,
    [&'static str; 2],
);

const SHAPES: [Shape; 8] = [
    ("binance", "[@]", binance, ["BTCUSDT", "ETHUSDT"]),
    ("mexc", "[@]", binance_with_ratio, ["BTCUSDT", "ETHUSDT"]),
    (
        "bybit",
        r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[@]},"time":1785142799123}"#,
        |symbol| {
            format!(
                r#"{{"symbol":"{symbol}","bid1Price":"103.00","ask1Price":"103.01","lastPrice":"103","prevPrice24h":"100",
                "price24hPcnt":"0.03","highPrice24h":"104","lowPrice24h":"99.5","turnover24h":"203000.5","volume24h":"2000"}}"#
            )
        },
        ["BTCUSDT", "ETHUSDT"],
    ),
    (
        "okx",
        r#"{"code":"0","msg":"","data":[@]}"#,
        |symbol| {
            format!(
                r#"{{"instId":"{symbol}","last":"103","askPx":"103.01","bidPx":"103.00","open24h":"100","high24h":"104",
                "low24h":"99.5","volCcy24h":"203000.5","vol24h":"2000","ts":"1785142798266"}}"#
            )
        },
        ["BTC-USDT", "ETH-USDT"],
    ),
    (
        "kucoin",
        r#"{"code":"200000","data":{"time":1785142799001,"ticker":[@]}}"#,
        |symbol| {
            format!(
                r#"{{"symbol":"{symbol}","buy":"103.00","sell":"103.01","changeRate":"0.03","changePrice":"3","high":"104",
                "low":"99.5","vol":"2000","volValue":"203000.5","last":"103","averagePrice":"101"}}"#
            )
        },
        ["BTC-USDT", "ETH-USDT"],
    ),
    (
        "gate",
        "[@]",
        |symbol| {
            format!(
                r#"{{"currency_pair":"{symbol}","last":"103","lowest_ask":"103.01","highest_bid":"103.00",
                "change_percentage":"3","base_volume":"2000","quote_volume":"203000.5","high_24h":"104","low_24h":"99.5"}}"#
            )
        },
        ["BTC_USDT", "ETH_USDT"],
    ),
    (
        "coinbase",
        "{@}",
        |symbol| {
            format!(
                r#""{symbol}":{{"stats_30day":{{"volume":"1"}},"stats_24hour":{{"open":"100","high":"104","low":"99.5",
                "last":"103","volume":"2000"}}}}"#
            )
        },
        ["BTC-USDT", "ETH-USDT"],
    ),
    (
        "kraken",
        r#"{"error":[],"result":{@}}"#,
        |symbol| {
            format!(
                r#""{symbol}":{{"a":["103.01","1","1"],"b":["103.00","1","1"],"c":["103","1"],"v":["10","2000"],
                "p":["101","101.5"],"t":[35,3276],"l":["99","99.5"],"h":["104","104"],"o":"100"}}"#
            )
        },
        ["XBTUSDT", "ETHUSDT"],
    ),
];

fn binance(symbol: &str) -> String {
    format!(
        r#"{{"symbol":"{symbol}","priceChange":"3","priceChangePercent":"3.000","weightedAvgPrice":"101.50025",
        "lastPrice":"103","bidPrice":"103.00","askPrice":"103.01","openPrice":"100","highPrice":"104","lowPrice":"99.5",
        "volume":"2000","quoteVolume":"203000.5","openTime":1785056399999,"closeTime":1785142799999,"count":3276}}"#
    )
}

fn binance_with_ratio(symbol: &str) -> String {
    binance(symbol).replace("\"3.000\"", "\"0.03\"")
}

/// What may stand where a number is expected.
const VALUES: [&str; 24] = [
    "null",
    "\"\"",
    "\" \"",
    "\"abc\"",
    "\"NaN\"",
    "\"nan\"",
    "\"Infinity\"",
    "\"1,000\"",
    "\"0x10\"",
    "-1",
    "\"-1\"",
    "0",
    "\"0\"",
    "true",
    "[]",
    "[[],{}]",
    "{}",
    "{\"value\":\"1\"}",
    "1e999",
    "1e-999",
    "\"1e30\"",
    "99999999999999999999999999999999999999",
    "\"0.00000000000000000000000000000000001\"",
    "9223372036854775808",
];

fn read(name: &str, body: &str) -> Rows {
    let asked = HashSet::from(["BTCUSDT", "ETHUSDT"]);
    let time = ReplyTime {
        date: Some(super::NOW - 1000),
        received: super::NOW,
    };
    let rows = match name {
        "kraken" => crate::kraken::read(body.as_bytes(), &asked, time, Some(100.into())),
        _ => of(name).read_tickers(body.as_bytes(), &asked, time),
    };
    rows.unwrap_or_else(|error| panic!("{name}: {}, {body}", error.detail()))
}

/// A row with each of its members in turn without it, with other values, and twice.
fn spoiled(row: &str) -> Vec<String> {
    let mut spoiled = Vec::new();
    let starts: Vec<usize> = row.match_indices("\":").map(|(at, _)| at + 2).collect();
    for start in starts {
        let value = &row[start..];
        if value.starts_with('{') {
            continue;
        }
        let end = match value.starts_with('[') {
            true => value.find(']').map(|end| end + 1),
            false => value.find([',', '}']),
        };
        let end = start + end.expect("a value ends");
        let (before, after) = (&row[..start], &row[end..]);
        let name = row[..start - 2].rfind('"').expect("a name begins");
        let member = &row[name..end];
        spoiled.extend(VALUES.map(|value| format!("{before}{value}{after}")));
        spoiled.push(format!("{before}{},{member}{after}", &row[start..end]));
        let rest = after.strip_prefix(',');
        spoiled.extend(rest.map(|rest| format!("{}{rest}", &row[..name])));
    }
    spoiled
}

#[test]
fn one_bad_field_costs_only_its_row() {
    for (name, around, row, [good, bad]) in SHAPES {
        let sound = read(
            name,
            &around.replace('@', &format!("{},{}", row(good), row(bad))),
        );
        let line = |rows: &Rows| super::line(rows["BTCUSDT"].as_ref().expect("a usable row"));
        let (expected, mut unusable) = (line(&sound), 0);
        assert!(sound["ETHUSDT"].is_ok(), "{name}: {:?}", sound["ETHUSDT"]);
        let spoiled = spoiled(&row(bad));
        for spoiled in &spoiled {
            let rows = [
                format!("{spoiled},{}", row(good)),
                format!("{},{spoiled}", row(good)),
            ];
            for rows in rows {
                let found = read(name, &around.replace('@', &rows));
                assert_eq!(line(&found), expected, "{name}: {spoiled}");
                if let Some(Err(reason)) = found.get("ETHUSDT") {
                    unusable += 1;
                    let is_said = !reason.starts_with(' ') && reason.chars().count() < 300;
                    assert!(
                        is_said && !reason.contains(char::is_control),
                        "{name}: {reason}"
                    );
                }
            }
        }
        assert!(
            unusable > spoiled.len(),
            "{name}: {unusable} of {}",
            spoiled.len()
        );
    }
}
