//! Something changes during a fan-out, or holds it up: everybody entitled still gets one row.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, rising_market, subscribe, user, wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::Simulator;
use std::time::Duration;

/// Subscribers of each tier: 1 to 100 are MAX, 101 to 200 PRO, 201 to 300 FREE.
const PER_TIER: u32 = 100;
const ALL: i64 = 3 * PER_TIER as i64;

/// Holds up the fan-out in front of one subscriber. The lock timeout ends each wait there, and
/// the fan-out tries again a second later, until the gate is open.
struct Gate {
    keeper: Session,
}

impl Gate {
    /// Puts a closed gate in front of subscriber `before`.
    fn closed(cluster: &Cluster, before: u32) -> Self {
        let mut keeper = cluster.session(POSTGRES);
        keeper.run(&format!(
            "SELECT pg_advisory_lock(1);
             CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
             CREATE TRIGGER pass_gate AFTER INSERT ON user_signals FOR EACH ROW
                 WHEN (NEW.user_id = '{}') EXECUTE FUNCTION pass_gate()",
            user(before)
        ));
        Self { keeper }
    }

    fn close(&mut self) {
        self.keeper.run("SELECT pg_advisory_lock(1)");
    }

    fn open(&mut self) {
        self.keeper.run("SELECT pg_advisory_unlock(1)");
    }
}

/// A server with subscribers in three enabled tiers, who are served in batches of 20. No signal
/// is due yet.
fn three_tiers(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market)
        .set("signal_hub.delivery_batch", "20")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub; UPDATE signal_tiers SET enabled = true");
    for (tier, first) in [("MAX", 1), ("PRO", 101), ("FREE", 201)] {
        subscribe(&mut session, tier, first, first + PER_TIER - 1);
    }
    (cluster, session)
}

/// Waits until this many rows are written and the fan-out is held up by the gate.
#[track_caller]
fn wait_for_rows(session: &mut Session, rows: i64) {
    eventually(SOON, "the fan-out is held up by the gate", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == rows
    });
}

/// Every subscriber who did not get exactly one row of some signal.
fn exceptions(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s of signal %s: %s', u.user_id, s.signal_id, count(d.signal_id))
           FROM user_subscriptions u CROSS JOIN signals s
           LEFT JOIN user_signals d ON d.user_id = u.user_id AND d.signal_id = s.signal_id
          GROUP BY u.user_id, s.signal_id HAVING count(d.signal_id) <> 1 ORDER BY 1",
    )
}

/// Moves subscribers between tiers while PRO is being served: up to a tier that has been served,
/// and down from it.
fn move_between_tiers(session: &mut Session) {
    for (who, tier) in [
        (250, "MAX"),
        (190, "MAX"),
        (110, "MAX"),
        (50, "FREE"),
        (150, "FREE"),
    ] {
        session.run(&format!(
            "UPDATE user_subscriptions SET tier = '{tier}' WHERE user_id = '{}'",
            user(who)
        ));
    }
}

#[test]
fn a_subscriber_who_changes_tier_during_a_fan_out_gets_the_signal_once() {
    let market = flat_market();
    let (cluster, mut session) = three_tiers(&market);
    let mut gate = Gate::closed(&cluster, 150);
    market.set_change("BTCUSDT", "3.5");
    wait_for_rows(&mut session, 140);
    let so_far: i64 = session.one("SELECT deliveries_24h FROM signal_health");
    assert_eq!(so_far, 140, "what is under way counts");
    move_between_tiers(&mut session);
    // The way logical replication writes.
    session.run(&format!(
        "SET session_replication_role = replica;
         UPDATE user_subscriptions SET tier = 'MAX' WHERE user_id = '{}';
         RESET session_replication_role",
        user(260)
    ));
    gate.open();
    wait_for_deliveries(&mut session, ALL);
    assert_eq!(exceptions(&mut session), [""; 0]);
    let tiers: Vec<String> = session.list(&format!(
        "SELECT tier FROM user_signals WHERE user_id IN ('{}', '{}') ORDER BY user_id",
        user(190),
        user(250)
    ));
    assert_eq!(tiers, ["MAX", "MAX"], "by the tier they have now");
    assert_eq!(
        session.one::<i32>("SELECT max(received) FROM user_signal_quotas"),
        1,
        "nobody is charged twice"
    );
}

#[test]
fn a_subscriber_who_changes_tier_and_is_refused_costs_only_themselves() {
    let market = flat_market();
    let (cluster, mut session) = three_tiers(&market);
    session.run(&format!(
        "ALTER TABLE user_signals ADD CONSTRAINT not_this_one CHECK (user_id <> '{}')",
        user(250)
    ));
    let mut gate = Gate::closed(&cluster, 150);
    market.set_change("BTCUSDT", "3.5");
    wait_for_rows(&mut session, 140);
    move_between_tiers(&mut session);
    gate.open();
    wait_for_deliveries(&mut session, ALL - 1);
    let missing = exceptions(&mut session);
    assert!(
        missing.len() == 1 && missing[0].starts_with(&user(250)),
        "{missing:?}"
    );
    assert_eq!(
        session.list::<String>("SELECT deliveries || ' ' || delivery_failures FROM signals"),
        ["299 1"]
    );
    // The next signal and the runs after it work as before.
    market.set_change("ETHUSDT", "-4");
    wait_for_deliveries(&mut session, 2 * (ALL - 1));
    assert_eq!(
        session.one::<i64>("SELECT sum(delivery_failures)::bigint FROM signal_runs"),
        2
    );
}

