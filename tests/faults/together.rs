//! Several sessions run cycles by hand while the worker runs its own.

use crate::ground::{Tide, cluster_for, small_batches};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::flat_market;
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::meanwhile;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SESSIONS: usize = 8;
const TIME: Duration = Duration::from_secs(15);
/// The 2 s that a call waits for another cycle to end, and the cycle itself on a busy machine.
const LONGEST_CALL: Duration = Duration::from_secs(5);
const SUBSCRIBERS: u32 = 500;

/// What one session has seen.
struct Seen {
    ran: usize,
    longest: Duration,
}

/// Calls again and again until it has to stop.
fn keep_calling(mut session: Session, stop: &AtomicBool) -> Seen {
    let mut seen = Seen {
        ran: 0,
        longest: Duration::ZERO,
    };
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let ran: bool = session.one("SELECT (generate_signals_now() ->> 'success')::boolean");
        seen.ran += usize::from(ran);
        seen.longest = seen.longest.max(started.elapsed());
    }
    seen
}

#[test]
fn eight_sessions_and_the_worker_take_turns_and_nobody_gets_a_signal_twice() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), SUBSCRIBERS);
    let stop = AtomicBool::new(false);
    let seen: Vec<Seen> = thread::scope(|scope| {
        let callers: Vec<_> = (0..SESSIONS)
            .map(|_| {
                let session = cluster.session(POSTGRES);
                scope.spawn(|| keep_calling(session, &stop))
            })
            .collect();
        meanwhile(TIME, "signals keep coming", || {
            tide.turn_when_settled(&mut session);
            true
        });
        stop.store(true, Ordering::Relaxed);
        let joined = callers.into_iter().map(|caller| caller.join());
        joined.map(|seen| seen.expect("no call fails")).collect()
    });
    tide.everybody_has_everything_once(&mut session, SUBSCRIBERS);
    assert!(tide.turns() >= 10, "{} signals only", tide.turns());
    let repeated: i64 = session.one(
        "SELECT count(*) FROM (SELECT signal_type = lag(signal_type) OVER (PARTITION BY symbol ORDER BY signal_id) AS repeated
                                 FROM signals) AS s WHERE repeated",
    );
    assert_eq!(repeated, 0, "each signal is of a new episode");
    for seen in &seen {
        assert!(seen.ran > 0, "a session that never had its turn");
        assert!(seen.longest < LONGEST_CALL, "{:?}", seen.longest);
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
