//! Who receives a signal, how many a day, and with which details.

use signal_hub_harness::scene::{
    FLIPS_AT_ONCE, SOON, by_itself, flat_market, generate, installed_by_hand, rising_market,
    subscribe, user, wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;

/// A market that gives a signal for each of these symbols.
fn market_with_signals(symbols: &[&str]) -> Simulator {
    let market = flat_market();
    for symbol in symbols {
        market.set_change(symbol, "4");
    }
    market
}

const FOUR: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

fn receivers(session: &mut Session) -> Vec<String> {
    session.list("SELECT DISTINCT user_id::text FROM user_signals ORDER BY 1")
}

#[test]
fn exactly_the_active_max_subscribers_whose_period_has_not_ended_receive() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(&format!(
        "INSERT INTO user_subscriptions (user_id, tier, status, current_period_end) VALUES
            ('{}', 'MAX',  'active',   NULL),
            ('{}', 'MAX',  'active',   now() + interval '1 day'),
            ('{}', 'MAX',  'active',   now() - interval '1 second'),
            ('{}', 'MAX',  'trialing', NULL),
            ('{}', 'MAX',  'past_due', NULL),
            ('{}', 'MAX',  'canceled', now() + interval '1 day'),
            ('{}', 'MAX',  'paused',   NULL),
            ('{}', 'PRO',  'active',   NULL),
            ('{}', 'FREE', 'active',   NULL)",
        user(1),
        user(2),
        user(3),
        user(4),
        user(5),
        user(6),
        user(7),
        user(8),
        user(9)
    ));
    session.run("SELECT generate_signals_now()");
    assert_eq!(receivers(&mut session), [user(1), user(2)]);
}

#[test]
fn enabling_a_tier_is_one_update() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    subscribe(&mut session, "PRO", 2, 2);
    session.run("SELECT generate_signals_now()");
    assert_eq!(receivers(&mut session), [user(1)]);

    session.run("UPDATE signal_tiers SET enabled = true WHERE tier = 'PRO'");
    market.set_change("ETHUSDT", "-4");
    session.run("SELECT generate_signals_now()");
    let of_pro: Vec<String> = session.list(&format!(
        "SELECT symbol || ' ' || signal_type || ' ' || tier FROM user_signals WHERE user_id = '{}'",
        user(2)
    ));
    assert_eq!(
        of_pro,
        ["ETHUSDT SHORT PRO"],
        "the later signal, not the earlier one"
    );
}

#[test]
fn a_tier_without_full_details_learns_no_price() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("UPDATE signal_tiers SET enabled = true WHERE tier = 'FREE'");
    subscribe(&mut session, "MAX", 1, 1);
    subscribe(&mut session, "FREE", 2, 2);
    session.run("SELECT generate_signals_now()");
    let free = format!("FROM user_signals WHERE user_id = '{}'", user(2));
    assert!(session.one::<bool>(&format!(
        "SELECT NOT full_details AND num_nulls(entry_price, take_profit, stop_loss) = 3 {free}"
    )));
    let paid = format!("FROM user_signals WHERE user_id = '{}'", user(1));
    assert!(session.one::<bool>(&format!(
        "SELECT full_details AND num_nulls(entry_price, take_profit, stop_loss) = 0 {paid}"
    )));
    // Nor does any text of the row have a price.
    let row: String = session.one(&format!("SELECT to_jsonb(user_signals)::text {free}"));
    let prices: Vec<String> = session.list(
        "SELECT trim_scale(p)::text FROM signals s
          CROSS JOIN unnest(s.take_profit || ARRAY[s.entry_price, s.stop_loss, s.last_price, s.open_price, s.high_price,
                                                   s.low_price, s.bid_price, s.ask_price, s.weighted_average_price]) AS p",
    );
    for price in &prices {
        assert!(!row.contains(price.as_str()), "{price} is in {row}");
    }
    let keys: Vec<String> = session.list(&format!(
        "SELECT jsonb_object_keys(metadata) {free} ORDER BY 1"
    ));
    assert_eq!(
        keys,
        [
            "changePercent",
            "generatedBy",
            "reason",
            "strategy",
            "timestamp",
            "why"
        ]
    );
}

#[test]
fn a_daily_quota_is_used_up_zero_gives_none_and_null_is_unlimited() {
    let market = market_with_signals(&FOUR);
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "UPDATE signal_tiers SET enabled = true WHERE tier = 'FREE';
         UPDATE signal_tiers SET enabled = true, daily_quota = 0 WHERE tier = 'PRO';
         UPDATE signal_tiers SET daily_quota = NULL WHERE tier = 'MAX'",
    );
    subscribe(&mut session, "MAX", 1, 1);
    subscribe(&mut session, "PRO", 2, 2);
    subscribe(&mut session, "FREE", 3, 3);
    session.run(FLIPS_AT_ONCE);
    session.run("SELECT generate_signals_now()");
    // A later run on the same day does not start counting again.
    for symbol in FOUR {
        market.set_change(symbol, "-4");
    }
    session.run("SELECT generate_signals_now()");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 8);
    let mut received = |n| {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM user_signals WHERE user_id = '{}'",
            user(n)
        ))
    };
    assert_eq!([received(1), received(2), received(3)], [8, 0, 2]);
    let counted: Vec<String> = session.list(
        "SELECT right(user_id::text, 1) || ': ' || sum(received) FROM user_signal_quotas GROUP BY user_id ORDER BY user_id",
    );
    assert_eq!(counted, ["1: 8", "3: 2"]);
}

