//! What became of a signal is a row that is opened with it, and stays when the signal is purged.

use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, rising_market, subscribe,
    wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

/// A rule without pauses between signals, whose LONG targets are 1.5, 3 and 5 % above the entry.
const EAGER: &str = "UPDATE signal_rules SET cooldown = '0', stop_loss_percent = 1.5, take_profit_percents = '{1.5,3,5}'";

/// The outcome of the newest signal of BTCUSDT, as far as it is provisional.
fn seen(session: &mut Session) -> String {
    session.one(
        "SELECT format('%s %s %s %s %s', best_target, coalesce(first_touch, '-'), coalesce(ended, '-'),
                       cardinality(target_at), stop_at IS NOT NULL)
           FROM signal_outcomes WHERE symbol = 'BTCUSDT' ORDER BY signal_id DESC LIMIT 1",
    )
}

#[test]
fn every_signal_opens_its_outcome() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    market.set_change("BTCUSDT", "3.5");
    market.set_change("ETHUSDT", "-4.2");
    assert_eq!(generate(&mut session)["signals_generated"], 2);
    let same: i64 = session.one(
        "SELECT count(*) FROM signals s JOIN signal_outcomes o USING (signal_id)
          WHERE (s.strategy, s.symbol, s.signal_type, s.reason, s.close_time, s.expires_at, s.entry_price, s.stop_loss,
                 s.take_profit, s.confidence, s.quality_score, s.price_change_percent)
              = (o.strategy, o.symbol, o.signal_type, o.reason, o.signal_at, o.expires_at, o.entry_price, o.stop_loss,
                 o.take_profit, o.confidence, o.quality_score, o.price_change_percent)
            AND o.state = 'open' AND o.stop_loss_percent = 1.5 AND o.take_profit_percents = '{1.5,3,5}'
            AND o.range_percent = round((s.high_price - s.low_price) * 100 / s.open_price, 6)
            AND o.source = (SELECT exchange_url FROM signal_runs WHERE run_id = s.run_id)
            AND o.high_seen = o.entry_price AND o.low_seen = o.entry_price
            AND o.opened_at BETWEEN s.created_at AND clock_timestamp() AND o.withheld_by IS NULL",
    );
    assert_eq!(same, 2);
    assert_eq!(
        session.list::<i64>("SELECT opened_position FROM signal_outcomes ORDER BY signal_id"),
        [1, 2]
    );
    session.run("DROP EXTENSION signal_hub");
}

#[test]
fn what_the_last_prices_show_is_provisional_and_written_only_when_it_is_new() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(EAGER);
    market.set_change("BTCUSDT", "4");
    generate(&mut session);
    assert_eq!(seen(&mut session), " - -  f", "nobody has looked yet");

    let version = "SELECT xmin::text FROM signal_outcomes";
    let before: String = session.one(version);
    generate(&mut session);
    assert_eq!(session.one::<String>(version), before, "no news");

    // 1.9 % above the entry.
    market.set_change("BTCUSDT", "6");
    generate(&mut session);
    assert_eq!(seen(&mut session), "1 target - 1 f");
    assert!(session.one::<bool>(
        "SELECT high_seen > take_profit[1] AND low_seen = entry_price FROM signal_outcomes"
    ));
    assert!(
        session.one::<bool>(
            "SELECT target_at[1] BETWEEN signal_at AND expires_at FROM signal_outcomes"
        )
    );

    // Back, and beyond the stop.
    market.set_change("BTCUSDT", "3.9");
    generate(&mut session);
    assert_eq!(seen(&mut session), "1 target - 1 f");
    market.set_change("BTCUSDT", "2.3");
    generate(&mut session);
    assert_eq!(seen(&mut session), "1 target stop 1 t");
    let before: String = session.one(version);

    // What comes after the end is seen, and touches nothing more.
    market.set_change("BTCUSDT", "9.9");
    generate(&mut session);
    assert_eq!(seen(&mut session), "1 target stop 1 t");
    assert_ne!(session.one::<String>(version), before);
    assert_eq!(
        session.list::<String>("SELECT state FROM signal_outcomes"),
        ["open"],
        "samples settle nothing"
    );
}

#[test]
fn a_symbol_taken_off_the_watch_is_looked_at_until_its_signals_are_over() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    generate(&mut session);
    session.run("UPDATE signal_symbols SET enabled = false WHERE symbol = 'BTCUSDT'");
    market.set_change("BTCUSDT", "5.5");
    let report = generate(&mut session);
    assert_eq!(report["symbols_evaluated"], 9, "it is not judged");
    assert_eq!(seen(&mut session), "1 target - 1 f");

    session.run("DELETE FROM signal_symbols WHERE symbol = 'BTCUSDT'; UPDATE signal_rules SET enabled = false");
    market.set_change("BTCUSDT", "7");
    generate(&mut session);
    assert_eq!(
        seen(&mut session),
        "2 target - 2 f",
        "also when no strategy is left"
    );
}

