//! The exchange misbehaves: the run is recorded with its reason, nothing else is written, and
//! the next good reply works.

use signal_hub_harness::cluster::{Cluster, POSTGRES, Stop};
use signal_hub_harness::scene::{
    FLIPS_AT_ONCE, SOON, by_itself, flat_market, rising_market, subscribe, wait_for_good_run,
    waiting_behind_a_silent_exchange, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Corruption, Fault, Simulator, Times};
use std::time::{Duration, Instant};

/// How a run that meets a fault is recorded.
enum Recorded {
    /// As failed, with this SQLSTATE and these words in the error.
    Failed(&'static str, &'static str),
    /// As good, but without a signal of any symbol; these words of the message say why.
    AllUnusable(&'static str),
    /// As good, with the signals of all symbols except the first of the reply.
    FirstUnusable,
}

/// When the worker asks again.
#[derive(PartialEq)]
enum AskedAgain {
    /// Soon, by itself.
    Soon,
    /// After a long time, or at once when the administrator sets another address.
    AtAnotherAddress,
}

use AskedAgain::{AtAnotherAddress, Soon};
use Recorded::{AllUnusable, Failed, FirstUnusable};

/// The first symbol of a reply, which is in alphabetical order.
const FIRST: &str = "ADAUSDT";
const OTHER: &str = "BTCUSDT";

/// Every fault of the simulator, and what has to come of it.
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
        (
            Fault::Shifted(120_000),
            AllUnusable("10 ahead of this server's clock"),
            Soon,
        ),
        (
            Fault::Microseconds,
            AllUnusable("10 with times in another unit"),
            Soon,
        ),
        (
            Fault::BadRows(Corruption::MissingAverageAndCount),
            AllUnusable("10 whose ticker cannot be read"),
            Soon,
        ),
        (
            Fault::BadRows(Corruption::NoBook),
            AllUnusable("10 without bid or ask"),
            Soon,
        ),
        (Fault::Without(FIRST), FirstUnusable, Soon),
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
        .set("signal_hub.http_max_body", "64kB")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 2);
    // Every case makes new signals, so no quota may end them.
    session.run("UPDATE signal_tiers SET daily_quota = NULL; COMMIT");
    session.run(FLIPS_AT_ONCE);
    wait_for_good_run(&mut session);

    let mut problems = Vec::new();
    for (number, (fault, recorded, asked_again)) in cases().into_iter().enumerate() {
        let name = format!("{fault:?}");
        let case = Case {
            // Each case is a move to the other side, which makes a signal at once.
            change: if number % 2 == 0 { "4" } else { "-4" },
            name: &name,
            market: &market,
            cluster: &cluster,
        };
        let of_this_case = case.run(&mut session, fault, &recorded, asked_again);
        eprintln!(
            "{name}: {}",
            if of_this_case.is_empty() {
                "ok"
            } else {
                "FAILED"
            }
        );
        problems.extend(of_this_case);
    }
    assert_eq!(market.redirects_followed(), 0);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

struct Case<'a> {
    change: &'static str,
    name: &'a str,
    market: &'a Simulator,
    cluster: &'a Cluster,
}

impl Case<'_> {
    /// Lets the fault strike once while a signal is due, and returns what was not as expected.
    fn run(
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
        self.switch_off(session, &fault);
        let before = Written::now(session);
        // The fault first, so that no good reply in between makes the signal.
        self.market.inject(fault, Times::Once);
        for symbol in [FIRST, OTHER] {
            self.market.set_change(symbol, self.change);
        }
        self.cluster.configure("signal_hub.enabled", "on");
        let after = eventually(SOON, self.name, || {
            Some(Written::now(session)).filter(|now| now.last_run > before.last_run)
        });
        // The first run that the fault could strike.
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
        let recorded_run = format!(
            "run {run_id} was {status} {sqlstate} {error:?} {message:?}, {generated} signals"
        );
        match recorded {
            Failed(state, words) => {
                expect(
                    status == "failed" && sqlstate == *state && error.contains(words),
                    recorded_run,
                );
            }
            AllUnusable(words) => expect(
                status == "ok" && generated == 0 && message.contains(words),
                recorded_run,
            ),
            FirstUnusable => expect(status == "ok" && generated == 1, recorded_run),
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
            self.take_another_address(session);
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

    /// Lets no run be under way that the fault comes too late for, nor begin before it is there.
    fn switch_off(&self, session: &mut Session, fault: &Fault) {
        let http_timeout = match fault {
            // A run that meets one of these takes as long.
            Fault::SlowDrip | Fault::Silence => "1s",
            // A busy machine may take as long for an answer.
            _ => "20s",
        };
        session.run("ALTER SYSTEM SET signal_hub.enabled = off");
        session.run(&format!(
            "ALTER SYSTEM SET signal_hub.http_timeout = '{http_timeout}'"
        ));
        // At another address a run is due at once, and notes that it is not made.
        self.take_another_address(session);
        eventually(SOON, "the worker makes no run", || {
            session.one::<bool>(
                "SELECT state = 'disabled' FROM signal_run_days ORDER BY day DESC LIMIT 1",
            )
        });
    }

    /// The same exchange, by another name.
    fn take_another_address(&self, session: &mut Session) {
        let url: String = session.one("SHOW signal_hub.exchange_url");
        let other = match url.strip_suffix('/') {
            Some(bare) => bare.to_owned(),
            None => format!("{url}/"),
        };
        self.cluster.configure("signal_hub.exchange_url", &other);
    }
}

/// What is written at one moment: all of it is read by one statement.
#[derive(Debug)]
struct Written {
    last_run: i64,
    signals: i64,
    deliveries: i64,
    /// Signals, deliveries, open episodes, and quota used: what a run writes beside its own
    /// record.
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
    let market = flat_market();
    market.go_down();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    session.run("COMMIT");
    eventually(SOON, "the failure is on record", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed' AND sqlstate = '08001' AND error LIKE 'could not reach the exchange%'") > 0
    });
    market.come_back();
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the signal arrives", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 1
    });
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
    // A third of the time for which the exchange is waited for.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
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
