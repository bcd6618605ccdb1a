//! The row of signal_rules as it is shipped, for what judges without a database:
//! tests, the fuzz target, the benchmark.

use crate::Rule;
use rust_decimal::Decimal;

/// The rule that the INSERT in sql/18_shipped_rows.sql ships.
pub fn rule() -> Rule {
    const MINUTE_MS: i64 = 60_000;
    let percent = |tenths| Decimal::new(tenths, 1);
    Rule {
        strategy: "momentum".to_owned(),
        enter_change_percent: percent(20),
        exit_change_percent: percent(10),
        min_quote_volume: Decimal::from(1_000_000),
        confidence_per_percent: Decimal::TEN,
        max_confidence: Decimal::from(95),
        min_confidence: Decimal::ZERO,
        min_quality: Decimal::from(25),
        stop_loss_percent: percent(15),
        take_profit_percents: [15, 30, 50].map(percent).to_vec(),
        lifetime_ms: 4 * 60 * MINUTE_MS,
        cooldown_ms: 30 * MINUTE_MS,
        max_ticker_age_ms: 5 * MINUTE_MS,
        max_signals_per_run: 10,
    }
}
