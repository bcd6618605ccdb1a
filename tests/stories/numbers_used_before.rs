//! Sequences that are behind their tables, and numbers of signals that were used before: no run
//! fails for it, and no subscriber misses a signal.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, runs, subscribe, user,
    wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

fn every_subscriber_has_now(session: &mut Session, symbol: &str, subscribers: i64) {
    eventually(SOON, &format!("{symbol} reaches everybody"), || {
        session.one::<i64>(&format!(
            "SELECT count(DISTINCT user_id) FROM user_signals WHERE symbol = '{symbol}'"
        )) == subscribers
            && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
    });
}

fn every_subscriber_has(session: &mut Session, symbol: &str, subscribers: i64) {
    every_subscriber_has_now(session, symbol, subscribers);
    let failures: i64 =
        session.one("SELECT coalesce(sum(delivery_failures), 0)::bigint FROM signals");
    assert_eq!(failures, 0);
}

#[test]
fn sequences_left_behind_by_logical_replication_are_moved_and_told_once() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 20);
    wait_for_good_run(&mut session);
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        market.set_change(symbol, "3.5");
    }
    wait_for_deliveries(&mut session, 60);
    session.run(
        "BEGIN; LOCK TABLE signal_runs;
         SELECT setval('signal_runs_run_id_seq', 1, false), setval('signals_signal_id_seq', 1, false),
                setval('signal_delivery_ranges_range_id_seq', 1, false);
         COMMIT",
    );
    let before = runs(&mut session);
    eventually(SOON, "runs go on", || runs(&mut session) > before + 2);
    market.set_change("XRPUSDT", "3.5");
    every_subscriber_has(&mut session, "XRPUSDT", 20);
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'"),
        0
    );
    assert_eq!(session.one::<i64>("SELECT max(signal_id) FROM signals"), 4);
    let log = cluster.log();
    assert_eq!(
        log.matches("was behind its table").count(),
        2,
        "one line for each"
    );
    assert_eq!(log.matches("duplicate key").count(), 0);
}

#[test]
fn numbers_that_begin_again_cost_nobody_a_signal() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 20);
    wait_for_good_run(&mut session);
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        market.set_change(symbol, "3.5");
    }
    wait_for_deliveries(&mut session, 60);
    // Newcomers have no row of these numbers; those who changed are looked up first.
    session.run("TRUNCATE signals RESTART IDENTITY");
    subscribe(&mut session, "MAX", 21, 30);
    session.run("UPDATE user_subscriptions SET status = 'active'");
    market.set_change("XRPUSDT", "3.5");
    every_subscriber_has(&mut session, "XRPUSDT", 30);
    assert_eq!(session.list::<i64>("SELECT signal_id FROM signals"), [4]);
    assert!(cluster.log().contains("it goes on after 3"));

    // The rows of another ledger are restored for some of the subscribers.
    session.run(
        "INSERT INTO user_signals
         SELECT s.user_id, n, 'MAX', 'BTCUSDT', 'LONG', 50, 50, 1, '{2}', 0.5, now(), true, '{}'
           FROM user_subscriptions s CROSS JOIN generate_series(5, 40) n
          WHERE s.user_id <= '00000000-0000-4000-8000-00000000000a'",
    );
    market.set_change("ADAUSDT", "3.5");
    every_subscriber_has(&mut session, "ADAUSDT", 30);
    assert_eq!(session.one::<i64>("SELECT max(signal_id) FROM signals"), 41);
}

/// Rows of old numbers that no look-up finds: who has one is told of as refused, not passed over in
/// silence.
#[test]
fn a_row_of_an_earlier_signal_of_the_same_number_is_not_taken_for_its_delivery() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 100);
    wait_for_good_run(&mut session);
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 100);
    session.run(&format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata, created_at)
         VALUES ('{0}', 2, 'MAX', 'LTCUSDT', 'LONG', 50, 50, now(), false, '{{}}', now() - interval '24 hours');
         UPDATE user_subscriptions SET status = 'active' WHERE user_id = '{0}'",
        user(50)
    ));
    market.set_change("ETHUSDT", "3.5");
    eventually(SOON, "the others have it, and one is counted", || {
        session.one::<i64>("SELECT count(*) FROM user_signals WHERE symbol = 'ETHUSDT'") == 99
            && session.one::<i64>("SELECT delivery_failures FROM signals WHERE signal_id = 2") == 1
    });
    eventually(SOON, "health has it", || {
        session.one::<bool>(
            "SELECT NOT healthy AND message LIKE '%1 delivery(s)%duplicate key%' FROM signal_health",
        )
    });
    // With the next signal the numbers go on beyond all such rows.
    session.run(&format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata, created_at)
         SELECT '{}', n, 'MAX', 'LTCUSDT', 'LONG', 50, 50, now(), false, '{{}}', now() - interval '24 hours'
           FROM generate_series(3, 40) n",
        user(50)
    ));
    market.set_change("SOLUSDT", "3.5");
    every_subscriber_has_now(&mut session, "SOLUSDT", 100);
    assert_eq!(session.one::<i64>("SELECT max(signal_id) FROM signals"), 41);
}

/// Rows of another ledger lie between the numbers of a day.
#[test]
fn rows_of_old_numbers_count_towards_no_quota() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("UPDATE signal_tiers SET daily_quota = 2 WHERE tier = 'MAX'");
    market.set_change("BTCUSDT", "3.5");
    assert_eq!(generate(&mut session)["deliveries"], 3);
    session.run(&format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata, created_at)
         SELECT '{}', n, 'MAX', 'LTCUSDT', 'LONG', 50, 50, now(), false,
                '{{\"timestamp\": \"2020-01-01T00:00:00.000Z\"}}', '2020-01-01'
           FROM generate_series(2, 40) n",
        user(1)
    ));
    market.set_change("ETHUSDT", "3.5");
    assert_eq!(generate(&mut session)["deliveries"], 3);
    // The quota of all is used up now.
    market.set_change("SOLUSDT", "3.5");
    assert_eq!(generate(&mut session)["deliveries"], 0);
    let quotas: Vec<i32> =
        session.list("SELECT received FROM user_signal_quotas WHERE day > '2020-01-01'");
    assert_eq!(quotas, [2, 2, 2]);
}
