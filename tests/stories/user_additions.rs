//! What users add to the extension's tables is in no dump; `dump_user_additions()` says how to
//! bring it back.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES, binaries};
use signal_hub_harness::scene::{by_hand, flat_market, generate, subscribe};
use signal_hub_harness::session::Session;
use std::path::{Path, PathBuf};

/// What this site has added: to columns, keys, indexes, triggers, rules and policies.
const ADDED: &str = r#"
    CREATE SCHEMA site;
    CREATE TYPE site.mood AS ENUM ('calm', 'keen');
    CREATE TABLE site.plans (plan text PRIMARY KEY);
    INSERT INTO site.plans VALUES ('gold');
    CREATE FUNCTION site.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE ROLE reader;
    ALTER TABLE user_subscriptions
        ADD COLUMN plan text NOT NULL DEFAULT 'gold' REFERENCES site.plans,
        ADD COLUMN "E-mail" text COLLATE "C",
        ADD COLUMN mood site.mood DEFAULT 'calm',
        ADD COLUMN shouted text GENERATED ALWAYS AS (upper(status)) STORED,
        ADD CONSTRAINT "plan is known" CHECK (plan <> ''),
        ADD CONSTRAINT one_address UNIQUE ("E-mail");
    CREATE INDEX by_plan ON user_subscriptions (plan) WHERE plan <> 'gold';
    CREATE INDEX by_symbol ON user_signals USING btree (symbol, created_at DESC);
    CREATE UNIQUE INDEX "both" ON user_signals (signal_id, user_id);
    ALTER TABLE user_signals REPLICA IDENTITY USING INDEX "both";
    ALTER TABLE signals REPLICA IDENTITY FULL;
    CREATE TRIGGER "watch it" AFTER INSERT ON user_signals FOR EACH ROW WHEN (NEW.confidence > 0) EXECUTE FUNCTION site.touch();
    CREATE TRIGGER asleep BEFORE UPDATE ON signal_rules FOR EACH ROW EXECUTE FUNCTION site.touch();
    ALTER TABLE signal_rules DISABLE TRIGGER asleep;
    CREATE RULE no_delete AS ON DELETE TO signal_tiers DO INSTEAD NOTHING;
    CREATE POLICY everything ON user_signals AS RESTRICTIVE FOR SELECT TO reader USING (confidence > 0);
    CREATE POLICY new_ones ON user_subscriptions FOR INSERT WITH CHECK (status = 'active');
    ALTER TABLE signal_runs ENABLE ROW LEVEL SECURITY;
    CREATE PUBLICATION half FOR TABLE user_signals (user_id, signal_id, symbol) WHERE (signal_type = 'LONG');
    GRANT SELECT ON user_subscriptions TO reader;
    GRANT SELECT (plan) ON user_subscriptions TO PUBLIC;
"#;

fn additions(session: &mut Session) -> Vec<String> {
    session.list("SELECT section || ': ' || statement FROM dump_user_additions()")
}

/// A server with all of it, three subscribers and one signal.
fn site() -> (Cluster, Session) {
    let market = flat_market();
    let cluster = by_hand(&market).set("wal_level", "logical").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    session.run(ADDED);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("UPDATE user_subscriptions SET \"E-mail\" = user_id::text, mood = 'keen'");
    market.set_change("BTCUSDT", "3.5");
    assert_eq!(generate(&mut session)["deliveries"], 3);
    (cluster, session)
}

/// Writes the statements of a section into a file, as the README says.
fn script(cluster: &Cluster, session: &mut Session, section: &str) -> PathBuf {
    let path = cluster.folder().join(format!("{section}.sql"));
    let statements: Vec<String> = session.list(&format!(
        "SELECT statement FROM dump_user_additions() WHERE section = '{section}'"
    ));
    std::fs::write(&path, statements.join("\n")).expect("the folder is ours");
    path
}

fn psql(cluster: &Cluster, file: &Path, stop_on_error: bool) {
    binaries::succeed(
        cluster
            .tool("psql")
            .args(["--dbname=restored", "--no-psqlrc", "--quiet"])
            .arg(format!("--set=ON_ERROR_STOP={}", i32::from(stop_on_error)))
            .arg("--file")
            .arg(file),
    );
}

