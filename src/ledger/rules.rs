//! Rows of `signal_rules` as the rules that decide.

use crate::postgres::statements::Row;
use crate::postgres::{Db, Failure};
use rust_decimal::Decimal;
use strategy::{LifetimeByRange, Rule, strategies};

/// The columns that [`rule`] reads.
pub const RULE_COLUMNS: &str =
    "strategy, enter_change_percent::text, exit_change_percent::text, min_quote_volume::text,
                confidence_per_percent::text, max_confidence::text, min_confidence::text, min_quality::text,
                stop_loss_percent::text, stop_loss_range_share::text, lifetime_per_range::text, renew, cooldown_flips,
                array_to_string(ARRAY(SELECT p FROM unnest(take_profit_percents) p ORDER BY p), ' ', 'NULL') AS take_profit_percents,
                extract(epoch FROM lifetime)::text AS lifetime,
                extract(epoch FROM lifetime_floor)::text AS lifetime_floor,
                extract(epoch FROM lifetime_cap)::text AS lifetime_cap,
                extract(epoch FROM cooldown)::text AS cooldown,
                extract(epoch FROM max_ticker_age)::text AS max_ticker_age, max_signals_per_run,
                max_spread_percent::text, max_disagreement_percent::text";

/// The enabled rules. One with a number that cannot be worked with is left out, and named.
pub fn rules(db: &Db, unusable: &mut Vec<String>) -> Result<Vec<Rule>, Failure> {
    let rules = db.read(
        &format!(
            "SELECT {RULE_COLUMNS} FROM @extschema@.signal_rules WHERE enabled ORDER BY strategy"
        ),
        &[],
        |row| {
            let strategy = named_text(row, "strategy")?;
            if strategies::named(&strategy).is_none() {
                let known: Vec<&str> = strategies::names().collect();
                return Ok(Err(format!(
                    "there is no strategy {strategy}, which a row of signal_rules names, but {}: correct or disable it",
                    known.join(", ")
                )));
            }
            Ok(rule(row, strategy.clone()).map_err(|failure| {
                format!(
                    "strategy {strategy} of signal_rules cannot be used: {}: correct it",
                    failure.message
                )
            }))
        },
    )?;
    let mut usable = Vec::new();
    for rule in rules {
        match rule {
            Ok(rule) => usable.push(rule),
            Err(why) => unusable.push(why),
        }
    }
    Ok(usable)
}

/// A row of signal_rules, with the columns of [`RULE_COLUMNS`].
///
/// # Errors
/// When a number cannot be worked with.
pub fn rule(row: &Row, strategy: String) -> Result<Rule, Failure> {
    let text = |column| named_text(row, column);
    let decimal = |column: &str| parse_decimal(&named_text(row, column)?, column);
    let milliseconds = |column: &str| parse_milliseconds(&named_text(row, column)?, column);
    let optional = |column: &str| row.get_by_name::<String>(column);
    let is =
        |column: &str| -> Result<bool, Failure> { Ok(row.get_by_name(column)?.unwrap_or(false)) };
    let optional_decimal = |column: &str| {
        let number = optional(column)?;
        number
            .map(|number| parse_decimal(&number, column))
            .transpose()
    };
    let lifetime_by_range = match optional("lifetime_per_range")? {
        Some(stops) => Some(LifetimeByRange {
            stops: parse_decimal(&stops, "lifetime_per_range")?,
            floor_ms: milliseconds("lifetime_floor")?,
            cap_ms: milliseconds("lifetime_cap")?,
        }),
        None => None,
    };
    let cooldown = optional("cooldown")?;
    Ok(Rule {
        strategy,
        enter_change_percent: decimal("enter_change_percent")?,
        exit_change_percent: decimal("exit_change_percent")?,
        min_quote_volume: decimal("min_quote_volume")?,
        confidence_per_percent: decimal("confidence_per_percent")?,
        max_confidence: decimal("max_confidence")?,
        min_confidence: decimal("min_confidence")?,
        min_quality: decimal("min_quality")?,
        stop_loss_percent: decimal("stop_loss_percent")?,
        take_profit_percents: text("take_profit_percents")?
            .split(' ')
            .map(|number| parse_decimal(number, "take_profit_percents"))
            .collect::<Result<_, _>>()?,
        stop_loss_range_share: optional_decimal("stop_loss_range_share")?,
        lifetime_ms: milliseconds("lifetime")?,
        lifetime_by_range,
        renew: is("renew")?,
        cooldown_ms: cooldown
            .map(|cooldown| parse_milliseconds(&cooldown, "cooldown"))
            .transpose()?,
        cooldown_flips: is("cooldown_flips")?,
        max_ticker_age_ms: milliseconds("max_ticker_age")?,
        max_signals_per_run: row.get_by_name("max_signals_per_run")?.unwrap_or_default(),
        max_spread_percent: optional_decimal("max_spread_percent")?,
        max_disagreement_percent: optional_decimal("max_disagreement_percent")?,
    })
}

fn named_text(row: &Row, column: &str) -> Result<String, Failure> {
    row.get_by_name(column)?
        .ok_or_else(|| Failure::internal(format!("column {column} of an internal query is null")))
}

/// Milliseconds of a number of seconds, as long as a timestamp can be that far away.
fn parse_milliseconds(seconds: &str, what: &str) -> Result<i64, Failure> {
    const LONGEST_S: f64 = 1_000.0 * 365.25 * 86_400.0;
    let parsed = seconds.parse::<f64>().ok();
    let usable = parsed.filter(|seconds| (0.0..=LONGEST_S).contains(seconds));
    usable
        .map(|seconds| (seconds * 1000.0).round() as i64)
        .ok_or_else(|| Failure::out_of_range(&format!("{what} ({seconds} s)")))
}

fn parse_decimal(number: &str, what: &str) -> Result<Decimal, Failure> {
    Decimal::from_str_exact(number)
        .map_err(|_| Failure::out_of_range(&format!("{what} ({number})")))
}
