//! A run in words: its signals, or which gates refused which symbols. However many symbols there
//! are, it is a few lines.

use crate::ledger::Plan;
use strategy::Verdict;

/// Longest list of signals or of rows; the rest is counted.
const LISTED: usize = 20;
/// Longest text of it, in bytes.
const LONG_LIST: usize = 400;
/// Most symbols of one reason that are named.
const MOST_SYMBOLS: usize = 5;
/// Length from which on symbols are counted and no longer named, in bytes.
const LONG: usize = 240;

/// Symbols that were refused for the same reason.
struct Group<'a> {
    words: &'static str,
    symbols: Vec<&'a str>,
    /// The first of them.
    first: &'a Verdict<'a>,
}

/// The signals of a run, or which gate refused each symbol; what to do when most symbols could not
/// be judged; then the rows that could not be used.
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
    let (mut judged, mut refused) = (0, Vec::<Group>::new());
    for verdict in verdicts {
        judged += usize::from(verdict.is_fit());
        if let Some(signal) = &verdict.signal {
            signals.push(format!("{} {}", signal.ticker.symbol, signal.side.as_str()));
        } else if let Some(words) = verdict.of_refused_symbols() {
            match refused.iter_mut().find(|group| group.words == words) {
                Some(group) => group.symbols.push(verdict.symbol),
                None => refused.push(Group {
                    words,
                    symbols: vec![verdict.symbol],
                    first: verdict,
                }),
            }
        }
    }
    let unfit: usize = unfit(&refused).map(|group| group.symbols.len()).sum();
    let result = if signals.is_empty() {
        format!("no new signal: {}", in_words(&refused))
    } else {
        format!(
            "{} new signal(s): {}",
            signals.len(),
            listed(&signals, ", ")
        )
    };
    if unfit > judged {
        format!("{result}; {}", warning(&refused, unfit, judged))
    } else {
        result
    }
}

/// The first of many, and how many more there are.
fn listed(items: &[String], separator: &str) -> String {
    let mut length = 0;
    let fit = items.iter().take(LISTED).take_while(|item| {
        length += item.len() + separator.len();
        length <= LONG_LIST
    });
    let listed = fit.count().max(1).min(items.len());
    let first = items[..listed].join(separator);
    match items.len() - listed {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The groups of symbols that could not be judged.
fn unfit<'a>(refused: &'a [Group]) -> impl Iterator<Item = &'a Group<'a>> {
    refused.iter().filter(|group| !group.first.is_fit())
}

/// Which symbols were refused, and why.
fn in_words(refused: &[Group]) -> String {
    let mut words = String::new();
    for group in refused {
        let separator = if words.is_empty() { "" } else { "; " };
        words += &format!("{separator}{} {}", group.symbols.len(), group.words);
        let names = group.symbols.join(", ");
        if group.symbols.len() <= MOST_SYMBOLS && words.len() + names.len() <= LONG {
            words += &format!(" ({names})");
        }
    }
    words
}

/// How many symbols could not be judged, and what to do about the most frequent reason.
fn warning(refused: &[Group], unfit_symbols: usize, judged: usize) -> String {
    let most = unfit(refused).max_by_key(|group| group.symbols.len());
    let counted = match (judged, most) {
        (1.., Some(group)) => format!(
            "{unfit_symbols} of {} symbols could not be judged, most of them {}",
            unfit_symbols + judged,
            group.words
        ),
        _ => "none could be judged".to_owned(),
    };
    match most.and_then(|group| group.first.remedy()) {
        Some(remedy) => format!("{counted}: {remedy}"),
        None => counted,
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
