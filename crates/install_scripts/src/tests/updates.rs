use super::sources;
use crate::scripts;

/// The update of [`sources`] to 2.0, without the lines that are empty.
fn update(parts: &[(&str, &str)], of_update: &[(&str, &str)], shipped: &str) -> String {
    let sources = sources(parts, of_update, shipped);
    let script = scripts::update(&sources, &sources.updates[0], "2.0-dev").unwrap();
    let lines: Vec<&str> = script.lines().filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

const NOTHING: (&str, &str) = ("06_check.sql", "SELECT 'checked';\n");

#[test]
fn the_parts_of_an_update_stand_among_the_others_in_the_order_of_numbers() {
    let script = update(
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
                "-- Part: replaceable\nCREATE OR REPLACE VIEW @extschema@.v AS SELECT 1;\n",
            ),
            ("95_end.sql", "-- Part: update ends\nSELECT 'end';\n"),
            (
                "99_start.sql",
                "-- Part: once\nSELECT @extschema@.start();\n",
            ),
        ],
        &[
            (
                "10_tables.sql",
                "ALTER TABLE @extschema@.t ADD COLUMN n int;\n",
            ),
            ("30_data.sql", "UPDATE @extschema@.t SET n = 1;\n"),
        ],
        "CREATE TABLE @extschema@.t ();",
    );
    assert_eq!(
        script,
        "SET LOCAL search_path = pg_catalog;\n\
         SELECT 'begin';\n\
         ALTER TABLE @extschema@.t ADD COLUMN n int;\n\
         CREATE OR REPLACE VIEW @extschema@.v AS SELECT 1;\n\
         UPDATE @extschema@.t SET n = 1;\n\
         SELECT 'end';"
    );
}

#[test]
fn triggers_and_policies_are_created_again_only_where_they_differ() {
    let parts = "-- Part: replaceable
CREATE TRIGGER same BEFORE UPDATE ON @extschema@.t
    FOR EACH ROW EXECUTE FUNCTION @extschema@.f();
COMMENT ON TRIGGER same ON @extschema@.t IS 'as it was';
CREATE TRIGGER changed BEFORE INSERT ON @extschema@.t FOR EACH ROW EXECUTE FUNCTION @extschema@.f();
ALTER TABLE @extschema@.t ENABLE ALWAYS TRIGGER changed;
COMMENT ON TRIGGER changed ON @extschema@.t IS 'as it was';
CREATE POLICY new ON @extschema@.t USING (true);
CREATE POLICY changed ON @extschema@.t USING (n > 2);
";
    let shipped = "
CREATE TRIGGER same BEFORE UPDATE ON @extschema@.t FOR EACH ROW EXECUTE FUNCTION @extschema@.f();
COMMENT ON TRIGGER same ON @extschema@.t IS 'as it was';
CREATE TRIGGER changed BEFORE INSERT ON @extschema@.t FOR EACH ROW EXECUTE FUNCTION @extschema@.f();
COMMENT ON TRIGGER changed ON @extschema@.t IS 'as it was';
CREATE POLICY changed ON @extschema@.t USING (n > 1);";
    assert_eq!(
        update(&[("40_triggers.sql", parts)], &[NOTHING], shipped),
        "SELECT 'checked';\n\
         DROP TRIGGER IF EXISTS changed ON @extschema@.t;\n\
         CREATE TRIGGER changed BEFORE INSERT ON @extschema@.t FOR EACH ROW EXECUTE FUNCTION @extschema@.f();\n\
         ALTER TABLE @extschema@.t ENABLE ALWAYS TRIGGER changed;\n\
         COMMENT ON TRIGGER changed ON @extschema@.t IS 'as it was';\n\
         CREATE POLICY new ON @extschema@.t USING (true);\n\
         DROP POLICY IF EXISTS changed ON @extschema@.t;\n\
         CREATE POLICY changed ON @extschema@.t USING (n > 2);"
    );
}

