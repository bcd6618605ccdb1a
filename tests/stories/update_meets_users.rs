//! An update comes upon what users changed, and upon their own objects under names that are new.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{
    by_hand, generate, installed_by_hand, rising_market, subscribe, user,
};
use signal_hub_harness::session::Session;

fn since_0_2_0(cluster: &Cluster, database: &str) -> Session {
    let mut session = cluster.create_database(database);
    session.run("CREATE EXTENSION signal_hub VERSION '0.2.0'");
    session
}

#[test]
fn checks_indexes_and_defaults_that_users_dropped_or_changed_stay_so() {
    let cluster = Options::not_preloaded().start();
    let mut session = since_0_2_0(&cluster, "dropped");
    // Each that a statement can drop without dropping a column.
    let dropped: Vec<String> = session.list(
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', k.conrelid::regclass, k.conname)
           FROM pg_constraint k JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = k.conrelid AND d.deptype = 'e'
          WHERE k.contype = 'c'
          UNION ALL
         SELECT format('DROP INDEX %s', i.indexrelid::regclass)
           FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indrelid AND d.deptype = 'e'
          WHERE NOT i.indisprimary
          UNION ALL
         SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
           FROM pg_trigger t JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.tgrelid AND d.deptype = 'e'
          WHERE NOT t.tgisinternal
          UNION ALL
         SELECT format('DROP POLICY %I ON %s', p.polname, p.polrelid::regclass)
           FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.polrelid AND d.deptype = 'e'",
    );
    assert!(dropped.len() > 30, "{dropped:?}");
    session.run(&dropped.join(";"));
    session.run(
        "ALTER TABLE user_subscriptions ALTER created_at SET DEFAULT clock_timestamp();
         ALTER TABLE user_subscriptions DROP CONSTRAINT user_subscriptions_tier_fkey;
         ALTER TABLE signal_rules ALTER cooldown SET DEFAULT '1 hour';
         ALTER EXTENSION signal_hub UPDATE",
    );
    let left: Vec<String> = session.list(
        "SELECT conname::text FROM pg_constraint WHERE conrelid = 'signal_symbols'::regclass AND contype = 'c'
          UNION ALL SELECT relname::text FROM pg_class WHERE relname = 'user_subscriptions_updated_at_idx' ORDER BY 1",
    );
    assert_eq!(left, ["signal_symbols_tick_size_usable"]);
    let defaults: Vec<String> = session.list(
        "SELECT format('%s %s', a.attname, pg_get_expr(d.adbin, d.adrelid))
           FROM pg_attrdef d JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
          WHERE a.attrelid IN ('user_subscriptions'::regclass, 'signal_rules'::regclass)
            AND a.attname IN ('created_at', 'updated_at', 'cooldown') ORDER BY 1",
    );
    assert_eq!(
        defaults,
        [
            "cooldown '01:00:00'::interval",
            "created_at clock_timestamp()",
            "updated_at statement_timestamp()"
        ]
    );
}

