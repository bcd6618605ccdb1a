//! An update keeps what users did: their grants, their rows, their own objects and triggers.

use signal_hub_harness::cluster::binaries::releases;
use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market, wait_for_good_run};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

/// A database where a release of the extension was created and something was done with it.
fn used(cluster: &Cluster, release: &str, use_it: &str) -> Session {
    let mut session = cluster.create_database(&format!("used since {release}"));
    session.run(&format!(
        "CREATE EXTENSION signal_hub VERSION '{release}'; {use_it}"
    ));
    session
}

/// What roles may do with the objects of the extension.
fn grants(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s: %s', o.identity, a.acl) FROM pg_depend d
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          CROSS JOIN pg_identify_object(d.classid, d.objid, 0) o
          CROSS JOIN LATERAL (
              SELECT relacl::text AS acl FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
               UNION ALL
              SELECT proacl::text FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
               UNION ALL
              SELECT format('%s %s', attname, attacl) FROM pg_attribute c
               WHERE d.classid = 'pg_class'::regclass AND attrelid = d.objid AND attacl IS NOT NULL) a
          WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND a.acl IS NOT NULL
          ORDER BY 1",
    )
}

#[test]
fn what_users_granted_revoked_and_changed_stays() {
    let cluster = Options::not_preloaded().start();
    cluster
        .session(POSTGRES)
        .run("CREATE ROLE reader; CREATE ROLE operator");
    for release in releases() {
        let mut session = used(
            &cluster,
            &release,
            "REVOKE SELECT ON signal_health FROM pg_monitor;
             REVOKE EXECUTE ON FUNCTION current_subscriber() FROM PUBLIC;
             GRANT EXECUTE ON FUNCTION pause_signals(text) TO operator WITH GRANT OPTION;
             GRANT SELECT (user_id, tier) ON user_subscriptions TO reader;
             GRANT SELECT ON signal_stats, signal_health TO reader;
             ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO reader;
             CREATE VIEW my_health AS SELECT * FROM signal_health;
             UPDATE signal_rules SET stop_loss_percent = 2.5;
             UPDATE signal_tiers SET daily_quota = 7, enabled = true WHERE tier = 'PRO';
             INSERT INTO signal_tiers (tier, priority) VALUES ('TEAM', 50);
             DELETE FROM signal_symbols WHERE symbol = 'XRPUSDT';
             INSERT INTO signal_symbols (symbol) VALUES ('TRXUSDT');
             INSERT INTO user_subscriptions (user_id, tier, updated_at)
             VALUES ('00000000-0000-4000-8000-000000000001', 'TEAM', '2026-01-01')",
        );
        // Of columns that are new, story `rules_kept` says what they are.
        let rows = |session: &mut Session| {
            session.list::<String>(
                "SELECT (to_jsonb(t) - '{description,stop_loss_range_share,lifetime_per_range,lifetime_floor,lifetime_cap,renew,
                                         cooldown_flips,max_spread_percent,max_disagreement_percent}'::text[])::text
                   FROM signal_rules t WHERE strategy = 'momentum' UNION ALL
                 SELECT (to_jsonb(t) - '{min_gap,late_joiners}'::text[])::text FROM signal_tiers t
                  UNION ALL SELECT to_jsonb(t)::text FROM signal_symbols t
                  UNION ALL SELECT to_jsonb(t)::text FROM user_subscriptions t ORDER BY 1",
            )
        };
        let (granted, kept) = (grants(&mut session), rows(&mut session));
        session.run("ALTER EXTENSION signal_hub UPDATE");
        let now = grants(&mut session);
        // The one table of 0.1.0 that is a view since, and was never granted to anybody.
        let lost: Vec<&String> = granted
            .iter()
            .filter(|grant| !now.contains(grant))
            .collect();
        assert_eq!(lost, Vec::<&String>::new(), "from {release}");
        assert!(
            session.one::<bool>(
                "SELECT NOT has_table_privilege('pg_monitor', 'signal_health', 'SELECT')
                    AND NOT has_function_privilege('reader', 'current_subscriber()', 'EXECUTE')
                    AND has_table_privilege('reader', 'signal_stats', 'SELECT')
                    AND has_table_privilege('reader', 'signal_reach', 'SELECT')
                    AND NOT has_function_privilege('reader', 'signal_hub_build()', 'EXECUTE')"
            ),
            "from {release}"
        );
        assert_eq!(rows(&mut session), kept, "from {release}");
        session.run("TABLE my_health");
    }
}

