//! Seven and a half months of candles, rolled into 24-hour tickers and judged one after another.

use super::*;
use crate::market::recorded;
use std::collections::VecDeque;
use std::thread;

const CANDLE_MS: i64 = 5 * MINUTE;
const DAY_MS: i64 = 24 * HOUR;
const SYMBOLS: [&str; 12] = [
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

struct Candle {
    open_time: UnixMillis,
    open: Decimal,
    high: Decimal,
    low: Decimal,
    close: Decimal,
    base_volume: Decimal,
    quote_volume: Decimal,
}

fn candles(symbol: &str) -> Option<Vec<Candle>> {
    let csv = recorded::read(&format!("candles-5m/{symbol}.csv.gz"))?;
    let csv = String::from_utf8(csv).unwrap();
    let candle = |line: &str| {
        let (open_time, rest) = line.split_once(',').unwrap();
        let cells: Vec<Decimal> = rest.split(',').map(number).collect();
        let [open, high, low, close, base_volume] = cells[..] else {
            panic!("six cells: {line}");
        };
        Candle {
            open_time: open_time.parse().unwrap(),
            open,
            high,
            low,
            close,
            base_volume,
            // The candles do not tell the quote volume; this is it within a few parts in 10,000.
            quote_volume: base_volume * (open + high + low + close) / Decimal::from(4),
        }
    };
    Some(csv.lines().skip(1).map(candle).collect())
}

/// The ticker at the end of each candle, from the first full day on.
fn rolled(symbol: &str, candles: &[Candle]) -> Vec<Ticker> {
    let mut window: VecDeque<&Candle> = VecDeque::new();
    let mut tickers = Vec::new();
    let (mut high, mut low) = (Decimal::ZERO, Decimal::MAX);
    let (mut base_volume, mut quote_volume) = (Decimal::ZERO, Decimal::ZERO);
    for candle in candles {
        let now = candle.open_time + CANDLE_MS;
        window.push_back(candle);
        high = high.max(candle.high);
        low = low.min(candle.low);
        base_volume += candle.base_volume;
        quote_volume += candle.quote_volume;
        while let Some(gone) = window.pop_front_if(|oldest| oldest.open_time < now - DAY_MS) {
            base_volume -= gone.base_volume;
            quote_volume -= gone.quote_volume;
            if gone.high == high {
                high = window.iter().map(|candle| candle.high).max().unwrap();
            }
            if gone.low == low {
                low = window.iter().map(|candle| candle.low).min().unwrap();
            }
        }
        if now - candles[0].open_time < DAY_MS {
            continue;
        }
        let (open_price, last_price) = (window[0].open, candle.close);
        let price_change = last_price - open_price;
        let percent = price_change / open_price * Decimal::ONE_HUNDRED;
        tickers.push(Ticker {
            symbol: symbol.to_owned(),
            price_change,
            price_change_percent: percent.round_dp(3),
            weighted_average_price: (quote_volume / base_volume).round_dp(8),
            last_price,
            open_price,
            high_price: high,
            low_price: low,
            bid_price: last_price,
            ask_price: last_price,
            base_volume,
            quote_volume,
            open_time: now - DAY_MS,
            close_time: now,
            trade_count: 1,
        });
    }
    tickers
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
struct Replay {
    /// Readings on which a rule without memory would have sent a signal.
    raw: usize,
    episodes: Vec<UnixMillis>,
    signals: Vec<(UnixMillis, Reason)>,
}

fn replay(symbol: &str) -> Option<Replay> {
    let rule = rule();
    let watched = [watch(symbol)];
    let mut memory = HashMap::new();
    let mut replay = Replay {
        raw: 0,
        episodes: Vec::new(),
        signals: Vec::new(),
    };
    let mut readings: Vec<Reading> = Vec::new();
    for ticker in rolled(symbol, &candles(symbol)?) {
        let now = ticker.close_time;
        let change = ticker.price_change_percent;
        let is_liquid = ticker.quote_volume > rule.min_quote_volume;
        readings.push(Reading {
            time: now,
            change: i64::try_from(change * Decimal::ONE_THOUSAND).unwrap(),
            is_liquid,
        });
        replay.raw += usize::from(is_liquid && change.abs() > rule.enter_change_percent);
        let verdict = judge(&rule, &watched, &tickers([ticker]), &memory, now).remove(0);
        // Nothing but change, volume and memory may decide: the oracle knows nothing else.
        let is_decided_by = |gate: &Gate| match gate.name {
            "momentum" | "volume" | "episode" | "max_per_run" => true,
            "quality" | "levels" => verdict.side.is_none(),
            _ => false,
        };
        let mut refusals = verdict.gates.iter().filter(|gate| !gate.passed);
        assert!(
            refusals.all(is_decided_by),
            "{symbol} at {now}: {:?}",
            verdict.gates
        );
        replay
            .signals
            .extend(verdict.signal.map(|signal| (now, signal.reason)));
        memory.insert(verdict.symbol, verdict.episode);
    }
    replay.episodes = episodes(&readings);
    Some(replay)
}

#[test]
fn every_episode_gives_exactly_one_signal() {
    let replays: Option<Vec<Replay>> = thread::scope(|scope| {
        let threads = SYMBOLS.map(|symbol| scope.spawn(move || replay(symbol)));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let Some(replays) = replays else {
        return;
    };
    for (symbol, replay) in SYMBOLS.iter().zip(&replays) {
        let signals: Vec<UnixMillis> = replay.signals.iter().map(|(time, _)| *time).collect();
        assert_eq!(signals, replay.episodes, "{symbol}");
    }
    let raw: usize = replays.iter().map(|replay| replay.raw).sum();
    let episodes: usize = replays.iter().map(|replay| replay.episodes.len()).sum();
    let reasons: Vec<Reason> = replays
        .iter()
        .flat_map(|replay| replay.signals.iter().map(|(_, reason)| *reason))
        .collect();
    let signals = reasons.len();
    println!("raw rule: {raw} ticks, episodes: {episodes}, signals: {signals}");
    println!("every 30 s the raw rule would have sent about {}", raw * 10);
    let by_reason = [Reason::Entered, Reason::Flipped, Reason::Renewed]
        .map(|reason| reasons.iter().filter(|r| **r == reason).count());
    assert_eq!((raw, episodes, signals), (571_412, 18_855, 18_855));
    assert_eq!(by_reason, [8_967, 93, 9_795]);
}
