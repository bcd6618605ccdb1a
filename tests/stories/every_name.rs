//! No name in a statement of the extension, in its SQL functions or in the library, means anything
//! but what PostgreSQL itself has under it. The names are read from the sources, so that a new
//! statement is in here by itself.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, rising_market, subscribe, wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// All files with statements: the library's sources and the parts of the scripts.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join("src"), root.join("sql")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() && !path.ends_with("releases") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "sql") {
                let text = fs::read_to_string(&path).expect("readable");
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 60, "{} files", files.len());
    files
}

/// Every word of the sources, lower case.
fn words() -> BTreeSet<String> {
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    sources()
        .iter()
        .flat_map(|(_, text)| text.split(move |c: char| !is_word(c)))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The string literals of a Rust file, outside its tests, that are statements.
fn statements(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let mut end = start + 1;
        while !rest[end..].starts_with('"') {
            let c = rest[end..].chars().next().expect("the literal ends");
            end += if c == '\\' { 2 } else { c.len_utf8() };
        }
        let literal = &rest[start + 1..end];
        let verbs = [
            "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "AND ", "(",
        ];
        if verbs
            .iter()
            .any(|verb| literal.trim_start().starts_with(verb))
        {
            found.push(literal.replace("\\\"", "\""));
        }
        rest = &rest[end + 1..];
    }
    found
}

/// What follows FROM, JOIN, INTO and UPDATE in the statements of the library has to be a table with
/// the schema of the extension, a catalog of PostgreSQL, or a name that the statement itself gives.
#[test]
fn every_table_in_a_statement_of_the_library_is_named_with_its_schema() {
    let mut tables = 0;
    for (path, text) in sources() {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let all_words: Vec<&str> = text.split_whitespace().collect();
        for statement in statements(&text) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            // By the statement or, as some are put together of pieces, another of the file.
            let given = |name: &str| {
                let name = name.trim_end_matches([',', ')', ';']);
                all_words.windows(2).any(|two| {
                    two[0].trim_start_matches([',', '"']) == name
                        && (two[1].starts_with("AS") || two[1].starts_with('('))
                })
            };
            for (at, pair) in words.windows(2).enumerate() {
                let [verb, name] = pair else { continue };
                let verb = verb.trim_start_matches('(');
                let before = at.checked_sub(1).map_or("", |before| words[before]);
                // IS DISTINCT FROM, FOR UPDATE, DO UPDATE
                if !["FROM", "JOIN", "INTO", "UPDATE"].contains(&verb)
                    || ["DISTINCT", "FOR", "DO"].contains(&before)
                {
                    continue;
                }
                let name = name.trim_start_matches('(');
                let is_fine = name.starts_with("@extschema@.")
                    || name.starts_with("pg_")
                    // Not a table: a function or a subquery, an expression of extract(), a clause.
                    || name.contains('(')
                    || name.is_empty()
                    || ["SELECT", "VALUES", "LATERAL", "WITH", "SET", "SKIP", "NOWAIT", "ONLY", "jsonb_to_recordset"]
                        .iter().any(|word| name.starts_with(word))
                    || statement.contains(&format!("extract(epoch FROM {name}"))
                    // Put in by Rust, and looked at where it is written.
                    || name.starts_with('{')
                    || given(name);
                assert!(is_fine, "{}: {verb} {name} in\n{statement}", path.display());
                tables += usize::from(name.starts_with("@extschema@."));
            }
        }
    }
    assert!(tables > 40, "{tables} tables were found");
}

