//! A live worker and the replay see the same candles: they agree on every signal, and on what
//! became of it.

use super::{MINUTE, SECOND, Story};
use market::Candle;
use replay::{Replay, RollingDay};
use rust_decimal::Decimal;
use signal_hub_harness::scene::{SOON, by_itself, flat_market};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{RecordedCandle, UnixMillis};
use strategy::outcome::{Ended, FirstTouch, Outcome, Settlement, Terms};
use strategy::shipped::rule_of_0_2_0;
use strategy::{Rule, Signal};

const SYMBOLS: [&str; 8] = [
    "ADAUSDT", "AVAXUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "LINKUSDT", "SOLUSDT",
];
const FIVE: i64 = 5 * MINUTE;
const DAY_MINUTES: i64 = 24 * 60;
/// Minutes in which signals come, after the first day.
const LIVE_MINUTES: i64 = 9 * 60;

/// Candles of a minute whose price walks as far in a day as those of real pairs.
fn minutes(symbol: &str, begin: UnixMillis) -> Vec<RecordedCandle> {
    let mut random = fastrand::Rng::with_seed(symbol.bytes().map(u64::from).sum());
    let mut price = 3_000_000_i64;
    let candle = |minute: i64| {
        let open = price;
        price += random.i64(-9_000..=9_000);
        let (up, down) = (random.i64(0..4_000), random.i64(0..4_000));
        let cents = |amount: i64| Decimal::new(amount, 2);
        let base_volume = Decimal::new(random.i64(100..900), 3);
        let [open, high, low, close] =
            [open, open.max(price) + up, open.min(price) - down, price].map(cents);
        RecordedCandle {
            open_time: begin + minute * MINUTE,
            open,
            high,
            low,
            close,
            base_volume,
            quote_volume: base_volume * (open + high + low + close) / Decimal::from(4),
        }
    };
    (0..DAY_MINUTES + LIVE_MINUTES).map(candle).collect()
}

/// The same in candles of five minutes.
fn five_minutes(minutes: &[RecordedCandle]) -> Vec<RecordedCandle> {
    let joined = minutes.chunks(5).map(|five| RecordedCandle {
        high: five.iter().map(|c| c.high).max().expect("five"),
        low: five.iter().map(|c| c.low).min().expect("five"),
        close: five[4].close,
        base_volume: five.iter().map(|c| c.base_volume).sum(),
        quote_volume: five.iter().map(|c| c.quote_volume).sum(),
        ..five[0].clone()
    });
    joined.collect()
}

fn candle(recorded: &RecordedCandle) -> Candle {
    Candle {
        open_time: recorded.open_time,
        open: recorded.open,
        high: recorded.high,
        low: recorded.low,
        close: recorded.close,
        base_volume: recorded.base_volume,
        quote_volume: recorded.quote_volume,
    }
}

fn words(numbers: &[Decimal]) -> String {
    let words = numbers.iter().map(|number| number.normalize().to_string());
    words.collect::<Vec<_>>().join(" ")
}

/// What is on record of a signal and its outcome, in words.
const ON_RECORD: &str = "
    format('%s %s %s at %s until %s, %s, levels %s %s %s: %s targets, %s, %s, touched %s %s, returns %s, %s, %s, mirror %s, %s %s, %s %s by %s',
           symbol, signal_type, reason, epoch(signal_at), epoch(expires_at),
           words(ARRAY[confidence, quality_score, price_change_percent]), words(ARRAY[entry_price]),
           words(ARRAY[stop_loss]), words(take_profit), best_target, first_touch, ended,
           array_to_string(ARRAY(SELECT epoch(t) FROM unnest(target_at) t), ' '), coalesce(epoch(stop_at), 0),
           words(returns_percent), words(ARRAY[ladder_percent]), words(ARRAY[hold_percent]),
           words(mirror_returns_percent), words(ARRAY[mfe_percent]), words(ARRAY[mae_percent]),
           ambiguous::int, gap::int, resolution)";

