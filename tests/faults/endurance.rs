//! After many thousand cycles a process needs what it needed at first, the database keeps no more
//! than it should, and everybody has every signal.
//!
//! There are as many cycles as CI has time for. All 100,000 take a quarter of an hour with a
//! release build of the extension installed:
//! `SIGNAL_HUB_TEST_CYCLES=100000 cargo test -p signal_hub_tests --test faults endurance::`

use crate::ground::{Tide, cluster_for, each_signal_once_each_whatever_the_runs_say};
use crate::processes::Footprint;
use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::Cluster;
use signal_hub_harness::scene::{SOON, by_hand, by_itself, flat_market, runs, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;
use std::time::Duration;

const SUBSCRIBERS: u32 = 10;

/// Cycles before the first measurement, by which caches are filled and autovacuum has run.
const WARM_UP: i64 = 1_000;

/// A signal is made once in this many cycles.
const CYCLES_PER_TURN: i64 = 20;

fn cycles() -> i64 {
    const IN_CI: i64 = 8_000;
    std::env::var("SIGNAL_HUB_TEST_CYCLES").map_or(IN_CI, |n| n.parse().expect("a number"))
}

/// What cycles could leave behind in their process and in the database.
struct Holdings {
    process: Footprint,
    /// Rows and pages of the catalogs that grow with every new or changed object.
    catalogs: [String; 5],
    temporary_files: i64,
}

impl Holdings {
    /// Of a process between two fetches: the thread of the last one may not have ended yet.
    fn of(pid: i32, session: &mut Session) -> Self {
        Self {
            process: eventually(SOON, "the process has one thread", || {
                Some(Footprint::of(pid)).filter(|now| now.threads == 1)
            }),
            catalogs: ["pg_attribute", "pg_class", "pg_depend", "pg_proc", "pg_type"].map(|catalog| {
                session.one(&format!(
                    "SELECT format('%s: %s rows, %s bytes', '{catalog}', count(*), pg_table_size('{catalog}')) FROM {catalog}"
                ))
            }),
            temporary_files: session.one(
                "SELECT temp_files FROM pg_stat_database WHERE datname = current_database()",
            ),
        }
    }

    #[track_caller]
    fn are_as_before(&self, before: &Self) {
        const MOST_KB: u64 = 1_024;
        /// While a process waits or fetches it has some more descriptors. If each run left one
        /// behind, there would be thousands.
        const NOISE: usize = 5;
        let (was, is) = (before.process, self.process);
        println!("{was:?} became {is:?}");
        assert!(
            is.resident_kb < was.resident_kb + MOST_KB && is.descriptors < was.descriptors + NOISE,
            "{was:?} became {is:?}"
        );
        assert_eq!(self.catalogs, before.catalogs, "the catalogs");
        assert_eq!(self.temporary_files, 0, "temporary files");
    }
}

#[track_caller]
fn no_temporary_file_is_left(cluster: &Cluster) {
    let folder = cluster.data().join("base/pgsql_tmp");
    let left = std::fs::read_dir(folder).map_or(0, |files| files.count());
    assert_eq!(left, 0, "temporary files left");
}

/// Only four symbols are watched, so that a cycle is little work for exchange and server.
fn watch_what_turns(session: &mut Session) {
    session.run(
        "UPDATE signal_symbols SET enabled = symbol IN ('BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT')",
    );
}

#[test]
fn thousands_of_calls_in_one_session_leave_nothing_behind() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(by_hand(&market), SUBSCRIBERS);
    watch_what_turns(&mut session);
    let pid: i32 = session.one("SELECT pg_backend_pid()");
    let mut other = cluster.session(signal_hub_harness::cluster::POSTGRES);
    let mut call = |session: &mut Session, times: i64| {
        for number in 0..times {
            if number % CYCLES_PER_TURN == 0 {
                tide.turn();
            }
            assert!(session.one::<bool>("SELECT (generate_signals_now() ->> 'success')::boolean"));
        }
    };
    call(&mut session, WARM_UP);
    let before = Holdings::of(pid, &mut other);
    call(&mut session, cycles());
    Holdings::of(pid, &mut other).are_as_before(&before);
    no_temporary_file_is_left(&cluster);
    assert_eq!(runs(&mut session), WARM_UP + cycles());
    tide.everybody_has_everything_once(&mut session, SUBSCRIBERS);
}

