//! The SQL objects are of another release than the library: newer, as after a downgrade of the
//! package, or older, as after every upgrade until ALTER EXTENSION UPDATE. And a dump of an older
//! release.

use crate::ground::{
    each_signal_once_each, each_signal_once_each_whatever_the_runs_say, extension_for,
    small_batches,
};
use crate::inventory::Inventory;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::{releases, succeed};
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, runs, subscribe, user, wait_for_deliveries,
    wait_for_good_run, worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::Simulator;
use std::time::Duration;

#[test]
fn sql_objects_newer_than_the_library_stop_the_worker_until_they_match_again() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, 3);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let release: String =
        session.one("SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'");

    session.run("UPDATE pg_extension SET extversion = '99.0.0' WHERE extname = 'signal_hub'");
    eventually(SOON, "health says so", || {
        session.one::<bool>(
            "SELECT state = 'version_mismatch' AND NOT healthy AND message LIKE '%99.0.0%install the matching library%' FROM signal_health",
        )
    });
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    assert!(error.message().contains("99.0.0"), "{}", error.message());
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("install the matching library"), "{hint}");
    market.set_change("BTCUSDT", "3.5");
    // A run that had begun when the version changed may still end.
    let before = runs(&mut session);
    meanwhile(Duration::from_secs(4), "no table is touched", || {
        runs(&mut session) <= before + 1 && session.one::<i64>("SELECT count(*) FROM signals") == 0
    });

    session.run(&format!(
        "UPDATE pg_extension SET extversion = '{release}' WHERE extname = 'signal_hub'"
    ));
    eventually(SOON, "the signal arrives", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") == 1
    });
    each_signal_once_each(&mut session, 3);
    assert_eq!(worker_pid(&mut session), worker, "the same process");
}

const SUBSCRIBERS: u32 = 1_000;

/// Half of them have the signal when the server stops.
const SERVED: u32 = SUBSCRIBERS / 2;

/// Tables of earlier releases that later ones no longer have.
const GONE: &str = "user_signal_quotas";

#[test]
fn an_older_installation_goes_on_where_it_stood_once_it_is_updated_without_a_restart() {
    for release in releases() {
        goes_on_once_updated(&release);
    }
}

fn goes_on_once_updated(release: &str) {
    let market = market_of_the_scene();
    let cluster = small_batches(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!("CREATE EXTENSION signal_hub VERSION '{release}'"));
    eventually(SOON, "health says what to do", || {
        session.one::<bool>(&format!(
            "SELECT state = 'version_mismatch' AND NOT healthy AND worker_pid IS NOT NULL
                AND message LIKE '%are {release}: run ALTER EXTENSION signal_hub UPDATE%' FROM signal_health"
        ))
    });
    let worker = eventually(SOON, "the worker waits for the update", || {
        worker_pid(&mut session)
    });
    leave_as_when_stopped_in_the_middle_of_fan_outs(&mut session, release);
    functions_say_what_to_do(&mut session, release);
    meanwhile(Duration::from_secs(3), "nothing happens", || {
        market.request_count() == 0
            && runs(&mut session) == 5
            && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 4
    });

    let before = Inventory::take(&mut session);
    assert!(before.len() > 3_000, "{} rows", before.len());
    update(&mut session, &before, &[GONE]);
    eventually(SOON, "the rest has the signal", || {
        session
            .one::<bool>("SELECT undelivered_signals = 0 AND state = 'paused' FROM signal_health")
    });
    each_signal_once_each(&mut session, SUBSCRIBERS);
    before.is_still_there(
        &mut session,
        &[
            "signals",
            "signal_runs",
            "signal_runs_run_id_seq",
            "signal_delivery_ranges",
            "signal_delivery_ranges_range_id_seq",
            "user_signals",
            GONE,
        ],
    );
    assert_eq!(worker_pid(&mut session), Some(worker), "the same process");

    let last: i64 = session.one("SELECT max(signal_id) FROM signals");
    session.run("SELECT resume_signals()");
    wait_for_good_run(&mut session);
    market.set_change("ETHUSDT", "-4");
    eventually(SOON, "a new signal, and no other", || {
        let new = session.list::<String>(&format!(
            "SELECT symbol FROM signals WHERE signal_id > {last} AND delivered_at IS NOT NULL"
        ));
        assert!(new.iter().all(|symbol| symbol == "ETHUSDT"), "{new:?}");
        !new.is_empty()
    });
    each_signal_once_each(&mut session, SUBSCRIBERS);
    assert_eq!(
        session.one::<f64>(
            "SELECT stop_loss_percent::float8 FROM signal_rules WHERE strategy = 'momentum'"
        ),
        2.5
    );
    assert_eq!(worker_pid(&mut session), Some(worker), "the same process");
}

