//! The parts of this repository.

use crate::scripts;
use crate::sources::{self, Sources};
use std::fs;
use std::path::Path;

fn repository() -> Sources {
    sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")).unwrap()
}

#[test]
fn all_scripts_are_made_and_the_worker_is_started_last() {
    let sources = repository();
    let scripts = scripts::all(&sources, env!("CARGO_PKG_VERSION")).unwrap();
    let install = &scripts[0].text;
    let end = "SELECT @extschema@.start_signal_worker();\n";
    assert!(install.ends_with(end));
    // What a function creates later is in a text.
    let mut lines = install.lines();
    assert!(!lines.any(|line| line.starts_with("CREATE OR REPLACE")));
    assert_eq!(
        scripts.len(),
        1 + sources.updates.len() + sources.frozen.len()
    );
}

#[test]
fn no_line_is_longer_than_a_screen_is_wide() {
    let sources = repository();
    let updates = sources.updates.iter().flat_map(|update| &update.parts);
    for part in sources.parts.iter().chain(updates) {
        let text = fs::read_to_string(&part.file).unwrap();
        for (n, line) in text.lines().enumerate() {
            let length = line.chars().count();
            assert!(
                length < 120,
                "{}:{}: {length} characters",
                part.file.display(),
                n + 1
            );
        }
    }
}
