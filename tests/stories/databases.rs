//! Several databases on one server are created, dropped, renamed and copied, with workers in
//! them.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, runs, wait_for_good_run,
    waiting_behind_a_silent_exchange, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::{Fault, Simulator, Times};
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[test]
fn a_database_can_be_dropped_although_its_worker_is_connected() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    let mut shop = cluster.create_database("shop");
    shop.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut shop);
    drop(shop);
    session.run("DROP DATABASE shop");
}

#[test]
fn a_silent_exchange_holds_up_nobodys_drop_database() {
    /// Half of the time for which the exchange is waited for.
    const AT_ONCE: Duration = Duration::from_secs(30);
    let market = flat_market();
    let (cluster, mut session) = waiting_behind_a_silent_exchange(&market, Times::Forever);
    drop(cluster.create_database("other"));
    let started = Instant::now();
    eventually(AT_ONCE, "the other database is dropped", || {
        // Its last connection may not have ended yet.
        session.try_list::<i32>("DROP DATABASE other").is_ok()
    });
    let took = started.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(market.request_count(), 1, "still the same fetch");
}

#[test]
fn a_database_can_be_dropped_from_under_its_worker() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let mut shop = cluster.create_database("shop");
    shop.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut shop);
    drop(shop);
    // While the server starts it says so to whoever connects, as FATAL.
    let log_before = cluster.log().len();
    session.run("DROP DATABASE shop WITH (FORCE)");
    let before = runs(&mut session);
    eventually(SOON, "the other database's runs go on", || {
        runs(&mut session) > before + 3
    });
    let log = cluster.log();
    assert!(!log.contains("terminating any other active server processes"));
    assert!(
        log[log_before..].matches("FATAL").count() <= 3,
        "no loop of workers that find no database"
    );
}

#[test]
fn a_worker_makes_way_for_whoever_needs_its_database() {
    let market = flat_market();
    make_way(&market, |_| {});
}

#[test]
fn a_worker_makes_way_also_while_the_exchange_is_silent() {
    let market = flat_market();
    make_way(&market, |admin| {
        market.inject(Fault::Silence, Times::Forever);
        eventually(SOON, "each worker waits for the exchange", || {
            admin.one::<bool>(
                "SELECT count(*) = 3 FROM pg_stat_activity
                  WHERE backend_type = 'signal_hub worker' AND query = 'signal_hub: fetching tickers'",
            )
        });
    });
}

fn make_way(market: &Simulator, beforehand: impl FnOnce(&mut Session)) {
    let cluster = by_itself(market)
        .set("signal_hub.http_timeout", "300s")
        .start();
    let mut admin = cluster.session(POSTGRES);
    for name in ["doomed", "misnamed", "model"] {
        let mut session = cluster.create_database(name);
        session.run("CREATE EXTENSION signal_hub");
        wait_for_good_run(&mut session);
    }
    beforehand(&mut admin);
    for statement in [
        "DROP DATABASE doomed",
        "ALTER DATABASE misnamed RENAME TO renamed",
        "CREATE DATABASE copied TEMPLATE model",
    ] {
        // PostgreSQL gives up after waiting five seconds for sessions to leave a database, and a
        // busy machine's worker may be late.
        eventually(SOON, statement, || admin.try_list::<i32>(statement).is_ok());
    }
    market.clear_faults();
    // No statement may wait until the exchange answers.
    admin.run(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'signal_hub worker'",
    );
    for name in ["renamed", "model", "copied"] {
        let mut session = cluster.session(name);
        let before = runs(&mut session);
        eventually(SOON, &format!("runs go on in {name}"), || {
            runs(&mut session) > before
        });
        wait_for_good_run(&mut session);
    }
    let log = cluster.log();
    assert!(!log.contains("terminating any other active server processes"));
}

#[test]
fn an_extension_created_at_the_very_moment_a_worker_looks_is_found() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    // The launcher starts no worker in a template: so it finds the database only once the lock is
    // held.
    let mut admin = cluster.session(POSTGRES);
    admin.run("CREATE DATABASE shop IS_TEMPLATE true");
    let mut shop = cluster.session("shop");
    shop.run("BEGIN; LOCK TABLE pg_extension IN ACCESS EXCLUSIVE MODE");
    admin.run("ALTER DATABASE shop IS_TEMPLATE false");
    eventually(SOON, "a worker waits for the lock", || {
        admin.one::<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                             WHERE datname = 'shop' AND backend_type = 'signal_hub worker'
                               AND wait_event_type = 'Lock')",
        )
    });
    shop.run("CREATE EXTENSION signal_hub; COMMIT");
    wait_for_good_run(&mut shop);
    assert!(worker_pid(&mut shop).is_some());
}

/// Databases with a worker, by name.
fn served(session: &mut Session) -> Vec<String> {
    session.list(
        // Since PostgreSQL 18 a process is listed before it is connected.
        "SELECT coalesce(datname::text, 'starting') FROM pg_stat_activity WHERE backend_type = 'signal_hub worker' ORDER BY 1",
    )
}

