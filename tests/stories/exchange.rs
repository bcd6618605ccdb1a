//! The exchange misbehaves: the run is recorded with its reason, nothing else is written, and
//! the next good reply works.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES, Stop};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, rising_market, runs, subscribe, wait_for_good_run,
    waiting_behind_a_silent_exchange, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Corruption, Fault, Simulator, Times};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// What a run behind a fault is recorded as.
enum Recorded {
    /// Failed, with this SQLSTATE and these words in the error.
    Failed(&'static str, &'static str),
    /// Good, but without a signal of any symbol, for these words.
    AllUnusable(&'static str),
    /// Good, with the signals of all symbols but the first of the reply.
    FirstUnusable,
}

/// How the worker comes to ask again.
#[derive(PartialEq)]
enum AskedAgain {
    /// By itself, soon.
    Soon,
    /// The exchange is left alone for long, unless the administrator names another address.
    AtAnotherAddress,
}

use AskedAgain::{AtAnotherAddress, Soon};
use Recorded::{AllUnusable, Failed, FirstUnusable};

/// The first symbol of a reply, which is in alphabetical order.
const FIRST: &str = "ADAUSDT";
const OTHER: &str = "BTCUSDT";

/// Every fault of the simulator, and what is to come of it.
fn cases() -> Vec<(Fault, Recorded, AskedAgain)> {
    vec![
        (
            Fault::TooManyRequests {
                retry_after: Some(1),
            },
            Failed("08004", "status 429"),
            Soon,
        ),
        (
            Fault::TooManyRequests { retry_after: None },
            Failed("08004", "status 429"),
            AtAnotherAddress,
        ),
        (
            Fault::Banned {
                retry_after: Some(2),
            },
            Failed("08004", "status 418"),
            Soon,
        ),
        (
            Fault::Banned { retry_after: None },
            Failed("08004", "status 418"),
            AtAnotherAddress,
        ),
        (
            Fault::RestrictedLocation,
            Failed("08004", "status 451"),
            AtAnotherAddress,
        ),
        (
            Fault::Firewall,
            Failed("08004", "status 403"),
            AtAnotherAddress,
        ),
        (Fault::InternalError, Failed("08P01", "status 500"), Soon),
        (Fault::Unavailable, Failed("08P01", "status 503"), Soon),
        (Fault::Html, Failed("08P01", "not JSON"), Soon),
        (Fault::Truncated, Failed("08006", "cut off"), Soon),
        (Fault::MalformedJson, Failed("08P01", "not JSON"), Soon),
        (Fault::NotUtf8, Failed("08P01", "not UTF-8"), Soon),
        (Fault::EmptyBody, Failed("08P01", "empty"), Soon),
        (Fault::EndlessBody, Failed("08P01", "larger than"), Soon),
        (
            Fault::SlowDrip,
            Failed("08006", "did not answer completely"),
            Soon,
        ),
        (
            Fault::Silence,
            Failed("08006", "did not answer completely"),
            Soon,
        ),
        (Fault::Reset, Failed("08006", "cut off"), Soon),
        (Fault::Redirect, Failed("08P01", "status 302"), Soon),
        (Fault::Stale, AllUnusable("10 with old statistics"), Soon),
        (Fault::Zeros, AllUnusable("10 not trading"), Soon),
        (Fault::BadRow(Corruption::MissingField), FirstUnusable, Soon),
        (Fault::BadRow(Corruption::NotANumber), FirstUnusable, Soon),
        (Fault::BadRow(Corruption::WrongType), FirstUnusable, Soon),
        (Fault::BadRow(Corruption::Inconsistent), FirstUnusable, Soon),
    ]
}

#[test]
fn every_fault_of_the_exchange_is_recorded_and_survived() {
    let market = flat_market();
    let cluster = by_itself(&market)
        .set("signal_hub.http_timeout", "1s")
        .set("signal_hub.http_max_body", "64kB")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 2);
    // As many as there are cases, for every one makes new signals.
    session.run("UPDATE signal_tiers SET daily_quota = NULL; COMMIT");
    wait_for_good_run(&mut session);