/// Twins of everything in pg_catalog whose name is in the sources: functions, with the same types
/// or with those that PostgreSQL would convert to, and tables.
fn plant(session: &mut Session, names: &BTreeSet<String>) -> (i64, i64) {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let list = names.join(",");
    session.run(&format!(
        "CREATE FUNCTION public.spring() RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
             RAISE LOG 'a trap was sprung as %', current_user;
             RETURN true;
         END $$;
         CREATE TABLE public.planted (kind text);
         DO $$
         DECLARE
             twin record;
             names text[] := string_to_array('{list}', ',');
         BEGIN
             FOR twin IN
                 SELECT format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS signature,
                        pg_get_function_result(p.oid) AS result
                   FROM pg_proc p
                  WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname = ANY (names)
                    AND p.proname NOT LIKE 'pg\\_stat\\_get%'
                    AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typtype = 'p' AND t.typname NOT LIKE 'any%'
                                                            AND t.oid = ANY (p.proargtypes::oid[] || p.prorettype))
             LOOP
                 BEGIN
                     EXECUTE 'CREATE FUNCTION public.' || twin.signature || ' RETURNS ' || twin.result
                          || ' LANGUAGE plpgsql AS ''BEGIN PERFORM public.spring(); RETURN; EXCEPTION WHEN OTHERS THEN RETURN; END''';
                     INSERT INTO public.planted VALUES ('function');
                 EXCEPTION WHEN OTHERS THEN
                     -- One that returns a value.
                     BEGIN
                         EXECUTE 'CREATE FUNCTION public.' || twin.signature || ' RETURNS ' || twin.result
                              || ' LANGUAGE plpgsql AS ''BEGIN PERFORM public.spring(); RETURN NULL; END''';
                         INSERT INTO public.planted VALUES ('function');
                     EXCEPTION WHEN OTHERS THEN NULL;
                     END;
                 END;
             END LOOP;
             FOR twin IN
                 SELECT c.oid::regclass AS name, c.relname FROM pg_class c
                  WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname = ANY (names)
             LOOP
                 BEGIN
                     EXECUTE format('CREATE VIEW public.%I AS SELECT t.* FROM pg_catalog.%1$I t WHERE public.spring()', twin.relname);
                     INSERT INTO public.planted VALUES ('table');
                 EXCEPTION WHEN OTHERS THEN NULL;
                 END;
             END LOOP;
         END $$"
    ));
    let count = |session: &mut Session, kind: &str| -> i64 {
        session.one(&format!(
            "SELECT pg_catalog.count(*) FROM public.planted WHERE kind OPERATOR(pg_catalog.=) '{kind}'"
        ))
    };
    (count(session, "function"), count(session, "table"))
}

#[test]
fn nothing_planted_under_a_name_in_the_sources_is_ever_called() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("wal_level", "logical")
        .set("signal_hub.enabled", "off")
        .start();
    let mut admin = cluster.create_database("shop");
    admin.run("CREATE ROLE authenticated; CREATE ROLE anon; CREATE ROLE service_role");
    let (functions, tables) = plant(&mut admin, &words());
    assert!(
        functions > 100 && tables > 15,
        "{functions} functions, {tables} tables"
    );
    cluster
        .session(POSTGRES)
        .run("ALTER DATABASE shop SET search_path = public, pg_catalog");

    let mut session = cluster.session("shop");
    session.run("CREATE EXTENSION signal_hub");
    let mut looker = cluster.session("shop");
    looker.run("SET search_path = pg_catalog, public");
    subscribe(&mut looker, "MAX", 1, 3);
    cluster.configure("signal_hub.enabled", "on");
    wait_for_good_run(&mut looker);
    wait_for_deliveries(&mut looker, 3);
    // Every function that anybody can call, except the ones behind triggers.
    let calls: Vec<String> = looker.list(
        "SELECT p.proname::text FROM pg_proc p
           JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'signal_hub'
          WHERE p.prorettype <> 'trigger'::regtype AND p.pronargs = p.pronargdefaults ORDER BY 1",
    );
    assert!(calls.len() >= 13, "{calls:?}");
    for call in calls {
        let text = format!("SELECT * FROM public.{call}()");
        match call.as_str() {
            // There is no Citus here.
            "enable_citus" | "disable_citus" | "signal_hub_tables_to_shard" => {
                assert_eq!(session.error(&text).code().code(), "55000", "{call}");
            }
            _ => session.run(&text),
        }
    }
    session.run(
        "SELECT public.pause_signals('a look around'); SELECT public.resume_signals();
         SELECT * FROM public.signals_since('0000000000000000-0', 1);
         SELECT public.enable_realtime('other', true); SELECT public.disable_realtime('other');
         INSERT INTO public.signal_tiers (tier, shipped) VALUES ('PRO', true);
         UPDATE public.user_subscriptions SET status = 'active';
         UPDATE public.user_signals SET viewed = true, clicked = true",
    );
    let views: Vec<String> = looker.list(
        "SELECT c.relname::text FROM pg_class c
           JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'signal_hub'
          WHERE c.relkind = 'v'",
    );
    for view in views {
        session.run(&format!("SELECT t FROM public.{view} t"));
    }
    market.set_change("ETHUSDT", "-4");
    wait_for_deliveries(&mut looker, 6);
    let log = cluster.log();
    let sprung: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a trap was sprung"))
        .collect();
    assert!(sprung.is_empty(), "{sprung:#?}");
    // The traps worked all the time.
    session.run("SELECT relname FROM pg_class LIMIT 1");
    eventually(SOON, "a trap springs", || {
        cluster.log().contains("a trap was sprung")
    });
}