#[test]
fn an_object_that_somebody_planted_under_a_name_of_ours_stops_the_update_and_stays_as_it_is() {
    let cluster = Options::not_preloaded().start();
    let function =
        "CREATE FUNCTION signal_hub_build() RETURNS text LANGUAGE sql AS $$SELECT 'planted'$$";
    // As if it were a user's: it has the columns of ours.
    let view = "ALTER EXTENSION signal_hub DROP VIEW signal_stats";
    for (release, object, plant) in [
        ("0.1.0", "function public.signal_hub_build()", function),
        ("0.2.0", "function public.signal_hub_build()", function),
        ("0.2.0", "view public.signal_stats", view),
    ] {
        let mut session = cluster.create_database(&format!("{object} since {release}"));
        session.run(&format!(
            "CREATE EXTENSION signal_hub VERSION '{release}'; {plant}"
        ));
        let before = definitions(&mut session);
        let error = session.error("ALTER EXTENSION signal_hub UPDATE");
        let expected = format!("{object} is not a member of extension \"signal_hub\"");
        assert_eq!(error.message(), expected, "from {release}");
        assert_eq!(definitions(&mut session), before, "from {release}");
    }
}

/// Functions and views of the schema, and the version of the extension.
fn definitions(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
          UNION ALL
         SELECT pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
          UNION ALL
         SELECT extversion FROM pg_extension WHERE extname = 'signal_hub' ORDER BY 1",
    )
}

/// Whoever may create triggers on a table must not get the rights of the superuser who updates.
#[test]
fn triggers_and_rules_of_users_do_not_fire_in_an_update_and_work_after_it_as_before() {
    let cluster = Options::not_preloaded().start();
    cluster.session(POSTGRES).run("CREATE ROLE mallory");
    // The update from 0.1.0 changes rows of fan-outs under way.
    let mut session = used(
        &cluster,
        "0.1.0",
        "INSERT INTO signals (run_id, strategy, symbol, signal_type, reason, why, confidence, quality_score,
                              entry_price, take_profit, stop_loss, expires_at, price_change_percent, last_price,
                              open_price, high_price, low_price, bid_price, ask_price, weighted_average_price,
                              base_volume, quote_volume, trade_count, open_time, close_time, gates, created_at,
                              delivery_tier, delivery_user_id)
         VALUES (1, 'momentum', 'BTCUSDT', 'LONG', 'entered', 'by hand', 35, 80, 100, '{101,102}', 97.5, now(), 3.5,
                 100, 96.6, 101, 96, 99.9, 100.1, 99, 50000, 5000000, 12345, now(), now(), '[]', now(),
                 'MAX', '00000000-0000-4000-8000-000000000001');
         GRANT TRIGGER ON signals TO mallory;
         GRANT CREATE ON SCHEMA public TO mallory;
         SET ROLE mallory;
         CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION 'climbed as %', current_user;
         END $$;
         CREATE TRIGGER climb_always BEFORE UPDATE ON signals FOR EACH ROW EXECUTE FUNCTION climb();
         CREATE TRIGGER climb_replica BEFORE UPDATE ON signals FOR EACH ROW EXECUTE FUNCTION climb();
         CREATE TRIGGER climb_origin AFTER UPDATE ON signals FOR EACH STATEMENT EXECUTE FUNCTION climb();
         CREATE TRIGGER climb_off BEFORE UPDATE ON signals FOR EACH ROW EXECUTE FUNCTION climb();
         RESET ROLE;
         ALTER TABLE signals ENABLE ALWAYS TRIGGER climb_always;
         ALTER TABLE signals ENABLE REPLICA TRIGGER climb_replica;
         ALTER TABLE signals DISABLE TRIGGER climb_off;
         CREATE RULE nothing AS ON UPDATE TO signals DO INSTEAD NOTHING",
    );
    let error = session.error("UPDATE user_subscriptions SET tier = tier; DROP RULE nothing ON signals; UPDATE signals SET symbol = symbol");
    assert_eq!(error.message(), "climbed as postgres", "it is a trap");

    session.run("BEGIN; ALTER EXTENSION signal_hub UPDATE; COMMIT");
    let states: Vec<String> = session.list(
        "SELECT format('%s %s', tgname, tgenabled) FROM pg_trigger WHERE tgrelid = 'signals'::regclass AND NOT tgisinternal
          UNION ALL
         SELECT format('rule %s %s', rulename, ev_enabled) FROM pg_rewrite WHERE ev_class = 'signals'::regclass
          ORDER BY 1",
    );
    assert_eq!(
        states,
        [
            "climb_always A",
            "climb_off D",
            "climb_origin O",
            "climb_replica R",
            "rule nothing O"
        ]
    );
    assert!(session.one::<bool>("SELECT delivery_started_at IS NOT NULL FROM signals"));
    session.run("DROP RULE nothing ON signals");
    let error = session.error("UPDATE signals SET symbol = symbol");
    assert_eq!(error.message(), "climbed as postgres", "it works again");
}

