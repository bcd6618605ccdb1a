use super::sources;
use crate::part::Part;
use crate::scripts;
use std::path::Path;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let fault = Part::of_install(Path::new("sql/10_part.sql"), text).unwrap_err();
    let fault = fault.to_string();
    assert!(fault.contains(expected), "{fault}");
}

#[test]
fn a_part_that_breaks_the_rules_of_its_kind_is_refused_with_file_and_line() {
    refused("SELECT 1;\n", "sql/10_part.sql:1: the first line must be");
    refused(
        "-- Part: onse\nSELECT 1;\n",
        "sql/10_part.sql:1: the first line must be",
    );
    refused(
        "-- Part: replaceable\n\nCREATE FUNCTION @extschema@.f() RETURNS int RETURN 1;\n",
        "sql/10_part.sql:3: write CREATE OR REPLACE here",
    );
    refused(
        "-- Part: replaceable\nINSERT INTO @extschema@.t VALUES (1);\n",
        "sql/10_part.sql:2: a replaceable part has",
    );
    refused(
        "-- Part: once\nCREATE OR REPLACE VIEW @extschema@.v AS SELECT 1;\n",
        "sql/10_part.sql:2: an object that somebody planted must make this fail",
    );
    refused(
        "-- Part: once\nGRANT SELECT ON @extschema@.t TO pg_monitor;\n",
        "sql/10_part.sql:2: GRANT and REVOKE belong",
    );
    refused(
        "-- Part: once\nCREATE TRIGGER g BEFORE INSERT ON @extschema@.t EXECUTE FUNCTION f();\n",
        "sql/10_part.sql:2: triggers and policies belong",
    );
    refused(
        "-- Part: access\nGRANT SELECT ON @extschema@.t, @extschema@.u TO pg_monitor;\n",
        "sql/10_part.sql:2: name one object",
    );
    refused(
        "-- Part: access\nGRANT SELECT ON other.t TO pg_monitor;\n",
        "sql/10_part.sql:2: name one object",
    );
    refused(
        "-- Part: once\nSELECT 1;\n-- Lost.\n",
        "sql/10_part.sql: comments after",
    );
    refused(
        "-- Part: once\nSELECT 1\n",
        "sql/10_part.sql:2: the statement that begins here",
    );
    let fault = Part::of_install(Path::new("sql/tables.sql"), "-- Part: once\n").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "sql/tables.sql: a part is named NN_subject.sql"
    );
}

#[test]
fn the_install_script_creates_what_updates_replace() {
    let sources = sources(
        &[
            (
                "00_path.sql",
                "-- Part: every script\nSET LOCAL search_path = pg_catalog;\n",
            ),
            ("05_begin.sql", "-- Part: update begins\nSELECT 'begin';\n"),
            (
                "10_tables.sql",
                "-- Part: once\nCREATE TABLE @extschema@.t (n int);\n",
            ),
            (
                "20_views.sql",
                "-- Part: replaceable\n-- Why.\ncreate  or\nreplace view @extschema@.v AS SELECT 1;\n",
            ),
            (
                "50_access.sql",
                "-- Part: access\nGRANT SELECT ON @extschema@.v TO pg_monitor;\n",
            ),
            ("95_end.sql", "-- Part: update ends\nSELECT 'end';\n"),
            (
                "99_start.sql",
                "-- Part: once\nSELECT @extschema@.start();\n",
            ),
        ],
        &[(
            "10_tables.sql",
            "ALTER TABLE @extschema@.t ADD COLUMN n int;\n",
        )],
        "CREATE TABLE @extschema@.t ();",
    );
    assert_eq!(
        scripts::install(&sources),
        "SET LOCAL search_path = pg_catalog;\n\n\
         CREATE TABLE @extschema@.t (n int);\n\n\
         -- Why.\nCREATE view @extschema@.v AS SELECT 1;\n\n\
         GRANT SELECT ON @extschema@.v TO pg_monitor;\n\n\
         SELECT @extschema@.start();\n"
    );
}