#[test]
fn a_dump_of_an_older_release_is_restored_into_this_one_and_goes_on_where_it_stood() {
    for release in releases() {
        goes_on_once_restored(&release);
    }
}

fn goes_on_once_restored(release: &str) {
    let market = market_of_the_scene();
    let old = by_hand(&market).start();
    let mut session = old.session(POSTGRES);
    session.run(&format!("CREATE EXTENSION signal_hub VERSION '{release}'"));
    leave_as_when_stopped_in_the_middle_of_fan_outs(&mut session, release);
    let before = Inventory::take(&mut session);
    let dump = old.folder().join("dump");
    succeed(
        old.tool("pg_dump")
            .args(["--format=custom", "--file"])
            .arg(&dump)
            .arg(POSTGRES),
    );

    let new = small_batches(&market).start();
    let mut session = new.create_database("moved");
    // Created in the release of the dump, the tables have the columns of the dump.
    session.run(&format!("CREATE EXTENSION signal_hub VERSION '{release}'"));
    succeed(
        new.tool("pg_restore")
            .args(["--exit-on-error", "--dbname=moved"])
            .arg(&dump),
    );
    // The history of runs stays with its server.
    update(&mut session, &before, &[GONE, "signal_runs"]);
    eventually(SOON, "the rest has the signal", || {
        session
            .one::<bool>("SELECT undelivered_signals = 0 AND state = 'paused' FROM signal_health")
    });
    each_signal_once_each_whatever_the_runs_say(&mut session, SUBSCRIBERS);
    session.run("SELECT resume_signals()");
    wait_for_good_run(&mut session);
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signals"),
        5,
        "no episode is repeated"
    );
    market.set_change("ETHUSDT", "-4");
    wait_for_deliveries(&mut session, 6 * i64::from(SUBSCRIBERS));
    each_signal_once_each_whatever_the_runs_say(&mut session, SUBSCRIBERS);
    assert_eq!(session.one::<i64>("SELECT max(signal_id) FROM signals"), 6);
}

/// Updates the extension, and checks that nothing is lost before the worker goes on.
fn update(session: &mut Session, before: &Inventory, except: &[&str]) {
    session.run("BEGIN; ALTER EXTENSION signal_hub UPDATE");
    before.is_still_there(session, except);
    session.run("COMMIT");
}

/// A market whose prices have not moved since the signals of the scene below.
fn market_of_the_scene() -> Simulator {
    let market = flat_market();
    for symbol in ["SOLUSDT", "BTCUSDT", "LINKUSDT", "LTCUSDT", "ADAUSDT"] {
        market.set_change(symbol, "3.5");
    }
    market
}