const FUNCTIONS: &str = "
    CREATE FUNCTION epoch(t timestamptz) RETURNS bigint LANGUAGE sql AS 'SELECT (extract(epoch FROM t) * 1000)::bigint';
    CREATE FUNCTION words(n numeric[]) RETURNS text LANGUAGE sql
        AS 'SELECT coalesce(string_agg(trim_scale(v)::text, '' '' ORDER BY o), '''') FROM unnest(n) WITH ORDINALITY u (v, o)'";

fn in_words(signal: &Signal, outcome: &Outcome) -> String {
    let levels = &signal.levels;
    let first_touch = match outcome.first_touch {
        FirstTouch::Target => "target",
        FirstTouch::Stop => "stop",
        FirstTouch::None => "none",
    };
    let ended = match outcome.ended {
        Ended::Target => "target",
        Ended::Stop => "stop",
        Ended::Expired => "expired",
    };
    let times: Vec<String> = outcome.target_at.iter().map(ToString::to_string).collect();
    format!(
        "{} {} {} at {} until {}, {}, levels {} {} {}: {} targets, {first_touch}, {ended}, touched {} {}, returns {}, {}, {}, mirror {}, {} {}, {} {} by 1m",
        signal.ticker.symbol,
        signal.side.as_str(),
        signal.reason.as_str(),
        signal.ticker.close_time,
        signal.expires_at,
        words(&[
            signal.confidence,
            signal.quality_score,
            signal.ticker.price_change_percent
        ]),
        words(&[levels.entry_price]),
        words(&[levels.stop_loss]),
        words(&levels.take_profit),
        outcome.best_target,
        times.join(" "),
        outcome.stop_at.unwrap_or_default(),
        words(&outcome.returns_percent),
        words(&[outcome.ladder_percent]),
        words(&[outcome.hold_percent]),
        words(&outcome.mirror_percent),
        words(&[outcome.mfe_percent]),
        words(&[outcome.mae_percent]),
        u8::from(outcome.ambiguous),
        u8::from(outcome.gap),
    )
}

/// The signals of a symbol whose time has passed at `end`, by the replay.
fn replayed(rule: &Rule, symbol: &str, minutes: &[RecordedCandle], end: UnixMillis) -> Vec<String> {
    let mut replay = Replay::new(rule, symbol);
    let mut day = RollingDay::new(symbol, FIVE);
    let mut found = Vec::new();
    for five in five_minutes(minutes) {
        day.take(candle(&five)).expect("the numbers fit");
        let Some(ticker) = day.ticker() else {
            continue;
        };
        let signal = replay.judge(ticker, |verdict| verdict.signal.as_deref().cloned());
        let Some(signal) = signal.filter(|signal| signal.expires_at < end) else {
            continue;
        };
        let mut settlement = Settlement::new(Terms {
            side: signal.side,
            levels: signal.levels.clone(),
            take_profit_percents: rule.take_profit_percents.clone(),
            stop_loss_percent: rule.stop_loss_percent,
            signal_at: signal.ticker.close_time,
            expires_at: signal.expires_at,
        });
        for minute in minutes {
            settlement.push(&candle(minute), MINUTE);
        }
        let outcome = settlement.outcome(Decimal::new(1, 1)).expect("candles");
        found.push(in_words(&signal, &outcome));
    }
    found
}

#[test]
fn a_live_worker_and_the_replay_of_the_same_candles_agree_row_for_row() {
    let market = flat_market();
    let now = super::some_time();
    let begin = now - now.rem_euclid(FIVE);
    let recorded = SYMBOLS.map(|symbol| (symbol, minutes(symbol, begin)));
    for (symbol, minutes) in &recorded {
        market.play_candles(symbol, FIVE, five_minutes(minutes));
        market.play_candles(symbol, MINUTE, minutes.clone());
    }
    let mut story = Story::with(market, |market, clock| {
        clock.of(by_itself(market)).set("signal_hub.interval", "2s")
    });
    story.session.run(&format!(
        "{FUNCTIONS};
         DELETE FROM signal_symbols WHERE symbol <> ALL ('{{{}}}');
         -- With renewals there are enough signals to compare.
         UPDATE signal_rules SET renew = true, cooldown = '30 minutes', cooldown_flips = false WHERE strategy = 'momentum'",
        SYMBOLS.join(",")
    ));
    let end = begin + (DAY_MINUTES + LIVE_MINUTES) * MINUTE;
    let mut time = begin + DAY_MINUTES * MINUTE;
    while time <= end {
        story.clock.stand_at(&story.market, time);
        eventually(SOON, "a run of this time", || {
            story.session.one::<bool>(&format!(
                "SELECT EXISTS (SELECT FROM signal_runs WHERE epoch(started_at) = {time})"
            ))
        });
        time += FIVE;
    }
    eventually(SOON, "what is due is settled", || {
        story.count(&format!(
            "state = 'open' AND epoch(expires_at) <= {}",
            end - 5 * SECOND
        )) == 0
    });
    let on_record: Vec<String> = story.session.list(&format!(
        "SELECT {ON_RECORD} FROM signal_outcomes WHERE state = 'settled' ORDER BY symbol, signal_at"
    ));
    let rule = rule_of_0_2_0();
    let expected: Vec<String> = recorded
        .iter()
        .flat_map(|(symbol, minutes)| replayed(&rule, symbol, minutes, end))
        .collect();
    assert_eq!(on_record, expected);
    assert!(expected.len() >= 8, "too few to tell: {expected:#?}");
    let state: Vec<String> = story
        .session
        .list("SELECT DISTINCT state FROM signal_outcomes ORDER BY state");
    assert_eq!(state, ["open", "settled"]);
}