/// plpgsql_check reads the bodies of functions as the server would run them. Where it is not
/// installed there is nothing to do.
#[test]
fn plpgsql_check_finds_nothing_in_the_bodies_of_functions() {
    let market = rising_market();
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = cluster.session(POSTGRES);
    if !session.one::<bool>(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'plpgsql_check')",
    ) {
        println!("skipped: plpgsql_check is not installed");
        return;
    }
    // Some trigger functions are for tables of applications only.
    session.run(
        "CREATE EXTENSION plpgsql_check; CREATE EXTENSION signal_hub;
         CREATE SCHEMA app;
         CREATE TABLE app.subscriptions (user_id uuid, tier text, status text, current_period_end timestamptz);
         CREATE TABLE app.signals (user_id uuid, signal_id text, symbol text, signal_type text);
         SELECT adopt_subscriptions('app.subscriptions'); SELECT adopt_signals('app.signals')",
    );
    let complaints: Vec<String> = session.list(
        "SELECT format('%s: %s %s: %s (%s)', p.oid::regproc, c.level, c.sqlstate, c.message, c.lineno)
           FROM pg_proc p
           JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'signal_hub'
           JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
           LEFT JOIN pg_trigger t ON t.tgfoid = p.oid
          CROSS JOIN LATERAL plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0), fatal_errors => false,
                                                       oldtable => t.tgoldtable, newtable => t.tgnewtable,
                                                       extra_warnings => true, security_warnings => true) c
          WHERE c.message <> 'cannot determinate a result of dynamic SQL'
            -- It does not see that these are made of regclass, regprocedure and quote_ident().
            AND NOT (p.proname IN ('grant_realtime_access', 'enable_realtime') AND c.level = 'security')
            -- Only looked at where Citus is, and what it then returns is not seen either.
            AND NOT (c.sqlstate = '42P01' AND c.message LIKE 'relation \"pg_catalog.pg_dist_%')
            AND NOT (c.sqlstate = '42883' AND c.message ~ 'pg_catalog.(citus_|master_|run_command_on_workers)')
            -- What a dynamic statement returns it does not see.
            AND NOT (p.proname IN ('signal_hub_tables_to_shard', 'signal_hub_nodes_to_follow', 'signal_hub_list_push')
                     AND c.message ~ '^(unmodified OUT variable|OUT variable .* is maybe unmodified)')
            AND NOT (p.proname IN ('signal_hub_read_subscriber', 'signal_hub_signals_on_node')
                     AND c.message ~ '^(record .(found|node|was). is not assigned yet|never read variable .(found|was).)')
            AND NOT (p.proname = 'signal_hub_read_subscriber'
                     AND c.message ~ '^composite OUT variable .* is not single argument$')
          ORDER BY 1",
    );
    assert_eq!(complaints, Vec::<String>::new());
}
