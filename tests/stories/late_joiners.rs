//! Whoever becomes entitled while signals are open receives these, where their tier says so.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, rising_market, runs, subscribe,
    user, wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;

const LATE: &str = "UPDATE signal_tiers SET enabled = true, late_joiners = true";

/// The rows of a subscriber: the symbol, and whether it came late.
fn received(session: &mut Session, number: u32) -> Vec<String> {
    session.list(&format!(
        "SELECT symbol || CASE WHEN metadata ? 'late' THEN ' late' ELSE '' END
           FROM user_signals WHERE user_id = '{}' ORDER BY symbol",
        user(number)
    ))
}

#[test]
fn who_is_new_upgraded_or_resumed_receives_what_is_open_once_and_marked() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!("BEGIN; CREATE EXTENSION signal_hub; {LATE}"));
    session.run("UPDATE signal_tiers SET enabled = false WHERE tier = 'PRO'");
    subscribe(&mut session, "MAX", 1, 2);
    subscribe(&mut session, "PRO", 3, 3);
    session.run(&format!(
        "UPDATE user_subscriptions SET status = 'paused' WHERE user_id = '{}'; COMMIT",
        user(2)
    ));
    wait_for_deliveries(&mut session, 1);
    subscribe(&mut session, "MAX", 4, 4);
    session.run(&format!(
        "UPDATE user_subscriptions SET status = 'active' WHERE user_id = '{}';
         UPDATE user_subscriptions SET tier = 'MAX' WHERE user_id = '{}'",
        user(2),
        user(3)
    ));
    wait_for_deliveries(&mut session, 4);
    assert_eq!(received(&mut session, 1), ["BTCUSDT"]);
    for number in [2, 3, 4] {
        assert_eq!(received(&mut session, number), ["BTCUSDT late"]);
    }
    assert!(session.one::<bool>(
        "SELECT bool_and(metadata ->> 'openSince' = metadata ->> 'timestamp' AND full_details)
           FROM user_signals WHERE metadata ? 'late'"
    ));
    // They receive the next one like all others, and runs go on without a second row of the first.
    market.set_change("ETHUSDT", "4");
    wait_for_deliveries(&mut session, 8);
    assert_eq!(received(&mut session, 4), ["BTCUSDT late", "ETHUSDT"]);
    let counted: Vec<i64> = session.list("SELECT deliveries FROM signals ORDER BY signal_id");
    assert_eq!(counted, [4, 4]);
}

#[test]
fn a_transaction_that_commits_late_is_not_missed() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!("CREATE EXTENSION signal_hub; {LATE}"));
    wait_for_good_run(&mut session);
    // A statement that began nearly a minute before it wrote its first row, so that a look that
    // began where the last one ended would not find it.
    let mut slow = cluster.session(POSTGRES);
    slow.run(&format!(
        "BEGIN;
         INSERT INTO user_subscriptions (user_id, tier, created_at, updated_at)
         SELECT '{}', 'MAX', began, began FROM (SELECT clock_timestamp() - interval '59 seconds' AS began) s",
        user(1)
    ));
    // Others come and are served meanwhile.
    for number in 2..5 {
        subscribe(&mut session, "MAX", number, number);
        wait_for_deliveries(&mut session, i64::from(number) - 1);
    }
    slow.run("COMMIT");
    wait_for_deliveries(&mut session, 4);
    assert_eq!(received(&mut session, 1), ["BTCUSDT late"]);
}

#[test]
fn by_itself_a_signal_is_for_those_who_were_entitled_when_it_was_made() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    generate(&mut session);
    subscribe(&mut session, "MAX", 2, 2);
    generate(&mut session);
    assert!(received(&mut session, 2).is_empty());
    session.run("UPDATE signal_tiers SET late_joiners = true");
    generate(&mut session);
    assert_eq!(received(&mut session, 2), ["BTCUSDT late"]);
    // Not what has expired, nor by a period that has ended.
    session.run("UPDATE signals SET expires_at = now() WHERE symbol = 'BTCUSDT'");
    subscribe(&mut session, "MAX", 3, 3);
    generate(&mut session);
    assert!(received(&mut session, 3).is_empty());
    market.set_change("ETHUSDT", "4");
    generate(&mut session);
    subscribe(&mut session, "MAX", 4, 5);
    session.run(&format!(
        "UPDATE user_subscriptions SET current_period_end = now() WHERE user_id = '{}'",
        user(4)
    ));
    generate(&mut session);
    assert!(received(&mut session, 4).is_empty());
    assert_eq!(received(&mut session, 5), ["ETHUSDT late"]);
}

