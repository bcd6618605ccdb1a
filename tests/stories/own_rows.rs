//! Clients with claims see their own rows, and mark them, and no others.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{by_hand, installed_by_hand, rising_market, subscribe, user};
use signal_hub_harness::session::Session;

#[test]
fn clients_see_and_mark_their_own_rows_only() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("SELECT generate_signals_now()");
    session.run(
        "CREATE ROLE client;
         GRANT SELECT ON user_signals, user_subscriptions, user_signal_quotas TO client;
         GRANT UPDATE (viewed, viewed_at, clicked, clicked_at) ON user_signals TO client;
         SET ROLE client",
    );
    let tables = ["user_signals", "user_subscriptions", "user_signal_quotas"];
    let seen = |session: &mut Session| -> Vec<i64> {
        tables
            .map(|table| session.one(&format!("SELECT count(*) FROM {table}")))
            .into()
    };
    assert_eq!(seen(&mut session), [0, 0, 0], "no claims");

    claim(
        &mut session,
        &format!(r#"{{"sub": "{}", "role": "client"}}"#, user(2)),
    );
    assert_eq!(seen(&mut session), [1, 1, 1]);
    assert_eq!(
        session.one::<String>("SELECT user_id::text FROM user_signals"),
        user(2)
    );
    let marked = |session: &mut Session| {
        session
            .rows("UPDATE user_signals SET viewed = true, viewed_at = now() RETURNING user_id")
            .len()
    };
    assert_eq!(marked(&mut session), 1);
    // Without WHERE or RETURNING, only the policy for updates keeps the client from all rows.
    session.run("UPDATE user_signals SET clicked = true");
    let error = session.error("UPDATE user_signals SET confidence = 100");
    assert_eq!(
        error.code().code(),
        "42501",
        "prices and scores are not the client's to change"
    );
    let error = session.error(&format!("UPDATE user_signals SET user_id = '{}'", user(3)));
    assert_eq!(error.code().code(), "42501");

    for malformed in [
        "",
        "{",
        "[]",
        "null",
        "7",
        r#"{"sub": "nobody"}"#,
        r#"{"sub": null}"#,
        r#"{"sub": {"a": 1}}"#,
    ] {
        claim(&mut session, malformed);
        assert_eq!(seen(&mut session), [0, 0, 0], "claims {malformed:?}");
        assert_eq!(marked(&mut session), 0, "claims {malformed:?}");
    }
    session.run("RESET ROLE");
    assert_eq!(
        session.list::<String>("SELECT user_id::text FROM user_signals WHERE viewed AND clicked"),
        [user(2)]
    );
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM user_signals WHERE viewed OR clicked"),
        1
    );
}

#[test]
fn clients_see_their_own_rows_also_in_a_parallel_plan() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 200);
    session.run("SELECT generate_signals_now()");
    let force: String = session.one(
        "SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') ORDER BY 1 LIMIT 1",
    );
    session.run(&format!(
        "CREATE ROLE client;
         GRANT SELECT ON user_signals TO client;
         SET ROLE client;
         SET {force} = 'on';
         SET parallel_setup_cost = 0;
         SET parallel_tuple_cost = 0;
         SET min_parallel_table_scan_size = 0;
         SET enable_indexscan = off;
         SET enable_indexonlyscan = off;
         SET enable_bitmapscan = off"
    ));
    // Once by the policy alone, once as clients may write it: then every worker calls the
    // function.
    let queries = [
        "SELECT count(*) FROM user_signals",
        "SELECT count(*) FROM user_signals WHERE current_subscriber() = user_id",
    ];
    for (claims, rows) in [
        (format!(r#"{{"sub": "{}"}}"#, user(2)), 1),
        ("{".to_owned(), 0),
        (r#"{"sub": "nobody"}"#.to_owned(), 0),
        (String::new(), 0),
    ] {
        claim(&mut session, &claims);
        for query in queries {
            let plan: Vec<String> = session.list(&format!("EXPLAIN (COSTS off) {query}"));
            assert!(plan.concat().contains("Gather"), "{plan:#?}");
            assert_eq!(
                session.one::<i64>(query),
                rows,
                "{query}, claims {claims:?}"
            );
        }
    }
}

fn claim(session: &mut Session, claims: &str) {
    session.run(&format!(
        "SELECT set_config('request.jwt.claims', '{claims}', false)"
    ));
}

/// A site may have taken from everybody the right to call functions that nobody grants them.
#[test]
fn subscribers_see_their_rows_where_functions_are_granted_to_nobody_by_default() {
    let market = rising_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
         CREATE ROLE authenticated; CREATE EXTENSION signal_hub; SELECT grant_realtime_access()",
    );
    subscribe(&mut session, "MAX", 1, 2);
    session.run("SELECT generate_signals_now()");
    claim(&mut session, &format!(r#"{{"sub": "{}"}}"#, user(2)));
    session.run("SET ROLE authenticated");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 1);
    assert_eq!(
        session.one::<i32>("SELECT cardinality(signals) FROM signals_since()"),
        1
    );
}
