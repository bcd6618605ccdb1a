//! Nobody gains rights through the extension that they do not have without it.

use serde_json::Value;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, rising_market, subscribe, user, wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

/// What a trap writes to the server's log, which no rollback removes.
const SPRUNG: &str = "a trap was sprung";

/// Traps in schema public: for every function that the extension's statements call, one of the
/// same name and types; for every operator, one for each pair of types, also of types that
/// PostgreSQL would convert.
const TRAPS: &str = r#"
CREATE FUNCTION public.spring() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE LOG 'a trap was sprung as %', current_user;
    EXECUTE 'ALTER ROLE mallory SUPERUSER';
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$;

DO $$
DECLARE
    types text[] := '{boolean,name,text,integer,bigint,oid,double precision,numeric,timestamp,timestamptz,interval,uuid,jsonb,text[]}';
    left_type text;
    right_type text;
    symbol text;
BEGIN
    FOREACH left_type IN ARRAY types LOOP
        FOREACH right_type IN ARRAY types LOOP
            EXECUTE format('CREATE FUNCTION public.compare(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L',
                           left_type, right_type, 'BEGIN PERFORM public.spring(); RETURN true; END');
            EXECUTE format('CREATE FUNCTION public.calculate(%1$s, %2$s) RETURNS %1$s LANGUAGE plpgsql AS %3$L',
                           left_type, right_type, 'BEGIN PERFORM public.spring(); RETURN $1; END');
            FOREACH symbol IN ARRAY '{=,<>,<,>,<=,>=,~,!~}'::text[] LOOP
                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.compare)',
                               symbol, left_type, right_type);
            END LOOP;
            FOREACH symbol IN ARRAY '{+,-,*,/,%,||,->>}'::text[] LOOP
                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.calculate)',
                               symbol, left_type, right_type);
            END LOOP;
        END LOOP;
    END LOOP;
END $$;

DO $$
DECLARE
    twin record;
    give_nothing text := quote_literal('BEGIN PERFORM public.spring(); RETURN NULL; END');
