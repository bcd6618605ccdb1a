//! Processes die in the middle of a fan-out: everybody has each signal once all the same.

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::nodes::{FLIPPED, Servers};
use signal_hub_harness::scene::worker_pid;
use signal_hub_harness::wait::{eventually, within};
use std::time::{Duration, Instant};

/// Long enough for a server to recover, and for the rest of the fan-outs.
const AGAIN: Duration = Duration::from_secs(120);

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

/// Kills the victim this many times, each amid ten signals to as many subscribers: one run makes
/// all ten, and the fault strikes while some of them are undelivered.
fn kill(victim: Victim, times: usize, subscribers: u32, servers: &mut Servers, random: &mut Rng) {
    let seed = random.get_seed();
    let rows = i64::from(subscribers) * FLIPPED;
    let mut struck = 0;
    let mut lasts = None;
    while struck < times {
        let before: i64 = servers.admin.one("SELECT count(*) FROM signals");
        servers.flip_all();
        let expected = before + FLIPPED;
        eventually(AGAIN, "the signals are made", || {
            servers.admin.one::<i64>("SELECT count(*) FROM signals") == expected
        });
        let began = Instant::now();
        let mut undelivered: i64 = 0;
        // The first ten show how long they take.
        if let Some(lasts) = lasts {
            // Nothing is waited for: the seed chooses when the fault strikes.
            let wait = f64::max(lasts, 0.1) * 0.8 * random.f64();
            std::thread::sleep(Duration::from_secs_f64(wait));
            undelivered = servers
                .admin
                .one("SELECT count(*) FROM signals WHERE delivered_at IS NULL");
            if !strike(servers, victim, random) {
                undelivered = 0;
            }
        }
        let complete = within(AGAIN, || {
            servers
                .admin
                .try_list::<bool>(&format!(
                    "SELECT count(*) = {expected} AND bool_and(delivered_at IS NOT NULL) FROM signals"
                ))
                .is_ok_and(|done| done == [true])
                .then_some(())
        });
        assert!(
            complete.is_some(),
            "{victim:?} number {struck}, seed {seed}: {:#?}",
            what_goes_on(servers)
        );
        let first_time = lasts.is_none();
        lasts.get_or_insert_with(|| began.elapsed().as_secs_f64());
        // Rows are visible once a signal is called delivered. The primary key is of user and
        // signal, so none is there twice.
        let there = eventually(AGAIN, "all nodes are back", || {
            let counted = servers
                .admin
                .try_list::<i64>("SELECT count(*) FROM user_signals");
            counted.ok()?.pop()
        });
        assert_eq!(there, rows, "{victim:?} number {struck}, seed {seed}");
        let on_record: i64 = servers.admin.one(&format!(
            "SELECT sum(deliveries)::bigint FROM (SELECT * FROM signals ORDER BY signal_id DESC LIMIT {FLIPPED}) s
              WHERE delivery_failures = 0"
        ));
        assert_eq!(on_record, rows, "{victim:?} number {struck}, seed {seed}");
        if undelivered > 0 {
            struck += 1;
            println!(
                "{victim:?} killed, number {struck}, with {undelivered} of {FLIPPED} signals undelivered: {there} rows"
            );
        } else if first_time {
            println!(
                "nobody killed, {:.1} s: {there} rows",
                lasts.unwrap_or_default()
            );
        }
        eventually(AGAIN, "no transaction is left prepared", || {
            servers.pending() == 0
        });
        servers.admin.run("TRUNCATE user_signals");
    }
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

/// Returns whether there was somebody to kill.
fn strike(servers: &mut Servers, victim: Victim, random: &mut Rng) -> bool {
    match victim {
        Victim::Worker => {
            let Some(pid) = worker_pid(&mut servers.admin).and_then(Pid::from_raw) else {
                return false;
            };
            kill_process(pid, Signal::KILL).expect("the process is the test's");
            reconnect(servers);
        }
        Victim::Postmaster => {
            kill_postmaster(&mut servers.coordinator);
            reconnect(servers);
        }
        Victim::NodeBackend => {
            let node = &servers.nodes[random.usize(..servers.nodes.len())];
            let busy: Vec<i32> = node.session(POSTGRES).list(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
                    AND application_name ~ '^citus_internal' ORDER BY state = 'active' DESC LIMIT 1",
            );
            let Some(pid) = busy.first().and_then(|pid| Pid::from_raw(*pid)) else {
                return false;
            };
            // It may have ended by itself meanwhile.
            return kill_process(pid, Signal::KILL).is_ok();
        }
        Victim::NodePostmaster => {
            let node = random.usize(..servers.nodes.len());
            kill_postmaster(&mut servers.nodes[node]);
        }
    }
    true
}

/// Kills a postmaster, makes sure that none of its processes outlives it for long, and starts the
/// server again.
fn kill_postmaster(server: &mut Cluster) {
    let began = Instant::now();
    server.kill9();
    let lasted = began.elapsed();
    assert!(lasted < GONE, "processes were left for {lasted:?}");
    server.start();
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
    let Some(mut servers) = sharded(4_000) else {
        return;
    };
    let mut random = Rng::with_seed(1);
    for victim in [
        Victim::Worker,
        Victim::Postmaster,
        Victim::NodeBackend,
        Victim::NodePostmaster,
    ] {
        kill(victim, 2, 4_000, &mut servers, &mut random);
    }
}

/// 20 times with 100,000 subscribers: in all a million rows each time.
fn in_full(victim: Victim) {
    let asked = std::env::var("SIGNAL_HUB_TEST_CYCLES");
    let times = asked.map_or(20, |times| times.parse().expect("a number"));
    if let Some(mut servers) = sharded(100_000) {
        kill(victim, times, 100_000, &mut servers, &mut Rng::new());
    }
}

fn sharded(subscribers: u32) -> Option<Servers> {
    let mut servers = Servers::start()?;
    servers.subscribe(subscribers);
    servers.shard();
    servers.admin.run("VACUUM ANALYZE user_subscriptions");
    Some(servers)
}

// The full count, of all four: `cargo test -p signal_hub_tests --test citus --
// --ignored --nocapture --test-threads=1 killed::`.

#[test]
#[ignore = "takes ten minutes"]
fn the_worker_killed_20_times_amid_ten_signals() {
    in_full(Victim::Worker);
}

#[test]
#[ignore = "takes ten minutes"]
fn the_postmaster_killed_20_times_amid_ten_signals() {
    in_full(Victim::Postmaster);
}

#[test]
#[ignore = "takes ten minutes"]
fn a_backend_of_a_node_killed_20_times_amid_ten_signals() {
    in_full(Victim::NodeBackend);
}

#[test]
#[ignore = "takes ten minutes"]
fn the_postmaster_of_a_node_killed_20_times_amid_ten_signals() {
    in_full(Victim::NodePostmaster);
}
