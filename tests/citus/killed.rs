//! Processes die in the middle of a fan-out: everybody has each signal once all the same.

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::worker_pid;
use signal_hub_harness::wait::{eventually, within};
use std::time::{Duration, Instant};

const SUBSCRIBERS: u32 = 20_000;
/// Long enough for a server to recover, and for the rest of a fan-out.
const AGAIN: Duration = Duration::from_secs(60);

/// Longest time that children outlive their postmaster.
const GONE: Duration = Duration::from_secs(2);

/// Who dies.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Worker,
    Postmaster,
    NodeBackend,
    NodePostmaster,
}

const VICTIMS: [Victim; 4] = [
    Victim::Worker,
    Victim::Postmaster,
    Victim::NodeBackend,
    Victim::NodePostmaster,
];

fn kill_each(times: usize, subscribers: u32, seed: u64) {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(subscribers);
    servers.shard();
    let mut random = Rng::with_seed(seed);
    let mut signals = 0;
    for number in 0..times {
        for victim in VICTIMS {
            servers.turn();
            signals += 1;
            wait_for_the_fan_out(&mut servers, signals);
            // Nothing is waited for: the seed chooses when the fault strikes.
            std::thread::sleep(Duration::from_millis(random.u64(0..400)));
            strike(&mut servers, victim, &mut random);
            let complete = within(AGAIN, || {
                servers
                    .admin
                    .try_list::<bool>(&format!(
                        "SELECT count(*) = {signals} AND bool_and(delivered_at IS NOT NULL) FROM signals"
                    ))
                    .is_ok_and(|done| done == [true])
                    .then_some(())
            });
            assert!(
                complete.is_some(),
                "{victim:?} number {number}, seed {seed}: {:#?}",
                what_goes_on(&mut servers)
            );
            // Rows are visible once a signal is called delivered.
            let rows: i64 = servers.admin.one("SELECT count(*) FROM user_signals");
            let expected = i64::from(subscribers) * signals;
            assert_eq!(rows, expected, "{victim:?} number {number}, seed {seed}");
            println!("{victim:?} killed, number {}: {rows} rows", number + 1);
        }
    }
    eventually(AGAIN, "no transaction is left prepared", || {
        servers.pending() == 0
    });
    servers.everybody_has_each_once(i64::from(subscribers), signals);
}

/// What signal_health says, and what each server is at.
fn what_goes_on(servers: &mut Servers) -> Vec<String> {
    const ACTIVITY: &str = "
        SELECT concat_ws(' ', backend_type, application_name, state, wait_event_type, wait_event,
                         now() - xact_start, left(query, 100))
          FROM pg_stat_activity WHERE state IS NOT NULL AND pid <> pg_backend_pid()";
    let mut all: Vec<String> = servers.admin.list(
        "SELECT concat_ws(' ', state, message, worker_pid, heartbeat_age) FROM signal_health",
    );
    all.extend(servers.admin.list::<String>(ACTIVITY));
    for node in &servers.nodes {
        all.push("on a node:".to_owned());
        all.extend(node.session(POSTGRES).list::<String>(ACTIVITY));
    }
    all
}

fn wait_for_the_fan_out(servers: &mut Servers, signals: i64) {
    eventually(AGAIN, "the signal is made", || {
        servers.admin.one::<i64>("SELECT count(*) FROM signals") == signals
    });
}

fn strike(servers: &mut Servers, victim: Victim, random: &mut Rng) {
    match victim {
        Victim::Worker => {
            let Some(pid) = worker_pid(&mut servers.admin).and_then(Pid::from_raw) else {
                return;
            };
            kill_process(pid, Signal::KILL).expect("the process is the test's");
            reconnect(servers);
        }
        Victim::Postmaster => {
            let began = Instant::now();
            servers.coordinator.kill9();
            let lasted = began.elapsed();
            assert!(lasted < GONE, "processes were left for {lasted:?}");
            servers.coordinator.start();
            reconnect(servers);
        }
        Victim::NodeBackend => {
            let node = &servers.nodes[random.usize(..servers.nodes.len())];
            let busy: Vec<i32> = node.session(POSTGRES).list(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
                    AND application_name ~ '^citus_internal' ORDER BY state = 'active' DESC LIMIT 1",
            );
            if let Some(pid) = busy.first().and_then(|pid| Pid::from_raw(*pid)) {
                // Another may have ended it meanwhile.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        Victim::NodePostmaster => {
            let node = random.usize(..servers.nodes.len());
            servers.nodes[node].kill9();
            servers.nodes[node].start();
        }
    }
}

/// The server ends all sessions when one of its processes is killed: waits for that, then for the
/// server.
fn reconnect(servers: &mut Servers) {
    eventually(AGAIN, "the session has ended", || {
        servers.admin.try_list::<i32>("SELECT 1").is_err()
    });
    let config = servers.coordinator.config(POSTGRES);
    let session = within(AGAIN, || {
        let mut client = config.connect(postgres::NoTls).ok()?;
        client.batch_execute("SELECT 1").ok()?;
        Some(client)
    });
    servers.admin = signal_hub_harness::session::Session::new(session.expect("the server is back"));
}

#[test]
fn killed_amid_fan_outs_everybody_has_each_signal_once() {
    kill_each(2, SUBSCRIBERS, 1);
}

/// The full count: `cargo test -p signal_hub_tests --test citus -- --ignored --nocapture`.
#[test]
#[ignore = "takes a quarter of an hour"]
fn killed_20_times_each_amid_fan_outs_everybody_has_each_signal_once() {
    kill_each(20, 100_000, 2);
}
