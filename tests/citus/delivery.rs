//! The fan-out over shards: who receives is decided as on one server.

use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, subscribe, user};
use signal_hub_harness::wait::eventually;

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
