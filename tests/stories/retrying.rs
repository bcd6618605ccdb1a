//! When a failing exchange is asked again: not before it allows it, and less often the longer it
//! fails.

use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, runs, wait_for_good_run, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Fault, Times};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

#[test]
fn an_exchange_that_says_wait_is_left_alone_for_that_long() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    let says_wait = |session: &mut Session, seconds: u64, failures: i64| {
        let fault = Fault::TooManyRequests {
            retry_after: Some(seconds),
        };
        market.inject(fault, Times::Once);
        eventually(SOON, "the failure is on record", || {
            session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'")
                >= failures
        });
    };
    says_wait(&mut session, 60, 1);
    let row = &session.rows(
        "SELECT extract(epoch FROM retry_at - started_at)::float8, extract(epoch FROM finished_at - started_at)::float8
           FROM signal_runs WHERE status = 'failed'",
    )[0];
    let (wait, took): (f64, f64) = (row.get(0), row.get(1));
    // The wait counts from the reply, which came before the end of the run.
    assert!(
        (59.99..60.01 + took).contains(&wait),
        "{wait} s of a run of {took} s"
    );
    // A call by hand must not ask either.
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "08004", "{}", error.message());
    assert!(error.detail().is_some() && error.hint().is_some());
    // By another name the exchange is asked at once, and says wait again.
    cluster.configure("signal_hub.exchange_url", &format!("{}/", market.url()));
    wait_for_good_run(&mut session);
    says_wait(&mut session, 3, 2);
    let requests = market.request_count();
    let began = Instant::now();
    let due: f64 = session.one(
        "SELECT extract(epoch FROM retry_at - clock_timestamp())::float8
           FROM signal_runs WHERE status = 'failed' ORDER BY run_id DESC LIMIT 1",
    );
    let left = Duration::from_secs_f64((due - 0.1).max(0.0));
    meanwhile(left, "no request", || {
        // The count first: a busy machine may be late with this look.
        market.request_count() == requests || began.elapsed() >= left
    });
    eventually(SOON, "it is asked again", || {
        market.request_count() > requests
    });
    wait_for_good_run(&mut session);
}

#[test]
fn a_shorter_interval_does_not_cut_short_what_the_exchange_asked_for() {
    const RETRY_AFTER: Duration = Duration::from_secs(5);
    // An exchange that gives one reply, after some time.
    let exchange = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    exchange
        .set_nonblocking(true)
        .expect("a socket can be asked not to block");
    let address = exchange.local_addr().expect("it is bound");
    let asked = || exchange.accept().ok().map(|(connection, _)| connection);
    let cluster = Options::preloaded()
        .set("signal_hub.exchange_url", &format!("http://{address}"))
        .set("signal_hub.interval", "4s")
        // The test answers by hand.
        .set("signal_hub.http_timeout", "60s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let mut connection = eventually(SOON, "the exchange is asked", asked);
    cluster.configure("signal_hub.interval", "2s");
    meanwhile(Duration::from_secs(1), "it is asked once", || {
        asked().is_none()
    });
    let reply = format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}",
        RETRY_AFTER.as_secs()
    );
    let replied = Instant::now();
    connection
        .write_all(reply.as_bytes())
        .expect("the worker waits for it");
    eventually(SOON, "the failure is on record", || runs(&mut session) == 1);
    cluster.configure("signal_hub.interval", "1s");
    let again = eventually(SOON, "it is asked again", || {
        asked().map(|_| Instant::now())
    });
    let waited = again - replied;
    assert!(
        waited >= RETRY_AFTER && waited < RETRY_AFTER + Duration::from_secs(20),
        "asked again after {waited:?} instead of {RETRY_AFTER:?}"
    );
}

#[test]
fn a_restart_does_not_forget_that_the_exchange_said_wait() {
    let market = flat_market();
    market.inject(
        Fault::Banned {
            retry_after: Some(60),
        },
        Times::Once,
    );
    let mut cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the failure is on record", || runs(&mut session) == 1);
    drop(session);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    eventually(SOON, "the worker is up", || {
        worker_pid(&mut session).is_some()
    });
    meanwhile(Duration::from_secs(3), "no request", || {
        market.request_count() == 1
    });
    assert_eq!(
        session.one::<String>("SELECT state FROM signal_health"),
        "failing"
    );
}

