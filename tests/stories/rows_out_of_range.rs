//! A number, time or interval in a table that a run cannot work with costs only its row, and is
//! named until it is corrected.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, generate, installed_by_hand, subscribe,
    wait_for_good_run,
};
use signal_hub_harness::wait::eventually;

const TICKS: [&str; 4] = ["NaN", "1e-30", "1e30", "0.1234567890123456789012345678901"];

#[test]
fn a_tick_size_that_no_price_can_have_is_refused_and_one_from_before_stops_no_symbol() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    for tick in TICKS {
        let error = session.error(&format!(
            "UPDATE signal_symbols SET tick_size = '{tick}' WHERE symbol = 'BTCUSDT'"
        ));
        assert_eq!(error.code().code(), "23514", "{tick}");
    }
    session.run(
        "ALTER TABLE signal_symbols DROP CONSTRAINT signal_symbols_tick_size_usable;
         UPDATE signal_rules SET cooldown_flips = false",
    );
    for (number, tick) in TICKS.into_iter().enumerate() {
        let change = if number % 2 == 0 { "3.5" } else { "-3.5" };
        session.run(&format!(
            "UPDATE signal_symbols SET tick_size = '{tick}' WHERE symbol = 'BTCUSDT'"
        ));
        market.set_change("BTCUSDT", change);
        market.set_change("ETHUSDT", change);
        let report = generate(&mut session);
        assert_eq!(report["signals_generated"], 2, "{tick}: {report}");
        let message = report["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("of BTCUSDT in signal_symbols cannot be used"),
            "{tick}: {message}"
        );
        assert!(
            session.one::<bool>("SELECT tick_size BETWEEN 0.00000001 AND 1 FROM signal_symbols WHERE symbol = 'BTCUSDT'"),
            "{tick}: learned from prices"
        );
        let report = generate(&mut session);
        assert!(
            !report["message"]
                .as_str()
                .unwrap_or_default()
                .contains("cannot be used")
        );
    }
}

#[test]
fn a_rule_with_a_number_out_of_range_is_named_and_works_again_when_it_is_corrected() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 3);
    wait_for_good_run(&mut session);
    let wrong = [
        ("enter_change_percent", "'NaN'", "2"),
        (
            "exit_change_percent",
            "0.12345678901234567890123456789012345",
            "1",
        ),
        ("min_quote_volume", "'NaN'", "1000000"),
        ("min_quote_volume", "1e40", "1000000"),
        ("confidence_per_percent", "'NaN'", "10"),
        ("take_profit_percents", "'{NULL,3}'", "'{1.5,3,5}'"),
        ("take_profit_percents", "'{NaN}'", "'{1.5,3,5}'"),
        ("lifetime", "'100000 years'", "'4 hours'"),
        ("cooldown", "'100000 years'", "NULL"),
        ("stop_loss_range_share", "'NaN'", "NULL"),
        ("stop_loss_range_share", "1e-30", "NULL"),
        ("lifetime_per_range", "1e30", "NULL"),
        (
            "lifetime_per_range = 2, lifetime_cap",
            "'100000 years'",
            "'24 hours'",
        ),
        ("max_ticker_age", "'100000 years'", "'5 minutes'"),
    ];
    for (column, bad, _) in wrong {
        let error = session.error(&format!("UPDATE signal_rules SET {column} = {bad}"));
        assert_eq!(error.code().code(), "23514", "{column} = {bad}");
    }
    session.run("ALTER TABLE signal_rules DROP CONSTRAINT signal_rules_usable");
    for (column, bad, good) in wrong {
        session.run(&format!("UPDATE signal_rules SET {column} = {bad}"));
        let named = column.rsplit(' ').next().unwrap_or(column);
        eventually(SOON, &format!("{column} = {bad} is named"), || {
            session.one::<bool>(&format!(
                "SELECT NOT healthy AND state = 'failing' AND message LIKE '%strategy momentum of signal_rules cannot be used: %{named}%'
                   FROM signal_health"
            ))
        });
        session.run(&format!("UPDATE signal_rules SET {column} = {good}"));
        eventually(SOON, &format!("{column} = {good} is fine"), || {
            session.one::<bool>("SELECT healthy FROM signal_health")
        });
    }
    let failed: i64 = session.one("SELECT count(*) FROM signal_runs WHERE status = 'failed'");
    assert_eq!(failed, 0, "no run failed for it");
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "signals go on", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 3
    });
}

#[test]
fn times_without_end_in_the_memory_of_runs_stop_no_run() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "INSERT INTO signal_episodes VALUES ('momentum', 'BTCUSDT', NULL, 'infinity', '-infinity'),
                                            ('momentum', 'ETHUSDT', 'LONG', '-infinity', 'infinity'),
                                            ('momentum', 'SOLUSDT', 'SHORT', NULL, NULL);
         INSERT INTO signal_runs (trigger, status, started_at, retry_at, exchange_url)
         VALUES ('worker', 'failed', '-infinity', 'infinity', current_setting('signal_hub.exchange_url'));
         UPDATE signal_symbols SET checked_at = 'infinity', last_seen_at = '-infinity'",
    );
    market.set_change("BTCUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
}

#[test]
fn an_update_meets_such_numbers_and_applies() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE EXTENSION signal_hub VERSION '0.2.0';
         UPDATE signal_symbols SET tick_size = 'NaN' WHERE symbol = 'BTCUSDT';
         UPDATE signal_rules SET min_quote_volume = 'NaN';
         ALTER EXTENSION signal_hub UPDATE",
    );
    assert!(
        session
            .one::<bool>("SELECT tick_size IS NULL FROM signal_symbols WHERE symbol = 'BTCUSDT'")
    );
    let report = generate(&mut session);
    let message = report["message"].as_str().unwrap_or_default();
    assert!(message.contains("min_quote_volume (NaN)"), "{report}");
    session.run(
        "UPDATE signal_rules SET min_quote_volume = 1000000;
         ALTER TABLE signal_rules VALIDATE CONSTRAINT signal_rules_usable",
    );
    market.set_change("BTCUSDT", "3.5");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
}
