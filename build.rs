//! Tells the library which build of the SQL objects it belongs to.

use install_scripts::{build, sources};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=sql");
    match sources::read(Path::new("sql")) {
        Ok(sources) => {
            println!(
                "cargo::rustc-env=SIGNAL_HUB_SQL_BUILD={}",
                build::of(&sources)
            );
            ExitCode::SUCCESS
        }
        Err(fault) => {
            println!("cargo::error={fault}");
            ExitCode::FAILURE
        }
    }
}
