//! The gates, each with what was found, what is wanted, and the clause for a person.

use rust_decimal::Decimal;

use super::episode::Step;
use super::text::{plain, seconds, utc};
use super::{Gate, Levels, Rule, Side, condition};
use crate::market::{Ticker, UnixMillis};

/// A gate, and the clause that says why it did not pass.
pub struct Check {
    pub gate: Gate,
    pub why_not: String,
}

impl Check {
    fn new(
        name: &'static str,
        threshold: impl Into<String>,
        measured: Option<(String, bool)>,
        why_not: impl Into<String>,
    ) -> Self {
        let (value, passed) = match measured {
            Some((value, passed)) => (Some(value), passed),
            None => (None, false),
        };
        Self {
            gate: Gate {
                name,
                value,
                threshold: threshold.into(),
                passed,
            },
            why_not: why_not.into(),
        }
    }
}

pub fn listed(row: Option<&Result<Ticker, String>>) -> Check {
    let value = if row.is_some() {
        "listed"
    } else {
        "not listed"
    };
    Check::new(
        "listed",
        "listed",
        Some((value.to_owned(), row.is_some())),
        "the exchange does not list it",
    )
}

pub fn valid(row: Option<&Result<Ticker, String>>) -> Check {
    let fault = row.map(|row| match row {
        Ok(ticker) => condition::contradiction(ticker),
        Err(reason) => Some(reason.clone()),
    });
    let why_not = match &fault {
        Some(Some(reason)) => format!("its ticker is unusable: {reason}"),
        _ => String::new(),
    };
    let measured = fault.map(|fault| {
        let passed = fault.is_none();
        (fault.unwrap_or_else(|| "consistent".to_owned()), passed)
    });
    Check::new("valid", "consistent", measured, why_not)
}

pub fn trading(ticker: Option<&Ticker>) -> Check {
    let measured = ticker.map(|ticker| {
        let value = format!(
            "bid {}, ask {}, {} trades",
            plain(ticker.bid_price),
            plain(ticker.ask_price),
            ticker.trade_count
        );
        (value, condition::is_trading(ticker))
    });
    Check::new(
        "trading",
        "0 < bid <= ask, prices and trades > 0",
        measured,
        "its market is not trading",
    )
}

pub fn fresh(rule: &Rule, ticker: Option<&Ticker>, now: UnixMillis) -> Check {
    let age = ticker.map(|ticker| condition::age_ms(ticker, now));
    let measured = age.map(|age| {
        let passed = condition::is_fresh(age, rule.max_ticker_age_ms);
        (seconds(age), passed)
    });
    let why_not = match age {
        Some(age) if age < 0 => format!(
            "its ticker is {} ahead of this server's clock",
            seconds(age.saturating_neg())
        ),
        Some(age) => format!(
            "its ticker is {} old, more than {}",
            seconds(age),
            seconds(rule.max_ticker_age_ms)
        ),
        None => String::new(),
    };
    let threshold = format!("<= {}", seconds(rule.max_ticker_age_ms));
    Check::new("fresh", threshold, measured, why_not)
}

pub fn momentum(rule: &Rule, change: Option<Decimal>, side: Option<Side>) -> Check {
    let enter = plain(rule.enter_change_percent);
    let why_not = change.map_or_else(String::new, |change| {
        format!("24h change {} % is inside {enter} %", plain(change))
    });
    let threshold = format!("> {enter} or < {}", plain(-rule.enter_change_percent));
    let measured = change.map(|change| (plain(change), side.is_some()));
    Check::new("momentum", threshold, measured, why_not)
}

pub fn volume(rule: &Rule, ticker: Option<&Ticker>) -> Check {
    let floor = plain(rule.min_quote_volume);
    let volume = ticker.map(|ticker| ticker.quote_volume);
    let why_not = volume.map_or_else(String::new, |volume| {
        format!("24h quote volume {} is not above {floor}", plain(volume))
    });
    let measured = volume.map(|volume| (plain(volume), volume > rule.min_quote_volume));
    Check::new("volume", format!("> {floor}"), measured, why_not)
}

pub fn confidence(rule: &Rule, confidence: Option<Decimal>) -> Check {
    at_least("confidence", confidence, rule.min_confidence)
}

pub fn quality(rule: &Rule, quality: Option<Decimal>) -> Check {
    at_least("quality", quality, rule.min_quality)
}

fn at_least(name: &'static str, value: Option<Decimal>, least: Decimal) -> Check {
    let why_not = value.map_or_else(String::new, |value| {
        format!("{name} {value} is below {}", plain(least))
    });
    let measured = value.map(|value| (value.to_string(), value >= least));
    Check::new(name, format!(">= {}", plain(least)), measured, why_not)
}

pub fn levels(side: Option<Side>, levels: Option<&Levels>) -> Check {
    let threshold = match side {
        Some(Side::Short) => "stop > entry > targets",
        _ => "stop < entry < targets",
    };
    let measured = side.map(|side| match levels {
        Some(levels) => {
            let targets: Vec<String> = levels.take_profit.iter().map(Decimal::to_string).collect();
            let value = format!(
                "stop {}, entry {}, targets {}",
                levels.stop_loss,
                levels.entry_price,
                targets.join(" ")
            );
            (value, levels.are_ordered(side))
        }
        None => ("too large".to_owned(), false),
    });
    Check::new(
        "levels",
        threshold,
        measured,
        "stop, entry and targets cannot be told apart at its tick size",
    )
}

pub fn episode(step: Option<Step>) -> Check {
    let measured = step.map(|step| match step {
        Step::Wait => ("armed".to_owned(), false),
        Step::Cool { until } => (format!("cooldown until {}", utc(until)), false),
        Step::Hold(side, _) | Step::Disarm(side) => (format!("in {}", side.as_str()), false),
        Step::Fire(_, reason) => (reason.as_str().to_owned(), true),
    });
    let why_not = match step {
        Some(Step::Cool { until }) => format!("cooldown until {}", utc(until)),
        Some(step @ Step::Hold(..)) => holding(step),
        _ => String::new(),
    };
    Check::new("episode", "entered, flipped or renewed", measured, why_not)
}

pub fn max_per_run(rule: &Rule, rank: Option<usize>) -> Check {
    let most = usize::try_from(rule.max_signals_per_run).unwrap_or(0);
    let measured = rank.map(|rank| (rank.to_string(), rank <= most));
    let why_not = format!("{most} better signals come first, and a run sends no more");
    Check::new("max_per_run", format!("<= {most}"), measured, why_not)
}

pub fn holding(step: Step) -> String {
    match step {
        Step::Hold(side, Some(since)) => format!("already {} since {}", side.as_str(), utc(since)),
        Step::Hold(side, None) => format!("already {}", side.as_str()),
        _ => String::new(),
    }
}
