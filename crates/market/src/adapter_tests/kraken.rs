//! The prices of 24 hours ago, which Kraken is asked for pair by pair.

use super::of;
use crate::http::tests::{Peer, answer, asked};
use crate::{Asked, LastLook, UnixMillis};

const DATE: &str = "Date: Mon, 27 Jul 2026 08:59:59 GMT\r\n";
/// A day before that, in seconds.
const YESTERDAY: UnixMillis = super::NOW / 1000 - 1 - 86_400;

#[test]
fn ten_pairs_a_fetch_are_asked_for_their_price_of_yesterday_each_once_a_day() {
    let names: Vec<String> = (0..12).map(|n| format!("N{n}")).collect();
    let rows = names.iter().map(|base| {
        format!(
            r#""{base}USD":{{"a":["103.1","1","1"],"b":["103.0","1","1"],"c":["103.0","1"],"v":["10","20"],
                "p":["101.5","101.25"],"t":[35,3276],"l":["99","98.5"],"h":["104","104.5"],"o":"100"}}"#
        )
    });
    let rows: Vec<String> = rows.collect();
    let tickers = format!(r#"{{"error":[],"result":{{{}}}}}"#, rows.join(","));
    let tickers = answer("200 OK", DATE, &tickers);
    let candle = |time: i64| format!(r#"[{time},"100","101","99","100.5","100","5",7]"#);
    let first = YESTERDAY - YESTERDAY % 300;
    let candles = (0..288).map(|n| candle(first + 300 * n));
    let candles: Vec<String> = candles.collect();
    let history = format!(
        r#"{{"error":[],"result":{{"NUSD":[{}],"last":1}}}}"#,
        candles.join(",")
    );
    let history = answer("200 OK", DATE, &history);

    let mut answers = vec![tickers.as_str()];
    answers.extend([history.as_str(); 10]);
    answers.extend([tickers.as_str(), &history, &history, &tickers]);
    let peer = Peer::answering(&answers);
    let symbols: Vec<Asked> = names
        .iter()
        .map(|base| asked(&format!("{base}USD"), LastLook::Listed))
        .collect();
    for expected in [10, 12, 12] {
        let found = of("kraken").tickers(&peer.endpoint, &symbols).unwrap();
        let good = found.rows.values().flatten();
        assert_eq!(good.count(), expected);
        let waiting = found.rows.values().filter_map(|row| row.as_ref().err());
        assert!(
            waiting
                .into_iter()
                .all(|why| why == "its price of 24 hours ago is not known yet")
        );
        let ticker = found.rows.values().flatten().next().unwrap();
        assert_eq!(ticker.open_price, 100.into());
        assert_eq!(ticker.close_time, super::NOW - 1);
    }
    let lines = peer.request_lines();
    let histories = lines.iter().filter(|line| line.contains("/OHLC?pair="));
    assert_eq!((histories.count(), lines.len()), (12, 15), "{lines:?}");
}
