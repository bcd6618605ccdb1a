//! Rows on several servers, by Citus: the service follows each, and whatever is killed, every client
//! ends with every row.

use crate::client::{Follower, Stream};
use crate::cluster::POSTGRES;
use crate::scene::{SOON, subscribe};
use crate::service::{SLOT, Service};
use crate::shop::import;
use crate::wait::eventually;
use serde_json::json;
use signal_hub_harness::nodes::{Servers, port};
use std::collections::BTreeSet;
use std::time::Duration;

const CLIENTS: u32 = 12;
/// Enough for a server that recovers on a busy machine.
const LATER: Duration = Duration::from_secs(90);

/// Servers whose tables are sharded and published, and a service that is not started yet.
fn open() -> Option<(Servers, Service)> {
    let mut servers = Servers::with(2, &[("citus.enable_change_data_capture", "on")])?;
    servers
        .admin
        .run("CREATE ROLE authenticated LOGIN; SELECT grant_realtime_access()");
    subscribe(&mut servers.admin, "MAX", 1, CLIENTS);
    // Whatever is there beforehand has its place, too.
    servers.admin.run("SELECT enable_realtime()");
    eventually(SOON, "nothing is under way", || {
        servers
            .admin
            .try_list::<String>("SELECT enable_citus()")
            .ok()
    });
    servers.admin.run("SELECT enable_realtime()");
    let service = Service::of(&servers.coordinator, &mut servers.admin);
    Some((servers, service))
}

/// Both nodes have clients, or a test of two streams would be one of one.
fn node_of(servers: &mut Servers, number: u32) -> usize {
    let there: i32 = servers.admin.one(&format!(
        "SELECT p.nodeport FROM pg_dist_shard_placement p
          WHERE p.shardid = get_shard_id_for_distribution_column('user_signals', '{}'::uuid)",
        crate::scene::user(number)
    ));
    let first = port(&mut servers.nodes[0].session(POSTGRES));
    usize::from(there != first)
}

#[test]
fn the_service_and_nodes_are_killed_and_shards_move_and_every_client_has_every_signal() {
    let Some((mut servers, mut service)) = open() else {
        return;
    };
    let refused = service.refused(&[]);
    assert!(refused.contains("create-slot"), "{refused}");
    assert!(service.run("create-slot", &[]).status.success());
    service.start(&[]);
    let of_first = (1..=CLIENTS).filter(|number| node_of(&mut servers, *number) == 0);
    let of_first = of_first.count();
    assert!(of_first > 0 && of_first < CLIENTS as usize, "{of_first}");
    let clients: Vec<Follower> = (1..=CLIENTS)
        .map(|number| Follower::start(&service, number))
        .collect();
    eventually(LATER, "all are connected", || {
        clients.iter().all(|client| client.streams() > 0)
    });
    let mut signals = 0;
    let mut next = |servers: &mut Servers| {
        servers.turn();
        signals += 1;
        signals
    };
    let have = |count: i64| {
        eventually(LATER, "every client has every signal", || {
            clients.iter().all(|client| client.count() as i64 == count)
        });
    };
    have(next(&mut servers));

    // The service, while a signal is on its way.
    next(&mut servers);
    service.kill();
    have_rows(&mut servers, 2);
    service.start(&[]);
    have(2);

    // A node.
    next(&mut servers);
    servers.nodes[0].kill9();
    eventually(LATER, "the service says that a stream is missing", || {
        service.get("/healthz", None).status() == 503
    });
    servers.nodes[0].start();
    have(3);
    eventually(LATER, "all is well again", || {
        service.get("/healthz", None).status() == 200
    });

    // Shards move to the other node, and signals go on.
    let moves: Vec<String> = servers.admin.list(
        "SELECT format('SELECT citus_move_shard_placement(%s, %L, %s, %L, %s, ''block_writes'')', s.shardid,
                       s.nodename, s.nodeport, n.nodename, n.nodeport)
           FROM pg_dist_shard_placement s JOIN pg_dist_shard h USING (shardid)
           JOIN pg_dist_node n ON n.groupid <> 0 AND n.nodeport <> s.nodeport
          WHERE h.logicalrelid = 'user_signals'::regclass ORDER BY s.shardid LIMIT 6",
    );
    // The connections of the session before are to a node that is gone.
    let mut mover = servers.coordinator.session(POSTGRES);
    for one in &moves {
        mover.run(one);
    }
    have(next(&mut servers));
    service.kill();
    next(&mut servers);
    have_rows(&mut servers, 5);
    service.start(&[]);
    have(5);
    let all: BTreeSet<i64> = (1..=5).collect();
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(client.seen(), all, "client {number}");
    }
    servers.everybody_has_each_once(CLIENTS.into(), 5);
}

#[track_caller]
fn have_rows(servers: &mut Servers, signals: i64) {
    eventually(LATER, "the signals are delivered", || {
        servers
            .admin
            .try_list::<bool>(&format!(
                "SELECT count(*) = {signals} AND bool_and(delivered_at IS NOT NULL) FROM signals"
            ))
            .is_ok_and(|done| done == [true])
    });
}

#[test]
fn resume_points_move_marks_arrive_and_slots_go_with_their_command() {
    let Some((mut servers, mut service)) = open() else {
        return;
    };
    servers.admin.run("SELECT pause_signals('a test')");
    service.start(&["--create-slot"]);
    for number in 1..=CLIENTS {
        let mut stream = Stream::open(&service, number, None);
        let node = node_of(&mut servers, number);
        let group: i32 = servers.nodes[node]
            .session(POSTGRES)
            .one("SELECT groupid FROM pg_dist_local_group");
        assert!(
            stream.watermark.starts_with(&format!("{group}.")),
            "{}",
            stream.watermark
        );
        servers.admin.run(&import(number, 1000 + i64::from(number)));
        stream.expect_signal(1000 + i64::from(number));
        if number > 3 {
            continue;
        }
        let token = service.token(number);
        let path = format!("/api/signals/{}", 1000 + number);
        let (status, _) = service.post(&path, &token, r#"{"viewed":true}"#);
        assert_eq!(status, 200);
        let mark = stream.expect("mark");
        assert_eq!(mark.data["viewed"], true);
        let wanted = json!({"not_symbols": ["BTCUSDT"], "min_quality": 50.5});
        let (status, kept) = service.put("/api/preferences", &token, &wanted.to_string());
        assert_eq!(
            (status, &kept["min_quality"]),
            (200, &wanted["min_quality"]),
            "{kept}"
        );
        assert_eq!(service.json("/api/preferences", &token), kept);
        let status = service.json("/api/status", &token);
        assert_eq!(status["entitled"], true, "{status}");
        let page = service.json("/api/signals", &token);
        assert!(
            page.to_string().contains(&(1000 + number).to_string()),
            "{page}"
        );
        // A node where nothing happens has no later resume point.
        servers.admin.run(&import(number, 3000 + i64::from(number)));
        stream.expect_signal(3000 + i64::from(number));
        stream.settle();
        // From the resume point on there is nothing that is new.
        let since = stream.watermark.clone();
        drop(stream);
        servers.admin.run(&import(number, 2000 + i64::from(number)));
        let mut again = Stream::open(&service, number, Some(&since));
        again.expect_signal(2000 + i64::from(number));
    }
    service.stop();
    assert!(service.run("drop-slot", &[]).status.success());
    let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{SLOT}'");
    for server in servers.nodes.iter().chain([&servers.coordinator]) {
        assert_eq!(server.session(POSTGRES).one::<i64>(&slots), 0);
    }
}
