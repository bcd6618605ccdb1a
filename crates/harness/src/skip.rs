//! Tests that cannot run on this machine.

use std::fmt::Display;
use std::io::Write;

/// Prints that the running test is skipped, and why. Visible also without `--nocapture`: the test
/// runner hides what a passing test prints with `println!` and `eprintln!`, but not what it
/// writes to standard error itself.
pub fn report_skipped(reason: impl Display) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    // Without a standard error nobody would read it.
    let _ = writeln!(std::io::stderr(), "skipped {name}: {reason}");
}
