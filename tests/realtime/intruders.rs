//! A subscriber who tries every way of SQL to reach rows of others. Setting another subscriber's
//! claims is not among them: the API in front of the database prevents that.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::output;
use signal_hub_harness::scene::{flat_market, subscribe, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{Shop, claim, options};

/// Every row of the table with what shows that somebody touched it: for rows of others also a
/// lock, for the intruder's only a change.
fn as_they_lie(session: &mut Session) -> Vec<String> {
    let rows = ["user_signals", "user_subscriptions"].map(|table| {
        format!(
            "SELECT concat(s.*, CASE WHEN user_id <> '{}' THEN concat(s.ctid, s.xmin, s.xmax) END) FROM {table} s",
            user(2)
        )
    });
    session.list(&format!("{} ORDER BY 1", rows.join(" UNION ALL ")))
}

/// A shop with two signals for three subscribers; the second is the intruder.
fn robbed() -> (Shop, Session) {
    let mut shop = Shop::open();
    shop.signal();
    shop.signal();
    shop.admin
        .run("CREATE SCHEMA theirs AUTHORIZATION authenticated");
    let client = shop.client(2);
    (shop, client)
}

/// What a statement gives an intruder: its rows as text, or its SQLSTATE and the whole error.
fn loot(session: &mut Session, sql: &str) -> Result<Vec<String>, (String, String)> {
    session.try_list::<String>(sql).map_err(|error| {
        let report = error.as_db_error().expect("the server's error");
        let said = format!(
            "{} {:?} {:?} {:?}",
            report.message(),
            report.detail(),
            report.hint(),
            report.where_()
        );
        (report.code().code().to_owned(), said)
    })
}

/// Statements that need more than a subscriber is granted.
const FORBIDDEN: [&str; 25] = [
    "INSERT INTO user_signals SELECT * FROM user_signals",
    "INSERT INTO user_signals SELECT * FROM user_signals ON CONFLICT (user_id, signal_id) DO UPDATE SET viewed = true RETURNING user_id::text",
    "MERGE INTO user_signals t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "DELETE FROM user_signals",
    "TRUNCATE user_signals",
    "DO 'BEGIN LOCK TABLE user_signals IN SHARE MODE; END'",
    "COPY user_signals FROM PROGRAM 'true'",
    "COPY user_signals TO '/tmp/loot'",
    "ALTER TABLE user_signals DISABLE ROW LEVEL SECURITY",
    "DROP POLICY own_rows ON user_signals",
    "CREATE TRIGGER spy BEFORE UPDATE ON user_signals FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE TABLE theirs.probe (u uuid, s bigint, FOREIGN KEY (u, s) REFERENCES user_signals)",
    "UPDATE user_subscriptions SET tier = 'MAX' RETURNING user_id::text",
    "SELECT entry_price::text FROM signals",
    "SELECT error FROM signal_runs",
    "SELECT message FROM signal_health",
    "SELECT symbol FROM signal_stats",
    "SELECT tier FROM signal_tiers",
    "SELECT stavalues1::text FROM pg_statistic",
    "SELECT generate_signals_now()::text",
    "SELECT symbol FROM preview_signals()",
    "SELECT pause_signals()::text",
    "SELECT enable_realtime('loot')",
    "SELECT grant_realtime_access('authenticated')",
    "SELECT data FROM pg_logical_slot_peek_changes('loot', NULL, NULL)",
];

#[test]
fn what_is_not_granted_is_refused() {
    let (mut shop, mut client) = robbed();
    let before = as_they_lie(&mut shop.admin);
    for sql in FORBIDDEN {
        let (code, said) = loot(&mut client, sql).expect_err(sql);
        assert_eq!(code, "42501", "{sql}: {said}");
        assert!(!said.contains("00000000-0000-4000"), "{said}");
    }
    assert_eq!(as_they_lie(&mut shop.admin), before);
}

/// Ways to read that are allowed and must show only the intruder's two rows; each gives the
/// user_id of what it reached.
const LOOKS: [&str; 16] = [
    "SELECT user_id::text FROM user_signals",
    "SELECT user_id::text FROM ONLY user_signals WHERE true OR user_id IS NOT NULL",
    "SELECT (s).user_id::text FROM (SELECT s FROM user_signals s) x",
    "SELECT user_id::text FROM user_signals WHERE ctid >= '(0,0)' AND ctid < '(99,0)'",
    "SELECT user_id::text FROM user_signals TABLESAMPLE SYSTEM (100)",
    "SELECT user_id::text FROM user_signals FOR UPDATE SKIP LOCKED",
    "SELECT user_id::text FROM user_signals WHERE pg_temp.leak(user_id)",
    "SELECT user_id::text FROM user_signals WHERE user_id OPERATOR(pg_temp.<<<) user_id",
    "SELECT user_id::text FROM user_signals WHERE signal_id / (signal_id - signal_id + CASE WHEN user_id = '00000000-0000-4000-8000-000000000002' THEN 1 ELSE 0 END) > 0",
    "SELECT user_id::text FROM pg_temp.seen",
    "SELECT user_id::text FROM pg_temp.look()",
    "SELECT a.user_id::text FROM user_signals a WHERE EXISTS (SELECT FROM user_signals b WHERE b.signal_id = a.signal_id)",
    "SELECT unnest(xpath('//user_id/text()', table_to_xml('user_signals', false, false, '')))::text",
    "UPDATE user_signals SET viewed = true RETURNING user_id::text",
    "WITH touched AS (UPDATE user_signals SET clicked = true WHERE pg_temp.leak(user_id) RETURNING user_id) SELECT user_id::text FROM touched",
    "SELECT s.user_id::text FROM signals_since(NULL, NULL) p, unnest(p.signals) s",
];

/// Functions and operators without a cost, so that a planner without a barrier calls them first.
/// They raise a notice when they see a row that is not the intruder's.
const LEAKS: &str = "
    CREATE FUNCTION pg_temp.leak(id uuid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0000001 AS $$
    BEGIN
        IF id <> '00000000-0000-4000-8000-000000000002' THEN
            RAISE EXCEPTION 'seen: %', id;
        END IF;
        RETURN true;
    END $$;
    CREATE FUNCTION pg_temp.leak(id uuid, again uuid) RETURNS boolean LANGUAGE sql IMMUTABLE COST 0.0000001
        AS 'SELECT pg_temp.leak(id)';
    CREATE OPERATOR pg_temp.<<< (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = pg_temp.leak, RESTRICT = eqsel);
    CREATE TEMP VIEW seen AS SELECT * FROM public.user_signals WHERE pg_temp.leak(user_id);
    CREATE FUNCTION pg_temp.look() RETURNS SETOF public.user_signals LANGUAGE plpgsql SECURITY DEFINER
        AS 'BEGIN RETURN QUERY SELECT * FROM public.user_signals; END';
";

#[test]
fn every_way_to_look_shows_ones_own_rows_and_no_other() {
    let (mut shop, mut client) = robbed();
    shop.admin.run("ANALYZE user_signals");
    client.run(LEAKS);
    let own = vec![user(2), user(2)];
    let has_xml: bool = shop
        .admin
        .one("SELECT setting LIKE '%--with-libxml%' FROM pg_config WHERE name = 'CONFIGURE'");
    for sql in LOOKS {
        let seen = loot(&mut client, sql);
        // A server built without libxml refuses to make XML of anything.
        if !has_xml && sql.contains("table_to_xml") {
            let (code, said) = seen.expect_err(sql);
            assert_eq!(code, "0A000", "{sql}: {said}");
        } else {
            assert_eq!(seen, Ok(own.clone()), "{sql}");
        }
    }
    for (sql, count) in [
        ("SELECT count(*) FROM user_subscriptions", 1),
        ("SELECT count(*) FROM user_signal_quotas", 1),
        // Statistics contain values of all rows, so PostgreSQL hides them.
        (
            "SELECT count(*) FROM pg_stats WHERE tablename = 'user_signals'",
            0,
        ),
        ("SELECT count(*) FROM pg_stats_ext", 0),
        (
            "SELECT count(*) FROM user_signals WHERE NOT viewed OR NOT clicked",
            0,
        ),
    ] {
        assert_eq!(client.one::<i64>(sql), count, "{sql}");
    }
    client.run("SET row_security = off");
    let (code, _) = loot(&mut client, LOOKS[0]).expect_err("row security cannot be switched off");
    assert_eq!(code, "42501");

    let marked: Vec<String> = shop
        .admin
        .list("SELECT DISTINCT user_id::text FROM user_signals WHERE viewed OR clicked");
    assert_eq!(marked, [user(2)]);
    let copied = output(
        shop.cluster
            .tool("psql")
            .args(["-X", "-q", POSTGRES])
            .args([
                "-c",
                &format!(r#"SET request.jwt.claims = '{{"sub": "{}"}}'"#, user(2)),
                "-c",
                "SET ROLE authenticated",
                "-c",
                "COPY user_signals (user_id) TO STDOUT",
            ]),
    );
    assert_eq!(copied, own.join("\n"));
}

#[test]
fn a_plan_made_for_one_subscriber_shows_the_next_their_own() {
    let (_shop, mut client) = robbed();
    client.run("PREPARE mine AS SELECT user_id::text FROM user_signals");
    for number in [2, 3, 1, 2, 3, 1, 2, 3] {
        claim(&mut client, number);
        let seen = loot(&mut client, "EXECUTE mine");
        assert_eq!(seen, Ok(vec![user(number), user(number)]));
        let seen = loot(&mut client, LOOKS[15]);
        assert_eq!(seen, Ok(vec![user(number), user(number)]));
    }
    for claims in [
        "",
        "{",
        "[]",
        "null",
        "{\"sub\": null}",
        "{\"sub\": [\"00000000-0000-4000-8000-000000000001\"]}",
    ] {
        client.run(&format!("SET request.jwt.claims = '{claims}'"));
        assert_eq!(loot(&mut client, "EXECUTE mine"), Ok(vec![]), "{claims}");
        assert_eq!(loot(&mut client, LOOKS[15]), Ok(vec![]), "{claims}");
        assert_eq!(loot(&mut client, LOOKS[13]), Ok(vec![]), "{claims}");
    }
    client.run("RESET request.jwt.claims");
    assert_eq!(loot(&mut client, "EXECUTE mine"), Ok(vec![]));
}

/// When an administrator has granted everything, only the policies protect rows.
#[test]
fn policies_hold_where_everything_was_granted() {
    let (mut shop, mut client) = robbed();
    shop.admin.run(
        "GRANT ALL ON user_signals, user_subscriptions TO authenticated;
         REVOKE TRUNCATE ON user_signals, user_subscriptions FROM authenticated",
    );
    let before = as_they_lie(&mut shop.admin);
    let of_another = user(1);
    for sql in [
        // Gives a row to somebody else, and takes one.
        format!("UPDATE user_signals SET user_id = '{of_another}'"),
        format!(
            "INSERT INTO user_signals SELECT * FROM user_signals ON CONFLICT (user_id, signal_id) DO UPDATE SET user_id = '{of_another}'"
        ),
        "INSERT INTO user_signals SELECT * FROM user_signals ON CONFLICT DO NOTHING".to_owned(),
        format!("INSERT INTO user_subscriptions (user_id, tier) VALUES ('{of_another}', 'MAX')"),
        format!(
            "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{of_another}', 'MAX') ON CONFLICT (user_id) DO UPDATE SET tier = 'FREE'"
        ),
        "MERGE INTO user_signals t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE".to_owned(),
        "COPY user_signals FROM PROGRAM 'true'".to_owned(),
    ] {
        let (code, said) = loot(&mut client, &sql).expect_err(&sql);
        assert_eq!(code, "42501", "{sql}: {said}");
        assert!(!said.contains(&of_another), "{said}");
    }
    // An error does not show whether a key exists, not even the intruder's own.
    let (code, said) = loot(
        &mut client,
        "UPDATE user_signals SET signal_id = (SELECT max(signal_id) FROM user_signals)",
    )
    .expect_err("a key twice");
    assert_eq!(code, "23505");
    assert!(!said.contains("Key ("), "{said}");
    for sql in [
        "DELETE FROM user_signals RETURNING user_id::text",
        "DELETE FROM user_subscriptions RETURNING user_id::text",
        "UPDATE user_subscriptions SET tier = 'MAX', current_period_end = 'infinity' RETURNING user_id::text",
    ] {
        let got = loot(&mut client, sql);
        assert_eq!(got, Ok(vec![]), "{sql}");
    }
    assert_eq!(as_they_lie(&mut shop.admin), before);
}

#[test]
fn platforms_that_give_everything_to_every_client_by_default_give_nothing_of_ours() {
    let market = flat_market();
    let cluster = options(&market).start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
         ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated, service_role, PUBLIC;
         ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
         ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
         CREATE EXTENSION signal_hub",
    );
    let open = |admin: &mut Session, role: &str| {
        admin.list::<String>(&format!(
            "SELECT o.name FROM (
                 SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c
                  WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege('{role}', c.oid, 'USAGE, SELECT, UPDATE')
                                       WHEN 'r' THEN has_table_privilege('{role}', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                                       WHEN 'v' THEN has_table_privilege('{role}', c.oid, 'SELECT, INSERT, UPDATE, DELETE') END
                 UNION ALL
                 SELECT p.oid, p.proname FROM pg_proc p WHERE has_function_privilege('{role}', p.oid, 'EXECUTE')) o
               JOIN pg_depend d ON d.objid = o.oid AND d.deptype = 'e'
               JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'signal_hub' ORDER BY 1"
        ))
    };
    for role in ["anon", "authenticated", "service_role"] {
        assert_eq!(open(&mut admin, role), ["current_subscriber"], "{role}");
    }
    // Somebody has granted what they should not have.
    admin.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated; GRANT UPDATE (confidence) ON user_signals TO authenticated");
    let said: Vec<String> = admin.list("SELECT grant_realtime_access()");
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(open(&mut admin, "anon"), ["current_subscriber"]);
    assert_eq!(
        open(&mut admin, "authenticated"),
        [
            "current_subscriber",
            "forward_claims",
            "signal_hub_open_signals",
            "signal_hub_shows_prices",
            "signal_hub_signals_on_node",
            "signal_hub_transactions",
            "signal_prices",
            "signals_since",
            "subscriber_status",
            "user_preferences",
            "user_push_subscriptions",
            "user_signal_outcomes",
            "user_signal_quotas",
            "user_signals",
            "user_subscriptions"
        ]
    );
    let more_than_meant: bool = admin.one(
        "SELECT has_table_privilege('authenticated', 'signal_prices', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
             OR has_table_privilege('authenticated', 'user_preferences', 'TRUNCATE, TRIGGER, REFERENCES')
             OR has_table_privilege('authenticated', 'user_push_subscriptions', 'INSERT, UPDATE, TRUNCATE, TRIGGER')",
    );
    assert!(!more_than_meant);
    let changeable: Vec<String> = admin.list(
        "SELECT attname::text FROM pg_attribute
          WHERE attrelid = 'user_signals'::regclass AND attnum > 0 AND has_column_privilege('authenticated', attrelid, attnum, 'UPDATE') ORDER BY 1",
    );
    assert_eq!(changeable, ["clicked", "viewed"]);

    // The back office may do what it needs to.
    subscribe(&mut admin, "MAX", 1, 1);
    admin.run(&format!(
        "SET ROLE service_role;
         INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX');
         UPDATE user_subscriptions SET status = 'canceled' WHERE user_id = '{}';
         RESET ROLE",
        user(2),
        user(1)
    ));
    admin.run("SET ROLE service_role");
    assert_eq!(
        admin.one::<i64>("SELECT count(*) FROM user_subscriptions"),
        2
    );
    admin.run(
        "SELECT * FROM signal_health; SELECT * FROM signal_stats; SELECT * FROM signals_since()",
    );
    let error = admin.error("SELECT grant_realtime_access()");
    assert_eq!(error.code().code(), "42501");
}

#[test]
fn roles_of_any_name_are_granted_and_absent_ones_are_told() {
    let market = flat_market();
    let cluster = options(&market).start();
    let mut admin = cluster.session(POSTGRES);
    admin.run("CREATE EXTENSION signal_hub; CREATE ROLE \"Web Users\"; CREATE ROLE office");
    let said: Vec<String> = admin.list("SELECT grant_realtime_access()");
    assert_eq!(
        said,
        [
            "authenticated: no such role",
            "anon: no such role",
            "service_role: no such role"
        ]
    );
    let said: Vec<String> = admin.list("SELECT grant_realtime_access('Web Users', NULL, 'office')");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("Web Users: reads its own rows"),
        "{said:?}"
    );
    assert!(
        said[1].ends_with("has no BYPASSRLS, so the rows of subscribers stay hidden"),
        "{said:?}"
    );
    admin.run("SET ROLE \"Web Users\"; SELECT * FROM user_signals; SELECT * FROM signals_since()");
}
