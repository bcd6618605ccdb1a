//! Which room of src/ imports which: one way, without circles. What a crate may import, Cargo
//! guards.

use crate::source::{files, read};
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The room that a file of src/ is in: its folder, or the file itself.
fn room(path: &str) -> String {
    let inside = path.strip_prefix("src/").expect("a file of src/");
    let end = inside.find(['/', '.']).expect("a folder or an ending");
    inside[..end].to_owned()
}

/// The rooms that a file names after `crate::`.
fn imported(text: &str) -> BTreeSet<String> {
    let names = text.split("crate::").skip(1);
    names
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

#[test]
fn rooms_import_each_other_one_way_only_and_nothing_imports_the_table_of_contents() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files("src", &[".rs"]) {
        let room = room(&path);
        let mut others = imported(&read(&path));
        others.remove(&room);
        arrows.entry(room).or_default().extend(others);
    }
    arrows.remove("lib");
    assert!(arrows.len() >= 8, "{arrows:?}");
    // Rooms that import only rooms which are out already go out; in a circle nobody can.
    while !arrows.is_empty() {
        let rest: BTreeSet<String> = arrows.keys().cloned().collect();
        let before = arrows.len();
        arrows.retain(|_, others| !others.is_disjoint(&rest));
        assert!(arrows.len() < before, "a circle among {arrows:?}");
    }
}