#[test]
fn what_users_renamed_keeps_its_name_and_takes_what_is_new() {
    let cluster = Options::not_preloaded().start();
    let mut session = since_0_2_0(&cluster, "renamed");
    let renamed: Vec<String> = session.list(
        "SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', k.conrelid::regclass, k.conname, 'my ' || k.conname)
           FROM pg_constraint k JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = k.conrelid AND d.deptype = 'e'
          UNION ALL
         SELECT format('ALTER INDEX %s RENAME TO %I', i.indexrelid::regclass, 'my ' || i.indexrelid::regclass)
           FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indrelid AND d.deptype = 'e'
          WHERE NOT i.indisprimary
          UNION ALL
         SELECT format('ALTER TRIGGER %I ON %s RENAME TO %I', t.tgname, t.tgrelid::regclass, 'my ' || t.tgname)
           FROM pg_trigger t JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.tgrelid AND d.deptype = 'e'
          WHERE NOT t.tgisinternal
          UNION ALL
         SELECT format('ALTER POLICY %I ON %s RENAME TO %I', p.polname, p.polrelid::regclass, 'my ' || p.polname)
           FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.polrelid AND d.deptype = 'e'",
    );
    assert!(renamed.len() > 40, "{renamed:?}");
    session.run(&renamed.join(";"));
    session.run(
        "ALTER EXTENSION signal_hub UPDATE;
         INSERT INTO signal_symbols (symbol, status) VALUES (repeat('X', 50), 'MISSING')",
    );
    for refused in [
        "INSERT INTO signal_symbols (symbol) VALUES (repeat('X', 51))",
        "INSERT INTO signal_symbols (symbol) VALUES (E'X\\\\Y')",
        "UPDATE signal_symbols SET status = 'GONE'",
    ] {
        assert_eq!(session.error(refused).code().code(), "23514", "{refused}");
    }
    let names: Vec<String> = session.list(
        "SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND conrelid = 'signal_symbols'::regclass ORDER BY 1",
    );
    assert_eq!(
        names,
        [
            "my signal_symbols_status_check",
            "my signal_symbols_symbol_check",
            "my signal_symbols_tick_size_check",
            "signal_symbols_tick_size_usable"
        ]
    );
}

/// Tables, views and indexes of the extension whose names it gives itself: PostgreSQL takes another
/// name for a key or the sequence of a column where one is taken.
const RELATIONS: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.deptype = 'e'
                           AND d.objid IN (c.oid, (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid))
      WHERE c.relkind <> 'S' AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')) ORDER BY 1";

const COLUMNS: &str =
    "SELECT format('ALTER TABLE %s ADD COLUMN %I text', c.oid::regclass, a.attname)
       FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND d.objid = c.oid
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relkind = 'r' AND c.relname = ANY (string_to_array($1, ' ')) ORDER BY 1";

fn columns(session: &mut Session, tables: &str) -> Vec<String> {
    session.list(&COLUMNS.replace("$1", &format!("'{tables}'")))
}

fn without<'a>(all: &'a [String], these: &[String]) -> Vec<&'a String> {
    all.iter().filter(|one| !these.contains(one)).collect()
}

/// The statements of the hint, each with another name in the place of the dots.
fn hinted(hint: Option<&str>, name: &str) -> String {
    let (_, ways) = hint
        .unwrap_or_default()
        .split_once(" again: ")
        .expect("what to run");
    let ways = ways.split("; ").enumerate();
    ways.map(|(n, way)| way.replace("...", &format!("{name}_{n};")))
        .collect()
}

