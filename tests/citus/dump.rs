//! A dump of the coordinator has the rows of all nodes, and is restored on one server.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::succeed;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, by_itself, subscribe, wait_for_good_run};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

const SUBSCRIBERS: u32 = 500;

/// The rows of what subscribers and signals are; a trigger sets when preferences were written.
fn rows(admin: &mut Session) -> Vec<String> {
    let mut all = Vec::new();
    for table in [
        "signal_tiers",
        "user_subscriptions",
        "user_preferences",
        "user_push_subscriptions",
        "signals",
        "signal_outcomes",
        "user_signals",
    ] {
        let mut rows: Vec<String> = admin.list(&format!(
            "SELECT concat_ws(' ', '{table}', to_jsonb(r) - CASE '{table}' WHEN 'user_preferences' THEN 'updated_at' ELSE '' END)
               FROM {table} r"
        ));
        rows.sort();
        all.append(&mut rows);
    }
    all
}

#[test]
fn a_dump_of_the_coordinator_is_restored_on_one_server_which_delivers_on() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    subscribe(&mut servers.admin, "MAX", 1, SUBSCRIBERS);
    servers.shard();
    servers.admin.run(
        "INSERT INTO user_preferences (user_id, max_per_day) SELECT user_id, 20 FROM user_subscriptions LIMIT 100;
         INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
         SELECT user_id, 'https://push.example/' || user_id, 'B' || repeat('x', 86), repeat('y', 22)
           FROM user_subscriptions LIMIT 50",
    );
    servers.turn();
    servers.wait_for_signals(1);
    wait_for_good_run(&mut servers.admin);
    servers.admin.run("SELECT pause_signals('to move')");
    let before = rows(&mut servers.admin);
    assert!(
        before.len() > 2 * SUBSCRIBERS as usize + 150,
        "{}",
        before.len()
    );
    let dump = servers.coordinator.folder().join("dump");
    succeed(
        servers
            .coordinator
            .tool("pg_dump")
            .args(["--format=custom", "--extension=signal_hub", "--file"])
            .arg(&dump)
            .arg(POSTGRES),
    );

    let new = by_itself(servers.market()).start();
    let mut session = new.create_database("moved");
    succeed(
        new.tool("pg_restore")
            .args(["--exit-on-error", "--dbname=moved"])
            .arg(&dump),
    );
    for (after, before) in rows(&mut session).iter().zip(&before) {
        assert_eq!(after, before);
    }
    assert_eq!(rows(&mut session).len(), before.len());
    session.run("SELECT resume_signals()");
    servers.turn();
    eventually(SOON, "the next signal is delivered", || {
        session
            .one::<bool>("SELECT count(*) = 2 AND bool_and(delivered_at IS NOT NULL) FROM signals")
    });
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM user_signals"),
        2 * i64::from(SUBSCRIBERS)
    );
    let admin = &mut session;
    eventually(SOON, "all is well", || {
        admin.one::<bool>("SELECT state = 'running' AND nodes IS NULL FROM signal_health")
    });
    // Nothing of what several servers need is left to be in the way.
    session.run("DROP EXTENSION signal_hub");

    // Of the whole database, which names Citus, and so is not without an error where that is missing.
    let dump = servers.coordinator.folder().join("whole");
    succeed(
        servers
            .coordinator
            .tool("pg_dump")
            .args(["--format=custom", "--file"])
            .arg(&dump)
            .arg(POSTGRES),
    );
    let mut session = new.create_database("whole");
    let restored = new
        .tool("pg_restore")
        .arg("--dbname=whole")
        .arg(&dump)
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&restored.stderr);
    // The extension and the comment on it.
    assert!(errors.contains("errors ignored on restore: 2"), "{errors}");
    assert!(
        errors.contains("CREATE EXTENSION IF NOT EXISTS citus"),
        "{errors}"
    );
    assert!(errors.contains("COMMENT ON EXTENSION citus"), "{errors}");
    assert_eq!(rows(&mut session), before);
    session.run("DROP EXTENSION signal_hub");
}
