//! A live worker and replay_signals() see the same candles: they agree on every signal, and on what
//! became of it.

use super::{MINUTE, SECOND, Story};
use rust_decimal::Decimal;
use signal_hub_harness::scene::{SOON, by_itself, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{RecordedCandle, UnixMillis};

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

/// Puts candles into a table, with the names that replay_signals() reads.
fn keep(session: &mut Session, table: &str, candles: &[(&str, Vec<RecordedCandle>)]) {
    session.run(&format!(
        "CREATE TABLE {table} (symbol text, open_time timestamptz, open numeric, high numeric, low numeric, close numeric,
                               base_volume numeric, quote_volume numeric)"
    ));
    for (symbol, candles) in candles {
        let row = |c: &RecordedCandle| {
            format!(
                "('{symbol}', to_timestamp({} / 1000.0), {}, {}, {}, {}, {}, {})",
                c.open_time, c.open, c.high, c.low, c.close, c.base_volume, c.quote_volume
            )
        };
        let rows: Vec<String> = candles.iter().map(row).collect();
        session.run(&format!("INSERT INTO {table} VALUES {}", rows.join(", ")));
    }
}

/// Rows on which live signals and replayed ones differ, in every column that both have, and how
/// many there are of each. What has not expired at `$end` is left out.
const COMPARISON: &str = "
    CREATE TEMPORARY VIEW replayed AS
    SELECT to_jsonb(r) AS signal
      FROM replay_signals('SELECT * FROM five ORDER BY open_time', 'momentum', '$rule'::jsonb,
                          'SELECT * FROM minutes ORDER BY open_time') r
     WHERE r.expires_at <= to_timestamp($end / 1000.0);
    CREATE TEMPORARY VIEW live AS
    SELECT (SELECT jsonb_object_agg(c.key, c.value)
              FROM jsonb_each(to_jsonb(o) || jsonb_build_object('at', o.signal_at)) c
             WHERE c.key IN (SELECT jsonb_object_keys(signal) FROM (SELECT signal FROM replayed LIMIT 1) one)) AS signal
      FROM signal_outcomes o WHERE o.expires_at <= to_timestamp($end / 1000.0)";

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
    // With renewals there are enough signals to compare.
    story.session.run(&format!(
        "DELETE FROM signal_symbols WHERE symbol <> ALL ('{{{}}}');
         UPDATE signal_rules SET renew = true, cooldown = '30 minutes', cooldown_flips = false
          WHERE strategy = 'momentum'",
        SYMBOLS.join(",")
    ));
    // A replay rounds by the ticks that are known when it is asked for.
    eventually(SOON, "the exchange's list of pairs is known", || {
        let listed = "SELECT count(*) FROM signal_symbols JOIN signal_instruments USING (symbol)";
        story.session.one::<i64>(listed) == SYMBOLS.len() as i64
    });
    let end = begin + (DAY_MINUTES + LIVE_MINUTES) * MINUTE;
    let mut time = begin + DAY_MINUTES * MINUTE;
    while time <= end {
        story.clock.stand_at(&story.market, time);
        eventually(SOON, "a run of this time", || {
            story.session.one::<bool>(&format!(
                "SELECT EXISTS (SELECT FROM signal_runs WHERE started_at = to_timestamp({time} / 1000.0))"
            ))
        });
        time += FIVE;
    }
    let due = end - 5 * SECOND;
    // Half of an interval is for settling, of a clock that is twenty times as fast.
    story.cluster.configure("signal_hub.interval", "20s");
    eventually(4 * SOON, "what is due is settled", || {
        story.count(&format!(
            "state = 'open' AND expires_at <= to_timestamp({due} / 1000.0)"
        )) == 0
    });
    let session = &mut story.session;
    keep(session, "minutes", &recorded);
    let five = recorded.map(|(symbol, minutes)| (symbol, five_minutes(&minutes)));
    keep(session, "five", &five);
    let rule = r#"{"renew": true, "cooldown": "30 minutes", "cooldown_flips": false}"#;
    session.run(
        &COMPARISON
            .replace("$end", &due.to_string())
            .replace("$rule", rule),
    );
    for (which, one, other) in [
        ("only live", "live", "replayed"),
        ("only replayed", "replayed", "live"),
    ] {
        let rows: Vec<String> = session.list(&format!(
            "SELECT signal::text FROM (SELECT signal FROM {one} EXCEPT SELECT signal FROM {other}) d"
        ));
        assert!(rows.is_empty(), "{which}: {rows:#?}");
    }
    let settled: i64 =
        session.one("SELECT count(*) FROM live WHERE signal ->> 'state' = 'settled'");
    assert!(settled >= 8, "{settled} are too few to tell");
}
