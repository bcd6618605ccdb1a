//! Several sessions run cycles by hand while the worker runs its own.

use crate::ground::{Tide, cluster_for, small_batches};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::within;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SESSIONS: usize = 8;
const TIME: Duration = Duration::from_secs(15);
/// Signals that there are in the end, at least.
const SIGNALS: i64 = 10;
/// The 2 s that a call waits for another cycle to end, and the cycle itself on a busy machine. A
/// call that waited for all others would wait for ever.
const LONGEST_CALL: Duration = Duration::from_secs(30);
const SUBSCRIBERS: u32 = 500;

/// Calls again and again until it has to stop, counts the cycles that it `ran`, and returns how
/// long its longest call took.
fn keep_calling(mut session: Session, stop: &AtomicBool, ran: &AtomicUsize) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let success: bool = session.one("SELECT (generate_signals_now() ->> 'success')::boolean");
        ran.fetch_add(usize::from(success), Ordering::Relaxed);
        longest = longest.max(started.elapsed());
    }
    longest
}

#[test]
fn eight_sessions_and_the_worker_take_turns_and_nobody_gets_a_signal_twice() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), SUBSCRIBERS);
    let stop = AtomicBool::new(false);
    let ran: [AtomicUsize; SESSIONS] = Default::default();
    let longest: Vec<Duration> = thread::scope(|scope| {
        let callers: Vec<_> = ran
            .iter()
            .map(|ran| {
                let session = cluster.session(POSTGRES);
                let stop = &stop;
                scope.spawn(move || keep_calling(session, stop, ran))
            })
            .collect();
        let began = Instant::now();
        let what = "signals keep coming, and every session has its turn";
        let came = within(3 * SOON, || {
            tide.turn_when_settled(&mut session);
            began.elapsed() >= TIME
                && tide.turns() >= SIGNALS
                && ran.iter().all(|ran| ran.load(Ordering::Relaxed) > 0)
        });
        stop.store(true, Ordering::Relaxed);
        let joined = callers.into_iter().map(|caller| caller.join());
        let longest = joined.map(|longest| longest.expect("no call fails"));
        let longest = longest.collect();
        assert!(came.is_some(), "{what}: {} signals, {ran:?}", tide.turns());
        longest
    });
    tide.everybody_has_everything_once(&mut session, SUBSCRIBERS);
    let repeated: i64 = session.one(
        "SELECT count(*) FROM (SELECT signal_type = lag(signal_type) OVER (PARTITION BY symbol ORDER BY signal_id) AS repeated
                                 FROM signals) AS s WHERE repeated",
    );
    assert_eq!(repeated, 0, "each signal is of a new episode");
    for longest in longest {
        assert!(longest < LONGEST_CALL, "{longest:?}");
    }
    let by_worker: i64 = session
        .one("SELECT count(*) FROM signal_runs WHERE trigger = 'worker' AND status <> 'failed'");
    assert!(by_worker > 0, "the worker had its turns");
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'"),
        0
    );
    assert!(!cluster.log().contains("deadlock detected"));
}
