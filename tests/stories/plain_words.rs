//! What a person reads who got something wrong: a message that says what is wrong, and what is
//! not.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{by_hand, flat_market, installed_by_hand, rising_market, user};

#[test]
fn a_rule_that_cannot_be_says_why() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    for (sql, says) in [
        (
            "UPDATE signal_rules SET enter_change_percent = 0.5",
            "exit_change_percent must be below enter_change_percent",
        ),
        (
            "UPDATE signal_rules SET min_quality = 101",
            "min_quality must be from 0 to 100",
        ),
        (
            "UPDATE signal_rules SET lifetime = '0'",
            "lifetime must be above 0",
        ),
        (
            "UPDATE signal_rules SET cooldown = '-1s'",
            "cooldown must not be negative",
        ),
        (
            "UPDATE signal_rules SET stop_loss_range_share = 0",
            "stop_loss_range_share must be above 0",
        ),
        (
            "UPDATE signal_rules SET lifetime_per_range = -1",
            "lifetime_per_range must be above 0",
        ),
        (
            "UPDATE signal_rules SET lifetime_cap = '1 minute'",
            "lifetime_cap must not be below lifetime_floor",
        ),
        (
            "UPDATE signal_rules SET take_profit_percents = '{}'",
            "take_profit_percents must be 1 to 10 numbers above 0",
        ),
        (
            "UPDATE signal_tiers SET daily_quota = -1",
            "daily_quota must not be negative",
        ),
        (
            "INSERT INTO user_subscriptions (user_id, tier, status) VALUES (gen_random_uuid(), 'MAX', 'Active')",
            "status must be active, trialing, past_due, canceled or paused",
        ),
    ] {
        let error = session.error(sql);
        assert_eq!(error.code().code(), "23514", "{}", error.message());
        assert!(error.message().contains(says), "{}", error.message());
    }
}

#[test]
fn a_tier_that_does_not_exist_is_answered_with_those_that_do() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("CREATE ROLE shop; GRANT INSERT, UPDATE, SELECT ON user_subscriptions TO shop");
    session.run(&format!(
        "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX'); SET ROLE shop",
        user(1)
    ));
    for sql in [
        format!(
            "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'max')",
            user(2)
        ),
        "RESET ROLE; UPDATE user_subscriptions SET tier = 'max'".to_owned(),
    ] {
        let error = session.error(&sql);
        assert_eq!(error.code().code(), "23503", "{sql}: {}", error.message());
        assert_eq!(error.message(), "tier \"max\" is not in signal_tiers");
        assert_eq!(error.detail(), Some("The tiers are MAX, PRO, FREE."));
        assert_eq!(error.constraint(), Some("user_subscriptions_tier_fkey"));
    }
    // A tier that gets another name takes its subscribers along.
    session.run("RESET ROLE; UPDATE signal_tiers SET tier = 'TOP' WHERE tier = 'MAX'");
    assert_eq!(
        session.list::<String>("SELECT tier FROM user_subscriptions"),
        ["TOP"]
    );
}

#[test]
fn a_preview_fails_gates_that_were_measured_and_no_other() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('NOSUCHUSDT')");
    let failed: Vec<String> = session.list(
        "SELECT symbol || ' ' || gate FROM preview_signals() WHERE NOT passed AND symbol IN ('NOSUCHUSDT', 'ETHUSDT', 'BTCUSDT') ORDER BY 1",
    );
    assert_eq!(failed, ["ETHUSDT momentum", "NOSUCHUSDT listed"]);
    let per_symbol: Vec<i64> =
        session.list("SELECT count(*) FROM preview_signals() WHERE NOT passed GROUP BY symbol");
    assert_eq!(
        per_symbol, [1; 10],
        "nine symbols that stand still, and one that is not listed"
    );
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM preview_signals() WHERE symbol = 'NOSUCHUSDT'"),
        14,
        "every gate is shown"
    );
}

#[test]
fn an_installation_by_a_session_with_old_string_literals_is_the_same() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("SET standard_conforming_strings = off; CREATE EXTENSION signal_hub; RESET standard_conforming_strings");
    for symbol in ["A\\B", "A,B", "A\"B", "A B", "A[B", "A]B"] {
        let error = session.error(&format!(
            "INSERT INTO signal_symbols (symbol) VALUES ('{symbol}')"
        ));
        assert_eq!(error.code().code(), "23514", "{symbol}");
    }
    // An older installation of that kind lets backslashes through; an update ends that.
    session.run(
        "DROP EXTENSION signal_hub; SET standard_conforming_strings = off; CREATE EXTENSION signal_hub VERSION '0.2.0';
         RESET standard_conforming_strings; INSERT INTO signal_symbols (symbol) VALUES ('A\\B');
         ALTER EXTENSION signal_hub UPDATE",
    );
    let error = session.error("INSERT INTO signal_symbols (symbol) VALUES ('C\\D')");
    assert_eq!(error.code().code(), "23514", "{}", error.message());
}
