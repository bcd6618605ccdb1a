//! A test that no room uses a room below it, so that there is no circle between them.

use std::fs;
use std::path::{Path, PathBuf};

/// As in the list at the head of `lib.rs`.
const ROOMS: [&str; 13] = [
    "error",
    "options",
    "log",
    "auth",
    "signal",
    "database",
    "preflight",
    "fan_out",
    "app",
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

#[test]
fn rooms_use_only_rooms_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > ROOMS.len(), "{found:?}");
    for path in found {
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
