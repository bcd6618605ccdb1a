//! What a fan-out costs on one server and on several: run alone, with
//! `cargo test -p signal_hub_tests --test citus -- --ignored --nocapture rate::`.

use signal_hub_harness::cluster::Cluster;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::wait::eventually;
use std::fs;
use std::time::Duration;

/// Subscribers, and signals to each.
const CASES: [(u32, i64); 3] = [(1_000, 10), (100_000, 10), (1_000_000, 3)];
/// Subscribers in a batch, as set; several servers take more by themselves.
const BATCH: &str = "1000";

/// Seconds of a fan-out, and of the processors of the coordinator and of all nodes.
struct Measured {
    seconds: f64,
    coordinator: f64,
    nodes: f64,
}

/// Signals, one after the other, to this many subscribers on this many nodes; on 0 the tables stay
/// where they are.
fn measure(nodes: usize, subscribers: u32, signals: i64, batch: &str) -> Option<Measured> {
    let settings = [
        ("shared_buffers", "512MB"),
        ("max_wal_size", "8GB"),
        ("checkpoint_timeout", "1h"),
        ("autovacuum", "off"),
        ("signal_hub.delivery_batch", batch),
    ];
    let mut servers = Servers::with(nodes.max(1), &settings)?;
    if nodes > 0 {
        servers.shard();
    }
    servers.subscribe(subscribers);
    servers.admin.run("VACUUM ANALYZE user_subscriptions");
    let of_nodes = |servers: &Servers| servers.nodes.iter().map(processor_seconds).sum::<f64>();
    let mut before = (0.0, 0.0);
    for number in 1..=signals + 1 {
        // The first one makes connections and plans.
        if number == 2 {
            before = (processor_seconds(&servers.coordinator), of_nodes(&servers));
        }
        servers.turn();
        let admin = &mut servers.admin;
        eventually(Duration::from_secs(120), "the signal is delivered", || {
            admin.one::<bool>(&format!(
                "SELECT count(*) = {number} AND bool_and(delivered_at IS NOT NULL) FROM signals"
            ))
        });
    }
    let seconds = servers.admin.one(
        "SELECT extract(epoch FROM sum(delivered_at - delivery_started_at))::float8 FROM signals WHERE signal_id > 1",
    );
    Some(Measured {
        seconds,
        coordinator: processor_seconds(&servers.coordinator) - before.0,
        nodes: of_nodes(&servers) - before.1,
    })
}

/// What a server and all its processes have used, those that have ended included.
fn processor_seconds(server: &Cluster) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let file = fs::read_to_string(server.data().join("postmaster.pid")).expect("it runs");
    let postmaster: u32 = file
        .lines()
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a number");
    let mut ticks = 0.0;
    for entry in fs::read_dir("/proc").expect("proc(5)").flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let field: Vec<f64> = fields
            .split(' ')
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        let name = entry.file_name();
        let is_postmaster = name.to_str().and_then(|pid| pid.parse().ok()) == Some(postmaster);
        if is_postmaster {
            ticks += field[11..15].iter().sum::<f64>();
        } else if field[1] == f64::from(postmaster) {
            ticks += field[11] + field[12];
        }
    }
    ticks / TICKS_PER_SECOND
}

#[test]
#[ignore = "a measurement, to be run alone"]
fn what_a_fan_out_costs_on_several_servers() {
    println!("nodes | subscribers | s | rows/s | processor s of coordinator | of nodes");
    for nodes in [0, 1, 2, 4] {
        for (subscribers, signals) in CASES {
            let Some(it) = measure(nodes, subscribers, signals, BATCH) else {
                return;
            };
            let rows = f64::from(subscribers) * signals as f64;
            println!(
                "{nodes} | {subscribers} x {signals} | {:.2} | {:.0} | {:.2} | {:.2}",
                it.seconds,
                rows / it.seconds,
                it.coordinator,
                it.nodes
            );
        }
    }
}

#[test]
#[ignore = "a measurement, to be run alone"]
fn which_batch_is_best_on_one_server() {
    let (subscribers, signals) = CASES[1];
    println!("batch | {subscribers} x {signals}, s | rows/s");
    for batch in ["250", "500", "1000", "2000", "5000", "20000", "100000"] {
        let Some(it) = measure(0, subscribers, signals, batch) else {
            return;
        };
        let rows = f64::from(subscribers) * signals as f64;
        println!("{batch} | {:.2} | {:.0}", it.seconds, rows / it.seconds);
    }
}
