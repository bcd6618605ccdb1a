//! What clients read, and what is kept.

use crate::ground::Servers;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, subscribe, user};
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

    let refused = servers.admin.error("SELECT signals_since(NULL)");
    assert_eq!(refused.code().code(), "0A000", "{refused:?}");
    let refused = servers.admin.error("SELECT enable_realtime()");
    assert_eq!(refused.code().code(), "0A000", "{refused:?}");

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
