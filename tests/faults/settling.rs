//! The worker dies at random points while it settles outcomes: each is settled once, as on a server
//! where nobody disturbs it.
//!
//! `SIGNAL_HUB_TEST_CYCLES` says how many times it dies; 50 is the full count.

use crate::processes::{WORKER, pids};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Simulator, UnixMillis};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SYMBOLS: [&str; 10] = [
    "ADAUSDT", "AVAXUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "LINKUSDT", "LTCUSDT",
    "SOLUSDT", "XRPUSDT",
];
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// From the signal until its outcome is due.
const DUE: i64 = 4 * HOUR + 5 * SECOND;
/// How much faster than the machine's the worker's clocks for waiting run.
const FASTER: u32 = 20;
/// Longest time that a death waits for its random moment: a second of the machine from run to run.
const A_CYCLE: Duration = Duration::from_millis(1_200);
/// Time for all outcomes of a round.
const LATER: Duration = Duration::from_secs(120);

fn deaths() -> usize {
    const IN_CI: usize = 5;
    std::env::var("SIGNAL_HUB_TEST_CYCLES").map_or(IN_CI, |n| n.parse().expect("a number"))
}

fn server(market: &Simulator, clock: &Clocks) -> (Cluster, Session) {
    let options = clock
        .of(by_itself(market))
        .set("signal_hub.interval", &format!("{FASTER}s"))
        .set("signal_hub.http_timeout", "200s")
        // One or two outcomes in a run.
        .set("signal_hub.settle_requests_per_run", "4");
    let cluster = options.start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

fn outcomes(session: &mut Session, which: &str) -> i64 {
    session.one(&format!(
        "SELECT count(*) FROM signal_outcomes WHERE {which}"
    ))
}

/// Moves every symbol to its other side, waits for the signals on both servers, and lets prices
/// touch different levels of them.
fn make_signals(market: &Simulator, sessions: [&mut Session; 2], round: i64, at: UnixMillis) {
    let change = if round % 2 == 0 { "3.5" } else { "-3.5" };
    for symbol in SYMBOLS {
        market.set_change(symbol, change);
    }
    let [first, second] = sessions;
    for session in [&mut *first, second] {
        eventually(SOON, "the signals of this round", || {
            outcomes(session, "state = 'open'") == SYMBOLS.len() as i64
        });
    }
    for (place, symbol) in (0..).zip(SYMBOLS) {
        let level = |session: &mut Session, column: &str| -> String {
            session.one(&format!(
                "SELECT {column}::text FROM signal_outcomes WHERE symbol = '{symbol}' AND state = 'open'"
            ))
        };
        let target = level(first, "take_profit[1]");
        let stop = level(first, "stop_loss");
        let minute = at - at % MINUTE + (10 + place) * MINUTE;
        match place % 4 {
            0 => market.trade(symbol, minute, &target),
            1 => market.trade(symbol, minute, &stop),
            2 => {
                // In one minute, one after the other.
                market.trade(symbol, minute + 20 * SECOND, &target);
                market.trade(symbol, minute + 40 * SECOND, &stop);
            }
            _ => {}
        }
    }
}

/// What is fixed of each outcome at its settlement, in the order of signals.
fn results(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT (jsonb_build_object('by', 'settlement') || to_jsonb(o)
                 - ARRAY['signal_id', 'opened_at', 'opened_digest', 'opened_position', 'settled_at', 'settled_position',
                         'digest', 'nonce', 'source', 'high_seen', 'low_seen'])::text
           FROM signal_outcomes o ORDER BY signal_at, symbol",
    )
}

/// Ends the worker in one way or the other, and returns a session of the server that runs on.
fn strike(cluster: &Cluster, mut session: Session, hard: bool) -> Session {
    let Some(pid) = pids(&mut session, WORKER).first().copied() else {
        return session;
    };
    if hard {
        let worker = Pid::from_raw(pid).expect("a process id");
        // It may have ended by itself.
        let _ = kill_process(worker, Signal::KILL);
        eventually(SOON, "the server resets itself", || {
            session.try_list::<i32>("SELECT 1").is_err()
        });
        eventually(SOON, "the server takes connections again", || {
            let asked = cluster.tool("pg_isready").arg("--quiet").status();
            asked.is_ok_and(|status| status.success())
        });
        session = cluster.session(POSTGRES);
    } else {
        session.run(&format!("SELECT pg_terminate_backend({pid})"));
    }
    eventually(SOON, "another worker runs", || {
        let now = pids(&mut session, WORKER);
        now.len() == 1 && now[0] != pid
    });
    session
}

#[test]
fn killed_at_random_points_each_signal_is_settled_once_as_if_undisturbed() {
    let (market, clock) = (flat_market(), Clocks::standing(FASTER));
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let began = since.expect("after 1970").as_millis() as i64;
    clock.stand_at(&market, began);
    let (struck, mut session) = server(&market, &clock);
    let (_calm, mut calm_session) = server(&market, &clock);
    let mut random = Rng::with_seed(11);
    let (mut died, mut round) = (0, 0);
    while died < deaths() {
        let at = began + round * 5 * HOUR;
        clock.stand_at(&market, at);
        make_signals(&market, [&mut session, &mut calm_session], round, at);
        clock.stand_at(&market, at + DUE);
        round += 1;
        while died < deaths() && outcomes(&mut session, "state = 'open'") > 0 {
            // Nothing is waited for: the seed chooses when the fault strikes.
            std::thread::sleep(A_CYCLE.mul_f64(random.f64()));
            session = strike(&struck, session, died % 3 == 2);
            died += 1;
        }
        for session in [&mut session, &mut calm_session] {
            eventually(LATER, "every outcome is settled", || {
                outcomes(session, "state = 'open'") == 0
            });
        }
    }
    let signals = round * SYMBOLS.len() as i64;
    assert_eq!(outcomes(&mut session, "state = 'settled'"), signals);
    assert_eq!(results(&mut session), results(&mut calm_session));
    for session in [&mut session, &mut calm_session] {
        let broken: Vec<Option<String>> =
            session.list("SELECT why FROM verify_track_record() WHERE NOT ok");
        assert!(broken.is_empty(), "{broken:?}");
        let twice: i64 =
            session.one("SELECT count(*) - count(DISTINCT settled_position) FROM signal_outcomes");
        assert_eq!(twice, 0);
    }
}
