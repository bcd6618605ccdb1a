//! The program; everything is in the library, where tests reach it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    signal_hub_live::run()
}
