//! How many candles a second `replay_signals()` takes from a table, on a real server:
//! `cargo bench -p signal_hub_tests --bench replay`.
//!
//! The extension must be installed in release mode (`./pgrx-install.sh`). The candles are a random
//! walk of 12 symbols over 65,742 steps of five minutes, 788,904 in all, with an index on their time;
//! the same ones each time. Figures are of the slowest and the fastest round, and their median.

use signal_hub_harness::numbers::{line, median, ms, table};
use signal_hub_harness::scene::{flat_market, installed_by_hand};
use signal_hub_harness::session::Session;
use std::time::Instant;

const ROUNDS: usize = 5;
const CANDLES: &str = "TABLE candles ORDER BY open_time";

/// As far as the candles go, and the rule of release 0.2.0, which has most signals.
const FIRST_RULE: &str = r#"{"renew": true, "cooldown": "30 minutes", "cooldown_flips": false, "max_signals_per_run": 1000}"#;

fn main() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    create_candles(&mut session);
    let candles: i64 = session.one("SELECT count(*) FROM candles");
    let one_symbol = "SELECT * FROM candles WHERE symbol = 'S1USDT' ORDER BY open_time";
    let measured = [
        (
            "reading them alone",
            format!("SELECT count(close) FROM ({CANDLES}) c"),
            candles,
        ),
        ("by the rule as shipped", replay(CANDLES, "{}"), candles),
        ("by the rule of 0.2.0", replay(CANDLES, FIRST_RULE), candles),
        ("of one symbol", replay(one_symbol, "{}"), candles / 12),
    ];
    table(
        &format!("Replay with outcomes, {ROUNDS} rounds"),
        &[
            "what",
            "candles",
            "rows",
            "least ms",
            "median ms",
            "most ms",
            "candles/s",
        ],
    );
    for (what, query, candles) in measured {
        let mut rows: i64 = session.one(&query);
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                rows = session.one(&query);
                ms(began.elapsed())
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let middle = median(&times);
        line(&[
            what.to_owned(),
            candles.to_string(),
            rows.to_string(),
            format!("{:.0}", times[0]),
            format!("{middle:.0}"),
            format!("{:.0}", times[ROUNDS - 1]),
            format!("{:.0}", candles as f64 / middle * 1000.0),
        ]);
    }
}

fn replay(candles: &str, overrides: &str) -> String {
    format!("SELECT count(*) FROM replay_signals($q${candles}$q$, overrides => '{overrides}')")
}

/// Steps of up to half a percent, which turn often enough for some six signals a day and symbol.
fn create_candles(session: &mut Session) {
    session.run(
        "SELECT setseed(0.5);
         CREATE TABLE candles AS
         SELECT symbol, open_time, open, greatest(open, close) * 1.001 AS high, least(open, close) * 0.999 AS low, close,
                round((10000 + 90000 * random())::numeric, 1) AS base_volume
           FROM (SELECT symbol, open_time, close, coalesce(lag(close) OVER of_symbol, close) AS open
                   FROM (SELECT format('S%sUSDT', s) AS symbol, '2024-01-01'::timestamptz + t * interval '5 minutes' AS open_time,
                                round((exp(3 + sum(0.005 * (random() - 0.5)) OVER (PARTITION BY s ORDER BY t)))::numeric, 4) AS close
                           FROM generate_series(1, 12) s, generate_series(0, 65741) t) AS walk
                 WINDOW of_symbol AS (PARTITION BY symbol ORDER BY open_time)) AS prices
          ORDER BY open_time, symbol;
         CREATE INDEX ON candles (open_time); ANALYZE candles",
    );
}