/// A worker whose clock runs fast, and an exchange whose clock is set with it.
struct Hurry<'a> {
    market: &'a Simulator,
    tide: Tide<'a>,
    session: Session,
    /// Cycles that had run at the last turn.
    turned_at: i64,
    /// The most runs that the history has had.
    most_kept: i64,
}

impl Hurry<'_> {
    /// Lets the worker run until it has done this many cycles.
    fn until(&mut self, cycles: i64) {
        let limit = Duration::from_secs(60 + cycles.unsigned_abs() / 5);
        eventually(limit, &format!("{cycles} cycles"), || {
            let state = &self.session.rows(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, coalesce(max(run_id), 0), count(*)
                   FROM signal_runs",
            )[0];
            self.market.drive_time(state.get(0));
            let done: i64 = state.get(1);
            self.most_kept = self.most_kept.max(state.get(2));
            if done >= self.turned_at + CYCLES_PER_TURN {
                self.turned_at = done;
                self.tide.turn_when_settled(&mut self.session);
            }
            done >= cycles
        });
    }
}

#[test]
fn a_worker_that_has_run_for_hours_takes_and_keeps_what_it_did_at_first() {
    /// Runs are kept for a minute and purged every ten minutes, with some time to do it.
    const MOST_KEPT: i64 = 60 + 600 + 60;
    let market = flat_market();
    let clocks = Clocks::faster(300);
    let options = clocks
        .of(by_itself(&market))
        .set("signal_hub.run_retention", "1min")
        // One second by the machine's clock.
        .set("signal_hub.http_timeout", "300s");
    let (cluster, mut session) = cluster_for(options, SUBSCRIBERS);
    watch_what_turns(&mut session);
    // A signal that is renewed after its lifetime is not a turn.
    session.run("UPDATE signal_rules SET lifetime = '1000 days'");
    let mut hurry = Hurry {
        market: &market,
        tide: Tide::new(&market),
        session,
        turned_at: 0,
        most_kept: 0,
    };
    hurry.until(WARM_UP);
    let worker = worker_pid(&mut hurry.session).expect("a worker runs");
    let before = Holdings::of(worker, &mut hurry.session);
    hurry.until(WARM_UP + cycles());
    let Hurry {
        tide,
        mut session,
        most_kept,
        ..
    } = hurry;
    assert_eq!(worker_pid(&mut session), Some(worker), "the same process");
    Holdings::of(worker, &mut session).are_as_before(&before);
    no_temporary_file_is_left(&cluster);
    assert!(most_kept <= MOST_KEPT, "{most_kept} runs were kept");
    eventually(SOON, "all is delivered", || tide.is_settled(&mut session));
    each_signal_once_each_whatever_the_runs_say(&mut session, SUBSCRIBERS);
    let seen = &session.rows(
        "SELECT n_tup_ins, n_tup_del, n_dead_tup, autovacuum_count, pg_total_relation_size(relid)
           FROM pg_stat_user_tables WHERE relname = 'signal_runs'",
    )[0];
    let [inserted, deleted, dead, vacuumed, bytes] = [0, 1, 2, 3, 4].map(|i| seen.get::<_, i64>(i));
    println!(
        "{inserted} inserted, {deleted} deleted, {dead} dead, vacuumed {vacuumed} times, {bytes} bytes, {most_kept} kept, {} turns",
        tide.turns()
    );
    assert!(inserted >= cycles() && deleted >= cycles() - MOST_KEPT);
    assert!(vacuumed > 0 && dead < 5 * MOST_KEPT, "{dead} dead rows");
    assert!(bytes < 4 << 20, "{bytes} bytes");
    // A busy machine may let the exchange answer too late.
    let not_ok: i64 = session.one(
        "SELECT count(*) FROM signal_runs WHERE status <> 'ok' AND sqlstate IS DISTINCT FROM '08006'",
    );
    assert_eq!(not_ok, 0);
}
