//! Launcher and worker die at random points: they are back at once and nobody misses a signal.

use crate::ground::{
    CROWD, Tide, batches_take, cluster_for, delivered, hurry, slow_down, small_batches,
    wait_for_the_middle_of_a_fan_out,
};
use crate::processes::{LAUNCHER, WORKER, pids};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, flat_market, runs, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, within};
use std::time::{Duration, Instant};

/// Longest time from the death of a process until another one runs: 1 s, and what a busy machine
/// needs. If the deaths of workers that had worked counted as early, the fifth would take longer.
const BACK: Duration = Duration::from_secs(12);

/// Longest time that a fault waits for its random moment: a beat and the fan-out after it.
const A_CYCLE: Duration = Duration::from_millis(1_200);

/// What a worker has done so far: runs on record and rows delivered.
fn work_done(session: &mut Session) -> i64 {
    delivered(session) + session.one::<i64>("SELECT count(*) FROM signal_runs")
}

/// Waits until the new worker has done something, because one that dies before that is rightly
/// started later; then for a random time.
fn wait_for_a_moment(session: &mut Session, random: &mut Rng) {
    let before = work_done(session);
    eventually(SOON, "the worker works", || work_done(session) > before);
    // Nothing is waited for: the seed chooses when the fault strikes.
    std::thread::sleep(A_CYCLE.mul_f64(random.f64()));
}

/// Half of fifty deaths: two tests with a server each take half as long.
fn terminate_25_times(seed: u64) {
    const TIMES: usize = 25;
    /// Signals that there are in the end, at least.
    const SIGNALS: i64 = 5;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    let server_start: String = session.one("SELECT pg_postmaster_start_time()::text");
    let mut random = Rng::with_seed(seed);
    let mut deaths = 0;
    let mut slow = Vec::new();
    let mut number = 0;
    // On a slow machine, one fan-out takes several deaths.
    while number < TIMES || tide.turns() < SIGNALS {
        number += 1;
        tide.turn_when_settled(&mut session);
        wait_for_a_moment(&mut session, &mut random);
        // The worker more often than the launcher, because it does more.
        let victim = if random.u8(0..4) == 0 {
            LAUNCHER
        } else {
            WORKER
        };
        let stage: Option<String> = session.one("SELECT stage FROM signal_worker_status()");
        let died = pids(&mut session, victim);
        assert_eq!(died.len(), 1, "one {victim} runs before death {number}");
        session.run(&format!("SELECT pg_terminate_backend({})", died[0]));
        deaths += i64::from(victim == WORKER);
        let since = Instant::now();
        eventually(SOON, "it is back", || {
            let now = pids(&mut session, victim);
            assert!(now.len() <= 1, "two of {victim}: {now:?}");
            now.first().is_some_and(|pid| *pid != died[0])
        });
        if since.elapsed() > BACK {
            slow.push(format!(
                "death {number} of {victim} while {stage:?}: back after {:?}",
                since.elapsed()
            ));
        }
    }
    assert!(slow.is_empty(), "seed {seed}: {slow:#?}");
    tide.everybody_has_everything_once(&mut session, CROWD);
    assert_eq!(
        session.one::<i64>("SELECT restarts FROM signal_health"),
        deaths,
        "restarts on record"
    );
    assert_eq!(
        session.one::<String>("SELECT pg_postmaster_start_time()::text"),
        server_start
    );
    assert!(
        !was_reset(&cluster),
        "terminating one process resets no other"
    );
}

fn was_reset(cluster: &Cluster) -> bool {
    let log = cluster.log();
    log.contains("terminating any other active server processes")
}

#[test]
fn terminated_at_random_points_they_are_back_and_nobody_misses_a_signal() {
    terminate_25_times(1);
}

#[test]
fn terminated_at_other_random_points_they_are_back_and_nobody_misses_a_signal() {
    terminate_25_times(2);
}

#[test]
fn killed_hard_at_random_points_they_are_back_after_the_reset_and_nobody_misses_a_signal() {
    const TIMES: i64 = 6;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    let mut random = Rng::with_seed(3);
    for number in 1..=TIMES {
        tide.turn_when_settled(&mut session);
        wait_for_a_moment(&mut session, &mut random);
        // The death of either resets the server.
        let victim = if number % 3 == 0 { LAUNCHER } else { WORKER };
        session = kill_hard(&cluster, session, victim);
        assert_eq!(
            session.one::<i64>("SELECT restarts FROM signal_health"),
            number
        );
    }
    tide.everybody_has_everything_once(&mut session, CROWD);
}

