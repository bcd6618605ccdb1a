//! The walk of a reader who follows the exchange's reply to the row on record.
//!
//! Each stop is a function that takes what came of the reply as an argument, or is a method of it.
//! What merely surrounds the work, such as the transaction, takes no part of the reply and is no
//! stop. The walk enters each function once, in the order in which they first run.
//!
//! To see it: `cargo test -p signal_hub_tests --test house walk:: -- --nocapture`.

use crate::source::read;
use std::collections::BTreeSet;

const MOST_FILES: usize = 12;
const MOST_RETURNS: usize = 3;

/// A stop: the file, the function, and the function of an earlier stop that calls it.
struct Stop(&'static str, &'static str, &'static str);

const BINANCE: &str = "crates/market/src/binance/mod.rs";
const STAGES: &str = "src/cycle/stages.rs";
const JUDGE: &str = "crates/strategy/src/judge.rs";
const FINDING: &str = "crates/strategy/src/finding/mod.rs";
const GATES: &str = "crates/strategy/src/gates.rs";
const STRATEGIES: &str = "crates/strategy/src/strategies/mod.rs";
const VERDICTS: &str = "src/ledger/verdicts.rs";

const WALK: &[Stop] = &[
    Stop(BINANCE, "accept", ""),
    Stop(BINANCE, "parse", ""),
    Stop(BINANCE, "ticker", "parse"),
    Stop(BINANCE, "signed", ""),
    Stop("crates/market/src/decimal.rs", "parse", "signed"),
    Stop(STAGES, "record", ""),
    Stop(STAGES, "judge", "record"),
    Stop(JUDGE, "judge", "judge"),
    Stop(JUDGE, "judge_alone", "judge"),
    Stop(FINDING, "of", "judge_alone"),
    Stop(FINDING, "contradiction", ""),
    Stop(GATES, "status", "judge_alone"),
    Stop(GATES, "passed", "status"),
    Stop(STRATEGIES, "side", "judge_alone"),
    Stop("crates/strategy/src/episode/mod.rs", "step", "judge_alone"),
    Stop(FINDING, "quality", "passed"),
    Stop(STRATEGIES, "quality", "quality"),
    Stop("crates/strategy/src/levels/mod.rs", "levels", ""),
    Stop(JUDGE, "signal", ""),
    Stop(VERDICTS, "record_verdicts", "record"),
    Stop(VERDICTS, "insert_signals", "record_verdicts"),
    Stop("src/ledger/recordset.rs", "rows", "insert_signals"),
    Stop("src/postgres/statements.rs", "run", "insert_signals"),
];

/// The text of a function: from its name to the brace that closes it at the same indentation.
fn body<'a>(text: &'a str, function: &str, file: &str) -> &'a str {
    let heads = [format!("fn {function}("), format!("fn {function}<")];
    let start = heads
        .iter()
        .find_map(|head| text.find(head.as_str()))
        .unwrap_or_else(|| panic!("{file} has no function {function}"));
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indentation = text[line..].chars().take_while(|c| *c == ' ').count();
    let end = format!("\n{}}}\n", " ".repeat(indentation));
    let length = text[start..].find(&end);
    &text[start..start + length.expect("a function ends")]
}

#[test]
fn a_reader_passes_12_files_at_most_and_comes_back_to_one_3_times_at_most() {
    let mut left = BTreeSet::new();
    let mut here = "";
    let mut returns = 0;
    for (number, Stop(file, function, caller)) in WALK.iter().enumerate() {
        body(&read(file), function, file);
        let is_called = |Stop(file, name, _): &Stop| {
            name == caller && body(&read(file), name, file).contains(&format!("{function}("))
        };
        assert!(
            caller.is_empty() || WALK[..number].iter().any(is_called),
            "{caller} does not call {function} of {file}"
        );
        if *file != here {
            left.insert(here);
            let is_return = left.contains(file);
            returns += usize::from(is_return);
            println!("{}{file}", if is_return { "(back) " } else { "" });
            here = file;
        }
        println!("    {function}");
    }
    let files: BTreeSet<&str> = WALK.iter().map(|Stop(file, ..)| *file).collect();
    println!("{} files, {returns} returns", files.len());
    assert!(files.len() <= MOST_FILES, "{} files", files.len());
    assert!(returns <= MOST_RETURNS, "{returns} returns");
}
