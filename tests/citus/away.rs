//! Nodes that are away for a while, and shards that move from one node to another.

use signal_hub_harness::cluster::{POSTGRES, Stop};
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::SOON;
use signal_hub_harness::wait::eventually;
use std::time::Duration;

const SUBSCRIBERS: u32 = 2_000;

#[test]
fn a_node_that_is_away_is_told_of_and_what_waits_is_delivered_when_it_is_back() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(SUBSCRIBERS);
    servers.shard();
    servers.turn();
    servers.wait_for_signals(1);
    servers.nodes[1].stop(Stop::Fast);
    servers.turn();
    let admin = &mut servers.admin;
    eventually(SOON, "health says that a node is away", || {
        let said: Vec<String> = admin.list("SELECT message FROM signal_health WHERE NOT healthy");
        said.iter().any(|message| message.contains("127.0.0.1"))
    });
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
    let signals = servers.admin.one("SELECT count(*) FROM signals");
    servers.everybody_has_each_once(SUBSCRIBERS.into(), signals);
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
