//! Protections withhold signals, which stay on record.

use signal_hub_harness::scene::{flat_market, generate, installed_by_hand, subscribe};
use signal_hub_harness::session::Session;

/// A settled outcome of a symbol that ended at its stop so many hours ago, as if it had been a
/// signal of this strategy.
fn stopped(session: &mut Session, signal_id: i64, symbol: &str, hours_ago: i64) {
    session.run(&format!(
        "INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price,
                                      stop_loss, take_profit, stop_loss_percent, take_profit_percents, confidence,
                                      quality_score, price_change_percent, range_percent, source, high_seen, low_seen)
         SELECT {signal_id}, 'momentum', '{symbol}', 'LONG', 'entered', t - interval '4 hours', t, 100, 98.5,
                '{{101.5,103,105}}', 1.5, '{{1.5,3,5}}', 35, 80, 3.5, 4, 'a test', 100, 100
           FROM (SELECT now() - interval '{hours_ago} hours' AS t) t;
         UPDATE signal_outcomes
            SET state = 'settled', best_target = 0, first_touch = 'stop', ended = 'stop', target_at = '{{}}',
                stop_at = expires_at, ended_at = expires_at, returns_percent = '{{-1.7,-1.7,-1.7}}', ladder_percent = -1.7,
                hold_percent = -1.7, mirror_percent = 1.3, mirror_returns_percent = '{{1.3,1.3,1.3}}', mfe_percent = 0,
                mae_percent = 1.5, fee_percent = 0.1, resolution = '1m', ambiguous = false, gap = false,
                settled_at = now()
          WHERE signal_id = {signal_id}"
    ));
}

#[test]
fn a_stop_guard_withholds_what_was_stopped_twice_and_keeps_it_on_record() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    stopped(&mut session, 1001, "BTCUSDT", 2);
    stopped(&mut session, 1002, "BTCUSDT", 1);
    stopped(&mut session, 1003, "ETHUSDT", 1);
    market.set_change("BTCUSDT", "3.5");
    // Out of the box nothing is withheld.
    let shipped: i64 = session.one("SELECT count(*) FROM signal_protections WHERE enabled");
    assert_eq!(shipped, 0);
    session.run("UPDATE signal_protections SET enabled = true WHERE protection = 'stop_guard'");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!(report["deliveries"], 0, "{report}");
    let message = report["message"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("1 new signal(s): BTCUSDT LONG; 1 of them withheld by stop_guard"),
        "{message}"
    );
    assert!(session.one::<bool>(
        "SELECT s.withheld_by = 'stop_guard' AND s.delivered_at = s.created_at AND s.deliveries = 0
                AND o.withheld_by = 'stop_guard' AND o.state = 'open'
                AND (SELECT finished_at IS NOT NULL FROM signal_runs r WHERE r.run_id = s.run_id)
           FROM signals s JOIN signal_outcomes o USING (signal_id)"
    ));
    assert!(session.one::<bool>("SELECT signals = 0 FROM signal_reach"));
    // One stop is not two, and a SHORT was not stopped.
    market.set_change("ETHUSDT", "3.5");
    market.set_change("SOLUSDT", "-3.5");
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 6, "{report}");
}

#[test]
fn a_stop_guard_counts_what_prices_have_shown_and_what_was_withheld() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    session.run("UPDATE signal_protections SET enabled = true WHERE protection = 'stop_guard'");
    let open = |session: &mut Session, signal_id: i64, symbol: &str, withheld_by: &str| {
        session.run(&format!(
            "INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at,
                                          entry_price, stop_loss, take_profit, stop_loss_percent, take_profit_percents,
                                          confidence, quality_score, price_change_percent, range_percent, source,
                                          withheld_by, high_seen, low_seen)
             VALUES ({signal_id}, 'momentum', '{symbol}', 'LONG', 'entered', now() - interval '1 hour',
                     now() + interval '3 hours', 100, 98.5, '{{101.5,103,105}}', 1.5, '{{1.5,3,5}}', 35, 80, 3.5, 4,
                     'a test', {withheld_by}, 100, 100)"
        ));
    };
    let touch = |session: &mut Session, signal_id: i64, first_touch: &str| {
        session.run(&format!(
            "UPDATE signal_outcomes
                SET first_touch = '{first_touch}', ended = 'stop', best_target = ('{first_touch}' = 'target')::integer,
                    target_at = '{{}}', stop_at = now() - interval '1 minute', ended_at = now() - interval '1 minute'
              WHERE signal_id = {signal_id}"
        ));
    };
    // Stopped twice, of which one was withheld; and once, and once after a target.
    open(&mut session, 1001, "BTCUSDT", "NULL");
    open(&mut session, 1002, "BTCUSDT", "'stop_guard'");
    open(&mut session, 1003, "ETHUSDT", "NULL");
    open(&mut session, 1004, "ETHUSDT", "NULL");
    for (signal_id, first_touch) in [
        (1001, "stop"),
        (1002, "stop"),
        (1003, "stop"),
        (1004, "target"),
    ] {
        touch(&mut session, signal_id, first_touch);
    }
    market.set_change("BTCUSDT", "3.5");
    market.set_change("ETHUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 1, "{report}");
    let withheld: String =
        session.one("SELECT string_agg(symbol, ' ') FROM signals WHERE withheld_by IS NOT NULL");
    assert_eq!(withheld, "BTCUSDT");
}

#[test]
fn a_cooldown_withholds_after_any_end_and_a_row_that_cannot_be_used_withholds_nothing() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    stopped(&mut session, 1001, "BTCUSDT", 1);
    session.run(
        "UPDATE signal_protections SET enabled = true, scope = 'all' WHERE protection = 'cooldown'",
    );
    market.set_change("ETHUSDT", "-3.5");
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 0, "{report}");
    for (wrong, says) in [
        ("kind = 'luck'", "kind must be stop_guard or cooldown"),
        (
            "scope = 'pair'",
            "scope must be all, symbol, symbol_side or side",
        ),
        ("max_count = 0", "max_count must be from 1 to 1000"),
        ("lookback = '0'", "lookback must be above 0"),
        ("duration = '100000 years'", "duration must be above 0"),
    ] {
        let error = session.error(&format!("UPDATE signal_protections SET {wrong}"));
        assert!(error.message().contains(says), "{}", error.message());
    }
    session.run(
        "ALTER TABLE signal_protections DROP CONSTRAINT \"kind must be stop_guard or cooldown\";
         UPDATE signal_protections SET kind = 'luck' WHERE protection = 'cooldown'",
    );
    market.set_change("SOLUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 1, "{report}");
    let message = report["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("protection cooldown of signal_protections cannot be used"),
        "{message}"
    );
}