#[test]
fn killed_hard_in_the_middle_of_a_fan_out_they_are_back_and_it_goes_on() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    slow_down(&mut session);
    for victim in [WORKER, LAUNCHER] {
        batches_take(&mut session, 0.1);
        tide.turn();
        wait_for_the_middle_of_a_fan_out(&mut session);
        session = kill_hard(&cluster, session, victim);
        hurry(&mut session);
        tide.everybody_has_everything_once(&mut session, CROWD);
    }
}

/// Kills the one process of this `backend_type`, and waits until launcher and worker run again.
/// Returns a session of the server after its reset.
fn kill_hard(cluster: &Cluster, mut session: Session, victim: &str) -> Session {
    let died = pids(&mut session, victim);
    assert_eq!(died.len(), 1, "one {victim} runs");
    let pid = Pid::from_raw(died[0]).expect("a process id");
    kill_process(pid, Signal::KILL).expect("the process is the test's");
    let mut session = after_the_reset(cluster, session);
    for kind in [LAUNCHER, WORKER] {
        let what = format!("another {kind} runs after the death of the {victim}");
        eventually(SOON, &what, || {
            let now = pids(&mut session, kind);
            now.len() == 1 && now != died
        });
    }
    session
}

/// Waits until the server has ended this session, and takes connections again.
fn after_the_reset(cluster: &Cluster, mut session: Session) -> Session {
    eventually(SOON, "the server resets itself", || {
        session.try_list::<i32>("SELECT 1").is_err()
    });
    eventually(SOON, "the server takes connections again", || {
        let asked = cluster.tool("pg_isready").arg("--quiet").status();
        asked.is_ok_and(|status| status.success())
    });
    cluster.session(POSTGRES)
}

#[test]
fn a_worker_terminated_again_and_again_in_one_fan_out_is_back_at_once_each_time() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (_cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    slow_down(&mut session);
    // The fan-out has to last longer than the workers live in all, as they are seen late.
    batches_take(&mut session, 0.3);
    tide.turn();
    for number in 1..=7 {
        let before = delivered(&mut session);
        eventually(SOON, "the fan-out goes on", || {
            delivered(&mut session) > before
        });
        let died = worker_pid(&mut session).expect("a worker runs");
        session.run(&format!("SELECT pg_terminate_backend({died})"));
        // Each worker delivers rows, so there is no reason to start the next one later.
        let back = within(BACK, || {
            worker_pid(&mut session).is_some_and(|pid| pid != died)
        });
        assert!(back.is_some(), "death {number}: not back within {BACK:?}");
    }
    assert!(
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 1,
        "too fast: it was not one fan-out"
    );
    hurry(&mut session);
    tide.everybody_has_everything_once(&mut session, CROWD);
}

#[test]
fn a_worker_that_is_terminated_before_it_did_anything_is_started_later_each_time() {
    let market = flat_market();
    let (cluster, mut session) = cluster_for(small_batches(&market), 1);
    let mut owner = cluster.session(POSTGRES);
    let mut waits = Vec::new();
    // 1 s after the death of one that had worked, then 1 s and 2 s. A busy machine may add to
    // them, but not every time.
    let fits = within(3 * SOON, || {
        waits = waits_after_three_deaths(&mut session, &mut owner);
        assert!(
            waits[0] > 0.9 && waits[1] > 0.9 && waits[2] > 1.8,
            "{waits:?}"
        );
        waits[0] < 1.8 && waits[1] < 1.8
    });
    assert!(fits.is_some(), "{waits:?}");
    eventually(SOON, "runs go on", || {
        session.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
}

/// Terminates a worker that has worked, and then two that could not, and returns how many seconds
/// after each death the next one started, by the server's clock.
fn waits_after_three_deaths(session: &mut Session, owner: &mut Session) -> Vec<f64> {
    let before = runs(session);
    // When the second begins, the first has counted.
    eventually(SOON, "the worker works", || runs(session) >= before + 2);
    // A worker reads this table before its first beat, so none gets any further.
    owner.run("BEGIN; LOCK TABLE signal_runs IN ACCESS EXCLUSIVE MODE");
    let mut died = worker_pid(session).expect("a worker runs");
    let mut waits = Vec::new();
    for _ in 0..3 {
        session.run(&format!("SELECT pg_terminate_backend({died})"));
        died = eventually(SOON, "another worker runs", || {
            worker_pid(session).filter(|pid| *pid != died)
        });
        waits.push(session.one(
            "SELECT extract(epoch FROM started_at - died_at)::float8
               FROM signal_worker_status(), signal_worker_history()",
        ));
    }
    owner.run("COMMIT");
    waits
}
