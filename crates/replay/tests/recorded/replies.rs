//! The rule on recorded replies, judged at the time they were recorded.

use crate::data::{self, Recording};
use market::{MarketError, Ticker, binance};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use strategy::dollars::{self, Rates};
use strategy::shipped::rule;
use strategy::{Rule, Side, Signal, Watched, judge};

const HOUR: i64 = 3_600_000;

/// What a verdict says, kept beyond the reply it was judged on.
struct Judged {
    symbol: String,
    status: &'static str,
    why: String,
    signal: Option<Box<Signal>>,
    tick_size: Option<Decimal>,
}

fn verdicts(recording: &Recording) -> Vec<Judged> {
    let watched: Vec<Watched> = recording
        .symbols
        .iter()
        .map(|symbol| Watched {
            symbol: symbol.clone(),
            ..Watched::default()
        })
        .collect();
    let rule = Rule {
        max_signals_per_run: i32::MAX,
        ..rule()
    };
    let tickers = &recording.tickers;
    let memory = HashMap::new();
    judge(&rule, &watched, tickers, &memory, recording.taken_at)
        .into_iter()
        .map(|verdict| Judged {
            symbol: verdict.symbol.to_owned(),
            status: verdict.status,
            why: verdict.why(),
            signal: verdict.signal,
            tick_size: verdict.tick_size,
        })
        .collect()
}

fn ticker_of<'a>(recording: &'a Recording, verdict: &Judged) -> &'a Ticker {
    recording.tickers.rows[&verdict.symbol].as_ref().unwrap()
}

fn count(verdicts: &[Judged], status: &str) -> usize {
    verdicts
        .iter()
        .filter(|verdict| verdict.status == status)
        .count()
}

#[test]
fn zero_and_frozen_rows_never_give_a_signal() {
    for path in data::REPLIES {
        let Some(recording) = data::recording(path) else {
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
    let Some(recording) = data::recording(data::REPLIES[1]) else {
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
        // Counted by a program that shares no code with this one.
        ([1392, 766, 3, 0, 0], 445, 22)
    );

    for signal in &signals {
        assert!(
            signal.levels.are_ordered(signal.side),
            "{}",
            signal.ticker.symbol
        );
        let quote = dollars::quote_of(&signal.ticker.symbol).expect("a quote asset");
        let rate = Rates::of_reply(&recording.tickers)
            .of(quote, |_| true)
            .expect("a rate");
        assert!(
            signal.ticker.quote_volume * rate > Decimal::from(1_000_000),
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
    for path in data::REPLIES {
        let Some(recording) = data::recording(path) else {
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
    let Some(file) = data::read("binance/recorded-replies-2024.json") else {
        return;
    };
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    for reply in file["/api/v3/ticker/24hr"].as_array().unwrap() {
        let rows = match &reply["data"] {
            serde_json::Value::Array(rows) => rows.clone(),
            row => vec![row.clone()],
        };
        for row in rows {
            let recording = data::parsed(serde_json::json!([row]).to_string().as_bytes());
            let verdict = verdicts(&recording).remove(0);
            assert_eq!(
                verdict.status, "TRADING",
                "{}: {}",
                verdict.symbol, verdict.why
            );
        }
    }
}

#[test]
fn recorded_numbers_arrive_as_the_exact_decimals_in_the_text() {
    for path in data::REPLIES {
        let (Some(body), Some(recording)) = (data::read(path), data::recording(path)) else {
            return;
        };
        let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
        assert_eq!(rows.len(), recording.tickers.rows.len());
        for row in &rows {
            let ticker = recording.tickers.rows[row["symbol"].as_str().unwrap()]
                .as_ref()
                .expect("every recorded row is usable");
            let fields = [
                ("priceChange", ticker.price_change),
                ("priceChangePercent", ticker.price_change_percent),
                (
                    "weightedAvgPrice",
                    ticker.weighted_average_price.expect("told"),
                ),
                ("lastPrice", ticker.last_price),
                ("openPrice", ticker.open_price),
                ("highPrice", ticker.high_price),
                ("lowPrice", ticker.low_price),
                ("bidPrice", ticker.bid_price.expect("told")),
                ("askPrice", ticker.ask_price.expect("told")),
                ("volume", ticker.base_volume),
                ("quoteVolume", ticker.quote_volume),
            ];
            for (name, value) in fields {
                assert_eq!(row[name], value.to_string(), "{name} of {}", ticker.symbol);
            }
            assert_eq!(row["closeTime"], ticker.close_time);
            assert_eq!(row["count"], ticker.trade_count.expect("told"));
        }
    }
}

#[test]
fn replies_of_other_exchanges_are_refused() {
    let files = [
        "exchanges/bybit_v5_tickers_spot_docsample.json",
        "exchanges/gateio_v4_tickers_2023_xchange.json",
        "exchanges/kraken_ticker_XBTUSDT_nautilus.json",
        "exchanges/kucoin_allTickers_2019-02-21_full.json",
    ];
    let bodies = files.into_iter().filter_map(data::read);
    let collections = [
        "exchanges/freqdash_bybit_responses.json",
        "exchanges/freqdash_gateio_responses.json",
        "exchanges/freqdash_kucoin_responses.json",
        "exchanges/freqdash_okx_responses.json",
    ];
    let answers = collections
        .into_iter()
        .filter_map(data::read)
        .flat_map(|collection| {
            let answers: Vec<Value> = serde_json::from_slice(&collection).unwrap();
            answers
                .into_iter()
                .map(|answer| answer["body"].to_string().into_bytes())
        });
    for body in bodies.chain(answers) {
        match binance::parse(&body, &HashSet::from(["BTCUSDT"])) {
            Err(MarketError::NotJson { .. } | MarketError::Rejected { .. }) => {}
            // A list of rows that name symbols, but none that this parser could use.
            Ok(rows) => assert!(
                rows.values().all(Result::is_err),
                "{}",
                String::from_utf8_lossy(&body)
            ),
            Err(other) => panic!("{}: {}", other.message(), String::from_utf8_lossy(&body)),
        }
    }
}

#[test]
fn instruments_of_2019_tell_which_symbols_do_not_trade() {
    let (Some(info), Some(recording)) = (
        data::read("binance/exchangeInfo-2019-08-22T0338Z.json.gz"),
        data::recording(data::REPLIES[0]),
    ) else {
        return;
    };
    let asked = recording.symbols.iter().map(String::as_str).collect();
    let instruments = binance::exchange_info::parse(&info, &asked).expect("instruments");
    assert_eq!(instruments.len(), recording.symbols.len());
    let halted = instruments
        .iter()
        .filter(|i| i.status != market::Status::Trading);
    let halted: Vec<&str> = halted.map(|i| i.symbol.as_str()).collect();
    assert_eq!(halted.len(), 49);
    for instrument in &instruments {
        assert!(instrument.tick_size.is_some(), "{instrument:?}");
        assert_eq!(
            instrument.symbol,
            format!("{}{}", instrument.base, instrument.quote)
        );
    }
    // What the tickers of these symbols say agrees.
    for verdict in verdicts(&recording) {
        let is_halted = halted.contains(&verdict.symbol.as_str());
        assert!(
            !is_halted || verdict.status != "TRADING",
            "{}",
            verdict.symbol
        );
    }
}