#[test]
fn quotas_count_by_utc_day_whatever_the_time_zone_of_the_database() {
    let market = market_with_signals(&FOUR);
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = cluster.create_database("far_away");
    // At any time, the date in one of these time zones differs from that in UTC.
    let zone: String = session.one(
        "SELECT CASE WHEN extract(hour FROM now() AT TIME ZONE 'UTC') >= 10 THEN 'Pacific/Kiritimati' ELSE 'Pacific/Pago_Pago' END",
    );
    session.run(&format!("ALTER DATABASE far_away SET timezone = '{zone}'"));
    let mut session = cluster.session("far_away");
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    session.run(FLIPS_AT_ONCE);
    assert_eq!(session.one::<String>("SHOW timezone"), zone);
    let days = "SELECT bool_and(q.day = (SELECT max((s.created_at AT TIME ZONE 'UTC')::date) FROM signals s)
                            AND q.day <> (SELECT max(s.created_at::date) FROM signals s)) FROM user_signal_quotas q";
    session.run("SELECT generate_signals_now()");
    assert!(session.one::<bool>(days), "by hand");

    // And by the worker.
    for symbol in FOUR {
        market.set_change(symbol, "-4");
    }
    cluster.configure("signal_hub.enabled", "on");
    wait_for_deliveries(&mut session, 8);
    assert!(session.one::<bool>(days), "by the worker");
    assert_eq!(
        session.one::<i32>("SELECT received FROM user_signal_quotas"),
        8
    );
}

#[test]
fn five_thousand_subscribers_get_exactly_one_row_per_signal() {
    let market = market_with_signals(&["BTCUSDT", "ETHUSDT"]);
    let cluster = by_itself(&market)
        .set("signal_hub.delivery_batch", "100")
        .start();
    let mut session = cluster.create_database("shop");
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 5000);
    session.run("COMMIT");
    wait_for_deliveries(&mut session, 10_000);
    assert_eq!(
        session.list::<i64>("SELECT count(DISTINCT user_id) FROM user_signals GROUP BY signal_id"),
        [5000, 5000]
    );
    assert_eq!(
        session.one::<String>(
            "SELECT string_agg(deliveries || ' ' || delivery_failures, ', ') FROM signals"
        ),
        "5000 0, 5000 0"
    );
    eventually(SOON, "the run is closed", || {
        session.one::<i64>(
            "SELECT count(*) FROM signal_runs WHERE deliveries = 10000 AND finished_at IS NOT NULL AND error IS NULL",
        ) == 1
    });
}

#[test]
fn a_subscriber_whose_row_is_refused_costs_only_themselves() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("signal_hub.delivery_batch", "64")
        .start();
    let mut session = cluster.create_database("shop");
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 300);
    // One row is refused by a user's trigger, one by a constraint.
    session.run(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.user_id = '{0}' THEN RAISE EXCEPTION 'no signals for this one'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse();
         ALTER TABLE user_signals ADD CONSTRAINT not_this_one CHECK (user_id <> '{1}');
         COMMIT",
        user(77),
        user(300)
    ));
    wait_for_deliveries(&mut session, 298);
    let missing: Vec<String> = session.list(
        "SELECT user_id::text FROM user_subscriptions WHERE user_id NOT IN (SELECT user_id FROM user_signals) ORDER BY 1",
    );
    assert_eq!(missing, [user(77), user(300)]);
    eventually(SOON, "the run is closed", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE delivery_failures = 2 AND status = 'ok' AND finished_at IS NOT NULL") == 1
    });
    let error: String = session.one("SELECT error FROM signal_runs WHERE delivery_failures > 0");
    assert!(
        error.contains(&user(77)) || error.contains(&user(300)),
        "{error}"
    );
    assert!(!error.contains("stack backtrace"), "{error}");
    let quotas: i64 = session.one("SELECT count(*) FROM user_signal_quotas");
    assert_eq!(quotas, 298, "what was not received is not charged");
}

#[test]
fn by_hand_too_a_refused_row_costs_only_its_subscriber() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 20);
    session.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT not_this_one CHECK (user_id <> '{}')",
        user(7)
    ));
    let report = generate(&mut session);
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(report["deliveries"], 19, "{report}");
    assert!(
        report["delivery_error"]
            .as_str()
            .is_some_and(|e| e.contains(&user(7))),
        "{report}"
    );
    let error: String = session.one("SELECT error FROM signal_runs");
    assert!(error.contains(&user(7)), "{error}");
}
