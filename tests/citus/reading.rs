//! What clients read, and what is kept.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, subscribe, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{begin, claim, import, page, since};
use signal_hub_harness::wait::eventually;

#[test]
fn subscribers_read_their_own_rows_and_what_does_not_work_says_so() {
    let Some(mut servers) = Servers::with(2, &[("signal_hub.signal_retention", "1d")]) else {
        return;
    };
    servers.admin.run(
        "CREATE ROLE anon LOGIN; CREATE ROLE authenticated LOGIN; CREATE ROLE service_role LOGIN BYPASSRLS;
         SELECT grant_realtime_access()",
    );
    subscribe(&mut servers.admin, "MAX", 1, 50);
    servers.shard();
    servers.turn();
    servers.wait_for_signals(1);

    let mut client = servers.coordinator.session(POSTGRES);
    let claims = format!(r#"{{"sub": "{}", "role": "authenticated"}}"#, user(7));
    // What set_config() says does not reach the nodes by itself: nobody's row is shown.
    client.run(&format!(
        "BEGIN; SET LOCAL ROLE authenticated; SELECT set_config('request.jwt.claims', '{claims}', true)"
    ));
    assert_eq!(client.one::<i64>("SELECT count(*) FROM user_signals"), 0);
    client.run("SELECT forward_claims()");
    let own: Vec<String> = client.list("SELECT user_id::text FROM user_signals");
    assert_eq!(own, [user(7)]);
    client.run("UPDATE user_signals SET viewed = true; COMMIT");
    client.run(&format!(
        r#"BEGIN; SET LOCAL ROLE authenticated;
           SELECT set_config('request.jwt.claims', '{{"sub": "{}"}}', true); SELECT forward_claims()"#,
        user(8)
    ));
    let own: Vec<String> = client.list("SELECT user_id::text FROM user_signals");
    assert_eq!(own, [user(8)]);
    client.run("COMMIT");
    let viewed = "SELECT count(*) FROM user_signals WHERE viewed AND viewed_at IS NOT NULL";
    assert_eq!(servers.admin.one::<i64>(viewed), 1);

    // The rows of all have no common order, and a node that is not set up cannot be followed.
    let refused = servers.admin.error("SELECT signals_since(NULL)");
    assert_eq!(refused.code().code(), "0A000", "{refused:?}");
    let refused = servers.admin.error("SELECT enable_realtime()");
    assert_eq!(refused.code().code(), "55000", "{refused:?}");
    let hint = refused.hint().expect("it says what to do");
    assert!(
        hint.contains("ALTER SYSTEM SET citus.enable_change_data_capture = on"),
        "{hint}"
    );

    // Rows outlive their retention on no node.
    servers.admin.run(
        "UPDATE signals SET created_at = created_at - interval '9 days', expires_at = expires_at - interval '9 days'",
    );
    let pid: i32 = servers.admin.one("SELECT worker_pid FROM signal_health");
    servers
        .admin
        .run(&format!("SELECT pg_terminate_backend({pid})"));
    let admin = &mut servers.admin;
    eventually(SOON, "the rows are purged", || {
        admin.one::<i64>("SELECT count(*) FROM user_signals") == 0
            && admin.one::<i64>("SELECT count(*) FROM signals") == 0
    });
    assert!(admin.one::<bool>("SELECT healthy FROM signal_health"));
}

/// A session of subscriber 1, whose claims are set as PostgREST does it.
fn client(servers: &Servers) -> Session {
    let mut client = servers.coordinator.session(POSTGRES);
    client.run("SET ROLE authenticated");
    claim(&mut client, 1);
    client
}

#[test]
fn who_catches_up_misses_no_row_however_late_it_commits_and_wherever_it_is() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    // Nothing connects to a node as this role.
    servers
        .admin
        .run("CREATE ROLE authenticated; SELECT grant_realtime_access()");
    subscribe(&mut servers.admin, "MAX", 1, 2);
    servers.admin.run("SELECT pause_signals('a test')");
    eventually(SOON, "nothing is under way", || {
        servers
            .admin
            .try_list::<String>("SELECT enable_citus()")
            .ok()
    });
    let mut reader = client(&servers);
    let first = begin(&mut reader);
    assert!(first.signals.is_empty());

    let mut slow = servers.coordinator.session(POSTGRES);
    slow.run("BEGIN");
    slow.run(&import(1, 1));
    servers.admin.run(&import(1, 2));
    servers.admin.run(&import(2, 3));
    let second = since(&mut reader, &first.watermark);
    assert_eq!(
        second.signals,
        [2],
        "neither what has not committed, nor others' rows"
    );
    slow.run("COMMIT");
    let third = since(&mut reader, &second.watermark);
    assert!(third.signals.contains(&1), "{:?}", third.signals);
    let none = since(&mut reader, &third.watermark);
    assert!(none.signals.is_empty() && !none.more, "{:?}", none.signals);

    // Rows that are prepared are not visible, and are not passed over.
    let place: i32 = servers.admin.one(&format!(
        "SELECT p.nodeport FROM pg_dist_shard_placement p
          WHERE p.shardid = get_shard_id_for_distribution_column('user_signals', '{}'::uuid)",
        user(1)
    ));
    let index = usize::from(
        signal_hub_harness::nodes::port(&mut servers.nodes[0].session(POSTGRES)) != place,
    );
    let mut on_node = servers.nodes[index].session(POSTGRES);
    let shard: i64 = servers.admin.one(&format!(
        "SELECT get_shard_id_for_distribution_column('user_signals', '{}'::uuid)",
        user(1)
    ));
    on_node.run("SET citus.enable_manual_changes_to_shards = on; BEGIN");
    on_node.run(&import(1, 4).replacen("user_signals", &format!("user_signals_{shard}"), 1));
    on_node.run("PREPARE TRANSACTION 'left here'");
    servers.admin.run(&import(1, 5));
    let fourth = since(&mut reader, &none.watermark);
    assert_eq!(fourth.signals, [5]);
    let told = "SELECT nodes LIKE '%1 transaction(s) are prepared%' FROM signal_health";
    eventually(SOON, "health says that something is pending", || {
        servers.admin.one::<bool>(told)
    });
    on_node.run("COMMIT PREPARED 'left here'");
    let fifth = since(&mut reader, &fourth.watermark);
    assert!(fifth.signals.contains(&4), "{:?}", fifth.signals);
    assert!(
        servers
            .admin
            .one::<bool>("SELECT nodes = '2 node(s), nothing is pending' FROM signal_health")
    );

    // Page by page, from the beginning: the rows moved to the other node.
    servers.admin.run(&format!(
        "SELECT citus_move_shard_placement({shard}, s.nodename, s.nodeport, n.nodename, n.nodeport, 'block_writes')
           FROM pg_dist_shard_placement s JOIN pg_dist_node n ON n.groupid <> 0 AND n.nodeport <> s.nodeport
          WHERE s.shardid = {shard}"
    ));
    let mut watermark = fifth.watermark;
    let mut all = Vec::new();
    loop {
        let next = page(&mut reader, &format!("'{watermark}'"), "2");
        all.extend(next.signals);
        watermark = next.watermark;
        if !next.more {
            break;
        }
    }
    all.sort_unstable();
    assert_eq!(all, [1, 2, 4, 5]);

    // Whose watermark it is, counts.
    claim(&mut reader, 2);
    assert_eq!(since(&mut reader, &watermark).signals, [3]);
    claim(&mut reader, 1);
    servers.admin.run("SELECT disable_citus()");
    let mut back = since(&mut reader, &watermark).signals;
    back.sort_unstable();
    assert_eq!(back, [1, 2, 4, 5], "on one server it begins anew");
}
