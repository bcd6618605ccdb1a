//! Nodes that are away for a while, and shards that move from one node to another.

use signal_hub_harness::cluster::{POSTGRES, Stop};
use signal_hub_harness::nodes::{FLIPPED, Servers, port};
use signal_hub_harness::scene::SOON;
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant};

const SUBSCRIBERS: u32 = 2_000;

#[test]
fn a_node_that_is_away_is_told_of_and_what_waits_is_delivered_when_it_is_back() {
    away_for(Duration::ZERO);
}

/// `cargo test -p signal_hub_tests --test citus -- --ignored away::`.
#[test]
#[ignore = "takes a minute and more"]
fn a_node_that_is_away_for_a_minute_is_told_of_all_the_time() {
    away_for(Duration::from_secs(60));
}

/// A signal is made meanwhile each second and a half or so.
fn away_for(time: Duration) {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(SUBSCRIBERS);
    servers.shard();
    servers.turn();
    servers.wait_for_signals(1);
    servers.nodes[1].stop(Stop::Fast);
    let began = Instant::now();
    let mut made = 1;
    loop {
        servers.turn();
        made += 1;
        let admin = &mut servers.admin;
        eventually(
            SOON,
            "the signal is made, and health says why it waits",
            || {
                let made_all = admin.one::<i64>("SELECT count(*) FROM signals") == made;
                let said: Vec<String> = admin.list(
                    "SELECT concat_ws('; ', message, nodes) FROM signal_health
                  WHERE NOT healthy AND nodes LIKE '%does not answer%' AND undelivered_signals > 0",
                );
                made_all
                    && said
                        .iter()
                        .any(|message| message.matches("127.0.0.1").count() > 1)
            },
        );
        if began.elapsed() >= time {
            break;
        }
    }
    servers.nodes[1].start();
    eventually(Duration::from_secs(60), "the signals are delivered", || {
        servers
            .admin
            .one::<bool>("SELECT count(*) > 0 AND bool_and(delivered_at IS NOT NULL) FROM signals")
    });
    let admin = &mut servers.admin;
    eventually(SOON, "all is well again", || {
        admin.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
    servers.everybody_has_each_once(SUBSCRIBERS.into(), made);
}

#[test]
fn shards_move_while_signals_are_delivered() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(SUBSCRIBERS);
    servers.shard();
    let mut mover = servers.coordinator.session(POSTGRES);
    let moves: Vec<String> = mover.list(
        "SELECT format('SELECT citus_move_shard_placement(%s, %L, %s, %L, %s, ''block_writes'')', s.shardid,
                       s.nodename, s.nodeport, n.nodename, n.nodeport)
           FROM pg_dist_shard_placement s JOIN pg_dist_shard h USING (shardid)
           JOIN pg_dist_node n ON n.groupid <> 0 AND n.nodeport <> s.nodeport
          WHERE h.logicalrelid = 'user_subscriptions'::regclass ORDER BY s.shardid LIMIT 3",
    );
    assert_eq!(moves.len(), 3);
    for one in &moves {
        servers.turn();
        mover.run(one);
    }
    servers.wait_for_signals(3);
    servers.everybody_has_each_once(SUBSCRIBERS.into(), 3);
}

#[test]
fn shards_are_rebalanced_to_a_new_node_while_signals_are_delivered() {
    let Some(mut servers) = Servers::with(3, &[("citus.shard_count", "8")]) else {
        return;
    };
    // The third has no shards at first.
    let place = port(&mut servers.nodes[2].session(POSTGRES));
    let has_shards = format!("citus_set_node_property('127.0.0.1', {place}, 'shouldhaveshards'");
    let admin = &mut servers.admin;
    admin.run(&format!("SELECT {has_shards}, false)"));
    servers.subscribe(SUBSCRIBERS);
    servers.shard();
    servers.flip_all();
    servers.wait_for_signals(FLIPPED);

    let admin = &mut servers.admin;
    admin.run(&format!("SELECT {has_shards}, true)"));
    let mut mover = servers.coordinator.session(POSTGRES);
    // By logical replication, as it is by default: tables can be written to meanwhile.
    mover.run("SELECT citus_rebalance_start()");
    let mut made = FLIPPED;
    let mut amid = 0;
    let state = "SELECT state::text FROM citus_rebalance_status()";
    loop {
        servers.flip_all();
        made += FLIPPED;
        servers.wait_for_signals(made);
        match mover.one::<String>(state).as_str() {
            "running" | "scheduled" => amid += 1,
            "finished" => break,
            other => panic!("the rebalance is {other}"),
        }
    }
    assert!(amid > 0, "it ended before the first fan-out did");
    let moved: i64 = servers.admin.one(&format!(
        "SELECT count(*) FROM pg_dist_shard_placement WHERE nodeport = {place}"
    ));
    assert!(moved > 3, "{moved} shards are on the new node");
    servers.everybody_has_each_once(SUBSCRIBERS.into(), made);
}
