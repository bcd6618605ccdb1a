//! Thousands of cycles leave nothing behind in the process that ran them.

use crate::ground::{Tide, cluster_for};
use crate::processes::Footprint;
use crate::scene::{SOON, by_hand, by_itself, flat_market, runs, worker_pid};
use crate::session::Session;
use crate::wait::eventually;
use std::time::Duration;

const SUBSCRIBERS: u32 = 10;

/// A process that waits or fetches has some descriptors more than one that does not. One left
/// behind by each run would be 20 at least.
const NOISE: usize = 5;

/// The process between two fetches: the thread of the last one may still be on its way out.
fn settled(pid: i32) -> Footprint {
    eventually(SOON, "the process has one thread", || {
        Some(Footprint::of(pid)).filter(|now| now.threads == 1)
    })
}

/// Runs cycles by hand, with a signal now and then.
fn call(session: &mut Session, tide: &mut Tide, times: usize) {
    for number in 0..times {
        if number % 50 == 0 {
            tide.turn();
        }
        assert!(session.one::<bool>("SELECT (generate_signals_now() ->> 'success')::boolean"));
    }
}

#[test]
fn three_thousand_calls_in_one_session_leave_nothing_behind() {
    const WARM_UP: usize = 500;
    const CALLS: usize = 3_000;
    const MOST_KB: u64 = 1_024;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (_cluster, mut session) = cluster_for(by_hand(&market), SUBSCRIBERS);
    let pid: i32 = session.one("SELECT pg_backend_pid()");
    call(&mut session, &mut tide, WARM_UP);
    let before = settled(pid);
    call(&mut session, &mut tide, CALLS);
    let after = settled(pid);
    assert!(
        after.resident_kb < before.resident_kb + MOST_KB,
        "{before:?} {after:?}"
    );
    assert!(
        after.descriptors < before.descriptors + NOISE,
        "{before:?} {after:?}"
    );
    let calls = i64::try_from(WARM_UP + CALLS).expect("few");
    assert_eq!(runs(&mut session), calls);
    tide.everybody_has_everything_once(&mut session, SUBSCRIBERS);
}

#[test]
fn a_worker_that_runs_for_a_while_keeps_no_thread_and_no_descriptor() {
    const WARM_UP: i64 = 5;
    const RUNS: i64 = 20;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (_cluster, mut session) = cluster_for(by_itself(&market), SUBSCRIBERS);
    let mut wait_for_runs = |number: i64| {
        let enough = runs(&mut session) + number;
        // Twice the time they take.
        let limit = SOON + Duration::from_secs(2 * number.unsigned_abs());
        eventually(limit, "the worker runs", || {
            tide.turn_when_settled(&mut session);
            runs(&mut session) >= enough
        });
        let worker = worker_pid(&mut session).expect("a worker runs");
        (worker, settled(worker))
    };
    let (worker, before) = wait_for_runs(WARM_UP);
    let (same, after) = wait_for_runs(RUNS);
    assert_eq!(same, worker, "the same process");
    assert!(
        after.descriptors < before.descriptors + NOISE,
        "{before:?} {after:?}"
    );
    tide.everybody_has_everything_once(&mut session, SUBSCRIBERS);
    assert!(tide.turns() > 5, "signals came");
}
