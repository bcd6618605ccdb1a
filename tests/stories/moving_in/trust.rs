//! What the application's roles prepared runs with their own rights.

use super::{beside_the_application, subscribers};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::rising_market;

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
