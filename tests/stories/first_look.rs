//! The library is preloaded, the extension is created, and signals flow by themselves.

use signal_hub_harness::cluster::{Options, POSTGRES, Stop};
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, rising_market, runs, subscribe, user,
    wait_for_deliveries, wait_for_good_run, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Fault, Simulator, Times};
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn create_extension_starts_signals_within_one_interval() {
    let market = rising_market();
    let cluster = by_itself(&market).set("signal_hub.interval", "60s").start();
    let mut shop = cluster.create_database("shop");
    shop.run(&format!(
        "BEGIN;
         CREATE EXTENSION signal_hub;
         INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX');
         COMMIT",
        user(1)
    ));
    eventually(SOON, "the subscriber has a signal", || {
        shop.one::<i64>("SELECT count(*) FROM user_signals") == 1
    });
    let signal = &shop.rows(
        "SELECT symbol, signal_type, tier, full_details AND num_nonnulls(entry_price, take_profit, stop_loss) = 3,
                confidence::text, metadata ->> 'generatedBy'
           FROM user_signals",
    )[0];
    assert_eq!(signal.get::<_, &str>(0), "BTCUSDT");
    assert_eq!(signal.get::<_, &str>(1), "LONG");
    assert_eq!(signal.get::<_, &str>(2), "MAX");
    assert!(signal.get::<_, bool>(3), "MAX gets the prices");
    assert_eq!(signal.get::<_, &str>(4), "35.00");
    assert_eq!(signal.get::<_, &str>(5), "signal_hub");
}

#[test]
fn two_databases_have_signals_at_the_same_time() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut sessions = ["east", "west"].map(|name| cluster.create_database(name));
    for session in &mut sessions {
        session.run("CREATE EXTENSION signal_hub");
    }
    for session in &mut sessions {
        wait_for_good_run(session);
        assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
    }
    let workers = sessions.each_mut().map(worker_pid);
    assert!(workers.iter().all(Option::is_some) && workers[0] != workers[1]);
}