#[test]
fn quotas_gaps_and_preferences_hold_for_late_joiners_too() {
    let market = flat_market();
    market.set_spread_bps("BTCUSDT", "8");
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        market.set_change(symbol, "4");
    }
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(LATE);
    session.run(
        "UPDATE signal_tiers SET daily_quota = 2 WHERE tier = 'MAX';
         UPDATE signal_tiers SET daily_quota = NULL, min_gap = '1 hour' WHERE tier = 'PRO'",
    );
    generate(&mut session);
    subscribe(&mut session, "MAX", 1, 2);
    subscribe(&mut session, "PRO", 3, 3);
    session.run(&format!(
        "INSERT INTO user_preferences (user_id, not_symbols) VALUES ('{}', '{{ETHUSDT}}')",
        user(2)
    ));
    generate(&mut session);
    assert_eq!(
        received(&mut session, 1),
        ["ETHUSDT late", "SOLUSDT late"],
        "the best"
    );
    assert_eq!(received(&mut session, 2), ["BTCUSDT late", "SOLUSDT late"]);
    assert_eq!(received(&mut session, 3).len(), 1);
    market.set_change("XRPUSDT", "4");
    generate(&mut session);
    assert_eq!(received(&mut session, 1).len(), 2, "the quota is used up");
}

#[test]
fn whoever_moves_to_a_tier_with_prices_gets_those_of_open_signals() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(LATE);
    subscribe(&mut session, "FREE", 1, 2);
    generate(&mut session);
    session.run(&format!(
        "UPDATE user_subscriptions SET tier = 'MAX' WHERE user_id = '{}'",
        user(1)
    ));
    generate(&mut session);
    let complete: Vec<bool> = session.list(
        "SELECT e.full_details AND (e.entry_price, e.take_profit, e.stop_loss)
                                   IS NOT DISTINCT FROM (s.entry_price, s.take_profit, s.stop_loss)
           FROM user_signals e JOIN signals s USING (signal_id) ORDER BY e.user_id",
    );
    assert_eq!(complete, [true, false]);
    assert_eq!(
        received(&mut session, 1),
        ["BTCUSDT"],
        "it did not come late"
    );
}

#[test]
fn a_row_that_is_refused_costs_only_its_late_joiner() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!("CREATE EXTENSION signal_hub; {LATE}"));
    wait_for_good_run(&mut session);
    session.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT not_this_one CHECK (user_id <> '{}')",
        user(2)
    ));
    subscribe(&mut session, "MAX", 1, 3);
    eventually(SOON, "the others have it", || {
        session.list::<String>("SELECT user_id::text FROM user_signals ORDER BY 1")
            == [user(1), user(3)]
    });
    let state = "SELECT state || ' ' || message FROM signal_health";
    eventually(SOON, "health names who has none", || {
        let said: String = session.one(state);
        said.starts_with("failing") && said.contains(&user(2)) && said.contains("not_this_one")
    });
}

#[test]
fn whoever_was_refused_for_long_is_served_once_their_row_is_taken() {
    let market = rising_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!("CREATE EXTENSION signal_hub; {LATE}"));
    subscribe(&mut session, "MAX", 1, 1);
    wait_for_deliveries(&mut session, 1);
    session.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT not_this_one CHECK (user_id <> '{}');
         INSERT INTO user_subscriptions (user_id, tier, created_at, updated_at)
         SELECT '{0}', 'MAX', came, came FROM (SELECT clock_timestamp() - interval '50 seconds' AS came) s",
        user(2)
    ));
    // A look goes back a minute at most from an earlier one, so they are behind it by then.
    let since = runs(&mut session);
    eventually(SOON, "fifteen runs later", || {
        runs(&mut session) >= since + 15
    });
    assert!(received(&mut session, 2).is_empty());
    session.run("ALTER TABLE user_signals DROP CONSTRAINT not_this_one");
    wait_for_deliveries(&mut session, 2);
    assert_eq!(received(&mut session, 2), ["BTCUSDT late"]);
    eventually(SOON, "all is well again", || {
        session.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
}
