//! The postmaster is killed amid a fan-out that never waits: nothing of the server is left soon
//! after it, and everybody has each signal once after the next start.
//!
//! `SIGNAL_HUB_TEST_CYCLES` says how many times it is killed in each case; 20 is the full count.

use crate::ground::{Tide, each_signal_once_each_whatever_the_runs_say, extension_for};
use crate::processes::processes_of;
use fastrand::Rng;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_hand, by_itself, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::thread;
use std::time::{Duration, Instant};

/// Fan-outs to so many take some seconds without a pause.
const CROWD: u32 = 200_000;
/// Time for such a fan-out, on a slow and busy machine.
const LATER: Duration = Duration::from_secs(300);

fn cycles() -> usize {
    let asked = std::env::var("SIGNAL_HUB_TEST_CYCLES");
    asked.ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Longest time until nothing is left: two seconds, or on a slow machine a quarter of the `whole`
/// time that a process would need to do all of its work.
fn gone(whole: Duration) -> Duration {
    Duration::from_secs(2).max(whole / 4)
}

fn is_under_way(session: &mut Session) -> bool {
    session.one("SELECT EXISTS (SELECT FROM signals WHERE delivery_started_at IS NOT NULL AND delivered_at IS NULL)")
}

/// Waits until none of the server's processes is left, which must be so within `gone`.
#[track_caller]
fn nothing_is_left(cluster: &Cluster, number: usize, killed_at: Instant, gone: Duration) {
    eventually(SOON, "nothing is left", || processes_of(cluster).is_empty());
    let took = killed_at.elapsed();
    assert!(took <= gone, "kill {number}: {took:?}, not {gone:?}");
}

#[test]
fn a_postmaster_killed_amid_fan_outs_that_never_wait_leaves_nothing_after_two_seconds() {
    let market = flat_market();
    for processes in ["1", "3"] {
        let mut tide = Tide::new(&market);
        let mut cluster = by_itself(&market)
            .set("signal_hub.delivery_workers", processes)
            .set("max_wal_size", "4GB")
            .start();
        let mut session = cluster.session(POSTGRES);
        extension_for(&mut session, CROWD);
        let mut random = Rng::with_seed(5);
        tide.turn();
        eventually(LATER, "the first signal is delivered", || {
            tide.is_settled(&mut session)
        });
        let whole: f64 = session.one(
            "SELECT extract(epoch FROM delivered_at - delivery_started_at)::float8 FROM signals",
        );
        let gone = gone(Duration::from_secs_f64(whole));
        for number in 1..=cycles() {
            tide.turn();
            eventually(SOON, "a fan-out is under way", || {
                is_under_way(&mut session)
            });
            // Nothing is waited for: the seed chooses when the fault strikes.
            thread::sleep(Duration::from_millis(random.u64(0..400)));
            let killed_at = cluster.kill9_at();
            nothing_is_left(&cluster, number, killed_at, gone);
            cluster.start();
            session = cluster.session(POSTGRES);
            eventually(LATER, "the signals are delivered", || {
                tide.is_settled(&mut session)
            });
        }
        each_signal_once_each_whatever_the_runs_say(&mut session, CROWD);
        drop(session);
        drop(cluster);
        market.set_change("BTCUSDT", "0");
        market.set_change("ETHUSDT", "0");
        market.set_change("SOLUSDT", "0");
        market.set_change("XRPUSDT", "0");
    }
}

#[test]
fn a_postmaster_killed_amid_a_call_by_hand_leaves_nothing_after_two_seconds() {
    let market = flat_market();
    let mut cluster = by_hand(&market).set("max_wal_size", "4GB").start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, CROWD);
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        market.set_change(symbol, "3.5");
    }
    let began = Instant::now();
    session.run("BEGIN; SELECT generate_signals_now(); ROLLBACK");
    let gone = gone(began.elapsed());
    session.run("TRUNCATE user_signals");
    for number in 1..=cycles() {
        let mut caller = cluster.session(POSTGRES);
        let calling =
            thread::spawn(move || caller.try_list::<String>("SELECT generate_signals_now()::text"));
        eventually(SOON, "rows are written", || {
            session.one::<i64>("SELECT pg_relation_size('user_signals')") > 4_000_000
        });
        let killed_at = cluster.kill9_at();
        nothing_is_left(&cluster, number, killed_at, gone);
        assert!(calling.join().expect("the caller returns").is_err());
        cluster.start();
        session = cluster.session(POSTGRES);
        assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 0);
        session.run("TRUNCATE user_signals");
    }
    session.run("SELECT generate_signals_now()");
    each_signal_once_each_whatever_the_runs_say(&mut session, CROWD);
}
