//! The postmaster is killed amid a fan-out that never waits: nothing of the server is left two
//! seconds later, and everybody has each signal once after the next start.
//!
//! `SIGNAL_HUB_TEST_CYCLES` says how many times it is killed in each case; 20 is the full count.

use crate::ground::{LATER, Tide, each_signal_once_each_whatever_the_runs_say, extension_for};
use crate::processes::processes_of;
use fastrand::Rng;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, by_hand, by_itself, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::thread;
use std::time::{Duration, Instant};

/// Fan-outs to so many take some seconds without a pause.
const CROWD: u32 = 200_000;
const GONE: Duration = Duration::from_secs(2);

fn cycles() -> usize {
    let asked = std::env::var("SIGNAL_HUB_TEST_CYCLES");
    asked.ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

fn is_under_way(session: &mut Session) -> bool {
    session.one("SELECT EXISTS (SELECT FROM signals WHERE delivery_started_at IS NOT NULL AND delivered_at IS NULL)")
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
        for number in 1..=cycles() {
            tide.turn();
            eventually(SOON, "a fan-out is under way", || {
                is_under_way(&mut session)
            });
            // Nothing is waited for: the seed chooses when the fault strikes.
            thread::sleep(Duration::from_millis(random.u64(0..400)));
            let began = Instant::now();
            cluster.kill9();
            eventually(GONE, "nothing is left", || {
                processes_of(&cluster).is_empty()
            });
            assert!(
                began.elapsed() <= GONE,
                "kill {number}: {:?}",
                began.elapsed()
            );
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
    for number in 1..=cycles() {
        let mut caller = cluster.session(POSTGRES);
        let calling =
            thread::spawn(move || caller.try_list::<String>("SELECT generate_signals_now()::text"));
        eventually(SOON, "rows are written", || {
            session.one::<i64>("SELECT pg_relation_size('user_signals')") > 4_000_000
        });
        let began = Instant::now();
        cluster.kill9();
        eventually(GONE, "nothing is left", || {
            processes_of(&cluster).is_empty()
        });
        assert!(
            began.elapsed() <= GONE,
            "kill {number}: {:?}",
            began.elapsed()
        );
        assert!(calling.join().expect("the caller returns").is_err());
        cluster.start();
        session = cluster.session(POSTGRES);
        assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 0);
        session.run("TRUNCATE user_signals");
    }
    session.run("SELECT generate_signals_now()");
    each_signal_once_each_whatever_the_runs_say(&mut session, CROWD);
}
