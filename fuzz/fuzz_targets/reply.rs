//! Any bytes as the reply of each exchange: read as tickers, judged, and checked for what must hold
//! of the outcome; read as candles, and a signal settled by them.

#![no_main]

mod candles;

use libfuzzer_sys::fuzz_target;
use market::{MarketError, ReplyTime, Rows, Ticker, Tickers, UnixMillis, kraken};
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use strategy::{Episode, Gate, Side, Signal, Verdict, Watched};

const ASKED: [&str; 3] = ["AIONUSDT", "BTCUSDT", "ETHUSDT"];
const HOUR: i64 = 3_600_000;
/// Longest text that a reply may put into an error or a verdict, in characters: two excerpts of
/// 200 and the words around them.
const LONGEST_TEXT: usize = 800;

/// When the reply came, for exchanges whose tickers have no time.
const TIME: ReplyTime = ReplyTime {
    date: None,
    received: 1_678_458_874_000,
};

fuzz_target!(|body: &[u8]| {
    let asked = HashSet::from(ASKED);
    for exchange in market::exchanges() {
        check_reply(exchange.read_tickers(body, &asked, TIME));
    }
    // Kraken's tickers are whole with a price of 24 hours ago, which other replies tell.
    let open = Some(Decimal::new(19_900, 0));
    check_reply(kraken::read(body, &asked, TIME, open));
    candles::check(body);
});

fn check_reply(rows: Result<Rows, MarketError>) {
    match rows {
        Ok(rows) => judge_all(Tickers {
            rows,
            ..Tickers::default()
        }),
        Err(error) => check_error(&error),
    }
}

fn check_error(error: &MarketError) {
    for text in [error.message(), error.detail()] {
        check_text(&text);
    }
}

/// Fit to be shown: said at all, on one line, and no longer than a person reads.
fn check_text(text: &str) {
    assert!(!text.is_empty());
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() <= LONGEST_TEXT, "{text:?}");
}

fn judge_all(tickers: Tickers) {
    assert!(tickers.rows.len() <= ASKED.len());
    let mut now = 0;
    for (symbol, row) in &tickers.rows {
        assert!(ASKED.contains(&symbol.as_str()));
        match row {
            Ok(ticker) => {
                check_ticker(symbol, ticker);
                now = now.max(ticker.close_time);
            }
            Err(reason) => check_text(reason),
        }
    }
    let rule = strategy::shipped::rule();
    for remembered in memories(now) {
        let episodes: HashMap<String, Episode> = ASKED
            .iter()
            .map(|symbol| (symbol.to_string(), remembered.clone()))
            .collect();
        for tick_size in [None, Some(Decimal::new(1, 2)), Some(Decimal::MAX)] {
            let watched = ASKED.map(|symbol| Watched {
                symbol: symbol.to_owned(),
                tick_size,
                quote: None,
                learned_tick: tick_size,
                days: Vec::new(),
                elsewhere: None,
            });
            let verdicts = strategy::judge(&rule, &watched, &tickers, &episodes, now);
            assert_eq!(verdicts.len(), ASKED.len());
            for verdict in &verdicts {
                check_verdict(verdict, now);
            }
        }
    }
}

/// What the words on `Ticker` promise.
fn check_ticker(symbol: &str, ticker: &Ticker) {
    assert_eq!(ticker.symbol, symbol);
    let amounts = [
        ticker.weighted_average_price.unwrap_or_default(),
        ticker.last_price,
        ticker.open_price,
        ticker.high_price,
        ticker.low_price,
        ticker.bid_price.unwrap_or_default(),
        ticker.ask_price.unwrap_or_default(),
        ticker.base_volume,
        ticker.quote_volume,
        Decimal::from(ticker.open_time.unwrap_or_default()),
        Decimal::from(ticker.close_time),
        Decimal::from(ticker.trade_count.unwrap_or_default()),
    ];
    assert!(
        amounts.iter().all(|amount| *amount >= Decimal::ZERO),
        "{ticker:?}"
    );
    assert!(ticker.tick_size() > Decimal::ZERO);
}

fn check_verdict(verdict: &Verdict, now: UnixMillis) {
    check_text(&verdict.why());
    let gates = verdict.gates();
    assert_eq!(gates.len(), Gate::ALL.len());
    let refused_by = gates.iter().find(|gate| !gate.passed).map(|gate| gate.name);
    assert_eq!(
        verdict.refused_by().map(|gate| verdict.name_of(gate)),
        refused_by,
        "{verdict:?}"
    );
    assert_eq!(
        verdict.signal.is_some(),
        refused_by.is_none(),
        "{verdict:?}"
    );
    if let Some(signal) = &verdict.signal {
        check_signal(signal, now);
        assert_eq!(verdict.status, "TRADING");
        assert_eq!(verdict.episode.side, Some(signal.side));
        assert_eq!(verdict.episode.last_signal_at, Some(now));
        assert_eq!(verdict.episode.expires_at, Some(signal.expires_at));
    }
}

fn check_signal(signal: &Signal, now: UnixMillis) {
    let levels = &signal.levels;
    let mut prices = vec![levels.stop_loss, levels.entry_price];
    prices.extend(&levels.take_profit);
    if signal.side == Side::Short {
        prices.reverse();
    }
    assert!(prices[0] > Decimal::ZERO, "{signal:?}");
    assert!(prices.is_sorted_by(|a, b| a < b), "{signal:?}");
    let hundred = Decimal::ZERO..=Decimal::ONE_HUNDRED;
    assert!(hundred.contains(&signal.confidence), "{signal:?}");
    assert!(hundred.contains(&signal.quality_score), "{signal:?}");
    assert!(signal.expires_at >= now, "{signal:?}");
}

/// Armed, and in either side for a shorter and a longer time than a signal's lifetime.
fn memories(now: UnixMillis) -> [Episode; 3] {
    let in_side = |side, since| Episode {
        side: Some(side),
        since: Some(since),
        last_signal_at: Some(since),
        expires_at: Some(since + 4 * HOUR),
    };
    [
        Episode::default(),
        in_side(Side::Long, now - HOUR),
        in_side(Side::Short, now - 5 * HOUR),
    ]
}
