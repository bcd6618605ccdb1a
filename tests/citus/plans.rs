//! The shards run each statement of a fan-out whole, and find its subscribers by an index: read
//! from the plans that the nodes log.

use signal_hub_harness::cluster::Cluster;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, subscribe, user};
use signal_hub_harness::wait::eventually;
use std::collections::BTreeMap;
use std::process::{Child, Stdio};

/// Shards of a table.
const SHARDS: usize = 32;

/// Has each server log the plan of each statement.
const LOG_PLANS: [(&str, &str); 2] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
];

/// The logs of the nodes, and how far they were read.
struct Logs(Vec<usize>);

impl Logs {
    /// What follows is in the logs behind what is there now.
    fn of(servers: &Servers) -> Self {
        Self(servers.nodes.iter().map(|node| node.log().len()).collect())
    }

    /// Plans of inserts into shards of `user_signals` since the last call, by shard. None reads what
    /// another server has computed, and none reads all of a table.
    fn inserts(&mut self, servers: &Servers) -> BTreeMap<String, Vec<String>> {
        let mut by_shard: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (node, read) in servers.nodes.iter().zip(&mut self.0) {
            let log = node.log();
            for plan in log[*read..].split("plan:").skip(1) {
                let plan = plan.split(" LOG: ").next().unwrap_or(plan);
                let Some((_, insert)) = plan.split_once("\tInsert on user_signals_") else {
                    continue;
                };
                // Citus hands a statement about some users to the shards of others, too, as one
                // that has nothing to do.
                if insert.contains("One-Time Filter: (false") {
                    continue;
                }
                let shard = insert.chars().take_while(char::is_ascii_digit).collect();
                for never in ["intermediate_result", "Seq Scan on user_", "Custom Scan"] {
                    assert!(!insert.contains(never), "{never}:\n{plan}");
                }
                by_shard.entry(shard).or_default().push(insert.to_owned());
            }
            *read = log.len();
        }
        by_shard
    }

    /// Of one statement: each shard has one task, all by this index.
    #[track_caller]
    fn one_on_each_shard(&mut self, servers: &Servers, by: &str) -> Vec<String> {
        let by_shard = self.inserts(servers);
        assert_eq!(by_shard.len(), SHARDS, "{:?}", by_shard.keys());
        let plans: Vec<String> = by_shard.into_values().flatten().collect();
        assert_eq!(plans.len(), SHARDS, "one batch, one task for each shard");
        for plan in &plans {
            assert!(plan.contains(by), "not by {by}:\n{plan}");
        }
        plans
    }
}

const BY_TIER: &str = "Index Only Scan using user_subscriptions_tier_user_id_idx_";

#[test]
fn a_batch_is_one_insert_from_an_index_on_each_shard() {
    let Some(mut servers) = Servers::with(
        2,
        &[
            LOG_PLANS[0],
            LOG_PLANS[1],
            ("signal_hub.delivery_workers", "2"),
        ],
    ) else {
        return;
    };
    subscribe(&mut servers.admin, "MAX", 1, 3_000);
    servers.shard();
    let mut logs = Logs::of(&servers);
    servers.turn();
    servers.wait_for_signals(1);
    servers.everybody_has_each_once(3_000, 1);
    logs.one_on_each_shard(&servers, BY_TIER);

    // With preferences, and quotas that count.
    servers.admin.run(
        "UPDATE signal_tiers SET daily_quota = 1 WHERE tier = 'MAX';
         INSERT INTO user_preferences (user_id, max_per_day) SELECT user_id, 5 FROM user_subscriptions",
    );
    servers.turn();
    servers.wait_for_signals(2);
    for plan in logs.one_on_each_shard(&servers, BY_TIER) {
        assert!(plan.contains(" on user_preferences_"), "{plan}");
        assert!(plan.contains("user_signals_pkey_"), "{plan}");
    }
    servers.everybody_has_each_once(3_000, 1);
    servers
        .admin
        .run("UPDATE signal_tiers SET daily_quota = NULL");

    // The second round looks for those who changed since, whatever their tier.
    servers.admin.run(&format!(
        "UPDATE user_subscriptions SET current_period_end = 'infinity' WHERE user_id <= '{}'",
        user(100)
    ));
    servers.turn();
    servers.wait_for_signals(3);
    let by_shard = logs.inserts(&servers);
    assert_eq!(by_shard.len(), SHARDS);
    for plans in by_shard.values() {
        let rounds: Vec<bool> = plans
            .iter()
            .map(|plan| plan.contains("updated_at > "))
            .collect();
        assert_eq!(rounds, [false, true], "{plans:#?}");
        assert!(plans[0].contains(BY_TIER), "{}", plans[0]);
    }
}

#[test]
fn watchers_and_late_joiners_are_found_by_an_index_too() {
    let Some(mut servers) = Servers::with(2, &LOG_PLANS) else {
        return;
    };
    subscribe(&mut servers.admin, "MAX", 1, 3_000);
    servers
        .admin
        .run("UPDATE signal_tiers SET enabled = true, late_joiners = true WHERE tier = 'PRO'");
    servers
        .admin
        .run("SELECT pg_create_logical_replication_slot('service', 'test_decoding')");
    servers.shard();
    servers.admin.run(&format!(
        "INSERT INTO signal_watchers (user_id, slot)
         SELECT user_id, 'service' FROM user_subscriptions WHERE user_id <= '{}'",
        user(500)
    ));
    let service = Follower::of(&servers.coordinator);
    let admin = &mut servers.admin;
    eventually(SOON, "the slot is read", || {
        admin.one::<bool>("SELECT active FROM pg_replication_slots")
    });
    let mut logs = Logs::of(&servers);
    servers.turn();
    servers.wait_for_signals(1);
    servers.everybody_has_each_once(3_000, 1);
    let by_shard = logs.inserts(&servers);
    assert_eq!(by_shard.len(), SHARDS);
    for plans in by_shard.values() {
        let named: Vec<bool> = plans
            .iter()
            .map(|plan| plan.contains("user_id = ANY"))
            .collect();
        assert_eq!(
            named,
            [true, true, false, false],
            "those of both tiers who watch, then all: {plans:#?}"
        );
        for plan in plans {
            assert!(plan.contains(BY_TIER), "{plan}");
        }
    }
    drop(service);

    subscribe(&mut servers.admin, "PRO", 3_001, 3_200);
    let admin = &mut servers.admin;
    eventually(SOON, "late joiners have the open signal", || {
        admin.one::<i64>("SELECT count(*) FROM user_signals WHERE metadata ? 'late'") == 200
    });
    let by_shard = logs.inserts(&servers);
    assert_eq!(by_shard.len(), SHARDS);
    for plan in by_shard.values().flatten() {
        assert!(plan.contains("user_id = ANY"), "{plan}");
        assert!(plan.contains(BY_TIER), "{plan}");
    }
}

/// A program that reads a slot, as the live service does.
struct Follower(Child);

impl Follower {
    fn of(server: &Cluster) -> Self {
        let started = server
            .tool("pg_recvlogical")
            .args(["--dbname=postgres", "--slot=service", "--start", "--file=-"])
            .stdout(Stdio::null())
            .spawn();
        Self(started.expect("it starts"))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
