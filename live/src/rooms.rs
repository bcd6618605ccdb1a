//! Tests of the sources themselves: no room uses a room below it, so that there is no circle
//! between them, and no statement is outside of the list that other tests walk.

use std::fs;
use std::path::{Path, PathBuf};

/// As in the list at the head of `lib.rs`.
const ROOMS: [&str; 16] = [
    "error",
    "options",
    "log",
    "https",
    "auth",
    "signal",
    "database",
    "preflight",
    "fan_out",
    "push",
    "app",
    "alerts",
    "replication",
    "stream",
    "http",
    "server",
];

fn place_of(room: &str) -> usize {
    let place = ROOMS.iter().position(|known| *known == room);
    place.unwrap_or_else(|| panic!("room {room} is missing in the list"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("sources are readable") {
        let path = entry.expect("sources are readable").path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.len() > ROOMS.len(), "{found:?}");
    found
}

#[test]
fn every_statement_is_in_the_list() {
    const CALLS: [&str; 5] = [
        ".query",
        ".execute",
        ".batch_execute",
        ".prepare",
        ".simple_query",
    ];
    let mut calls = 0;
    for path in all_sources() {
        if path.ends_with("rooms.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are readable");
        for call in CALLS {
            for (at, _) in text.match_indices(call) {
                let Some((_, argument)) = text[at..].split_once('(') else {
                    continue;
                };
                let argument = argument.trim_start();
                let is_listed = [
                    "&Statement::",
                    "&self.texts.",
                    "&statement",
                    "&mark",
                    "&read",
                    "&text",
                    "text)",
                ]
                .iter()
                .any(|known| argument.starts_with(known));
                let line = argument.lines().next().unwrap_or_default();
                assert!(is_listed, "{}: {call}({line}", path.display());
                calls += 1;
            }
        }
    }
    assert!(calls > 10, "{calls}");
}

#[test]
fn rooms_use_only_rooms_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in all_sources() {
        let inside = path.strip_prefix(&root).expect("it is in there");
        let first = inside.components().next().expect("a name");
        let room = Path::new(first.as_os_str()).file_stem().expect("a name");
        let room = room.to_str().expect("text");
        if ["lib", "main", "rooms"].contains(&room) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are readable");
        assert!(
            text.lines().count() <= 400,
            "{} is too long",
            path.display()
        );
        for used in text.split("crate::").skip(1) {
            let end = used.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            let used = &used[..end.unwrap_or(used.len())];
            assert!(
                place_of(used) <= place_of(room),
                "{} uses {used}, which is below {room}",
                path.display()
            );
        }
    }
}
