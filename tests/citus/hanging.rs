//! A node that hangs: it takes connections and says nothing. Whoever asks for health is answered
//! all the same and names the node, whatever the worker was doing, and what waits is delivered when
//! the node goes on.

use signal_hub_harness::frozen::Frozen;
use signal_hub_harness::nodes::{FLIPPED, Servers};
use signal_hub_harness::scene::{SOON, worker_pid};
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant};

const SUBSCRIBERS: u32 = 20_000;
/// Health takes no longer to read.
const PATIENCE: Duration = Duration::from_secs(8);

/// What health says of the nodes.
fn told(servers: &mut Servers) -> String {
    let began = Instant::now();
    let said = servers.admin.one("SELECT nodes FROM signal_health");
    let lasted = began.elapsed();
    assert!(lasted < PATIENCE, "{lasted:?}: {said}");
    said
}

#[test]
fn a_node_that_hangs_is_told_of_and_delays_only_its_signals() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(SUBSCRIBERS);
    servers.shard();
    servers.flip_all();
    servers.wait_for_signals(FLIPPED);
    let worker = worker_pid(&mut servers.admin);

    let frozen = Frozen::freeze(&servers.nodes[1]);
    assert!(told(&mut servers).contains("does not answer"));
    servers.flip_all();
    let admin = &mut servers.admin;
    eventually(SOON, "health says what is waited for", || {
        admin.one::<bool>(
            "SELECT NOT healthy AND state IN ('failing', 'stalled')
                    AND message LIKE '%a node of Citus does not answer%'
               FROM signal_health",
        )
    });
    assert_eq!(worker_pid(&mut servers.admin), worker, "the same process");
    drop(frozen);
    servers.wait_for_signals(2 * FLIPPED);

    // In the middle of a fan-out.
    servers.flip_all();
    let admin = &mut servers.admin;
    eventually(SOON, "the fan-out has begun", || {
        admin.one::<i64>("SELECT count(*) FROM signals WHERE delivery_started_at IS NOT NULL")
            > 2 * FLIPPED + 1
    });
    let frozen = Frozen::freeze(&servers.nodes[0]);
    assert!(told(&mut servers).contains("does not answer"));
    drop(frozen);
    servers.wait_for_signals(3 * FLIPPED);
    servers.everybody_has_each_once(SUBSCRIBERS.into(), 3 * FLIPPED);
    let admin = &mut servers.admin;
    eventually(SOON, "all is well again", || {
        admin.one::<bool>(
            "SELECT state = 'running' AND nodes LIKE '%nothing is pending' FROM signal_health",
        )
    });
}