    let mut told = Vec::new();
    for (number, (fault, recorded, asked_again)) in cases().into_iter().enumerate() {
        let name = format!("{fault:?}");
        let story = Story {
            // Each case is a move to the other side, which is a signal at once.
            change: if number % 2 == 0 { "4" } else { "-4" },
            name: &name,
            market: &market,
            cluster: &cluster,
        };
        let problems = story.tell(&mut session, fault, &recorded, asked_again);
        eprintln!(
            "{name}: {}",
            if problems.is_empty() { "ok" } else { "FAILED" }
        );
        told.extend(problems);
    }
    assert_eq!(market.redirects_followed(), 0);
    assert!(told.is_empty(), "{}", told.join("\n"));
}

struct Story<'a> {
    change: &'static str,
    name: &'a str,
    market: &'a Simulator,
    cluster: &'a Cluster,
}

impl Story<'_> {
    /// Lets the fault strike once while a signal is due, and returns what went otherwise than expected.
    fn tell(
        &self,
        session: &mut Session,
        fault: Fault,
        recorded: &Recorded,
        again: AskedAgain,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                problems.push(format!("{}: {what}", self.name));
            }
        };
        let before = Written::now(session);
        // The fault first: a reply in between may bring no signal.
        self.market.inject(fault, Times::Once);
        for symbol in [FIRST, OTHER] {
            self.market.set_change(symbol, self.change);
        }
        let after = eventually(SOON, self.name, || {
            Some(Written::now(session)).filter(|now| now.last_run > before.last_run)
        });
        // The first run that the fault could strike; good ones before it had nothing to write.
        let run = &session.rows(&format!(
            "SELECT run_id, status, coalesce(error, ''), coalesce(sqlstate, ''), signals_generated, coalesce(message, '')
               FROM signal_runs r
              WHERE run_id > {} ORDER BY run_id LIMIT 1",
            before.last_run
        ))[0];
        let run_id: i64 = run.get(0);
        let (status, error, sqlstate): (String, String, String) =
            (run.get(1), run.get(2), run.get(3));
        let generated: i32 = run.get(4);
        let message: String = run.get(5);
        let said = format!(
            "run {run_id} was {status} {sqlstate} {error:?} {message:?}, {generated} signals"
        );
        match recorded {
            Failed(state, words) => {
                expect(
                    status == "failed" && sqlstate == *state && error.contains(words),
                    said,
                );
            }
            AllUnusable(words) => expect(
                status == "ok" && generated == 0 && message.contains(words),
                said,
            ),
            FirstUnusable => expect(status == "ok" && generated == 1, said),
        }
        let symbols = match recorded {
            Failed(..) | AllUnusable(_) => "",
            FirstUnusable => OTHER,
        };
        let signals: Option<String> = session.one(&format!(
            "SELECT string_agg(symbol, ' ') FROM signals WHERE run_id = {run_id}"
        ));
        expect(
            signals.as_deref().unwrap_or("") == symbols,
            format!("signals of {signals:?}"),
        );
        if after.last_run == run_id && symbols.is_empty() {
            expect(
                after.tables == before.tables,
                format!("wrote {after:?} over {before:?}"),
            );
        }
        if again == AtAnotherAddress {
            // The same exchange, by another name.
            let url: String = session.one("SHOW signal_hub.exchange_url");
            let other = match url.strip_suffix('/') {
                Some(bare) => bare.to_owned(),
                None => format!("{url}/"),
            };
            self.cluster.configure("signal_hub.exchange_url", &other);
        }
        let expected = before.signals + 2;
        eventually(
            SOON,
            &format!("{}: the next good reply brings the signals", self.name),
            || {
                let now = Written::now(session);
                now.signals == expected && now.deliveries == 2 * expected
            },
        );
        problems
    }
}

