//! Ways to have code called that no catalog lists as what the tables use.

use super::*;

const WAYS: [Way; 9] = [
    Way {
        put: "GRANT TRIGGER ON signals TO mallory; SET ROLE mallory;
              CREATE TRIGGER climb BEFORE INSERT ON signals FOR EACH ROW
                  WHEN (query_to_xml('SELECT theirs.spring()', true, true, '') IS NULL)
                  EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        named: &[
            "the condition of trigger climb on table public.signals",
            "query_to_xml(",
        ],
        removed: "DROP TRIGGER climb ON signals",
    },
    Way {
        put: "CREATE TRIGGER climb BEFORE INSERT ON signals FOR EACH ROW
                  WHEN (ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, theirs.spring()::text::tsquery') IS NULL)
                  EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        named: &["trigger climb on table public.signals", "ts_rewrite("],
        removed: "DROP TRIGGER climb ON signals",
    },
    Way {
        put: "CREATE VIEW theirs.seen AS SELECT theirs.is_fine('x');
              CREATE TRIGGER climb BEFORE INSERT ON user_signals FOR EACH ROW
                  WHEN (table_to_xml('theirs.seen'::text::regclass, true, true, '') IS NULL)
                  EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        named: &["trigger climb on table public.user_signals", "table_to_xml("],
        removed: "DROP TRIGGER climb ON user_signals",
    },
    // By the number of a type, which no catalog takes for the type.
    Way {
        put: "DO $$ BEGIN
                  EXECUTE format('CREATE TRIGGER climb BEFORE INSERT ON user_signals FOR EACH ROW
                                      WHEN (domain_in(%L::cstring, %s::oid, -1) IS NULL)
                                      EXECUTE FUNCTION suppress_redundant_updates_trigger()',
                                 'x', 'theirs.fine_text'::regtype::oid);
              END $$",
        named: &["trigger climb on table public.user_signals", "domain_in("],
        removed: "DROP TRIGGER climb ON user_signals",
    },
    // Nobody else's code at all, but what only a superuser may do.
    Way {
        put: "CREATE TRIGGER climb BEFORE UPDATE ON signals FOR EACH ROW
                  WHEN (lo_import('/etc/passwd') = 0) EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        named: &["trigger climb on table public.signals", "lo_import("],
        removed: "DROP TRIGGER climb ON signals",
    },
    Way {
        put: "GRANT REFERENCES ON user_signals TO mallory; SET ROLE mallory;
              CREATE TABLE theirs.climb (user_id uuid, signal_id bigint,
                  FOREIGN KEY (user_id, signal_id) REFERENCES public.user_signals ON DELETE CASCADE)
                  PARTITION BY HASH (user_id);
              CREATE TABLE theirs.part PARTITION OF theirs.climb FOR VALUES WITH (MODULUS 1, REMAINDER 0);
              CREATE TRIGGER climb AFTER DELETE ON theirs.part FOR EACH ROW EXECUTE FUNCTION theirs.climb()",
        named: &["trigger climb on table theirs.part", "theirs.climb()"],
        removed: "DROP TABLE theirs.climb",
    },
    Way {
        put: "GRANT REFERENCES ON user_signals TO mallory; SET ROLE mallory;
              CREATE TABLE theirs.climb (user_id uuid, signal_id bigint,
                  FOREIGN KEY (user_id, signal_id) REFERENCES public.user_signals ON DELETE CASCADE);
              CREATE TRIGGER climb AFTER INSERT ON theirs.copies FOR EACH ROW EXECUTE FUNCTION theirs.climb();
              CREATE RULE climb AS ON DELETE TO theirs.climb DO ALSO
                  INSERT INTO theirs.copies VALUES (OLD.user_id, OLD.signal_id)",
        named: &["rule climb on table theirs.climb", "theirs.copies"],
        removed: "DROP TABLE theirs.climb; DROP TRIGGER climb ON theirs.copies",
    },
    Way {
        put: "GRANT SELECT ON ALL TABLES IN SCHEMA public TO mallory;
              ALTER VIEW signal_delivery_progress OWNER TO mallory",
        named: &["view public.signal_delivery_progress belongs to mallory"],
        removed: "ALTER VIEW signal_delivery_progress OWNER TO postgres",
    },
    Way {
        put: "ALTER VIEW signal_reach OWNER TO mallory; GRANT mallory TO postgres",
        named: &["view public.signal_reach belongs to mallory"],
        removed: "REVOKE mallory FROM postgres; ALTER VIEW signal_reach OWNER TO postgres",
    },
];

#[test]
fn code_that_is_called_by_a_detour_never_runs_as_the_owner_of_the_tables_and_health_names_the_way()
{
    none_of_these_ways_leads_up(&WAYS);
}

/// What nearly every trigger of an application asks in its condition stays allowed.
#[test]
fn a_condition_that_asks_for_a_time_a_setting_or_a_change_is_no_detour() {
    let market = flat_market();
    let (_cluster, mut session) = shop(&market);
    session.run(
        "CREATE TABLE seen (n int);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO public.seen VALUES (1); RETURN NULL; END';
         CREATE FUNCTION is_vip(uuid) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
         CREATE TRIGGER see AFTER INSERT ON user_signals FOR EACH ROW
             WHEN (pg_trigger_depth() < 3 AND NEW.expires_at > now() AND NEW.created_at <= clock_timestamp()
                   AND current_setting('app.quiet', true) IS DISTINCT FROM 'on' AND upper(NEW.symbol) LIKE 'BTC%'
                   AND NEW.metadata ->> 'strategy' = 'momentum' AND is_vip(NEW.user_id) AND random() >= 0)
             EXECUTE FUNCTION see()",
    );
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 3);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM seen"), 3);
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
}

/// A transaction that sees one state of the database throughout does not see the trigger that was
/// committed since, but it would fire it.
#[test]
fn a_trigger_committed_behind_the_snapshot_of_who_pauses_signals_does_not_fire() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run("GRANT TRIGGER ON signal_pause TO mallory");
    let mut operator = cluster.session(POSTGRES);
    operator.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM signals");
    let mut mallory = cluster.session_as("mallory", POSTGRES);
    mallory.run(
        "CREATE TRIGGER climb AFTER INSERT ON signal_pause FOR EACH ROW EXECUTE FUNCTION theirs.climb()",
    );
    let error = operator.error("SELECT pause_signals()");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(!cluster.log().contains("a trap was sprung"));
}
