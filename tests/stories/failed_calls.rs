//! A call by hand that fails is recorded, too, once, and does not count as a failure of the
//! worker.

use serde_json::Value;
use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{SOON, flat_market, rising_market, wait_for_good_run, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Fault, Simulator, Times};
use std::thread;
use std::time::{Duration, Instant};

const CALL: &str = "SELECT generate_signals_now()";

/// Longest time from the request to end a call until it has ended: a third of the time for which
/// the exchange is waited for.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A server whose worker has had its first run; the next one is due in an hour.
fn between_two_runs(market: &Simulator) -> (Cluster, Session) {
    let cluster = Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.interval", "1h")
        .set("signal_hub.http_timeout", "60s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    (cluster, session)
}

/// Makes a call that waits for a silent exchange, and ends it with the function `end` of its
/// backend. Returns its SQLSTATE, if the connection lived long enough to receive it.
fn end_a_call(cluster: &Cluster, market: &Simulator, end: &str) -> Option<String> {
    let mut admin = cluster.session(POSTGRES);
    let mut caller = cluster.session(POSTGRES);
    let pid: i32 = caller.one("SELECT pg_backend_pid()");
    let requests = market.request_count();
    thread::scope(|scope| {
        let call = scope.spawn(move || {
            let error = caller.try_list::<Value>(CALL).expect_err("no reply");
            (
                error.code().map(|state| state.code().to_owned()),
                Instant::now(),
            )
        });
        eventually(SOON, "the call waits for the exchange", || {
            market.request_count() > requests
        });
        let asked = Instant::now();
        admin.run(&format!("SELECT {end}({pid})"));
        let (sqlstate, ended) = call.join().expect("an error");
        let took = ended - asked;
        assert!(took < AT_ONCE, "{end} took {took:?}");
        sqlstate
    })
}

/// SQLSTATE and error of each failed call on record.
fn failed_calls(session: &mut Session) -> Vec<(String, String)> {
    let rows = session.rows(
        "SELECT sqlstate, error FROM signal_runs
          WHERE trigger = 'manual' AND status = 'failed' AND finished_at >= started_at
            AND started_at > clock_timestamp() - interval '10 minutes' ORDER BY run_id",
    );
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn a_call_that_is_ended_behind_a_silent_exchange_is_on_record_once() {
    /// A busy machine may take as long until the call waits for the exchange.
    const TIMEOUT: Duration = Duration::from_secs(5);
    let market = flat_market();
    let (cluster, mut session) = between_two_runs(&market);
    let worker = worker_pid(&mut session);
    let next_run = "SELECT extract(epoch FROM next_run)::float8 FROM signal_health";
    let due: f64 = session.one(next_run);
    market.inject(Fault::Silence, Times::Forever);

    let canceled = end_a_call(&cluster, &market, "pg_cancel_backend");
    assert_eq!(canceled.as_deref(), Some("57014"));
    eventually(SOON, "it is on record", || {
        failed_calls(&mut session).len() == 1
    });

    let mut hasty = cluster.session(POSTGRES);
    hasty.run(&format!("SET statement_timeout = '{}s'", TIMEOUT.as_secs()));
    let called = Instant::now();
    let timed_out = hasty.error(CALL);
    let took = called.elapsed();
    assert!(took < TIMEOUT + AT_ONCE, "{took:?}");
    assert_eq!(timed_out.code().code(), "57014", "{timed_out:?}");

    end_a_call(&cluster, &market, "pg_terminate_backend");

    // The session of a call may end right after it.
    drop(hasty);
    eventually(SOON, "all are on record", || {
        failed_calls(&mut session).len() == 3
    });
    meanwhile(Duration::from_secs(3), "each once", || {
        failed_calls(&mut session).len() == 3
    });
    let expected = [
        ("57014", "canceling statement due to user request"),
        ("57014", "canceling statement due to statement timeout"),
        ("57P01", "the session was terminated"),
    ];
    assert_eq!(
        failed_calls(&mut session),
        expected.map(|(state, error)| (state.to_owned(), error.to_owned()))
    );
    assert!(session.one::<bool>(
        "SELECT healthy AND state = 'running' AND consecutive_failures = 0 AND last_error IS NULL FROM signal_health"
    ));
    assert_eq!(worker_pid(&mut session), worker, "the same process");
    // The last call was more than five seconds after the run that this time counts from.
    let moved: f64 = session.one::<f64>(next_run) - due;
    assert!(moved.abs() < 4.0, "the next run is due {moved} s later");
}

#[test]
fn whatever_becomes_of_the_callers_transaction_a_failed_call_is_on_record_and_an_undone_one_is_not()
{
    let market = rising_market();
    let (_cluster, mut session) = between_two_runs(&market);
    let last: i64 = session.one("SELECT max(run_id) FROM signal_runs");

    market.inject(Fault::InternalError, Times::Forever);
    assert_eq!(session.error(CALL).code().code(), "08P01");
    session.run("BEGIN; SAVEPOINT before");
    session.error(CALL);
    session.run("ROLLBACK TO before; COMMIT");
    session
        .run("DO $$ BEGIN PERFORM generate_signals_now(); EXCEPTION WHEN OTHERS THEN NULL; END $$");
    market.clear_faults();
    session.run("BEGIN; SELECT generate_signals_now(); ROLLBACK");
    session.run("SELECT generate_signals_now()");

    let calls = format!(
        "SELECT status || coalesce(' ' || sqlstate, '') FROM signal_runs WHERE run_id > {last} ORDER BY started_at"
    );
    let expected = ["failed 08P01", "failed 08P01", "failed 08P01", "ok"];
    eventually(SOON, "all are on record", || {
        session.list::<String>(&calls).len() == expected.len()
    });
    assert_eq!(session.list::<String>(&calls), expected);
}

#[test]
fn a_call_that_fails_while_the_history_is_locked_is_on_record_once_it_is_free() {
    let market = flat_market();
    let (cluster, mut session) = between_two_runs(&market);
    let mut owner = cluster.session(POSTGRES);
    market.inject(Fault::Silence, Times::Forever);
    let mut caller = cluster.session(POSTGRES);
    let pid: i32 = caller.one("SELECT pg_backend_pid()");
    let requests = market.request_count();
    thread::scope(|scope| {
        let call = scope.spawn(move || caller.error(CALL));
        eventually(SOON, "the call waits for the exchange", || {
            market.request_count() > requests
        });
        // By now, the call itself has read the history.
        owner.run("BEGIN; LOCK TABLE signal_runs IN EXCLUSIVE MODE");
        session.run(&format!("SELECT pg_cancel_backend({pid})"));
        assert_eq!(call.join().expect("an error").code().code(), "57014");
    });
    eventually(SOON, "the worker waits for the lock", || {
        session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    });
    owner.run("COMMIT");
    eventually(SOON, "it is on record", || {
        failed_calls(&mut session).len() == 1
    });
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
}

#[test]
fn an_exchange_that_tells_a_caller_to_wait_is_left_alone_by_the_worker_too() {
    let wait = |seconds| Fault::TooManyRequests {
        retry_after: Some(seconds),
    };
    let market = flat_market();
    let (cluster, mut session) = between_two_runs(&market);
    market.inject(wait(60), Times::Once);
    assert_eq!(session.error(CALL).code().code(), "08004");
    eventually(SOON, "it is on record", || {
        failed_calls(&mut session).len() == 1
    });
    assert_eq!(session.error(CALL).code().code(), "08004");
    assert!(session.one::<bool>(
        "SELECT state = 'failing' AND message LIKE '%HTTP status 429%' AND consecutive_failures = 0 FROM signal_health"
    ));

    // Another one says so for a shorter time.
    let other = flat_market();
    cluster.configure("signal_hub.exchange_url", &other.url());
    wait_for_good_run(&mut session);
    other.inject(wait(5), Times::Once);
    let called = Instant::now();
    assert_eq!(session.error(CALL).code().code(), "08004");
    let requests = other.request_count();
    eventually(SOON, "it is on record", || {
        failed_calls(&mut session).len() == 2
    });
    cluster.configure("signal_hub.interval", "1s");
    let waits = Duration::from_millis(4_900);
    meanwhile(
        waits.saturating_sub(called.elapsed()),
        "nobody asks",
        || {
            // The count first: a busy machine may be late with this look.
            other.request_count() == requests || called.elapsed() >= waits
        },
    );
    eventually(SOON, "the worker asks again", || {
        other.request_count() > requests
    });
    eventually(SOON, "all is well", || {
        session.one::<bool>("SELECT healthy FROM signal_health")
    });
}

#[test]
fn a_hundred_calls_that_fail_in_a_row_are_a_hundred_on_record() {
    const CALLS: usize = 100;
    let market = flat_market();
    let (_cluster, mut session) = between_two_runs(&market);
    market.inject(Fault::InternalError, Times::Forever);
    for _ in 0..CALLS {
        session.error(CALL);
    }
    eventually(SOON, "all are on record", || {
        failed_calls(&mut session).len() >= CALLS
    });
    assert_eq!(failed_calls(&mut session).len(), CALLS);
    assert!(session.one::<bool>("SELECT healthy AND consecutive_failures = 0 FROM signal_health"));
}