/// What is written at one time, as one statement sees it.
#[derive(Debug)]
struct Written {
    last_run: i64,
    signals: i64,
    deliveries: i64,
    /// Signals, deliveries, open episodes, and quota used: what a run writes besides its own record.
    tables: [i64; 4],
}

impl Written {
    fn now(session: &mut Session) -> Self {
        let row = &session.rows(
            "SELECT (SELECT max(run_id) FROM signal_runs), (SELECT count(*) FROM signals),
                    (SELECT count(*) FROM user_signals), (SELECT count(*) FROM signal_episodes WHERE side IS NOT NULL),
                    (SELECT coalesce(sum(received), 0) FROM user_signal_quotas)",
        )[0];
        let (signals, deliveries) = (row.get(1), row.get(2));
        Self {
            last_run: row.get(0),
            signals,
            deliveries,
            tables: [signals, deliveries, row.get(3), row.get(4)],
        }
    }
}

#[test]
fn an_exchange_that_is_gone_for_a_while_is_found_again() {
    let market = rising_market();
    let port = market.port();
    let cluster = by_itself(&market).start();
    drop(market);
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    session.run("COMMIT");
    eventually(SOON, "the failure is on record", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed' AND sqlstate = '08001' AND error LIKE 'could not reach the exchange%'") > 0
    });
    let options = signal_hub_simulator::SimulatorOptions {
        port,
        volatility: 0.0,
        ..Default::default()
    };
    let market = Simulator::start(options).expect("its port is still free");
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the signal arrives", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 1
    });
}

#[test]
fn an_exchange_that_says_wait_is_left_alone_for_that_long() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    market.inject(
        Fault::TooManyRequests {
            retry_after: Some(3),
        },
        Times::Once,
    );
    eventually(SOON, "the failure is on record", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'") == 1
    });
    let requests = market.request_count();
    let row = &session.rows(
        "SELECT extract(epoch FROM retry_at - started_at)::float8, extract(epoch FROM finished_at - started_at)::float8
           FROM signal_runs WHERE status = 'failed'",
    )[0];
    let (wait, took): (f64, f64) = (row.get(0), row.get(1));
    // Counted from the reply, which came before the end of the run.
    assert!(
        (2.99..3.01 + took).contains(&wait),
        "{wait} s of a run of {took} s"
    );
    // A person's call is kept back, too.
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "08004", "{}", error.message());
    assert!(error.detail().is_some() && error.hint().is_some());
    let looked = Instant::now();
    let due: f64 = session.one("SELECT extract(epoch FROM retry_at - clock_timestamp())::float8 FROM signal_runs WHERE status = 'failed'");
    let left = Duration::from_secs_f64((due - 0.1).max(0.0));
    meanwhile(left.saturating_sub(looked.elapsed()), "no request", || {
        market.request_count() == requests
    });
    eventually(Duration::from_secs(3), "it is asked again", || {
        market.request_count() > requests
    });
    wait_for_good_run(&mut session);
}

#[test]
fn a_shorter_interval_does_not_cut_short_what_the_exchange_asked_for() {
    const RETRY_AFTER: Duration = Duration::from_secs(5);
    // An exchange of one reply, which it takes its time over.
    let exchange = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    exchange
        .set_nonblocking(true)
        .expect("a socket can be asked not to block");
    let address = exchange.local_addr().expect("it is bound");
    let asked = || exchange.accept().ok().map(|(connection, _)| connection);
    let cluster = Options::preloaded()
        .set("signal_hub.exchange_url", &format!("http://{address}"))
        .set("signal_hub.interval", "4s")
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
        waited >= RETRY_AFTER && waited < RETRY_AFTER + Duration::from_secs(3),
        "asked again {waited:?} after it said: not for {RETRY_AFTER:?}"
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
    let told = session.error("SELECT generate_signals_now()");
    assert_eq!(told.code().code(), "08004", "{told}");
    assert_eq!(market.request_count(), 0);
    assert!(session.one::<bool>("SELECT last_success IS NOT NULL FROM signal_health"));
}

