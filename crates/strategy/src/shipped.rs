//! The row of signal_rules as it is shipped, for what judges without a database:
//! tests, the fuzz target, the benchmark.

use crate::Rule;
use rust_decimal::Decimal;

const MINUTE_MS: i64 = 60_000;

/// The rule that the INSERT in sql/18_shipped_rows.sql ships.
pub fn rule() -> Rule {
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
        stop_loss_range_share: None,
        lifetime_ms: 4 * 60 * MINUTE_MS,
        lifetime_by_range: None,
        renew: false,
        cooldown_ms: None,
        cooldown_flips: true,
        max_ticker_age_ms: 5 * MINUTE_MS,
        max_signals_per_run: 10,
        max_spread_percent: Some(Decimal::new(5, 1)),
        max_disagreement_percent: None,
    }
}

/// The rule that release 0.2.0 shipped: it repeated a signal every four hours while the condition
/// held, and a symbol that flipped was signalled at once.
pub fn rule_of_0_2_0() -> Rule {
    Rule {
        renew: true,
        cooldown_ms: Some(30 * MINUTE_MS),
        cooldown_flips: false,
        max_spread_percent: None,
        ..rule()
    }
}
