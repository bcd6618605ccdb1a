//! A subscriber, or whoever helps them, asks why no signal comes.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    by_hand, generate, installed_by_hand, rising_market, subscribe, user,
};
use signal_hub_harness::session::Session;

/// Whether the subscriber is entitled, why, and the sentence for them.
#[track_caller]
fn status(session: &mut Session, number: u32) -> (bool, String, String) {
    let rows = session.rows(&format!(
        "SELECT entitled, reason, message FROM subscriber_status('{}')",
        user(number)
    ));
    assert_eq!(rows.len(), 1);
    (rows[0].get(0), rows[0].get(1), rows[0].get(2))
}

#[test]
fn every_cause_is_told_in_one_sentence() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    let (entitled, reason, message) = status(&mut session, 1);
    assert_eq!((entitled, reason.as_str()), (true, "no_signal"));
    assert!(message.contains("there has been none yet"), "{message}");
    generate(&mut session);
    let (entitled, reason, message) = status(&mut session, 1);
    assert_eq!((entitled, reason.as_str()), (true, "ok"), "{message}");
    assert!(
        message.contains("The next signal will reach you"),
        "{message}"
    );

    market.set_change("ETHUSDT", "4");
    let mine = |columns: &str, values: &str| {
        format!(
            "INSERT INTO user_preferences (user_id, {columns}) VALUES ('{}', {values})",
            user(1)
        )
    };
    for (change, entitled, reason, words) in [
        (
            "DELETE FROM user_subscriptions".to_owned(),
            false,
            "no_subscription",
            "You have no subscription",
        ),
        (
            "UPDATE user_subscriptions SET status = 'past_due'".to_owned(),
            false,
            "status",
            "Your subscription is past due; signals come while it is active",
        ),
        (
            "UPDATE user_subscriptions SET current_period_end = '2026-01-02 03:04Z'".to_owned(),
            false,
            "period_ended",
            "Your subscription ended on 2026-01-02 at 03:04 UTC",
        ),
        (
            "UPDATE user_subscriptions SET current_period_end = '-infinity'".to_owned(),
            false,
            "period_ended",
            "Your subscription has ended; signals come once it is renewed",
        ),
        (
            "UPDATE user_subscriptions SET current_period_end = '0044-03-15 BC'".to_owned(),
            false,
            "period_ended",
            "Your subscription has ended; signals come once it is renewed",
        ),
        (
            "UPDATE signal_tiers SET enabled = false".to_owned(),
            false,
            "tier_disabled",
            "Signals of the tier MAX are switched off",
        ),
        (
            "UPDATE signal_tiers SET daily_quota = 0".to_owned(),
            false,
            "no_quota",
            "The tier MAX has no signals",
        ),
        (
            "UPDATE signal_tiers SET daily_quota = 1".to_owned(),
            false,
            "quota_used",
            "You have received 1 of 1 signals of today; the next can come after 00:00 UTC",
        ),
        (
            mine("max_per_day", "1"),
            false,
            "own_limit",
            "You have received 1 of the 1 signals a day that you want",
        ),
        (
            mine("max_per_day", "0"),
            false,
            "own_limit",
            "Your preferences say no signals at all",
        ),
        (
            mine("only_symbols, sides", "'{BTCUSDT}', '{LONG}'"),
            true,
            "filtered",
            "The last signal was left out by your preferences: symbols",
        ),
        (
            "UPDATE signal_tiers SET min_gap = '2 hours'".to_owned(),
            true,
            "min_gap",
            "The next signal can come from ",
        ),
        (
            "SELECT pause_signals('a secret of the operator')".to_owned(),
            true,
            "paused",
            "Signals are paused at present, for all subscribers",
        ),
    ] {
        session.run(&format!("BEGIN; {change}"));
        if reason != "paused" {
            generate(&mut session);
        }
        let (is_entitled, is_reason, message) = status(&mut session, 1);
        assert_eq!(
            (is_entitled, is_reason.as_str()),
            (entitled, reason),
            "{change}: {message}"
        );
        assert!(message.contains(words), "{change}: {message}");
        let row: String = session.one(&format!("SELECT subscriber_status('{}')::text", user(1)));
        assert!(!row.contains("secret"), "{row}");
        session.run("ROLLBACK");
    }
    // The figures behind the sentence.
    let figures: bool = session.one(&format!(
        "SELECT tier = 'MAX' AND status = 'active' AND daily_limit = 30 AND received_today = 1 AND full_details
                AND resets_at > now() AND resets_at <= now() + interval '1 day' AND NOT quiet
                AND last_received_at IS NOT NULL AND last_signal_at IS NOT NULL
                AND missed_signals = 0 AND filtered_signals = 0
           FROM subscriber_status('{}')",
        user(1)
    ));
    assert!(figures);
    session.run(&mine(
        "quiet_from, quiet_until, time_zone",
        "(now() AT TIME ZONE 'UTC')::time(0) - interval '1 minute',
         (now() AT TIME ZONE 'UTC')::time(0) + interval '1 hour', 'UTC'",
    ));
    assert!(session.one::<bool>(&format!(
        "SELECT quiet FROM subscriber_status('{}')",
        user(1)
    )));
}