/// A server without the library preloaded, with `having` databases that have the extension and
/// `lacking` databases that do not.
fn many_databases(options: Options, having: usize, lacking: usize) -> (Cluster, Vec<String>) {
    let cluster = options.start();
    let names = |what: &str, count: usize| -> Vec<String> {
        (1..=count).map(|i| format!("{what}_{i:02}")).collect()
    };
    let shops = names("shop", having);
    for name in &shops {
        cluster
            .create_database(name)
            .run("CREATE EXTENSION signal_hub");
    }
    for name in names("other", lacking) {
        drop(cluster.create_database(&name));
    }
    cluster.append_setting("shared_preload_libraries", "signal_hub");
    (cluster, shops)
}

#[test]
fn twelve_databases_have_their_workers_soon_after_a_restart() {
    let market = flat_market();
    let options = by_hand(&market).set("max_worker_processes", "30");
    let (mut cluster, shops) = many_databases(options, 12, 0);
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    eventually(SOON, "twelve workers run", || served(&mut session) == shops);
    for name in &shops {
        wait_for_good_run(&mut cluster.session(name));
    }
}

#[test]
fn fifty_databases_of_which_three_have_the_extension_hold_three_processes() {
    /// The launcher looks for databases every five seconds.
    const A_LOOK_AROUND: Duration = Duration::from_secs(6);
    let market = flat_market();
    let options = by_hand(&market)
        .set("max_worker_processes", "8")
        .set("signal_hub.interval", "1s");
    let (mut cluster, mut shops) = many_databases(options, 3, 47);
    let log_before = cluster.log().len();
    cluster.restart();
    let mut session = cluster.session(POSTGRES);
    let mut since = Instant::now();
    eventually(SOON, "these three run, and no others for a while", || {
        if served(&mut session) != shops {
            since = Instant::now();
        }
        // Longer than a busy machine takes from one of the others to the next.
        since.elapsed() > Duration::from_secs(8)
    });
    let mut sessions: Vec<Session> = shops.iter().map(|name| cluster.session(name)).collect();
    let began = Instant::now();
    let before: Vec<i64> = sessions.iter_mut().map(runs).collect();
    meanwhile(A_LOOK_AROUND, "three processes run, no more", || {
        served(&mut session) == shops
    });
    for (session, before) in sessions.iter_mut().zip(before) {
        let runs = eventually(SOON, "four runs", || {
            Some(runs(session) - before).filter(|runs| *runs >= 4)
        });
        let took = began.elapsed();
        assert!(
            runs < took.as_secs_f64() as i64 + 3,
            "{runs} runs in {took:?}"
        );
    }

    // Two more get it later: a database that was there, and a new one.
    cluster
        .session("other_07")
        .run("CREATE EXTENSION signal_hub");
    let mut late = cluster.create_database("zone_late");
    late.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut late);
    wait_for_good_run(&mut cluster.session("other_07"));
    shops.insert(0, "other_07".to_owned());
    shops.push("zone_late".to_owned());
    assert_eq!(served(&mut session), shops);
    let log = cluster.log();
    let lines: Vec<&str> = log[log_before..]
        .lines()
        .filter_map(|line| Some(line.split_once("signal_hub ")?.1))
        .filter(|line| !line.contains("STATEMENT"))
        .collect();
    let once: HashSet<&&str> = lines.iter().collect();
    assert_eq!(once.len(), lines.len(), "logged more than once: {lines:#?}");
}

#[test]
fn the_database_that_is_one_too_many_is_told_why_it_has_no_worker() {
    const PLACES: usize = 64;
    let market = flat_market();
    let options = by_hand(&market).set("max_worker_processes", "3");
    let (mut cluster, mut shops) = many_databases(options, 1, 0);
    let mut session = cluster.session(POSTGRES);
    for i in 2..=PLACES + 1 {
        let copy = format!("CREATE DATABASE shop_{i:02} TEMPLATE shop_01 STRATEGY file_copy");
        eventually(SOON, "the database is copied", || {
            // The connection that made the first may not have ended yet.
            session.try_list::<i32>(&copy).is_ok()
        });
        shops.push(format!("shop_{i:02}"));
    }
    cluster.restart();
    for name in &shops {
        // One that waits for a process has its place already.
        cluster.session(name).run("SELECT start_signal_worker()");
    }
    let left_out: Vec<String> = shops
        .iter()
        .filter_map(|name| {
            let message: String = cluster
                .session(name)
                .one("SELECT message FROM signal_health");
            message.contains("64 databases").then_some(message)
        })
        .collect();
    let [message] = &left_out[..] else {
        panic!("one is left out, not {left_out:?}");
    };
    assert!(message.contains("drop the extension where it is not used"));
}