#[track_caller]
fn is_all_there(cluster: &Cluster, before: &[String]) {
    let mut restored = cluster.session("restored");
    assert_eq!(additions(&mut restored), before);
    assert_eq!(
        restored.one::<i64>(
            "SELECT count(*) FROM user_subscriptions WHERE \"E-mail\" = user_id::text AND mood = 'keen' AND plan = 'gold'"
        ),
        3
    );
    assert_eq!(restored.one::<i64>("SELECT count(*) FROM user_signals"), 3);
    assert!(restored.one::<bool>(
        "SELECT has_table_privilege('reader', 'user_subscriptions', 'SELECT')
                AND has_column_privilege('public', 'user_subscriptions', 'plan', 'SELECT')"
    ));
}

#[test]
fn a_fresh_installation_has_no_additions() {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let tables: Vec<String> = session.list(
        "SELECT c.relname::text FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'signal_hub' WHERE c.relkind = 'r'",
    );
    assert_eq!(additions(&mut session), Vec::<String>::new());
    for table in tables {
        session.run(&format!("ALTER TABLE {table} ADD COLUMN of_a_user integer"));
        assert_eq!(
            additions(&mut session),
            [format!(
                "pre-data: ALTER TABLE public.{table} ADD COLUMN of_a_user integer;"
            )],
            "the function knows the table"
        );
        session.run(&format!("ALTER TABLE {table} DROP COLUMN of_a_user"));
    }
    assert!(session.one::<bool>(
        "SELECT NOT has_function_privilege('public', 'dump_user_additions()', 'EXECUTE')
                AND has_function_privilege('pg_monitor', 'dump_user_additions()', 'EXECUTE')"
    ));
}

#[test]
fn a_custom_dump_and_the_statements_bring_all_back() {
    let (cluster, mut session) = site();
    let before = additions(&mut session);
    assert_eq!(before.len(), 21, "{before:#?}");
    let (first, last) = (
        script(&cluster, &mut session, "pre-data"),
        script(&cluster, &mut session, "post-data"),
    );
    let dump = cluster.folder().join("site.dump");
    binaries::succeed(
        cluster
            .tool("pg_dump")
            .args(["-Fc", POSTGRES, "--file"])
            .arg(&dump),
    );
    session.run("CREATE DATABASE restored");
    let restore = |options: &[&str]| {
        let mut restore = cluster.tool("pg_restore");
        restore.arg("--dbname=restored").args(options).arg(&dump);
        restore
    };
    // Grants on columns that are not there yet are refused.
    let refused = restore(&["--section=pre-data"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("errors ignored on restore: 1"), "{said}");
    psql(&cluster, &first, true);
    binaries::succeed(&mut restore(&[
        "--section=data",
        "--section=post-data",
        "--exit-on-error",
    ]));
    psql(&cluster, &last, true);
    is_all_there(&cluster, &before);
}

#[test]
fn a_plain_dump_and_the_statements_bring_all_back() {
    let (cluster, mut session) = site();
    let before = additions(&mut session);
    let (first, last) = (
        script(&cluster, &mut session, "pre-data"),
        script(&cluster, &mut session, "post-data"),
    );
    let dump = |name: &str, sections: &[&str]| {
        let path = cluster.folder().join(name);
        binaries::succeed(
            cluster
                .tool("pg_dump")
                .args(sections)
                .args([POSTGRES, "--file"])
                .arg(&path),
        );
        path
    };
    let pre_data = dump("1.sql", &["--section=pre-data"]);
    let rest = dump("2.sql", &["--section=data", "--section=post-data"]);
    session.run("CREATE DATABASE restored");
    // Grants on columns that are not there yet are refused.
    psql(&cluster, &pre_data, false);
    for file in [&first, &rest, &last] {
        psql(&cluster, file, true);
    }
    is_all_there(&cluster, &before);
}

#[test]
fn an_update_takes_nothing_of_a_user_for_its_own() {
    let cluster = Options::not_preloaded().start();
    for release in ["0.1.0", "0.2.0"] {
        let mut session = cluster.create_database(&format!("since {release}"));
        session.run(&format!("CREATE EXTENSION signal_hub VERSION '{release}'"));
        session.run(
            "ALTER TABLE user_subscriptions ADD COLUMN plan text;
             CREATE INDEX by_plan ON user_subscriptions (plan);
             ALTER EXTENSION signal_hub UPDATE",
        );
        assert_eq!(
            additions(&mut session),
            [
                "pre-data: ALTER TABLE public.user_subscriptions ADD COLUMN plan text;",
                "post-data: CREATE INDEX by_plan ON public.user_subscriptions USING btree (plan);",
            ],
            "{release}"
        );
    }
}
