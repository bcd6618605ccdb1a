//! The thread that fetches: signals to the process never reach it, and it ends at its deadline
//! whatever the exchange does and whether or not somebody still waits for it.

use crate::ground::cluster_for;
use crate::processes::Footprint;
use rustix::process::Signal;
use signal_hub_harness::scene::{
    SOON, by_hand, flat_market, waiting_behind_a_silent_exchange, worker_pid,
};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Times};
use std::fs;
use std::time::Instant;

/// One thread of a process, by /proc/PID/task, see proc(5).
struct Thread {
    name: String,
    /// Bit n - 1 is signal n.
    blocked: u64,
    pending: u64,
}

fn threads_of(pid: i32) -> Vec<Thread> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    let read = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let mask = |name| u64::from_str_radix(field(name)?.trim(), 16).ok();
        Some(Thread {
            name: field("Name:")?.trim().to_owned(),
            blocked: mask("SigBlk:")?,
            pending: mask("SigPnd:")?,
        })
    };
    tasks.flatten().filter_map(read).collect()
}

#[test]
fn the_thread_of_a_fetch_never_receives_a_signal() {
    /// KILL and STOP cannot be blocked; the C library uses 32 and 33 itself.
    const NOT_BLOCKED: [u32; 4] = [9, 19, 32, 33];
    let market = flat_market();
    let (_cluster, mut session) = waiting_behind_a_silent_exchange(&market, Times::Forever);
    let worker = worker_pid(&mut session).expect("a worker runs");
    let fetching = || {
        let of_fetches = |thread: &Thread| thread.name.starts_with("signal_hub");
        threads_of(worker).into_iter().find(of_fetches)
    };
    let all = NOT_BLOCKED
        .iter()
        .fold(u64::MAX, |all, n| all & !(1 << (n - 1)));
    let thread = fetching().expect("it waits for the exchange");
    assert_eq!(thread.blocked & all, all, "{:x}", thread.blocked);
    let main = threads_of(worker)
        .into_iter()
        .find(|t| !t.name.starts_with("signal_hub"));
    let blocked = main.expect("the main thread").blocked;
    for taken in [Signal::HUP, Signal::INT, Signal::USR1, Signal::TERM] {
        let bit = 1 << (taken.as_raw() - 1);
        assert_eq!(blocked & bit, 0, "the main thread takes {taken:?}");
    }

    // Reload, wake-up and cancel have their effect, but not in that thread.
    session.run("ALTER SYSTEM SET signal_hub.interval = '2s'");
    session.run("SELECT pg_reload_conf()");
    assert!(session.one::<bool>(&format!("SELECT pg_cancel_backend({worker})")));
    eventually(SOON, "the cancel is on record", || {
        session.one::<bool>("SELECT EXISTS (SELECT FROM signal_runs WHERE sqlstate = '57014')")
    });
    let left = fetching().expect("nobody waits for it, but its deadline is not over");
    assert_eq!(left.pending, 0);
    assert_eq!(worker_pid(&mut session), Some(worker), "the same process");
}

#[test]
fn threads_of_canceled_fetches_end_at_their_deadline() {
    const THREADS: u64 = 4;
    let market = flat_market();
    // Long enough that none has ended when the last one begins.
    let options = by_hand(&market).set("signal_hub.http_timeout", "20s");
    let (_cluster, mut session) = cluster_for(options, 1);
    let pid: i32 = session.one("SELECT pg_backend_pid()");
    session.run("SET statement_timeout = '1s'");
    for fault in [Fault::Silence, Fault::SlowDrip] {
        market.inject(fault.clone(), Times::Forever);
        // A busy machine may use up a call's time before it has a thread.
        for _ in 0..10 * THREADS {
            if Footprint::of(pid).threads == 1 + THREADS {
                break;
            }
            let error = session.error("SELECT generate_signals_now()");
            assert_eq!(error.code().code(), "57014", "{}", error.message());
        }
        let canceled = Instant::now();
        assert_eq!(
            Footprint::of(pid).threads,
            1 + THREADS,
            "{fault:?}: all are waiting"
        );
        eventually(SOON, "every thread has ended", || {
            Footprint::of(pid).threads == 1
        });
        println!(
            "{fault:?}: gone {:?} after the last cancel",
            canceled.elapsed()
        );
        market.clear_faults();
    }
    session.run("RESET statement_timeout");
    assert!(session.one::<bool>("SELECT (generate_signals_now() ->> 'success')::boolean"));
}