/// What somebody wants is no reason why they lack what was made before they wanted it.
#[test]
fn preferences_answer_only_for_signals_made_since() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 9, 9);
    generate(&mut session);
    let prefers_solana = |number: u32| {
        format!(
            "INSERT INTO user_preferences (user_id, only_symbols) VALUES ('{}', '{{SOLUSDT}}')",
            user(number)
        )
    };
    // Preferences first, as a page may ask for them before it sells a subscription.
    session.run(&prefers_solana(1));
    subscribe(&mut session, "MAX", 1, 2);
    session.run(&prefers_solana(2));
    let mut missed = |number: u32| -> (String, i32, i32) {
        let row = session
            .rows(&format!(
                "SELECT reason, missed_signals, filtered_signals FROM subscriber_status('{}')",
                user(number)
            ))
            .remove(0);
        (row.get(0), row.get(1), row.get(2))
    };
    for number in [1, 2] {
        assert_eq!(missed(number), ("ok".to_owned(), 0, 0), "{number}");
    }
    assert_eq!(missed(3), ("no_subscription".to_owned(), 0, 0));
    market.set_change("ETHUSDT", "4");
    generate(&mut session);
    for number in [1, 2] {
        let (entitled, reason, message) = status(&mut session, number);
        assert_eq!((entitled, reason.as_str()), (true, "filtered"), "{message}");
        assert!(message.starts_with("The last signal was left out"));
    }
    // A change of what they want ends the blame, and so does one of the subscription.
    session.run(&format!(
        "UPDATE user_preferences SET only_symbols = '{{BTCUSDT}}' WHERE user_id = '{}';
         UPDATE user_subscriptions SET tier = 'MAX' WHERE user_id = '{}'",
        user(1),
        user(2)
    ));
    for number in [1, 2] {
        assert_eq!(status(&mut session, number).1, "ok");
    }
}

#[test]
fn subscribers_ask_for_themselves_and_for_nobody_else() {
    let market = rising_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS; CREATE EXTENSION signal_hub;
         SELECT grant_realtime_access()",
    );
    subscribe(&mut session, "MAX", 1, 2);
    session.run(&format!(
        "UPDATE user_subscriptions SET status = 'paused' WHERE user_id = '{}';
         SELECT set_config('request.jwt.claims', '{{\"sub\": \"{}\"}}', false);
         SET ROLE authenticated",
        user(2),
        user(2)
    ));
    assert_eq!(
        session.one::<String>("SELECT reason FROM subscriber_status()"),
        "status"
    );
    let error = session.error(&format!("SELECT subscriber_status('{}')", user(1)));
    assert_eq!(error.code().code(), "42501");
    session.run("SELECT set_config('request.jwt.claims', '', false)");
    assert_eq!(
        session.one::<String>("SELECT reason FROM subscriber_status()"),
        "no_subscription"
    );
    session.run("RESET ROLE; SET ROLE service_role");
    assert_eq!(status(&mut session, 1).1, "no_signal");
}