#[test]
fn an_exchange_that_fails_is_asked_less_and_less_until_its_first_good_reply() {
    /// What a busy machine may add to a wait, in seconds.
    const LATE: f64 = 0.7;
    const FAILURES: usize = 3;
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    market.inject(Fault::InternalError, Times::Forever);
    session.run("CREATE EXTENSION signal_hub");
    let told = eventually(SOON, "health tells of the third failure", || {
        let row = session
            .rows(
                "SELECT h.state, h.message, h.consecutive_failures,
                        extract(epoch FROM h.next_run - r.retry_at)::float8,
                        h.message LIKE '%next run at ' || h.next_run::timestamptz(0)
                   FROM signal_health h
                   LEFT JOIN (SELECT * FROM signal_runs ORDER BY run_id DESC LIMIT 1) r ON true",
            )
            .remove(0);
        (row.get::<_, i64>(2) == FAILURES as i64).then_some(row)
    });
    assert_eq!(market.request_count(), FAILURES as u64, "one each");
    market.clear_faults();
    let message: &str = told.get(1);
    assert_eq!(told.get::<_, &str>(0), "failing", "{message}");
    assert!(
        message.starts_with("3 failed run(s) in a row: ") && message.contains("HTTP status 500"),
        "{message}"
    );
    assert!(told.get::<_, bool>(4), "{message}");
    let apart: f64 = told.get(3);
    assert!(apart.abs() < 0.5, "next_run is {apart} s after retry_at");

    let next = eventually(SOON, "a good run, and the next one is foreseen", || {
        let next =
            "SELECT extract(epoch FROM next_run - clock_timestamp())::float8 FROM signal_health
                     WHERE consecutive_failures = 0 AND next_run > clock_timestamp()";
        session.list::<f64>(next).pop()
    });
    assert!(next < 1.1, "{next} s: not back to the interval");

    // What the server itself decided and did, for this process may look late.
    let on_record = session.rows(
        "SELECT status, extract(epoch FROM retry_at - started_at)::float8,
                extract(epoch FROM lead(started_at) OVER (ORDER BY run_id) - started_at)::float8
           FROM signal_runs ORDER BY run_id",
    );
    for (number, run) in on_record.iter().take(FAILURES).enumerate() {
        assert_eq!(run.get::<_, &str>(0), "failed");
        let (decided, waited): (f64, f64) = (run.get(1), run.get(2));
        // Twice as long each time, 10 % more or less, but never less than the interval.
        let doubled = f64::from(1 << number);
        assert!(
            ((doubled * 0.899).max(0.999)..doubled * 1.101).contains(&decided),
            "{decided} s instead of {doubled} s"
        );
        assert!(
            (decided - 0.1..decided + LATE).contains(&waited),
            "{waited} s instead of {decided} s"
        );
    }
    assert!(session.one::<bool>(
        "SELECT healthy AND consecutive_failures = 0 AND last_error LIKE '%HTTP status 500%' FROM signal_health"
    ));
}

#[test]
fn the_server_stops_at_once_while_the_exchange_is_silent() {
    let market = flat_market();
    market.inject(Fault::Silence, Times::Forever);
    let mut cluster = by_itself(&market)
        .set("signal_hub.http_timeout", "60s")
        .start();
    cluster.session(POSTGRES).run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the exchange is asked", || {
        market.request_count() == 1
    });
    let started = Instant::now();
    let status = cluster.stop(Stop::Fast);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert!(status.success(), "{status}");
}

#[test]
fn cancelling_a_silent_fetch_leaves_the_worker_alive() {
    let market = rising_market();
    let (_cluster, mut session) = waiting_behind_a_silent_exchange(&market, Times::Once);
    let worker = worker_pid(&mut session).expect("a worker runs");
    assert!(session.one::<bool>(&format!("SELECT pg_cancel_backend({worker})")));
    wait_for_good_run(&mut session);
    assert_eq!(worker_pid(&mut session), Some(worker), "the same process");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
}