BEGIN
    FOR twin IN
        SELECT format('%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS signature,
               pg_get_function_result(p.oid) AS result
          FROM pg_proc p
         WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
           AND p.proname IN ('now', 'clock_timestamp', 'to_char', 'to_timestamp', 'timezone', 'extract', 'date_part',
                             'date_trunc', 'round', 'random', 'upper', 'length', 'array_to_string')
           AND NOT EXISTS (SELECT FROM pg_type t
                            WHERE t.typtype = 'p' AND t.oid = ANY (p.proargtypes::oid[] || p.prorettype))
         UNION ALL
        -- Those that PostgreSQL has for arguments of any type.
        VALUES ('format(text, text, text, text)', 'text'), ('format(text, name, name, text)', 'text'),
               ('format(text, VARIADIC text[])', 'text'), ('jsonb_build_object(VARIADIC text[])', 'jsonb'),
               ('to_jsonb(anyelement)', 'jsonb'), ('cardinality(anyarray)', 'integer'),
               ('cardinality(numeric[])', 'integer')
    LOOP
        EXECUTE 'CREATE FUNCTION public.' || twin.signature || ' RETURNS ' || twin.result
             || ' LANGUAGE plpgsql AS ' || give_nothing;
    END LOOP;
END $$;
"#;

fn is_superuser(session: &mut Session, role: &str) -> bool {
    session.one(&format!(
        "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) '{role}'"
    ))
}

/// How many runs were good; none must have failed. Uses no operator.
fn good_runs(session: &mut Session) -> usize {
    let states: Vec<String> = session.list("SELECT status FROM public.signal_runs");
    assert!(
        !states.iter().any(|status| status == "failed"),
        "{states:?}"
    );
    states.iter().filter(|status| *status == "ok").count()
}

#[test]
fn what_the_owner_of_a_database_plants_never_runs_as_superuser() {
    let market = rising_market();
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE ROLE mallory");
    session.run("CREATE DATABASE shop OWNER mallory");
    let mut mallory = cluster.session("shop");
    mallory.run("SET ROLE mallory");
    mallory.run(TRAPS);
    // The owner of a database can have every session, the worker's too, find the traps first.
    mallory.run("ALTER DATABASE shop SET search_path = public, pg_catalog");

    let mut admin = cluster.session("shop");
    admin.run("CREATE EXTENSION signal_hub");
    // Again with the exact types, of tables that were not there before.
    mallory.run(
        "CREATE FUNCTION public.to_jsonb(public.signal_tiers) RETURNS jsonb LANGUAGE plpgsql
             AS 'BEGIN PERFORM public.spring(); RETURN NULL; END'",
    );
    admin.run(&format!(
        "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX')",
        user(1)
    ));
    cluster.configure("signal_hub.enabled", "on");
    eventually(SOON, "several runs", || good_runs(&mut admin) >= 3);

    // What a superuser does with the extension, calling its functions by name.
    market.set_change("ETHUSDT", "-4");
    admin.run("UPDATE public.user_subscriptions SET status = 'active'");
    admin.run("INSERT INTO public.signal_tiers (tier, priority, shipped) VALUES ('PRO', 7, true)");
    admin.run("SELECT * FROM public.preview_signals()");
    admin.run("SELECT public.pause_signals('a look around')");
    admin.run("SELECT public.resume_signals()");
    admin.run("SELECT * FROM public.signal_health");
    admin.run("SELECT * FROM public.signal_stats");
    let report: Value = admin.one("SELECT public.generate_signals_now()");
    assert!(report["success"].is_boolean(), "{report}");
    admin.run(
        "GRANT SELECT ON public.user_signals TO PUBLIC;
         SET request.jwt.claims = '{}';
         SET ROLE pg_monitor;
         SELECT * FROM public.user_signals;
         RESET ROLE",
    );
    let before = good_runs(&mut admin);
    eventually(SOON, "more runs", || good_runs(&mut admin) >= before + 2);
    let symbols: Vec<String> = admin.list("SELECT symbol FROM public.user_signals");
    assert_eq!(symbols.len(), 2, "both signals arrived: {symbols:?}");

    let log = cluster.log();
    let sprung: Vec<&str> = log.lines().filter(|line| line.contains(SPRUNG)).collect();
    assert!(sprung.is_empty(), "{sprung:#?}");
    assert!(!is_superuser(&mut admin, "mallory"));
    // The traps worked all the time.
    admin.run("SELECT 'a'::text = 'b'::text");
    eventually(SOON, "the trap springs", || cluster.log().contains(SPRUNG));
    assert!(is_superuser(&mut admin, "mallory"));
}

#[test]
fn an_object_planted_under_a_name_of_the_extension_is_not_adopted() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.create_database("shop");
    for (planted, kind) in [
        ("signals (signal_id bigint)", "TABLE"),
        ("signal_health AS SELECT 1 AS one", "VIEW"),
        ("signals_signal_id_seq", "SEQUENCE"),
        (
            "current_subscriber() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
            "FUNCTION",
        ),
    ] {
        session.run(&format!("BEGIN; CREATE {kind} {planted}"));
        let error = session.error("CREATE EXTENSION signal_hub");
        session.run("ROLLBACK");
        assert!(
            ["42P07", "42723", "55000"].contains(&error.code().code()),
            "{kind} {planted}: {}",
            error.message()
        );
    }
}

/// A trigger that tries every way to gain rights, and leaves settings behind that would harm the
/// next user of the session.
const CLIMBER: &str = r#"
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    way text;
BEGIN
    FOREACH way IN ARRAY ARRAY[
        'SET ROLE postgres', 'SET LOCAL ROLE postgres', 'RESET ROLE', 'SET ROLE NONE',
        'SET SESSION AUTHORIZATION postgres', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET SESSION AUTHORIZATION',
        'SELECT pg_catalog.set_config(''role'', ''postgres'', false)',
        'CREATE CONSTRAINT TRIGGER later AFTER INSERT ON public.user_signals DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION public.climb()',
        'RESET ALL', 'SET search_path = trap, pg_catalog', 'SET lock_timeout = 0', 'SET default_transaction_read_only = on']
    LOOP
        BEGIN
            EXECUTE way;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        BEGIN
            EXECUTE 'ALTER ROLE mallory SUPERUSER';
            RAISE LOG 'a trap was sprung by %', way;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER climb AFTER INSERT ON user_signals EXECUTE FUNCTION climb();
