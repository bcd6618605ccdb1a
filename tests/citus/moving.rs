//! The way to several servers, and back.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, wait_for_deliveries};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

/// What a client can tell of the tables, as a number.
const CONTENTS: &str = "
    SELECT md5(string_agg(r, ' ' ORDER BY r))
      FROM (SELECT to_jsonb(u)::text AS r FROM user_subscriptions u UNION ALL
            SELECT to_jsonb(e)::text FROM user_signals e UNION ALL
            -- A trigger sets when they were written.
            SELECT (to_jsonb(p) - 'updated_at')::text FROM user_preferences p UNION ALL
            SELECT to_jsonb(t)::text FROM signal_tiers t) a";

const POLICIES: &str = "
    SELECT string_agg(pg_get_expr(polqual, polrelid) || coalesce(pg_get_expr(polwithcheck, polrelid), ''), ' '
                      ORDER BY polrelid, polname)
      FROM pg_policy WHERE polname ~ '^own_row'";

fn shards_on(node: &Cluster) -> i64 {
    let mut session = node.session(POSTGRES);
    session.run("SET citus.show_shards_for_app_name_prefixes = '*'");
    session.one("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '_10[0-9]{4}$'")
}

#[test]
fn without_citus_it_says_what_is_missing() {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    for function in ["enable_citus", "disable_citus"] {
        let refused = session.error(&format!("SELECT {function}()"));
        assert_eq!(refused.code().code(), "55000");
        assert_eq!(refused.message(), "citus is not installed in this database");
        assert!(
            refused
                .hint()
                .is_some_and(|hint| hint.contains("CREATE EXTENSION citus"))
        );
    }
}

#[test]
fn a_filled_database_moves_to_the_nodes_and_back_with_every_row() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    let policies: String = servers.admin.one(POLICIES);
    servers.subscribe(5_000);
    servers.admin.run(
        "INSERT INTO user_preferences (user_id, max_per_day)
         SELECT user_id, 5 FROM user_subscriptions ORDER BY user_id LIMIT 100",
    );
    servers.turn();
    wait_for_deliveries(&mut servers.admin, 5_000);
    let before: String = servers.admin.one(CONTENTS);

    // What is on its way to its subscribers is not moved.
    servers.admin.run("UPDATE signal_pause SET reason = reason");
    servers.admin.run("SELECT pause_signals('to move')");
    servers.admin.run("UPDATE signals SET delivered_at = NULL");
    let refused = servers.admin.error("SELECT enable_citus()");
    assert_eq!(refused.message(), "1 signal(s) are not delivered");
    servers
        .admin
        .run("UPDATE signals SET delivered_at = clock_timestamp()");

    code_of_others_is_not_run(&mut servers.admin, "enable_citus");
    let said = servers.shard();
    assert!(
        said.contains("public.user_signals is sharded by user_id"),
        "{said}"
    );
    assert!(said.contains("2 node(s)"), "{said}");
    let again = servers.shard();
    assert_eq!(again, "the tables were on 2 node(s) already");
    assert_eq!(servers.admin.one::<String>(CONTENTS), before);
    for node in &servers.nodes {
        assert!(shards_on(node) >= 49, "shards and tiers");
    }
    let here = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0
                   AND relname IN ('user_signals', 'user_subscriptions', 'user_preferences')";
    assert_eq!(
        servers.admin.one::<i64>(here),
        0,
        "rows that were left behind"
    );

    let refused = servers.admin.error("DROP EXTENSION signal_hub");
    assert_eq!(refused.code().code(), "2BP01");
    let refused = servers.admin.error("DROP EXTENSION signal_hub CASCADE");
    assert_eq!(refused.code().code(), "2BP01");
    let hint = refused.hint().expect("it says what to do");
    assert!(hint.contains("disable_citus()"), "{hint}");
    servers.admin.run("SELECT resume_signals()");
    servers.turn();
    servers.wait_for_signals(2);
    servers.everybody_has_each_once(5_000, 2);
    let after: String = servers.admin.one(CONTENTS);

    code_of_others_is_not_run(&mut servers.admin, "disable_citus");

    let mut back = String::new();
    eventually(SOON, "nothing is under way", || {
        let said: Vec<String> = servers.admin.try_list("SELECT disable_citus()").ok()?;
        back = said.concat();
        Some(())
    });
    assert!(back.contains("10000 rows of public.user_signals"), "{back}");
    assert_eq!(
        servers.admin.one::<String>("SELECT disable_citus()"),
        "the tables were on this server alone already"
    );
    assert_eq!(servers.admin.one::<String>(CONTENTS), after);
    assert_eq!(servers.admin.one::<String>(POLICIES), policies);
    assert_eq!(
        servers
            .admin
            .one::<i64>("SELECT count(*) FROM pg_dist_partition"),
        0
    );
    for node in &servers.nodes {
        assert_eq!(shards_on(node), 0);
    }
    servers.admin.run("BEGIN; TRUNCATE user_signals; ROLLBACK");
    goes_on_alone(&mut servers);
    servers.admin.run("DROP EXTENSION signal_hub");
    let left = "SELECT count(*) FROM pg_event_trigger WHERE evtname ~ 'signal'";
    assert_eq!(servers.admin.one::<i64>(left), 0);
}

/// On one server again, it delivers as before.
fn goes_on_alone(servers: &mut Servers) {
    servers.turn();
    servers.wait_for_signals(3);
    servers.everybody_has_each_once(5_000, 3);
    let session: &mut Session = &mut servers.admin;
    assert!(session.one::<bool>("SELECT state = 'running' FROM signal_health"));
}

/// Rows are moved with the rights of a superuser, so nothing is where that would run code of others.
fn code_of_others_is_not_run(admin: &mut Session, function: &str) {
    let put = "SET LOCAL citus.enable_ddl_propagation = off; CREATE ROLE keeper; GRANT CREATE ON SCHEMA public TO keeper;
        CREATE FUNCTION climb(tier text) RETURNS text LANGUAGE plpgsql IMMUTABLE
            AS $$BEGIN ALTER ROLE keeper SUPERUSER; RETURN tier; END$$;
        ALTER FUNCTION climb OWNER TO keeper";
    for (put_there, told) in [
        (
            "ALTER TABLE user_subscriptions ADD CONSTRAINT climb CHECK (climb(tier) <> '') NOT VALID",
            "uses function public.climb(text) of keeper",
        ),
        (
            "ALTER TABLE signal_tiers OWNER TO keeper",
            "table public.signal_tiers belongs to keeper, who is no superuser: \
             run ALTER TABLE public.signal_tiers OWNER TO postgres",
        ),
    ] {
        admin.run(&format!("BEGIN; {put}; {put_there}"));
        let refused = eventually(SOON, "nothing is under way", || {
            admin.run("SAVEPOINT before");
            let refused = admin.error(&format!("SELECT {function}()"));
            admin.run("ROLLBACK TO before");
            (refused.code().code() != "55000").then_some(refused)
        });
        admin.run("ROLLBACK");
        assert_eq!(refused.code().code(), "42501", "{refused}");
        let detail = refused.detail().unwrap_or_default();
        assert!(detail.contains(told), "{detail}");
    }
}
