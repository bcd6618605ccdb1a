//! That rows can be on several servers is known in few places: the layout of an installation says
//! so, and what is different then is in files of its own.

use crate::source::{files, read};

/// Where Citus is spoken of, and why. The live service knows nodes, and not what made them.
const KNOW: [(&str, &str); 15] = [
    ("sql/06_servers.sql", "which of several servers this is"),
    ("sql/32_health.sql", "says what a node is"),
    ("sql/58_citus.sql", "the way there and back"),
    ("sql/60_forward_claims.sql", "claims reach the nodes"),
    ("sql/61_signals_on_nodes.sql", "signals_since() there"),
    ("sql/62_realtime_on_nodes.sql", "enable_realtime() there"),
    ("sql/70_access.sql", "grants of these functions"),
    ("sql/queries/is_follower.sql", "says why a table is read"),
    ("src/api/realtime.rs", "whose numbers rows have"),
    ("src/delivery/sharded.rs", "the fan-out there"),
    ("src/ledger/sharded.rs", "purge and look-ups there"),
    ("src/postgres/citus.rs", "all that is done with it"),
    ("src/postgres/installation.rs", "the layout"),
    ("src/postgres/mod.rs", "names the file"),
    ("src/postgres/statements.rs", "plans by layout"),
];

#[test]
fn few_files_know_that_rows_can_be_on_several_servers() {
    let mut know = Vec::new();
    for (folder, ending) in [("sql", ".sql"), ("src", ".rs"), ("live/src", ".rs")] {
        let all = files(folder, &[ending]);
        know.extend(
            all.into_iter()
                .filter(|file| read(file).to_lowercase().contains("citus")),
        );
    }
    let expected: Vec<&str> = KNOW.iter().map(|(file, _)| *file).collect();
    assert_eq!(know, expected);
}