#[test]
fn a_short_history_keeps_what_runs_and_health_go_by() {
    let market = flat_market();
    let cluster = by_itself(&market)
        .set("signal_hub.enabled", "off")
        .set("signal_hub.run_retention", "1min")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    session.run(&format!(
        "INSERT INTO signal_runs (trigger, status, started_at, message, retry_at, sqlstate, exchange_url)
         SELECT 'worker', status, now() - interval '5 min', message, retry_at, sqlstate, '{}'
           FROM (VALUES (1, 'ok', 'good', NULL, NULL),
                        (2, 'ok', 'last good', NULL, NULL),
                        (3, 'failed', 'told to wait', now() + interval '1 hour', '08004'),
                        (4, 'failed', 'told to wait until now', now(), '08004'),
                        (5, 'skipped', 'last', NULL, NULL)) AS old (number, status, message, retry_at, sqlstate)
          ORDER BY number",
        market.url()
    ));
    eventually(SOON, "the rest is purged", || {
        session.list::<String>("SELECT message FROM signal_runs ORDER BY run_id")
            == ["last good", "told to wait", "last"]
    });
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "08004", "{error}");
    assert_eq!(market.request_count(), 0);
    assert!(session.one::<bool>("SELECT last_success IS NOT NULL FROM signal_health"));
}

#[test]
fn an_exchange_that_fails_is_asked_less_and_less_until_its_first_good_reply() {
    /// The most that a busy machine adds to a wait, in seconds.
    const LATE: f64 = 10.0;
    /// The least that are looked at.
    const FAILURES: i64 = 3;
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    market.inject(Fault::InternalError, Times::Forever);
    session.run("CREATE EXTENSION signal_hub");
    // Twice as long each time, so that even a busy machine sees one of them.
    let (health, requests) = eventually(SOON, "health shows a third failure, or later", || {
        let requests = market.request_count();
        let row = session
            .rows(
                "SELECT h.state, h.message, h.consecutive_failures,
                        h.message LIKE '%next run at ' || h.next_run::timestamptz(0),
                        -- The worker shows the next run after it has recorded this one.
                        abs(extract(epoch FROM h.next_run - r.retry_at)) < 0.5
                   FROM signal_health h
                   LEFT JOIN (SELECT * FROM signal_runs ORDER BY run_id DESC LIMIT 1) r ON true",
            )
            .remove(0);
        let is_seen =
            row.get::<_, i64>(2) >= FAILURES && row.get::<_, Option<bool>>(4) == Some(true);
        is_seen.then_some((row, requests))
    });
    let failures: i64 = health.get(2);
    // The next one may be under way.
    assert!(requests <= failures as u64 + 1, "{requests}: not one each");
    assert!(market.request_count() >= failures as u64, "not one each");
    market.clear_faults();
    let message: &str = health.get(1);
    assert_eq!(health.get::<_, &str>(0), "failing", "{message}");
    assert!(
        message.starts_with(&format!("{failures} failed run(s) in a row: "))
            && message.contains("HTTP status 500"),
        "{message}"
    );
    assert!(health.get::<_, bool>(3), "{message}");

    let next = eventually(2 * SOON, "a good run, and the next one is foreseen", || {
        let next =
            "SELECT extract(epoch FROM next_run - clock_timestamp())::float8 FROM signal_health
                     WHERE consecutive_failures = 0 AND next_run > clock_timestamp()";
        session.list::<f64>(next).pop()
    });
    // The shortest wait after three failures is 3.6 s.
    assert!(next < 3.0, "{next} s: not back to the interval");

    // By the server's own record, since this process may notice late.
    let on_record = session.rows(
        "SELECT status, extract(epoch FROM retry_at - started_at)::float8,
                extract(epoch FROM lead(started_at) OVER (ORDER BY run_id) - started_at)::float8
           FROM signal_runs ORDER BY run_id",
    );
    for (number, run) in on_record.iter().take(failures as usize).enumerate() {
        assert_eq!(run.get::<_, &str>(0), "failed");
        let (decided, waited): (f64, f64) = (run.get(1), run.get(2));
        // Twice as long each time, 10 % more or less, and never shorter than the interval.
        let doubled = f64::from(1 << number);
        assert!(
            ((doubled * 0.899).max(0.999)..doubled * 1.101).contains(&decided),
            "{decided} s instead of {doubled} s"
        );
        assert!(
            (decided - 0.5..decided + LATE).contains(&waited),
            "{waited} s instead of {decided} s"
        );
    }
    assert!(session.one::<bool>(
        "SELECT healthy AND consecutive_failures = 0 AND last_error LIKE '%HTTP status 500%' FROM signal_health"
    ));
}