#[test]
fn the_extension_lives_in_a_schema_of_the_users_choice() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.create_database("shop");
    session.run(&format!(
        r#"BEGIN;
           CREATE SCHEMA "Signal Hub";
           CREATE EXTENSION signal_hub SCHEMA "Signal Hub";
           INSERT INTO "Signal Hub".user_subscriptions (user_id, tier) VALUES ('{}', 'MAX');
           COMMIT"#,
        user(1)
    ));
    eventually(SOON, "the subscriber has a signal", || {
        session.one::<i64>(r#"SELECT count(*) FROM "Signal Hub".user_signals"#) == 1
    });
    eventually(SOON, "health says running", || {
        session.one::<String>(r#"SELECT state FROM "Signal Hub".signal_health"#) == "running"
    });
    market.set_change("ETHUSDT", "-4");
    session.run(r#"SELECT "Signal Hub".pause_signals('tidying up')"#);
    assert!(session.one::<bool>(r#"SELECT "Signal Hub".resume_signals()"#));
    session.run(r#"SELECT "Signal Hub".generate_signals_now()"#);
    assert_eq!(
        session.one::<i64>(r#"SELECT count(DISTINCT symbol) FROM "Signal Hub".preview_signals()"#),
        10
    );
    let owned_by_others: i64 = session.one(
        "SELECT count(*) FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'signal_hub'
          WHERE c.relnamespace <> e.extnamespace",
    );
    assert_eq!(owned_by_others, 0, "nothing lies outside the schema");
}

#[test]
fn drop_extension_ends_the_worker_and_create_extension_starts_it_again() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);

    session.run("DROP EXTENSION signal_hub");
    eventually(SOON, "the worker leaves", || {
        worker_pid(&mut session).is_none()
    });

    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signals"),
        1,
        "the new installation has no memory of the old one"
    );
    assert!(worker_pid(&mut session).is_some());

    // Dropped and created again before the worker can notice.
    session.run("DROP EXTENSION signal_hub; CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    assert!(worker_pid(&mut session).is_some());
}

#[test]
fn a_new_interval_takes_effect_without_a_restart() {
    let market = flat_market();
    let cluster = by_itself(&market).set("signal_hub.interval", "1h").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let before = runs(&mut session);

    cluster.configure("signal_hub.interval", "1s");
    eventually(SOON, "three more runs", || runs(&mut session) >= before + 3);

    cluster.configure("signal_hub.interval", "1h");
    // A run may have begun before the setting changed.
    let mut last = (Instant::now(), runs(&mut session));
    eventually(SOON, "runs stop coming every second", || {
        let now = runs(&mut session);
        if now != last.1 {
            last = (Instant::now(), now);
        }
        last.0.elapsed() > Duration::from_secs(3)
    });
    assert_eq!(worker_pid(&mut session), worker, "the same process");
}

#[test]
fn runs_come_at_a_fixed_rate() {
    const RUNS: i64 = 41;
    let market = flat_market();
    // A rate that counts from the end of a run is 1.3 s.
    market.inject(Fault::Late(Duration::from_millis(300)), Times::Forever);
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(3 * SOON, "some runs", || runs(&mut session) >= RUNS);
    // The first ones, while the server starts, are the latest.
    let starts: Vec<f64> = session.list(&format!(
        "SELECT extract(epoch FROM started_at)::float8 FROM signal_runs ORDER BY run_id LIMIT {RUNS} OFFSET 2"
    ));
    // On a busy machine a run may be late enough to miss a beat, but beats stay on their grid.
    let beats: f64 = starts.windows(2).map(|w| (w[1] - w[0]).round()).sum();
    let mean = (starts[starts.len() - 1] - starts[0]) / beats;
    assert!((mean - 1.0).abs() < 0.05, "{mean} s apart: {starts:?}");
    assert!(
        beats <= 2.0 * RUNS as f64,
        "many beats were missed: {starts:?}"
    );
}

#[test]
fn a_pause_while_the_exchange_is_asked_sends_nothing_and_loses_nothing() {
    let market = rising_market();
    let door = Door::closed(&market);
    let cluster = by_itself(&market)
        .set("signal_hub.exchange_url", &door.url())
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let stage = |session: &mut Session| -> Option<String> {
        session.one("SELECT stage FROM signal_worker_status()")
    };
    eventually(SOON, "the exchange is asked", || {
        stage(&mut session).as_deref() == Some("fetching")
    });
    session.run("SELECT pause_signals('wait a moment')");
    door.open();
    eventually(SOON, "the answer is there", || {
        market.request_count() == 1 && stage(&mut session).as_deref() == Some("waiting")
    });
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 0);
    assert_eq!(runs(&mut session), 0);
    session.run("SELECT resume_signals()");
    eventually(SOON, "the signal comes", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 1
    });
}

/// A door in front of an exchange: requests wait there until it is opened.
struct Door {
    port: u16,
    open: Sender<()>,
}

impl Door {
    fn closed(market: &Simulator) -> Self {
        let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = front.local_addr().expect("it is bound").port();
        let (open, opened) = channel();
        let behind = (Ipv4Addr::LOCALHOST, market.port());
        thread::spawn(move || {
            // An error means that the door was dropped and nobody can open it.
            if opened.recv().is_err() {
                return;
            }
            for client in front.incoming().flatten() {
                let Ok(exchange) = TcpStream::connect(behind) else {
                    return;
                };
                if let (Ok(asking), Ok(answering)) = (client.try_clone(), exchange.try_clone()) {
                    thread::spawn(|| pass_on(asking, exchange));
                    thread::spawn(|| pass_on(answering, client));
                }
            }
        });
        Self { port, open }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn open(&self) {
        self.open.send(()).expect("the thread of the door waits");
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    // Either side may close the connection.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_pause_silences_the_worker_and_survives_a_restart() {
    let market = flat_market();
    let mut cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);

    assert!(session.one::<bool>("SELECT pause_signals('maintenance')"));
    assert_eq!(state(&mut session), "paused");
    let message: String = session.one("SELECT message FROM signal_health");
    assert!(
        message.contains("maintenance") && message.contains("postgres"),
        "{message}"
    );
    assert!(!session.one::<bool>("SELECT healthy FROM signal_health"));

    drop(session);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    eventually(SOON, "the worker is up", || {
        worker_pid(&mut session).is_some()
    });
    assert_eq!(state(&mut session), "paused");
    let (before, requests) = (runs(&mut session), market.request_count());
    meanwhile(Duration::from_secs(3), "the worker is silent", || {
        runs(&mut session) == before && market.request_count() == requests
    });

    assert!(
        session.one::<bool>("SELECT resume_signals()"),
        "there was a pause"
    );
    assert!(
        !session.one::<bool>("SELECT resume_signals()"),
        "there was none"
    );
    eventually(SOON, "runs go on", || runs(&mut session) > before);
    eventually(SOON, "health says running", || {
        state(&mut session) == "running"
    });
}

#[test]
fn a_server_with_signals_disabled_runs_nothing_until_they_are_enabled() {
    let market = flat_market();
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the worker is up", || {
        worker_pid(&mut session).is_some()
    });
    assert_eq!(state(&mut session), "disabled");
    meanwhile(Duration::from_secs(3), "the exchange is not asked", || {
        market.request_count() == 0
    });
    assert_eq!(runs(&mut session), 0);
    cluster.configure("signal_hub.enabled", "on");
    wait_for_good_run(&mut session);
    assert_eq!(state(&mut session), "running");
}

#[test]
fn an_extension_created_before_the_library_was_preloaded_works_after_a_restart() {
    let market = rising_market();
    let mut cluster = by_hand(&market).set("signal_hub.interval", "1s").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    assert_eq!(state(&mut session), "not_preloaded");
    drop(session);

    cluster.append_setting("shared_preload_libraries", "signal_hub");
    cluster.stop(Stop::Fast);
    cluster.start();
    let mut session = cluster.session(POSTGRES);
    wait_for_deliveries(&mut session, 1);
    eventually(SOON, "health says running", || {
        state(&mut session) == "running"
    });
}

#[test]
fn a_misspelt_setting_or_a_bad_value_is_refused() {
    let cluster = Options::preloaded().start();
    let mut session = cluster.session(POSTGRES);
    let error = session.error("ALTER SYSTEM SET signal_hub.intervall = '5s'");
    // "Undefined object"; from PostgreSQL 17 on "invalid name".
    assert!(
        ["42704", "42602"].contains(&error.code().code()),
        "{}",
        error.message()
    );
    let error = session.error("SET signal_hub.intervall = '5s'");
    assert_eq!(error.code().code(), "42602", "{}", error.message());

    let error = session.error("ALTER SYSTEM SET signal_hub.interval = '0'");
    assert_eq!(error.code().code(), "22023", "{}", error.message());
    let error = session.error("ALTER SYSTEM SET signal_hub.exchange_url = 'http://example.com'");
    assert_eq!(error.code().code(), "22023", "{}", error.message());
    assert!(
        error.detail().is_some_and(|d| d.contains("loopback")),
        "{:?}",
        error.detail()
    );
}

fn state(session: &mut signal_hub_harness::session::Session) -> String {
    session.one("SELECT state FROM signal_health")
}