#[test]
fn a_function_that_is_dropped_and_created_again_gets_its_owner_and_grants_back() {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE ROLE keeper; CREATE ROLE reader; CREATE EXTENSION signal_hub;
         ALTER FUNCTION signals_since(text, integer) OWNER TO keeper;
         GRANT EXECUTE ON FUNCTION signals_since(text, integer) TO reader WITH GRANT OPTION;
         ALTER VIEW signal_stats OWNER TO keeper;
         REVOKE SELECT ON signal_stats FROM pg_monitor;
         GRANT SELECT (day, symbol) ON signal_stats TO reader",
    );
    let shipped = "SELECT coalesce(string_agg(i.initprivs::text, ' '), 'none') FROM pg_init_privs i
                    WHERE i.objoid IN ('signal_stats'::regclass, 'signals_since'::regproc)";
    let before = (grants(&mut session), session.one::<String>(shipped));
    let part = |name: &str| {
        let file = format!("{}/../sql/{name}.sql", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).expect("a part");
        text.replace("@extschema@", "public")
    };
    // What an update does, by hand.
    session.run(&format!(
        "BEGIN; {} {}
         CREATE TEMP TABLE d AS SELECT pg_get_functiondef('public.signals_since'::regproc) AS f, pg_get_viewdef('public.signal_stats') AS v;
         ALTER EXTENSION signal_hub DROP FUNCTION public.signals_since(text, integer);
         DROP FUNCTION public.signals_since(text, integer);
         ALTER EXTENSION signal_hub DROP VIEW public.signal_stats;
         DO $$
         DECLARE d record;
         BEGIN
             SELECT * INTO d FROM pg_temp.d;
             DROP VIEW public.signal_stats;
             EXECUTE d.f;
             EXECUTE 'CREATE VIEW public.signal_stats AS ' || d.v;
         END $$;
         REVOKE ALL ON FUNCTION public.signals_since(text, integer) FROM PUBLIC;
         GRANT SELECT ON public.signal_stats TO pg_monitor;
         ALTER EXTENSION signal_hub ADD FUNCTION public.signals_since(text, integer);
         ALTER EXTENSION signal_hub ADD VIEW public.signal_stats;
         {} COMMIT",
        part("00_search_path"),
        part("05_update_begins"),
        part("95_update_ends")
    ));
    assert_eq!(grants(&mut session), before.0);
    let owners: Vec<String> = session.list(
        "SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'signals_since'
          UNION ALL SELECT relowner::regrole::text FROM pg_class WHERE relname = 'signal_stats'",
    );
    assert_eq!(owners, ["keeper", "keeper"]);
    let now: String = session.one(shipped);
    assert!(!now.contains("reader"), "counted as shipped: {now}");
}

#[test]
fn objects_of_another_build_of_this_version_are_told_with_what_to_do() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    let version: String =
        session.one("SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'");
    let library = "SELECT library_version FROM signal_worker_status()";
    assert_eq!(session.one::<String>(library), version);
    let build: String = session.one("SELECT signal_hub_build()");

    let replace = |build: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION signal_hub_build() RETURNS text
                 LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
                 AS $$SELECT '{build}'$$"
        )
    };
    session.run(&replace("0123456789abcdef"));
    eventually(SOON, "health says so", || {
        session.one::<bool>("SELECT state = 'version_mismatch' AND NOT healthy FROM signal_health")
    });
    assert_eq!(
        session.one::<String>(library),
        format!("{version}+{build}"),
        "the library's own build"
    );
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    if version.contains('-') {
        let message: String = session.one("SELECT message FROM signal_health");
        assert!(message.contains("drop the extension"), "{message}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("drop the extension"), "{hint}");
    }

    session.run(&replace(&build));
    eventually(SOON, "the worker goes on", || {
        session.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
}