#[test]
fn all_names_of_ours_that_are_taken_are_told_at_once_and_the_hint_leads_on() {
    let cluster = Options::not_preloaded().start();
    let mut fresh = cluster.create_database("fresh");
    fresh.run("CREATE EXTENSION signal_hub");
    let mut old = since_0_2_0(&cluster, "old");
    let (all, known) = (
        fresh.list::<String>(RELATIONS),
        old.list::<String>(RELATIONS),
    );
    let tables = known.join(" ");
    let (all_columns, known_columns) = (columns(&mut fresh, &tables), columns(&mut old, &tables));
    let create = |names: &[&String]| -> String {
        let tables = names
            .iter()
            .map(|name| format!("CREATE TABLE {name} (n int);"));
        tables.collect()
    };

    let mut application = cluster.create_database("application");
    application.run(&create(&all.iter().collect::<Vec<_>>()));
    let error = application.error("CREATE EXTENSION signal_hub");
    let detail = error.detail().unwrap_or_default();
    let told: Vec<&str> = detail.split([' ', ',']).collect();
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !told.contains(&name.as_str()))
        .collect();
    assert_eq!(missing, Vec::<&String>::new(), "{detail}");

    let new = without(&all, &known);
    assert!(new.len() > 20, "{new:?}");
    old.run(&create(&new));
    let error = old.error("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(error.code().code(), "42P07");
    let detail = error.detail().unwrap_or_default();
    for name in &new {
        assert!(
            detail.contains(&format!("table {name}")),
            "{name}: {detail}"
        );
    }
    old.run(&hinted(error.hint(), "mine"));

    let new_columns = without(&all_columns, &known_columns);
    assert!(new_columns.len() > 15, "{new_columns:?}");
    for statement in &new_columns {
        old.run(statement);
    }
    // Found by the name that PostgreSQL itself gives: CREATE INDEX ON signals (expires_at).
    old.run("CREATE INDEX ON signals (expires_at); CREATE TYPE user_preferences AS ENUM ()");
    let error = old.error("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(error.code().code(), "42710", "{}", error.message());
    let detail = error.detail().unwrap_or_default();
    for said in ["index signals_expires_at_idx", "type user_preferences"] {
        assert!(detail.contains(said), "{detail}");
    }
    assert_eq!(
        detail.matches("column ").count(),
        new_columns.len(),
        "{detail}"
    );
    assert!(
        detail.contains("column description of signal_rules"),
        "{detail}"
    );
    old.run(&hinted(error.hint(), "mine_too"));
    old.run("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(
        old.one::<i64>(
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'mine\\_%' AND relkind IN ('r', 'i')"
        ),
        i64::try_from(new.len()).expect("few") + 1
    );
}

#[test]
fn where_all_tables_belong_to_a_role_of_their_own_those_that_are_new_do_too() {
    let market = rising_market();
    for views in [false, true] {
        let cluster = by_hand(&market).start();
        let mut session = cluster.session(POSTGRES);
        session.run(
            "CREATE ROLE keeper; GRANT USAGE ON SCHEMA public TO keeper; CREATE EXTENSION signal_hub VERSION '0.2.0'",
        );
        let kinds = if views { "'r', 'v'" } else { "'r'" };
        let give: Vec<String> = session.list(&format!(
            "SELECT format('ALTER TABLE %s OWNER TO keeper', c.oid::regclass)
               FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND d.objid = c.oid
              WHERE c.relkind IN ({kinds})"
        ));
        session.run(&give.join(";"));
        session.run("ALTER EXTENSION signal_hub UPDATE");
        let owners: Vec<String> = session.list(
            "SELECT DISTINCT format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, c.relowner::regrole)
               FROM pg_class c
              WHERE c.relkind IN ('r', 'v', 'S', 'i') AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
        );
        let owner_of_views = if views {
            "view keeper"
        } else {
            "view postgres"
        };
        assert_eq!(owners, ["table keeper", owner_of_views]);
        assert!(session.one::<bool>(
            "SELECT has_table_privilege('pg_monitor', 'signal_exchanges', 'SELECT')
                AND NOT EXISTS (SELECT FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                                 WHERE c.relname = 'signal_exchanges' AND a.grantee = 0)"
        ));
        subscribe(&mut session, "MAX", 1, 1);
        let run = generate(&mut session);
        assert_eq!(run["signals_generated"], 1, "{run}");
        assert_eq!(
            session.list::<String>("SELECT user_id::text FROM user_signals"),
            [user(1)]
        );
        session.run("SET ROLE pg_monitor; TABLE signal_health; TABLE signal_metrics; TABLE signal_exchanges");
    }
}

#[test]
fn an_update_goes_well_in_a_schema_whose_name_would_be_a_format() {
    let market = rising_market();
    let (cluster, mut session) = installed_by_hand(&market);
    session.run("CREATE DATABASE other");
    let mut session = cluster.session("other");
    session.run(
        r#"CREATE SCHEMA "My %s Signals"; CREATE ROLE reader;
           CREATE EXTENSION signal_hub SCHEMA "My %s Signals" VERSION '0.2.0';
           SET search_path = "My %s Signals", public;
           GRANT SELECT ON signal_health TO reader;
           ALTER TABLE signal_symbols RENAME CONSTRAINT signal_symbols_symbol_check TO "mine %s";
           ALTER EXTENSION signal_hub UPDATE"#,
    );
    subscribe(&mut session, "MAX", 1, 1);
    let run = generate(&mut session);
    assert_eq!(run["deliveries"], 1, "{run}");
}