"#;

/// A database where the tables of the extension belong to mallory, a role without further rights,
/// who has put a trigger on one of them.
fn owned_by_mallory(cluster: &Cluster) -> Session {
    let mut session = cluster.create_database("shop");
    session.run(
        "CREATE EXTENSION signal_hub;
         CREATE ROLE mallory;
         GRANT CREATE ON SCHEMA public TO mallory;
         DO $$
         DECLARE
             owned regclass;
         BEGIN
             FOR owned IN SELECT objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                           WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
             LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO mallory', owned);
             END LOOP;
         END $$",
    );
    subscribe(&mut session, "MAX", 1, 3);
    session.run("SET ROLE mallory");
    session.run(CLIMBER);
    session.run("RESET ROLE");
    session
}

#[test]
fn a_trigger_of_the_tables_owner_gains_and_leaves_nothing() {
    let market = rising_market();
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = owned_by_mallory(&cluster);
    // By hand, called by a superuser.
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 3, "{report}");
    assert_eq!(
        session.one::<String>("SELECT current_user::text"),
        "postgres"
    );
    assert_eq!(
        session.list::<String>(
            "SELECT name || ' = ' || setting FROM pg_settings
              WHERE name IN ('default_transaction_read_only', 'search_path') ORDER BY 1"
        ),
        [
            "default_transaction_read_only = off",
            "search_path = \"$user\", public"
        ],
        "the caller's settings are as they were"
    );
    // By the worker, more than once.
    cluster.configure("signal_hub.enabled", "on");
    for (symbol, rows) in [("ETHUSDT", 6), ("SOLUSDT", 9)] {
        market.set_change(symbol, "-4");
        wait_for_deliveries(&mut session, rows);
    }
    assert!(!is_superuser(&mut session, "mallory"));
    assert!(!cluster.log().contains(SPRUNG));
}

#[test]
fn row_level_security_forced_on_the_owner_holds_deliveries_back_and_loses_none() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = owned_by_mallory(&cluster);
    session.run("ALTER TABLE user_subscriptions FORCE ROW LEVEL SECURITY");
    market.set_change("BTCUSDT", "3.5");
    let message = eventually(SOON, "health says failing", || {
        session
            .list::<String>("SELECT message FROM signal_health WHERE state = 'failing'")
            .pop()
    });
    assert!(
        message.contains("row-level security hides rows of public.user_subscriptions"),
        "{message}"
    );
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL"),
        1
    );
    session.run("ALTER TABLE user_subscriptions NO FORCE ROW LEVEL SECURITY");
    wait_for_deliveries(&mut session, 3);
}

#[test]
fn an_advisory_lock_of_anybody_stops_nothing() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE ROLE visitor");
    let mut visitor = cluster.session(POSTGRES);
    // Keys that are easy to guess, and the one that an early version used.
    visitor.run(
        "SET ROLE visitor;
         SELECT pg_advisory_lock(key)
           FROM unnest(ARRAY[0, 1, hashtext('signal_hub'), hashtextextended('signal_hub', 0),
                             x'7369676e616c6875'::bigint]) AS key",
    );
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    session.run("COMMIT");
    visitor.run(
        "SELECT pg_advisory_lock(oid::bigint), pg_advisory_lock(0, oid::integer)
           FROM pg_extension WHERE extname = 'signal_hub'",
    );
    wait_for_deliveries(&mut session, 1);
    let before = good_runs(&mut session);
    eventually(SOON, "runs go on", || good_runs(&mut session) >= before + 3);
    let report = generate(&mut session);
    assert_eq!(report["success"], true, "{report}");
}
