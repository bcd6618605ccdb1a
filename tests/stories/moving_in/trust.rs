//! What the application's roles prepared runs with their own rights.

use super::{beside_the_application, subscribers};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::rising_market;
use signal_hub_harness::session::Session;

/// Everything on the application's tables that runs when they are read and written.
const PREPARED: &str = "
    SET ROLE app_owner;
    CREATE FUNCTION public.see(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        RAISE LOG 'seen: % as %', what, current_user;
        BEGIN
            PERFORM set_config('role', 'none', false);
            RAISE LOG 'seen: no role as %', current_user;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
        RETURN true;
    END $$;
    CREATE FUNCTION public.see_row() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM public.see(TG_TABLE_NAME); RETURN NEW; END';
    CREATE TRIGGER see BEFORE INSERT ON public.user_signals FOR EACH ROW EXECUTE FUNCTION public.see_row();
    CREATE CONSTRAINT TRIGGER see_later AFTER INSERT ON public.user_signals DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.see_row();
    CREATE INDEX ON public.user_signals (symbol) WHERE public.see('index of signals');
    CREATE TYPE public.level AS ENUM ('FREE', 'pro', 'MAX');
    CREATE FUNCTION public.level_text(level) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN PERFORM public.see(''cast''); RETURN ''MAX''; END';
    CREATE CAST (public.level AS text) WITH FUNCTION public.level_text(level) AS ASSIGNMENT;
    ALTER TABLE public.user_subscriptions ALTER tier DROP DEFAULT, ALTER tier TYPE level USING tier::level;
    CREATE INDEX ON public.user_subscriptions (tier) WHERE public.see('index of subscriptions');
    CREATE STATISTICS of_tiers ON (public.see(status)) FROM public.user_subscriptions;
    RESET ROLE";

#[test]
fn nothing_that_is_prepared_on_its_tables_runs_with_other_rights() {
    let market = rising_market();
    let (cluster, mut session) = beside_the_application(&market);
    session.run(PREPARED);
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         SELECT signal_hub.adopt_signals('public.user_signals')",
    );
    session.run("ALTER ROLE app_owner LOGIN");
    let mut app = cluster.session_as("app_owner", POSTGRES);
    app.run("UPDATE user_subscriptions SET tier = 'MAX' WHERE tier = 'pro'");
    session.run("SELECT signal_hub.generate_signals_now()");
    assert_eq!(
        subscribers(&mut session),
        ["1 MAX active", "2 MAX active", "3 FREE paused"]
    );
    let log = cluster.log();
    let seen: Vec<&str> = log
        .split("LOG:  seen: ")
        .skip(1)
        .filter_map(|rest| rest.lines().next())
        .collect();
    for what in ["user_signals", "index of signals", "index of subscriptions"] {
        let line = format!("{what} as app_owner");
        assert!(seen.contains(&line.as_str()), "{what}: {seen:?}");
    }
    assert!(
        seen.iter().all(|line| line.ends_with(" as app_owner")),
        "{seen:?}"
    );
    // As a superuser this runs some of it, as it would without the extension.
    let copied = "SELECT count(*) FROM user_signals WHERE metadata ? 'copiedBy'";
    assert_eq!(session.one::<i64>(copied), 2);
}

#[test]
fn only_who_owns_both_can_connect_them() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "DROP EXTENSION signal_hub;
         ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO app_owner;
         CREATE EXTENSION signal_hub SCHEMA signal_hub;
         GRANT USAGE ON SCHEMA signal_hub TO app_owner; SET ROLE app_owner",
    );
    for call in [
        "adopt_subscriptions('user_subscriptions')",
        "adopt_signals('user_signals')",
        "abandon_table('user_signals')",
        "signal_hub_run_as(10, 'public', 'SELECT 1::text', '')",
    ] {
        let error = session.error(&format!("SELECT signal_hub.{call}"));
        assert_eq!(error.code().code(), "42501", "{call}");
    }
    let error = session.error(
        "CREATE TRIGGER mine AFTER INSERT ON user_subscriptions REFERENCING NEW TABLE AS new_rows
         FOR EACH STATEMENT EXECUTE FUNCTION signal_hub.signal_hub_follow_subscriptions('{}')",
    );
    assert_eq!(error.code().code(), "42501");
    // Allowed to call it, a role still gets no further than it may go itself.
    session.run("RESET ROLE; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA signal_hub TO app_owner; SET ROLE app_owner");
    for call in [
        "adopt_subscriptions('user_subscriptions')",
        "adopt_signals('user_signals')",
        "signal_hub_run_as(10, 'public', 'SELECT 1::text', '')",
    ] {
        let error = session.error(&format!("SELECT signal_hub.{call}"));
        assert_eq!(error.code().code(), "42501", "{call}");
    }
}

