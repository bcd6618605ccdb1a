//! A run in words: its signals, or which gates refused which symbols.

use crate::ledger::Plan;
use strategy::{Gate, Verdict};

/// Longest list of signals or of rows; the rest is counted.
const LISTED: usize = 20;

/// The signals of a run, or which gate refused each symbol; then the rows that could not be used.
pub fn summary<'a>(plan: &Plan, verdicts: impl Iterator<Item = &'a Verdict<'a>>) -> String {
    let signals = signals_or_refusals(plan, verdicts);
    match plan.unusable.is_empty() {
        true => signals,
        false => format!("{signals}; {}", listed(&plan.unusable, "; ")),
    }
}

fn signals_or_refusals<'a>(plan: &Plan, verdicts: impl Iterator<Item = &'a Verdict<'a>>) -> String {
    if plan.rules.is_empty() && !plan.unusable.is_empty() {
        return "no new signal".into();
    }
    if plan.rules.is_empty() {
        return "no new signal: no strategy is enabled in signal_rules".into();
    }
    if plan.watched.is_empty() {
        return "no new signal: no symbol is enabled in signal_symbols".into();
    }
    let mut signals = Vec::new();
    let mut refused: Vec<(Gate, Vec<&str>)> = Vec::new();
    for verdict in verdicts {
        if let Some(signal) = &verdict.signal {
            signals.push(format!("{} {}", signal.ticker.symbol, signal.side.as_str()));
        } else if let Some(gate) = verdict.refused_by() {
            match refused.iter_mut().find(|(name, _)| *name == gate) {
                Some((_, symbols)) => symbols.push(verdict.symbol),
                None => refused.push((gate, vec![verdict.symbol])),
            }
        }
    }
    if !signals.is_empty() {
        return format!(
            "{} new signal(s): {}",
            signals.len(),
            listed(&signals, ", ")
        );
    }
    let refused: Vec<String> = refused
        .iter()
        .map(|(gate, symbols)| in_words(*gate, symbols))
        .collect();
    format!("no new signal: {}", refused.join("; "))
}

/// The first of many, and how many more there are.
fn listed(items: &[String], separator: &str) -> String {
    let first = items[..items.len().min(LISTED)].join(separator);
    match items.len().saturating_sub(LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Which symbols one gate refused.
fn in_words(gate: Gate, symbols: &[&str]) -> String {
    const NAMED: usize = 5;
    let what = gate.of_refused_symbols();
    if symbols.len() > NAMED {
        format!("{} {what}", symbols.len())
    } else {
        format!("{} {what} ({})", symbols.len(), symbols.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_the_rest_counted() {
        let symbols = |number: usize| vec!["BTCUSDT LONG".to_owned(); number];
        assert_eq!(listed(&symbols(2), ", "), "BTCUSDT LONG, BTCUSDT LONG");
        let long = listed(&symbols(906), ", ");
        assert!(
            long.ends_with(" and 886 more") && long.len() < 400,
            "{long}"
        );
    }
}