#[test]
fn grants_are_given_on_what_is_new_or_created_again() {
    let access = "-- Part: access
REVOKE ALL ON FUNCTION @extschema@.old(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.new() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.again(int, text) FROM PUBLIC;
GRANT SELECT ON @extschema@.old TO pg_monitor;
GRANT SELECT ON TABLE @extschema@.new TO pg_monitor;
";
    let functions = "-- Part: replaceable
CREATE OR REPLACE FUNCTION @extschema@.old(t text) RETURNS int RETURN 1;
CREATE OR REPLACE FUNCTION @extschema@.new() RETURNS int RETURN 1;
CREATE OR REPLACE FUNCTION @extschema@.again(n int, t text) RETURNS int RETURN 1;
CREATE OR REPLACE VIEW @extschema@.new AS SELECT 1;
";
    let shipped = "CREATE FUNCTION @extschema@.old(t text) RETURNS int RETURN 1;
        CREATE FUNCTION @extschema@.again(n int) RETURNS int RETURN 1;
        CREATE TABLE @extschema@.old ();";
    let drop = ("06_drop.sql", "DROP FUNCTION @extschema@.again(int);\n");
    let script = update(
        &[("20_functions.sql", functions), ("50_access.sql", access)],
        &[drop],
        shipped,
    );
    let grants: Vec<&str> = script
        .lines()
        .filter(|line| line.starts_with("GRANT") || line.starts_with("REVOKE"))
        .collect();
    assert_eq!(
        grants,
        [
            "REVOKE ALL ON FUNCTION @extschema@.new() FROM PUBLIC;",
            "REVOKE ALL ON FUNCTION @extschema@.again(int, text) FROM PUBLIC;",
            "GRANT SELECT ON TABLE @extschema@.new TO pg_monitor;",
        ]
    );
}

#[test]
fn a_part_that_is_new_in_the_release_is_run_as_it_stands_and_comments_that_changed_are_given() {
    let tables = "-- Part: once
CREATE TABLE @extschema@.t ();
COMMENT ON TABLE @extschema@.t IS 'as it '
    'was';
COMMENT ON COLUMN @extschema@.t.n IS 'new';
";
    let new = "-- Part: once, since 2.0
-- Why.
CREATE TABLE @extschema@.u ();
COMMENT ON TABLE @extschema@.u IS 'new';
";
    let older = "-- Part: once, since 1.0\nCREATE TABLE @extschema@.w ();\n";
    let shipped = "CREATE TABLE @extschema@.t (); COMMENT ON TABLE @extschema@.t IS 'as it was';";
    assert_eq!(
        update(
            &[
                ("10_tables.sql", tables),
                ("11_new.sql", new),
                ("12_older.sql", older)
            ],
            &[NOTHING],
            shipped
        ),
        "SELECT 'checked';\n\
         COMMENT ON COLUMN @extschema@.t.n IS 'new';\n\
         -- Why.\n\
         CREATE TABLE @extschema@.u ();\n\
         COMMENT ON TABLE @extschema@.u IS 'new';"
    );
}

#[test]
fn scripts_know_the_names_that_are_new_in_them() {
    let check = "-- Part: every script\nSELECT '@new_relations@', '@new_columns@';\n";
    let tables = "-- Part: once\nCREATE TABLE @extschema@.t (n int);\n";
    let new = "-- Part: once, since 2.0
CREATE UNLOGGED TABLE @extschema@.u (n int);
CREATE UNIQUE INDEX u_idx ON @extschema@.u (n);
ALTER TABLE @extschema@.t ADD COLUMN o int, ADD CONSTRAINT c CHECK (true), ADD COLUMN p int;
";
    let views = "-- Part: replaceable
CREATE OR REPLACE VIEW @extschema@.old AS SELECT 1;
CREATE OR REPLACE VIEW @extschema@.v WITH (security_invoker) AS SELECT 1;
";
    let parts = [
        ("02_check.sql", check),
        ("10_tables.sql", tables),
        ("11_new.sql", new),
        ("20_views.sql", views),
    ];
    let added = (
        "10_tables.sql",
        "ALTER TABLE @extschema@.t ADD COLUMN n int;\n",
    );
    let shipped = "CREATE TABLE @extschema@.t (); CREATE VIEW @extschema@.old AS SELECT 1;";
    let script = update(&parts, &[added], shipped);
    assert!(
        script.contains("SELECT '{u,u_idx,v}', '{t.n,t.o,t.p}';"),
        "{script}"
    );
    let install = scripts::install(&sources(&parts, &[added], shipped));
    assert!(
        install.contains("SELECT '{t,u,u_idx,old,v}', "),
        "{install}"
    );
}

#[test]
fn a_comment_on_an_index_that_was_there_is_given_where_it_still_is() {
    let tables = "-- Part: once
CREATE TABLE @extschema@.t ();
-- Why.
COMMENT ON INDEX @extschema@.t_idx IS 'new';
";
    assert_eq!(
        update(&[("10_tables.sql", tables)], &[NOTHING], ""),
        "SELECT 'checked';\n\
         -- Why.\n\
         DO $comment$\n\
         BEGIN\n    \
             IF to_regclass('@extschema@.t_idx') IS NOT NULL THEN\n\
         COMMENT ON INDEX @extschema@.t_idx IS 'new';\n    \
             END IF;\n\
         END\n\
         $comment$;"
    );
}

#[test]
fn an_update_to_another_release_is_refused() {
    let sources = sources(&[], &[NOTHING], "");
    let fault = scripts::update(&sources, &sources.updates[0], "3.0").unwrap_err();
    let fault = fault.to_string();
    assert!(
        fault.contains("1.0--2.0: this is no update to 3.0"),
        "{fault}"
    );
}

#[test]
fn an_update_that_was_shipped_is_protected_like_every_update() {
    let mut sources = sources(
        &[
            ("05_begin.sql", "-- Part: update begins\nSELECT 'begin';\n"),
            (
                "10_tables.sql",
                "-- Part: once\nCREATE TABLE @extschema@.t ();\n",
            ),
            ("95_end.sql", "-- Part: update ends\nSELECT 'end';\n"),
        ],
        &[NOTHING],
        "",
    );
    let shipped = &mut sources.frozen;
    shipped.push(crate::sources::Frozen {
        file: "sql/releases/signal_hub--0.9--1.0.sql".into(),
        name: "signal_hub--0.9--1.0.sql".to_owned(),
        text: "UPDATE @extschema@.t SET n = 1;\n".to_owned(),
    });
    let scripts = scripts::all(&sources, "2.0").unwrap();
    let script = scripts
        .iter()
        .find(|script| script.name == "signal_hub--0.9--1.0.sql");
    assert_eq!(
        script.unwrap().text,
        "SELECT 'begin';\n\nUPDATE @extschema@.t SET n = 1;\n\nSELECT 'end';\n"
    );
}