/// Roles without rights: one that an administrator lets add to the schema, and an owner of the
/// tables as decision 0019 has it. Where the function `escalate` runs with the rights of a superuser,
/// either becomes one.
const WITHOUT_RIGHTS: &str = "
    CREATE ROLE mal; CREATE ROLE hubowner;
    GRANT USAGE, CREATE ON SCHEMA signal_hub, public TO mal, hubowner;
    CREATE FUNCTION public.escalate() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        ALTER ROLE mal SUPERUSER; ALTER ROLE hubowner SUPERUSER;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE LOG 'refused: %', current_user;
    END $$;
    ALTER FUNCTION public.escalate() OWNER TO mal;
    CREATE FUNCTION public.escalate_row() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM public.escalate(); RETURN NULL; END'";

/// All that is the extension's own, given to `hubowner`.
const TO_HUBOWNER: &str = "DO $$
    DECLARE
        t record;
    BEGIN
        FOR t IN SELECT c.oid::regclass AS name, c.relkind
                   FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'signal_hub'
                   JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'v')
                  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass LOOP
            EXECUTE format('ALTER %s %s OWNER TO hubowner', CASE t.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, t.name);
        END LOOP;
    END $$";

/// The roles that became superusers.
fn escalated(session: &mut Session) -> Vec<String> {
    session.list("SELECT rolname::text FROM pg_roles WHERE rolsuper AND rolname IN ('mal', 'hubowner', 'app_owner')")
}

#[test]
fn a_function_of_the_same_name_is_not_taken_for_the_library_s() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(WITHOUT_RIGHTS);
    // Every function that the extension calls by a name in its schema, with every parameter a text.
    session.run(
        "SET ROLE mal;
         CREATE FUNCTION signal_hub.signal_hub_write_copies(regclass, text, text, text) RETURNS void
             LANGUAGE sql AS 'SELECT public.escalate()';
         CREATE FUNCTION signal_hub.signal_hub_take_over(regclass, text, text) RETURNS jsonb
             LANGUAGE sql AS 'SELECT public.escalate(); SELECT ''{}''::jsonb';
         CREATE FUNCTION signal_hub.signal_hub_run_as(integer, text, text, text) RETURNS text
             LANGUAGE sql AS 'SELECT public.escalate(); SELECT ''''';
         RESET ROLE",
    );
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         SELECT signal_hub.adopt_signals('public.user_signals');
         SELECT signal_hub.generate_signals_now();
         TRUNCATE public.user_subscriptions",
    );
    assert!(escalated(&mut session).is_empty());
    let literals: Vec<String> = session.list(
        r"SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'signal_hub'
          WHERE p.proname ~ 'adopt|copies|copy|take_over|follow_subscriptions' AND p.prosrc ~ '%[0-9$]*I\.signal_hub_\w+\([^)]*'''''",
    );
    assert_eq!(
        literals, [""; 0],
        "a literal takes the type of any parameter"
    );
}

#[test]
fn a_trigger_of_others_on_our_subscriptions_stops_what_would_fire_it() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(WITHOUT_RIGHTS);
    session.run("SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')");
    session.run(
        "GRANT TRIGGER ON signal_hub.user_subscriptions TO mal;
         ALTER FUNCTION public.escalate_row() OWNER TO mal;
         SET ROLE mal;
         CREATE TRIGGER planted AFTER INSERT OR UPDATE OR DELETE ON signal_hub.user_subscriptions
             FOR EACH ROW EXECUTE FUNCTION public.escalate_row();
         RESET ROLE",
    );
    for statement in [
        "TRUNCATE public.user_subscriptions",
        "DELETE FROM public.user_subscriptions",
        "UPDATE public.user_subscriptions SET tier = 'FREE'",
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')",
        "SELECT signal_hub.signal_hub_renew_adopted()",
    ] {
        let error = session.error(statement);
        assert_eq!(
            error.code().code(),
            "42501",
            "{statement}: {}",
            error.message()
        );
        assert!(error.hint().is_some(), "{statement}");
        assert!(escalated(&mut session).is_empty(), "{statement}");
    }
    session.run(
        "DROP TRIGGER planted ON signal_hub.user_subscriptions; TRUNCATE public.user_subscriptions",
    );
    assert_eq!(subscribers(&mut session), [""; 0]);
}

