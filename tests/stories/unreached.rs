//! Signals are recorded and reach nobody: `signal_health` says whom they could reach, and what to
//! do.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, generate, installed_by_hand, rising_market, subscribe, user,
    wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;

/// A server whose first run has one signal, with these subscriptions.
fn started(market: &Simulator, subscriptions: &str) -> (Cluster, Session) {
    let cluster = by_itself(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!(
        "BEGIN; CREATE EXTENSION signal_hub; {subscriptions}; COMMIT"
    ));
    wait_for_good_run(&mut session);
    (cluster, session)
}

#[track_caller]
fn message_in_state(session: &mut Session, state: &str, healthy: bool) -> String {
    eventually(SOON, state, || {
        let row = &session.rows("SELECT state, healthy, message FROM signal_health")[0];
        let found = row.get::<_, &str>(0) == state && row.get::<_, bool>(1) == healthy;
        found.then(|| row.get::<_, String>(2))
    })
}

#[test]
fn signals_that_reach_nobody_while_somebody_subscribes_need_a_person() {
    let market = rising_market();
    let pro = format!(
        "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'PRO')",
        user(1)
    );
    let (_cluster, mut session) = started(&market, &pro);
    let message = message_in_state(&mut session, "unreached", false);
    for words in [
        "1 signal since ",
        "no active subscriber in an enabled tier",
        "1 active PRO (tier disabled)",
        "UPDATE signal_tiers SET enabled = true WHERE tier = 'PRO'",
    ] {
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
    // Another one reaches nobody either, and then the cause goes.
    market.set_change("ETHUSDT", "-4");
    eventually(SOON, "the second signal", || {
        message_in_state(&mut session, "unreached", false).contains("2 signals since ")
    });
    assert!(session.one::<i32>("SELECT octet_length(h::text) FROM signal_health h") < 1024);
    session.run("UPDATE signal_tiers SET enabled = true WHERE tier = 'PRO'");
    let message = message_in_state(&mut session, "running", true);
    assert!(
        message.contains("the last 2 signals reached nobody"),
        "{message}"
    );
    market.set_change("SOLUSDT", "4");
    eventually(SOON, "a signal that arrives", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 1
            && !message_in_state(&mut session, "running", true).contains("nobody")
    });
}

#[test]
fn who_may_read_health_alone_is_told_which_right_is_missing() {
    let market = rising_market();
    let pro = format!(
        "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'PRO')",
        user(1)
    );
    let (_cluster, mut session) = started(&market, &pro);
    session.run(
        "CREATE ROLE reader;
         GRANT SELECT ON signal_health TO reader;
         GRANT EXECUTE ON FUNCTION signal_worker_status(), signal_worker_history(), signal_hub_reach(text),
                                   signal_hub_replication(), signal_hub_is_node(), signal_hub_nodes() TO reader;
         SET ROLE reader",
    );
    let message = message_in_state(&mut session, "running", true);
    let remedy = "GRANT SELECT ON public.signal_reach TO reader";
    assert!(message.contains(remedy), "{message}");
    session.run(&format!("RESET ROLE; {remedy}; SET ROLE reader"));
    message_in_state(&mut session, "unreached", false);
}

#[test]
fn without_any_subscription_the_message_says_so_and_health_stays_green() {
    let market = rising_market();
    let (_cluster, mut session) = started(&market, "SELECT");
    let message = message_in_state(&mut session, "running", true);
    assert!(message.contains("nobody subscribes"), "{message}");
}

#[test]
fn rows_that_are_all_refused_need_a_person() {
    let market = rising_market();
    let subscription = format!(
        "INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX');
         ALTER TABLE user_signals ADD CONSTRAINT no_btc CHECK (symbol <> 'BTCUSDT')",
        user(1)
    );
    let (_cluster, mut session) = started(&market, &subscription);
    eventually(SOON, "health says so", || {
        let row = &session.rows("SELECT healthy, message FROM signal_health")[0];
        let message: &str = row.get(1);
        !row.get::<_, bool>(0) && (message.contains("row refused") || message.contains("no_btc"))
    });
    // There is nobody to compare the only subscriber with, so the signal waits for them.
    let failures: i32 = session.one("SELECT max(delivery_failures)::integer FROM signals");
    assert_eq!(failures, 0, "nobody was given up");
    session.run("ALTER TABLE user_signals DROP CONSTRAINT no_btc");
    wait_for_deliveries(&mut session, 1);
    message_in_state(&mut session, "running", true);
}

#[test]
fn each_cause_is_told_with_its_count_and_its_remedy() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    let cases = [
        (
            "UPDATE user_subscriptions SET status = 'canceled'",
            "3 canceled MAX",
            "status",
        ),
        (
            "UPDATE user_subscriptions SET current_period_end = now() - interval '1 day'",
            "3 active MAX (period ended)",
            "current_period_end",
        ),
        (
            "UPDATE signal_tiers SET enabled = false",
            "3 active MAX (tier disabled)",
            "enabled = true",
        ),
        (
            "UPDATE signal_tiers SET daily_quota = 0",
            "3 active MAX (daily quota 0)",
            "daily_quota",
        ),
        (
            "UPDATE signal_tiers SET daily_quota = 1",
            "3 active MAX (daily quota used up)",
            "next UTC day",
        ),
    ];
    subscribe(&mut session, "MAX", 1, 3);
    generate(&mut session);
    assert!(
        !session.one::<bool>("SELECT unreached FROM signal_reach"),
        "it reached them"
    );
    market.set_change("ETHUSDT", "4");
    for (cause, counted, remedy) in cases {
        session.run(&format!("BEGIN; {cause}"));
        generate(&mut session);
        let row = &session.rows("SELECT unreached, message, signals FROM signal_reach")[0];
        let message: &str = row.get(1);
        assert!(row.get::<_, bool>(0), "{cause}: {message}");
        assert_eq!(row.get::<_, i64>(2), 1, "{cause}");
        assert!(
            message.contains(counted) && message.contains(remedy),
            "{cause}: {message}"
        );
        session.run("ROLLBACK");
    }
    generate(&mut session);
    assert_eq!(
        session.one::<Option<String>>("SELECT message FROM signal_reach"),
        None
    );
}
