//! The rule on recorded replies, judged at the time they were recorded.

use super::*;
use crate::market::recorded::{self, Recording};

fn verdicts(recording: &Recording) -> Vec<Told> {
    let watched: Vec<Watched> = recording
        .symbols
        .iter()
        .map(|symbol| watch(symbol))
        .collect();
    let rule = Rule {
        max_signals_per_run: i32::MAX,
        ..rule()
    };
    judge(
        &rule,
        &watched,
        &recording.tickers,
        &HashMap::new(),
        recording.taken_at,
    )
}

fn ticker_of<'a>(recording: &'a Recording, verdict: &Told) -> &'a Ticker {
    recording.tickers.rows[&verdict.symbol].as_ref().unwrap()
}

fn count(verdicts: &[Told], status: &str) -> usize {
    verdicts
        .iter()
        .filter(|verdict| verdict.status == status)
        .count()
}

#[test]
fn zero_and_frozen_rows_never_give_a_signal() {
    for path in recorded::REPLIES {
        let Some(recording) = recorded::recording(path) else {
            return;
        };
        for verdict in verdicts(&recording) {
            let ticker = ticker_of(&recording, &verdict);
            let is_zero = ticker.last_price.is_zero();
            let is_frozen = recording.taken_at - ticker.close_time > 24 * HOUR;
            assert_ne!(
                verdict.status, "INVALID",
                "{}: {}",
                verdict.symbol, verdict.why
            );
            if is_zero || is_frozen {
                assert!(verdict.signal.is_none(), "{}", verdict.symbol);
                assert_ne!(verdict.status, "TRADING", "{}", verdict.symbol);
                assert_eq!(verdict.tick_size, None, "{}", verdict.symbol);
            }
        }
    }
}

#[test]
fn the_sell_off_of_march_2023_reads_as_it_was() {
    let Some(recording) = recorded::recording(recorded::REPLIES[1]) else {
        return;
    };
    let verdicts = verdicts(&recording);
    let statuses = ["TRADING", "HALTED", "STALE", "INVALID", "UNKNOWN"];
    let counts = statuses.map(|status| count(&verdicts, status));
    let signals: Vec<&Signal> = verdicts
        .iter()
        .filter_map(|v| v.signal.as_deref())
        .collect();
    let longs = signals
        .iter()
        .filter(|signal| signal.side == Side::Long)
        .count();
    assert_eq!(
        (counts, signals.len(), longs),
        ([1392, 766, 3, 0, 0], 481, 10)
    );

    for signal in &signals {
        assert!(
            signal.levels.are_ordered(signal.side),
            "{}",
            signal.ticker.symbol
        );
        assert!(
            signal.ticker.quote_volume > number("1000000"),
            "{}",
            signal.ticker.symbol
        );
        let tick = signal.ticker.tick_size();
        let levels = &signal.levels;
        for price in [levels.entry_price, levels.stop_loss]
            .iter()
            .chain(&levels.take_profit)
        {
            assert_eq!(price % tick, Decimal::ZERO, "{}", signal.ticker.symbol);
        }
    }

    let btc = signals
        .iter()
        .find(|signal| signal.ticker.symbol == "BTCUSDT")
        .unwrap();
    assert_eq!(
        (btc.side, btc.confidence.to_string().as_str()),
        (Side::Short, "81.63")
    );
}

#[test]
fn bitcoin_passes_the_floor_in_quote_volume_and_never_would_in_base_volume() {
    for path in recorded::REPLIES {
        let Some(recording) = recorded::recording(path) else {
            return;
        };
        let btc = recording.tickers.rows["BTCUSDT"].as_ref().unwrap();
        let floor = rule().min_quote_volume;
        assert!(btc.quote_volume > floor);
        assert!(btc.base_volume < floor);
        // The other way round: a coin of fractions of a cent passes on base volume in any lull.
        let doge = recording.tickers.rows["DOGEUSDT"].as_ref().unwrap();
        assert!(doge.base_volume > floor);
    }
}

#[test]
fn single_and_listed_replies_are_judged_alike() {
    let Some(file) = recorded::read("binance/recorded-replies-2024.json") else {
        return;
    };
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    for reply in file["/api/v3/ticker/24hr"].as_array().unwrap() {
        let rows = match &reply["data"] {
            serde_json::Value::Array(rows) => rows.clone(),
            row => vec![row.clone()],
        };
        for row in rows {
            let recording = recorded::parsed(serde_json::json!([row]).to_string().as_bytes());
            let verdict = verdicts(&recording).remove(0);
            assert_eq!(
                verdict.status, "TRADING",
                "{}: {}",
                verdict.symbol, verdict.why
            );
        }
    }
}
