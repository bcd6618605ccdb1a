//! The folders of cargo's build.
//!
//! When cargo compiles a test or a benchmark, it gives it these folders as `CARGO_TARGET_TMPDIR`
//! and `CARGO_BIN_EXE_...`, but a library such as this one gets neither. It finds the same
//! folders from the path of the running program, which is `target/PROFILE/deps/NAME-HASH` for
//! tests and benchmarks alike. Nothing is built here: before a package's tests and benchmarks
//! run, cargo has built the package's programs.

use std::path::{Path, PathBuf};

/// A folder for temporary files: the one of `CARGO_TARGET_TMPDIR`. It may not exist yet.
pub fn temporary() -> PathBuf {
    let profile = profile();
    let target = profile.parent().expect("target/PROFILE");
    target.join("tmp")
}

/// A program of the package whose test or benchmark runs, as in `CARGO_BIN_EXE_NAME`.
///
/// # Panics
/// When cargo has not built it.
pub fn program(name: &str) -> PathBuf {
    built(profile().join(name))
}

/// An example of the package whose test runs. `cargo test` builds them, `cargo test --test NAME`
/// alone does not.
///
/// # Panics
/// When cargo has not built it.
pub fn example(name: &str) -> PathBuf {
    built(profile().join("examples").join(name))
}

#[track_caller]
fn built(program: PathBuf) -> PathBuf {
    assert!(
        program.is_file(),
        "{} is missing: cargo build --bins --examples makes it",
        program.display()
    );
    program
}

/// `target/PROFILE`.
fn profile() -> PathBuf {
    let running = std::env::current_exe().expect("a program runs");
    let profile = running.ancestors().nth(2).map(Path::to_path_buf);
    profile.expect("target/PROFILE/deps/NAME-HASH")
}
