//! SQL is made up here: what a name means does not matter to these tests.

mod build;
mod parts;
mod repository;
mod splitting;
mod updates;

use crate::part::Part;
use crate::sources::{Frozen, Sources, Update};
use std::path::PathBuf;

/// A folder with these parts, an update from 1.0 to 2.0 with those, and what 1.0 shipped.
fn sources(parts: &[(&str, &str)], update: &[(&str, &str)], shipped: &str) -> Sources {
    let read = |(file, text): &(&str, &str)| Part::of_install(&PathBuf::from(file), text).unwrap();
    let read_update =
        |(file, text): &(&str, &str)| Part::of_update(&PathBuf::from(file), text).unwrap();
    let name = "signal_hub--1.0.sql".to_owned();
    Sources {
        folder: PathBuf::from("sql"),
        parts: parts.iter().map(read).collect(),
        updates: vec![Update {
            folder: PathBuf::from("sql/updates/1.0--2.0"),
            from: "1.0".to_owned(),
            to: "2.0".to_owned(),
            parts: update.iter().map(read_update).collect(),
        }],
        queries: Vec::new(),
        frozen: vec![Frozen {
            file: PathBuf::from("sql/releases").join(&name),
            name,
            text: shipped.to_owned(),
        }],
    }
}