#[test]
fn an_opposite_signal_supersedes_and_changes_nothing_else() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(EAGER);
    generate(&mut session);
    market.set_change("ETHUSDT", "3.5");
    market.set_change("BTCUSDT", "-3.5");
    assert_eq!(generate(&mut session)["signals_generated"], 2);
    assert_eq!(
        session.list::<String>(
            "SELECT format('%s %s %s %s', symbol, signal_type, state, superseded_at IS NOT NULL)
               FROM signal_outcomes ORDER BY symbol, signal_id"
        ),
        [
            "BTCUSDT LONG open t",
            "BTCUSDT SHORT open f",
            "ETHUSDT LONG open f"
        ]
    );
    assert!(session.one::<bool>("SELECT ok FROM verify_track_record()"));
}

#[test]
fn purged_signals_leave_their_outcomes() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 3);
    session.run("COMMIT");
    wait_for_deliveries(&mut session, 3);
    // The next worker begins with a purge.
    session.run(
        "UPDATE signals SET created_at = created_at - interval '2400 hours';
         SELECT pg_terminate_backend(worker_pid) FROM signal_worker_status()",
    );
    eventually(2 * SOON, "the signal is purged", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 0
    });
    assert_eq!(
        session.list::<String>("SELECT format('%s %s', signal_id, state) FROM signal_outcomes"),
        ["1 open"]
    );
    market.set_change("BTCUSDT", "6");
    eventually(SOON, "it is still looked at", || {
        seen(&mut session) == "1 target - 1 f"
    });
    market.set_change("ETHUSDT", "3.5");
    eventually(SOON, "the next one is opened", || {
        session.one::<i64>("SELECT count(*) FROM signal_outcomes") == 2
    });
    assert!(session.one::<bool>("SELECT ok AND rows = 2 FROM verify_track_record()"));
}

#[test]
fn an_update_opens_outcomes_of_the_signals_of_the_last_week() {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE EXTENSION signal_hub VERSION '0.2.0';
         INSERT INTO signal_runs (trigger, status, started_at, symbols_evaluated, signals_generated, exchange_url)
         VALUES ('worker', 'ok', now(), 10, 3, 'https://exchange.test/');
         INSERT INTO signals (run_id, strategy, symbol, signal_type, reason, why, confidence, quality_score,
                              entry_price, take_profit, stop_loss, expires_at, price_change_percent, last_price,
                              open_price, high_price, low_price, bid_price, ask_price, weighted_average_price,
                              base_volume, quote_volume, trade_count, open_time, close_time, gates, created_at)
         SELECT 1, 'momentum', symbol, 'LONG', 'entered', 'by hand', 35, 80, 100, '{101.5,103}', 98.5,
                at + interval '4 hours', 3.5, 100, 96.6, 101, 96, 99.9, 100.1, 99, 50000, 5000000, 12345,
                at - interval '1 day', at, '[]', at
           FROM (VALUES ('LTCUSDT', now() - interval '8 days'), ('BTCUSDT', now() - interval '6 days'),
                        ('ETHUSDT', now() - interval '1 minute')) AS s (symbol, at);
         ALTER EXTENSION signal_hub UPDATE",
    );
    assert_eq!(
        session.list::<String>(
            "SELECT format('%s %s %s %s %s %s', symbol, state, stop_loss_percent, take_profit_percents, range_percent, source)
               FROM signal_outcomes ORDER BY opened_position"
        ),
        ["BTCUSDT", "ETHUSDT"].map(|symbol| format!(
            "{symbol} open 1.5 {{1.5,3}} 5.175983 https://exchange.test"
        ))
    );
    assert!(session.one::<bool>("SELECT bool_and(opened_at > signal_at) FROM signal_outcomes"));
    assert!(session.one::<bool>("SELECT ok AND rows = 2 FROM verify_track_record()"));
}

#[test]
fn health_counts_outcomes_and_tells_when_they_are_not_settled() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "an outcome is open", || {
        session.one::<bool>(
            "SELECT healthy AND (outcomes_open, outcomes_settled, outcomes_void) = (1, 0, 0)
                    AND oldest_due_settlement IS NULL FROM signal_health",
        )
    });
    // One of a symbol that the exchange does not have, from the day before yesterday.
    session.run(
        "INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price,
                                      stop_loss, take_profit, stop_loss_percent, take_profit_percents, confidence,
                                      quality_score, price_change_percent, range_percent)
         SELECT 1000, strategy, 'GONEUSDT', signal_type, reason, signal_at - interval '48 hours',
                expires_at - interval '48 hours', entry_price, stop_loss, take_profit, stop_loss_percent,
                take_profit_percents, confidence, quality_score, price_change_percent, range_percent
           FROM signal_outcomes",
    );
    eventually(SOON, "health says so", || {
        session.one::<bool>(
            "SELECT NOT healthy AND state = 'unsettled' AND message LIKE '%signal 1000 (GONEUSDT)%'
                    AND oldest_due_settlement > interval '1 day' AND outcomes_open = 2 FROM signal_health",
        )
    });
    session.run(
        "UPDATE signal_outcomes SET state = 'void', void_why = 'delisted' WHERE signal_id = 1000",
    );
    eventually(SOON, "all is well", || {
        session.one::<bool>(
            "SELECT healthy AND (outcomes_open, outcomes_settled, outcomes_void) = (1, 0, 1) FROM signal_health",
        )
    });
}
