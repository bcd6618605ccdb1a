//! The fan-out over shards: who receives is decided as on one server, and by the shards themselves.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, subscribe, user};
use signal_hub_harness::wait::eventually;
use std::collections::BTreeSet;

#[test]
fn a_batch_is_one_insert_from_an_index_on_each_shard() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(3_000);
    servers.shard();
    for node in &servers.nodes {
        node.append_setting("session_preload_libraries", "auto_explain");
        node.append_setting("auto_explain.log_min_duration", "0");
        let mut session = node.session(POSTGRES);
        session.run("SELECT pg_reload_conf()");
        eventually(SOON, "plans are logged", || {
            session
                .one::<bool>("SELECT current_setting('session_preload_libraries') = 'auto_explain'")
        });
    }
    servers.turn();
    servers.wait_for_signals(1);
    servers.everybody_has_each_once(3_000, 1);
    let mut shards = BTreeSet::new();
    for node in &servers.nodes {
        let log = node.log();
        for plan in log.split("plan:").skip(1) {
            let Some((_, insert)) = plan.split_once("\tInsert on user_signals_") else {
                continue;
            };
            let plan = insert.split(" LOG: ").next().unwrap_or(insert);
            let shard: String = plan.chars().take_while(char::is_ascii_digit).collect();
            assert!(
                plan.contains("Index Only Scan using user_subscriptions_tier_user_id_idx_"),
                "shard {shard}:\n{plan}"
            );
            assert!(
                shards.insert(shard),
                "one batch, one task for each shard:\n{plan}"
            );
        }
    }
    assert_eq!(shards.len(), 32, "{shards:?}");
}

#[test]
fn quotas_preferences_changes_and_late_joiners_count_as_on_one_server() {
    let Some(mut servers) = Servers::with(2, &[("signal_hub.delivery_workers", "2")]) else {
        return;
    };
    servers.admin.run(
        "UPDATE signal_tiers SET daily_quota = 1 WHERE tier = 'MAX';
         UPDATE signal_tiers SET enabled = true WHERE tier = 'PRO'",
    );
    subscribe(&mut servers.admin, "MAX", 1, 300);
    subscribe(&mut servers.admin, "PRO", 301, 600);
    servers.shard();
    servers.admin.run(&format!(
        "INSERT INTO user_preferences (user_id, sides)
         SELECT user_id, '{{SHORT}}' FROM user_subscriptions WHERE user_id > '{}'",
        user(590)
    ));
    servers.turn();
    servers.wait_for_signals(1);
    // Whoever comes to a tier while the signal is new has it from the second round, once.
    servers.admin.run(&format!(
        "UPDATE user_subscriptions SET tier = 'PRO' WHERE user_id = '{}'",
        user(1)
    ));
    servers.turn();
    servers.wait_for_signals(2);
    let rows = |servers: &mut Servers, which: &str| {
        let query = format!("SELECT count(*) FROM user_signals e WHERE {which}");
        servers.admin.one::<i64>(&query)
    };
    assert_eq!(rows(&mut servers, "e.signal_id = 1"), 300 + 290);
    assert_eq!(rows(&mut servers, "e.signal_id = 2"), 1 + 290);
    assert_eq!(
        rows(&mut servers, "e.signal_id = 2 AND e.tier = 'MAX'"),
        0,
        "above their quota"
    );
    assert_eq!(servers.pending(), 0);

    servers
        .admin
        .run("UPDATE signal_tiers SET late_joiners = true WHERE tier = 'PRO'");
    subscribe(&mut servers.admin, "PRO", 601, 610);
    let admin = &mut servers.admin;
    eventually(SOON, "late joiners have the open signals", || {
        admin.one::<i64>("SELECT count(*) FROM user_signals WHERE metadata ? 'late'") == 20
    });
}

#[test]
fn a_row_that_is_refused_costs_only_its_subscriber() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    subscribe(&mut servers.admin, "MAX", 1, 200);
    servers.shard();
    servers.admin.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT not_77 CHECK (user_id <> '{}')",
        user(77)
    ));
    servers.turn();
    servers.wait_for_signals(1);
    assert_eq!(
        servers
            .admin
            .one::<i64>("SELECT count(*) FROM user_signals"),
        199
    );
    let passed_over = "SELECT delivery_failures FROM signals";
    assert_eq!(servers.admin.one::<i64>(passed_over), 1);
    servers
        .admin
        .run("ALTER TABLE user_signals DROP CONSTRAINT not_77");
    servers.admin.run("SELECT retry_refused_deliveries()");
    let admin = &mut servers.admin;
    eventually(SOON, "theirs is delivered", || {
        admin.one::<i64>("SELECT count(*) FROM user_signals") == 200
    });
}