#[test]
fn tiers_renamed_and_reordered_during_a_fan_out_are_served_to_the_end() {
    let market = flat_market();
    let (cluster, mut session) = three_tiers(&market);
    let mut gate = Gate::closed(&cluster, 50);
    let changes = [
        (
            "BTCUSDT",
            "UPDATE signal_tiers SET tier = 'GOLD' WHERE tier = 'MAX'",
        ),
        (
            "ETHUSDT",
            "UPDATE signal_tiers SET priority = 100 WHERE tier = 'FREE'",
        ),
        ("SOLUSDT", "UPDATE signal_tiers SET priority = -priority"),
    ];
    session.run("UPDATE signal_tiers SET daily_quota = NULL");
    let mut rows = 0;
    for (symbol, change) in changes {
        // In the last round the tier of subscriber 50 comes after FREE.
        let served_first = if symbol == "SOLUSDT" {
            i64::from(PER_TIER)
        } else {
            0
        };
        market.set_change(symbol, "3.5");
        wait_for_rows(&mut session, rows + served_first + 40);
        session.run(change);
        gate.open();
        rows += ALL;
        wait_for_deliveries(&mut session, rows);
        assert_eq!(exceptions(&mut session), [""; 0], "{change}");
        gate.close();
    }
}

#[test]
fn a_fan_out_that_met_a_lock_ends_by_itself_once_the_lock_is_gone() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 100);
    let mut holder = cluster.session(POSTGRES);
    holder.run("BEGIN; LOCK TABLE user_signal_quotas IN SHARE MODE");
    market.set_change("BTCUSDT", "3.5");
    let signal = "SELECT run_id FROM signals";
    let run: i64 = eventually(SOON, "the signal is on record", || {
        session.list(signal).first().copied()
    });
    eventually(SOON, "two beats later", || {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM signal_runs WHERE run_id > {run}"
        )) >= 2
    });
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 0);
    // The last run before a long pause is skipped, because somebody else locks a table it needs.
    let mut other = cluster.session(POSTGRES);
    other.run("BEGIN; LOCK TABLE signal_episodes IN ACCESS EXCLUSIVE MODE");
    eventually(SOON, "a run is skipped", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'skipped'") >= 1
    });
    // From here on no run is due that could end the fan-out in its place.
    cluster.configure("signal_hub.interval", "1h");
    eventually(SOON, "no run is due", || {
        session
            .one::<bool>("SELECT next_run > now() + interval '10 min' FROM signal_worker_status()")
    });
    other.run("ROLLBACK");
    holder.run("COMMIT");
    eventually(SOON, "all have their row", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 100
    });
    wait_for_deliveries(&mut session, 100);
    assert_eq!(exceptions(&mut session), [""; 0]);
}

#[test]
fn a_deferred_foreign_key_of_the_users_refuses_only_who_is_missing() {
    let market = rising_market();
    let cluster = by_itself(&market)
        .set("signal_hub.enabled", "off")
        .set("signal_hub.delivery_batch", "32")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 100);
    session.run(&format!(
        "CREATE TABLE people (id uuid PRIMARY KEY);
         INSERT INTO people SELECT user_id FROM user_subscriptions WHERE user_id <> '{}';
         ALTER TABLE user_signals ADD FOREIGN KEY (user_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED",
        user(42)
    ));
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 99, "{report}");

    market.set_change("ETHUSDT", "-4");
    cluster.configure("signal_hub.enabled", "on");
    wait_for_deliveries(&mut session, 198);
    let missing = exceptions(&mut session);
    assert!(
        missing.len() == 2 && missing.iter().all(|m| m.starts_with(&user(42))),
        "{missing:?}"
    );
    let errors: Vec<String> = session.list(
        "SELECT trigger || ' ' || error FROM signal_runs WHERE delivery_failures = 1 ORDER BY run_id",
    );
    assert_eq!(errors.len(), 2, "{errors:?}");
    for (error, trigger) in errors.iter().zip(["manual", "worker"]) {
        assert!(
            error.starts_with(trigger)
                && error.contains(&user(42))
                && error.contains("foreign key"),
            "{error}"
        );
    }
}

#[test]
fn a_broken_trigger_of_the_users_holds_deliveries_back_until_it_is_repaired() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 100);
    session.run(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.notes VALUES (NEW.user_id); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION note()",
    );
    market.set_change("BTCUSDT", "3.5");
    let state = |session: &mut Session| session.one::<String>("SELECT state FROM signal_health");
    eventually(SOON, "health says failing", || {
        state(&mut session) == "failing"
    });
    let message: String = session.one("SELECT message FROM signal_health");
    assert!(message.contains("public.notes"), "{message}");
    meanwhile(
        Duration::from_secs(3),
        "it stays so, and no subscriber is skipped",
        || {
            state(&mut session) == "failing"
                && session
                    .one::<i64>("SELECT sum(deliveries + delivery_failures)::bigint FROM signals")
                    == 0
        },
    );
    let warnings = cluster.log().matches("WARNING:  signal_hub:").count();
    assert_eq!(warnings, 1, "the log has it once, not every second");

    session.run("CREATE TABLE notes (user_id uuid)");
    wait_for_deliveries(&mut session, 100);
    assert_eq!(exceptions(&mut session), [""; 0]);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM notes"), 100);
    eventually(SOON, "health says running", || {
        state(&mut session) == "running"
    });
}