/// What a server of a release left in tables that somebody has changed: one signal that is
/// delivered, and four that are not, each in another stage.
fn leave_as_when_stopped_in_the_middle_of_fan_outs(session: &mut Session, release: &str) {
    subscribe(session, "MAX", 1, SUBSCRIBERS);
    session.run(&format!(
        "UPDATE signal_tiers SET daily_quota = NULL WHERE tier = 'MAX';
         UPDATE signal_tiers SET daily_quota = 7 WHERE tier = 'PRO';
         INSERT INTO signal_tiers (tier, enabled, priority) VALUES ('TEAM', true, 50);
         UPDATE signal_rules SET stop_loss_percent = 2.5, take_profit_percents = '{{1,2}}';
         INSERT INTO signal_symbols (symbol) VALUES ('TRXUSDT');
         UPDATE signal_symbols SET enabled = false WHERE symbol = 'DOGEUSDT';
         CREATE TEMP TABLE scene AS
              SELECT * FROM (VALUES
                   -- Delivered; in the middle of a tier; between two; in the second round; not begun.
                   (1, 'SOLUSDT', '{{TEAM,MAX}}'::text[], true, {SUBSCRIBERS}),
                   (2, 'BTCUSDT', '{{TEAM}}', false, {SERVED}),
                   (3, 'LINKUSDT', '{{TEAM}}', false, 0),
                   (4, 'LTCUSDT', '{{TEAM}}', true, {SUBSCRIBERS}),
                   (5, 'ADAUSDT', '{{}}', false, 0))
                   AS s (run_id, symbol, tiers, second_round, served);
         INSERT INTO signal_runs (trigger, status, started_at, finished_at, symbols_evaluated, signals_generated, deliveries)
              SELECT 'worker', 'ok', t, CASE WHEN run_id = 1 THEN t END, 10, 1, CASE WHEN run_id = 1 THEN served ELSE 0 END
                FROM (SELECT s.*, now() - interval '1 minute' + run_id * interval '1 second' AS t FROM scene s) AS s
               ORDER BY run_id;
         INSERT INTO signal_episodes (strategy, symbol, side, since, last_signal_at)
              SELECT 'momentum', symbol, 'LONG', started_at, started_at FROM scene JOIN signal_runs USING (run_id);
         INSERT INTO signals (run_id, strategy, symbol, signal_type, reason, why, confidence, quality_score,
                              entry_price, take_profit, stop_loss, expires_at, price_change_percent,
                              last_price, open_price, high_price, low_price, bid_price, ask_price,
                              weighted_average_price, base_volume, quote_volume, trade_count, open_time, close_time, gates,
                              created_at, delivered_tiers, delivery_changed_only, deliveries, delivered_at)
              SELECT run_id, 'momentum', symbol, 'LONG', 'entered', 'by hand', 35, 80, 100, '{{101,102}}', 97.5,
                     started_at + interval '4 hours', 3.5, 100, 96.6, 101, 96, 99.9, 100.1, 99, 50000, 5000000, 12345,
                     started_at - interval '1 day', started_at, '[]',
                     started_at, tiers, second_round, served, finished_at
                FROM scene JOIN signal_runs USING (run_id) ORDER BY run_id;
         INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
              SELECT u.user_id, g.signal_id, 'MAX', g.symbol, g.signal_type, g.confidence, g.quality_score,
                     g.entry_price, g.take_profit, g.stop_loss, g.expires_at, true, '{{}}'
                FROM signals g JOIN scene s USING (run_id)
                JOIN (SELECT user_id, row_number() OVER (ORDER BY user_id) AS n FROM user_subscriptions) u ON u.n <= s.served"
    ));
    session.run(&match release {
        "0.1.0" => cursors_of_0_1_0(),
        "0.2.0" => cursors_of_0_2_0(),
        _ => panic!("write down here how {release} leaves a fan-out"),
    });
    session.run("SELECT pause_signals('until it is updated')");
}

/// One process delivered, and the row of a signal had its place in the tier. Quotas were counted
/// in a table.
fn cursors_of_0_1_0() -> String {
    format!(
        "UPDATE signals SET delivery_tier = 'MAX', delivery_user_id = '{}' WHERE symbol IN ('BTCUSDT', 'LTCUSDT');
         INSERT INTO user_signal_quotas (user_id, day, received)
              SELECT user_id, (g.created_at AT TIME ZONE 'UTC')::date, count(*)
                FROM user_signals JOIN signals g USING (signal_id) GROUP BY 1, 2",
        user(SERVED)
    )
}

/// Processes work on ranges of a tier. A range has its own place, and the row of a signal says
/// how much of its tier has been given out in ranges.
fn cursors_of_0_2_0() -> String {
    const GIVEN_OUT: u32 = SERVED + SUBSCRIBERS / 4;
    let (next, last, not_given_out) = (user(SERVED + 1), user(GIVEN_OUT), user(GIVEN_OUT + 1));
    format!(
        "UPDATE signals SET delivery_started_at = created_at WHERE symbol <> 'ADAUSDT';
         UPDATE signals SET delivery_tier = 'MAX', delivery_next_user_id = '{not_given_out}', deliveries = 0
          WHERE symbol = 'BTCUSDT';
         UPDATE signals SET delivered_tiers = '{{TEAM,MAX}}' WHERE symbol = 'LTCUSDT';
         INSERT INTO signal_delivery_ranges (signal_id, tier, changed_only, next_user_id, last_user_id, deliveries)
              SELECT signal_id, 'MAX', false, '{next}'::uuid, '{last}'::uuid, {SERVED} FROM signals WHERE symbol = 'BTCUSDT'
              UNION ALL
              SELECT signal_id, 'MAX', true, '{next}', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 0 FROM signals WHERE symbol = 'LTCUSDT'"
    )
}

/// Functions that need the library refuse and say what to do; everything else works.
fn functions_say_what_to_do(session: &mut Session, release: &str) {
    for function in ["generate_signals_now()", "preview_signals()"] {
        let error = session.error(&format!("SELECT * FROM {function}"));
        assert_eq!(error.code().code(), "55000", "{}", error.message());
        assert!(error.message().contains(release), "{}", error.message());
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("ALTER EXTENSION signal_hub UPDATE"), "{hint}");
    }
    session.run(
        "SELECT * FROM signal_worker_status(); SELECT * FROM signal_stats; SELECT current_subscriber();
         SELECT start_signal_worker()",
    );
}
