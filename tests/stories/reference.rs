//! docs/reference.md says what the comments in the database say.
//!
//! To write it again:
//! `SIGNAL_HUB_WRITE_REFERENCE=1 cargo test -p signal_hub_tests --test stories -- reference::`

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{by_hand, flat_market};
use signal_hub_harness::session::Session;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const BEGIN: &str = "# Reference

Every table, view, function and setting, as the database describes them (`\\d+`, `\\df+`). This page is
made from the comments in there: to change it, change those, and run
`SIGNAL_HUB_WRITE_REFERENCE=1 cargo test -p signal_hub_tests --test stories -- reference::`.
What begins with `signal_hub_` is for the extension itself, and left out.
";

/// The tables or the views of the extension, and what they say of themselves.
fn relations(session: &mut Session, kinds: &str) -> Vec<(String, String)> {
    let rows = session.rows(&format!(
        "SELECT c.relname::text, obj_description(c.oid, 'pg_class')
           FROM pg_class c
           JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND c.relkind IN ({kinds}) AND c.relname !~ '^signal_hub_'
          ORDER BY c.relname COLLATE \"C\""
    ));
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn write_relations(session: &mut Session, page: &mut String, title: &str, kinds: &str) {
    let _ = write!(page, "\n## {title}\n");
    for (name, comment) in relations(session, kinds) {
        let _ = write!(page, "\n### `{name}`\n\n{}\n\n", sentence(&comment));
        page.push_str("| column | type | default | |\n|---|---|---|---|\n");
        let columns = session.rows(&format!(
            "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
                    CASE WHEN a.attidentity <> '' THEN 'identity'
                         WHEN v.adbin IS NOT NULL THEN pg_get_expr(v.adbin, v.adrelid)
                         WHEN a.attnotnull THEN 'must be given' ELSE '' END,
                    coalesce(col_description(a.attrelid, a.attnum), '')
               FROM pg_attribute a LEFT JOIN pg_attrdef v ON v.adrelid = a.attrelid AND v.adnum = a.attnum
              WHERE a.attrelid = '{name}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        ));
        for column in &columns {
            let [name, of_type, default, comment] =
                [0, 1, 2, 3].map(|n| column.get::<_, String>(n));
            let default = match &*default {
                "" | "identity" | "must be given" => default,
                expression => format!("`{expression}`"),
            };
            let _ = writeln!(
                page,
                "| `{name}` | {of_type} | {} | {} |",
                cell(&default),
                cell(&comment)
            );
        }
    }
}

fn write_functions(session: &mut Session, page: &mut String) {
    page.push_str("\n## Functions\n");
    let functions = session.rows(
        "SELECT p.proname::text, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                obj_description(p.oid, 'pg_proc')
           FROM pg_proc p
           JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND p.proname !~ '^signal_hub_' AND p.prorettype <> 'trigger'::regtype
          ORDER BY p.proname COLLATE \"C\", p.oid::regprocedure::text COLLATE \"C\"",
    );
    for function in &functions {
        let [name, arguments, result, comment] = [0, 1, 2, 3].map(|n| function.get::<_, String>(n));
        let _ = write!(page, "\n### `{name}`\n\n```\n{name}({arguments})\n");
        let _ = write!(
            page,
            "    returns {result}\n```\n\n{}\n",
            sentence(&comment)
        );
    }
}

fn write_settings(session: &mut Session, page: &mut String) {
    page.push_str("\n## Settings\n\n| setting | default | changed by | |\n|---|---|---|---|\n");
    session.run("LOAD 'signal_hub'");
    let settings = session.rows(
        "SELECT name, boot_val || coalesce(' ' || unit, ''),
                CASE context WHEN 'sighup' THEN 'reload' WHEN 'postmaster' THEN 'restart' ELSE context END,
                concat_ws(' ', short_desc, extra_desc)
           FROM pg_settings WHERE name LIKE 'signal\\_hub.%' ORDER BY name COLLATE \"C\"",
    );
    assert!(!settings.is_empty());
    for setting in &settings {
        let [name, default, by, meaning] = [0, 1, 2, 3].map(|n| setting.get::<_, String>(n));
        let default = match default.trim() {
            "" => "empty".to_owned(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(page, "| `{name}` | {default} | {by} | {} |", cell(&meaning));
    }
}

/// A comment as a paragraph: it begins with a capital and ends with a period.
fn sentence(comment: &str) -> String {
    let mut letters = comment.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let text: String = first.into_iter().chain(letters).collect();
    let text = plain(&text).replace('\n', "\n\n");
    match text.ends_with('.') {
        true => text,
        false => format!("{text}."),
    }
}

/// A comment in a cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('\n', " ").replace('|', "\\|")
}

/// Without what Markdown would take for its own.
fn plain(text: &str) -> String {
    text.replace('<', "&lt;")
        .replace('*', "\\*")
        .replace('_', "\\_")
}

#[test]
fn the_reference_is_what_the_comments_say() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let mut page = BEGIN.to_owned();
    write_settings(&mut session, &mut page);
    write_relations(&mut session, &mut page, "Tables", "'r', 'p'");
    write_relations(&mut session, &mut page, "Views", "'v'");
    write_functions(&mut session, &mut page);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    if env::var_os("SIGNAL_HUB_WRITE_REFERENCE").is_some() {
        fs::write(&path, &page).expect("the page can be written");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let different = page
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(now, then)| now != then);
    assert!(
        page == written,
        "docs/reference.md is not what the comments say now, {different:?}; write it again by \
         SIGNAL_HUB_WRITE_REFERENCE=1 cargo test -p signal_hub_tests --test stories -- reference::"
    );
}