#[test]
fn what_an_owner_without_rights_made_of_our_tables_runs_without_rights() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(WITHOUT_RIGHTS);
    session.run(TO_HUBOWNER);
    session.run(
        "ALTER FUNCTION public.escalate() OWNER TO hubowner; ALTER FUNCTION public.escalate_row() OWNER TO hubowner;
         SET ROLE hubowner;
         CREATE TRIGGER planted AFTER INSERT OR UPDATE OR DELETE ON signal_hub.user_subscriptions
             FOR EACH ROW EXECUTE FUNCTION public.escalate_row();
         RESET ROLE",
    );
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         UPDATE public.user_subscriptions SET tier = 'MAX' WHERE tier = 'pro';
         SELECT signal_hub.signal_hub_renew_adopted()",
    );
    assert_eq!(
        subscribers(&mut session),
        ["1 MAX active", "2 MAX active", "3 FREE paused"]
    );
    session.run("TRUNCATE public.user_subscriptions");
    assert!(escalated(&mut session).is_empty());
    assert_eq!(subscribers(&mut session), [""; 0]);
}

#[test]
fn a_cast_of_the_owner_of_our_tables_runs_without_rights() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(WITHOUT_RIGHTS);
    session.run(TO_HUBOWNER);
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         SELECT signal_hub.adopt_signals('public.user_signals');
         ALTER FUNCTION public.escalate() OWNER TO hubowner;
         SET ROLE hubowner;
         CREATE TYPE public.mood AS ENUM ('fine', 'LONG', 'SHORT');
         CREATE FUNCTION public.mood_json(public.mood) RETURNS json LANGUAGE sql AS
             'SELECT public.escalate(); SELECT ''{}''::json';
         CREATE CAST (public.mood AS json) WITH FUNCTION public.mood_json(public.mood);
         ALTER TABLE signal_hub.user_signals ADD mood public.mood DEFAULT 'fine';
         RESET ROLE",
    );
    session.run("SELECT signal_hub.generate_signals_now()");
    let copied = "SELECT count(*) FROM user_signals WHERE metadata ? 'copiedBy'";
    assert_eq!(session.one::<i64>(copied), 1);
    session.run("UPDATE signal_hub.user_signals SET full_details = false");
    session.run("UPDATE signal_hub.user_signals SET full_details = true");
    assert!(escalated(&mut session).is_empty());
    // One of the columns that are copied.
    session.run("ALTER TABLE signal_hub.user_signals ADD COLUMN was text; UPDATE signal_hub.user_signals SET was = tier");
    session.run(
        "SET ROLE hubowner; ALTER TABLE signal_hub.user_signals RENAME quality_score TO was_score;
         ALTER TABLE signal_hub.user_signals ADD quality_score public.mood DEFAULT 'fine'; RESET ROLE;
         UPDATE signal_hub.user_signals SET full_details = false",
    );
    let error = session.error("UPDATE signal_hub.user_signals SET full_details = true");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    assert!(
        error.message().contains("quality_score"),
        "{}",
        error.message()
    );
    assert!(escalated(&mut session).is_empty());
}

#[test]
fn a_table_in_the_place_of_ours_is_neither_written_nor_emptied() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(WITHOUT_RIGHTS);
    session.run(
        "DELETE FROM public.user_subscriptions;
         ALTER TABLE signal_hub.user_subscriptions OWNER TO mal;
         ALTER FUNCTION public.escalate_row() OWNER TO mal;
         CREATE SCHEMA elsewhere; GRANT USAGE, CREATE ON SCHEMA elsewhere TO mal;
         SET ROLE mal;
         ALTER TABLE signal_hub.user_subscriptions SET SCHEMA elsewhere;
         CREATE TABLE signal_hub.user_subscriptions (LIKE elsewhere.user_subscriptions INCLUDING ALL);
         INSERT INTO signal_hub.user_subscriptions (user_id, tier) VALUES (gen_random_uuid(), 'MAX');
         CREATE TRIGGER planted AFTER INSERT OR UPDATE OR DELETE ON signal_hub.user_subscriptions
             FOR EACH ROW EXECUTE FUNCTION public.escalate_row();
         RESET ROLE",
    );
    let adopt = "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')";
    for statement in [
        adopt.to_owned(),
        format!(
            "INSERT INTO public.user_subscriptions (user_id) VALUES (gen_random_uuid()); {adopt}"
        ),
    ] {
        let error = session.error(&statement);
        assert_eq!(error.code().code(), "42501", "{}", error.message());
    }
    assert!(escalated(&mut session).is_empty());
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_hub.user_subscriptions"),
        1
    );
}
