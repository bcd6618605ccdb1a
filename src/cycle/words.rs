//! What came of a run, in words.

use crate::ledger::Plan;
use crate::strategy::Verdict;

/// What came of a run in words: the signals, or which gate kept each symbol out.
pub fn summary<'a>(plan: &Plan, verdicts: impl Iterator<Item = &'a Verdict<'a>>) -> String {
    if plan.rules.is_empty() {
        return "no new signal: no strategy is enabled in signal_rules".into();
    }
    if plan.watched.is_empty() {
        return "no new signal: no symbol is enabled in signal_symbols".into();
    }
    let mut signals = Vec::new();
    let mut refused: Vec<(&str, Vec<&str>)> = Vec::new();
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
        return format!("{} new signal(s): {}", signals.len(), signals.join(", "));
    }
    let refused: Vec<String> = refused
        .iter()
        .map(|(gate, symbols)| in_words(gate, symbols))
        .collect();
    format!("no new signal: {}", refused.join("; "))
}

/// Which symbols one gate kept out.
fn in_words(gate: &str, symbols: &[&str]) -> String {
    const NAMED: usize = 5;
    let what = match gate {
        "listed" => "not listed by the exchange",
        "valid" => "with numbers that contradict each other",
        "trading" => "not trading",
        "fresh" => "with old statistics",
        "momentum" => "inside the entry threshold",
        "volume" => "below the volume floor",
        "confidence" => "below the least confidence",
        "quality" => "below the least quality",
        "levels" => "whose tick is too coarse for targets and stop",
        "episode" => "signalled already in this episode",
        _ => "left for a later run",
    };
    if symbols.len() > NAMED {
        format!("{} {what}", symbols.len())
    } else {
        format!("{} {what} ({})", symbols.len(), symbols.join(", "))
    }
}
