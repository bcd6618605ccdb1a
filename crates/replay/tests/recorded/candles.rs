//! Seven and a half months of candles, rolled into 24-hour tickers and judged one after another.

use crate::data;
use market::{Candle, UnixMillis};
use replay::{Replay, RollingDay};
use rust_decimal::Decimal;
use std::thread;
use strategy::shipped::{rule, rule_of_0_2_0};
use strategy::{GateReading, Reason, Rule};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
pub const CANDLE_MS: i64 = 5 * MINUTE;
pub const SYMBOLS: [&str; 12] = [
    "ADAUSDT",
    "AVAXUSDT",
    "BCHUSDT",
    "BTCUSDT",
    "DOTUSDT",
    "ETHUSDT",
    "LINKUSDT",
    "LTCUSDT",
    "MATICUSDT",
    "SOLUSDT",
    "UNIUSDT",
    "XRPUSDT",
];

fn number(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// Every candle of a symbol.
pub fn candles(symbol: &str) -> Option<Vec<Candle>> {
    let csv = data::read(&format!("candles-5m/{symbol}.csv.gz"))?;
    let csv = String::from_utf8(csv).unwrap();
    let candle = |line: &str| {
        let (open_time, rest) = line.split_once(',').unwrap();
        let cells: Vec<Decimal> = rest.split(',').map(number).collect();
        let [open, high, low, close, base_volume] = cells[..] else {
            panic!("six cells: {line}");
        };
        let mut candle = Candle {
            open_time: open_time.parse().unwrap(),
            open,
            high,
            low,
            close,
            base_volume,
            quote_volume: Decimal::ZERO,
        };
        // The recorded candles do not state it.
        candle.quote_volume = candle.estimated_quote_volume().unwrap();
        candle
    };
    Some(csv.lines().skip(1).map(candle).collect())
}

/// One reading of a symbol.
struct Reading {
    time: UnixMillis,
    /// Change in thousandths of a percent.
    change: i64,
    /// Whether the volume is above the floor; without it, nothing begins.
    is_liquid: bool,
}

/// The beginnings of the episodes in `readings`, found by cutting the history into pieces: each
/// begins at the first liquid reading beyond 2 % (after a pause of 30 minutes, unless it follows
/// another at once) and ends at the first reading that is inside 1 %, beyond 2 % on the other
/// side, or liquid and still beyond 2 % four hours on.
fn episodes(readings: &[Reading]) -> Vec<UnixMillis> {
    let mut begins: Vec<UnixMillis> = Vec::new();
    let mut rest = readings;
    let mut follows_at_once = false;
    while let Some(first) = rest.iter().position(|r| {
        let pause_is_over = begins
            .last()
            .is_none_or(|last| r.time - last >= 30 * MINUTE);
        r.is_liquid && r.change.abs() > 2000 && (follows_at_once || pause_is_over)
    }) {
        let Reading { time, change, .. } = rest[first];
        begins.push(time);
        let goes_on = |r: &Reading| match r.change * change.signum() {
            ..1000 => false,
            1000..=2000 => true,
            _ => r.time - time < 4 * HOUR || !r.is_liquid,
        };
        rest = &rest[first + 1..];
        rest = &rest[rest.iter().take_while(|r| goes_on(r)).count()..];
        follows_at_once = rest
            .first()
            .is_some_and(|r| r.is_liquid && r.change.abs() > 2000);
    }
    begins
}

/// What became of one symbol's history.
struct History {
    /// Readings on which a rule without memory would have sent a signal.
    raw: usize,
    episodes: Vec<UnixMillis>,
    signals: Vec<(UnixMillis, Reason)>,
}

fn history(rule: &Rule, symbol: &str) -> Option<History> {
    let mut replay = Replay::new(rule, symbol);
    let mut day = RollingDay::new(symbol, CANDLE_MS);
    let mut history = History {
        raw: 0,
        episodes: Vec::new(),
        signals: Vec::new(),
    };
    let mut readings: Vec<Reading> = Vec::new();
    for candle in candles(symbol)? {
        day.take(candle).expect("numbers that fit");
        let Some(ticker) = day.ticker() else {
            continue;
        };
        let now = ticker.close_time;
        let change = ticker.price_change_percent;
        let is_liquid = ticker.quote_volume > rule.min_quote_volume;
        readings.push(Reading {
            time: now,
            change: i64::try_from(change * Decimal::ONE_THOUSAND).unwrap(),
            is_liquid,
        });
        history.raw += usize::from(is_liquid && change.abs() > rule.enter_change_percent);
        let reason = replay.judge(ticker, |verdict| {
            let gates = verdict.gates();
            // Nothing but change, volume and memory may decide: the oracle knows nothing else.
            let is_decided_by = |gate: &GateReading| match gate.name {
                "momentum" | "volume" | "episode" | "max_per_run" => true,
                "quality" | "levels" | "book" => verdict.side.is_none(),
                _ => false,
            };
            let mut refusals = gates.iter().filter(|gate| !gate.passed);
            assert!(refusals.all(is_decided_by), "{symbol} at {now}: {gates:?}");
            verdict.signal.as_ref().map(|signal| signal.reason)
        });
        history.signals.extend(reason.map(|reason| (now, reason)));
    }
    history.episodes = episodes(&readings);
    Some(history)
}

/// The histories of all symbols; `None` when they are not there.
fn histories(rule: &Rule) -> Option<Vec<History>> {
    thread::scope(|scope| {
        let threads = SYMBOLS.map(|symbol| scope.spawn(move || history(rule, symbol)));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// How many signals entered, flipped and were renewed.
fn by_reason(histories: &[History]) -> [usize; 3] {
    let count = |reason| {
        let signals = histories.iter().flat_map(|history| &history.signals);
        signals.filter(|(_, is)| *is == reason).count()
    };
    [Reason::Entered, Reason::Flipped, Reason::Renewed].map(count)
}

#[test]
fn by_default_a_symbol_has_one_signal_at_a_time() {
    let Some(histories) = histories(&rule()) else {
        return;
    };
    for (symbol, history) in SYMBOLS.iter().zip(&histories) {
        let mut pairs = history.signals.windows(2);
        assert!(
            pairs.all(|pair| pair[1].0 - pair[0].0 >= 4 * HOUR),
            "{symbol}"
        );
    }
    assert_eq!(by_reason(&histories), [6_319, 43, 0]);
    let signals_of = |symbol| {
        let index = SYMBOLS.iter().position(|it| *it == symbol).unwrap();
        histories[index].signals.len()
    };
    assert_eq!(
        ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(signals_of),
        [442, 470, 530]
    );
}

#[test]
fn by_the_rule_of_0_2_0_every_episode_gives_exactly_one_signal() {
    let Some(histories) = histories(&rule_of_0_2_0()) else {
        return;
    };
    for (symbol, history) in SYMBOLS.iter().zip(&histories) {
        let signals: Vec<UnixMillis> = history.signals.iter().map(|(time, _)| *time).collect();
        assert_eq!(signals, history.episodes, "{symbol}");
    }
    let raw: usize = histories.iter().map(|history| history.raw).sum();
    let episodes: usize = histories.iter().map(|history| history.episodes.len()).sum();
    let signals: usize = histories.iter().map(|history| history.signals.len()).sum();
    println!("raw rule: {raw} ticks, episodes: {episodes}, signals: {signals}");
    println!("every 30 s the raw rule would have sent about {}", raw * 10);
    assert_eq!((raw, episodes, signals), (571_412, 18_855, 18_855));
    assert_eq!(by_reason(&histories), [8_967, 93, 9_795]);
}
