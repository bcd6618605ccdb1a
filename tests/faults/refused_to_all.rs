//! What refuses every row of a tier costs nobody a signal: the tier waits, the others are served,
//! health says so, and everybody has each signal once when the cause is gone.

use crate::ground::{each_signal_once_each, extension_for, small_batches};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_hand, by_itself, flat_market, generate, subscribe, user, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

const SUBSCRIBERS: u32 = 5_000;

/// A way to refuse all rows; `name` says what a user did.
struct Way {
    name: &'static str,
    provoke: &'static str,
    repair: &'static str,
    sqlstate: &'static str,
}

/// Functions are written with their schema, since the search_path of a delivery has only
/// pg_catalog.
const WAYS: [Way; 7] = [
    Way {
        name: "a column that must not be null",
        provoke: "ALTER TABLE user_signals ADD COLUMN channel text NOT NULL",
        repair: "ALTER TABLE user_signals DROP COLUMN channel",
        sqlstate: "23502",
    },
    Way {
        name: "a check that no row passes",
        provoke: "ALTER TABLE user_signals ADD CONSTRAINT never CHECK (tier = 'GOLD') NOT VALID",
        repair: "ALTER TABLE user_signals DROP CONSTRAINT never",
        sqlstate: "23514",
    },
    Way {
        name: "a trigger that always raises",
        provoke: "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                      'BEGIN RAISE EXCEPTION ''closed''; END';
                  CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        repair: "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse",
        sqlstate: "P0001",
    },
    Way {
        name: "a trigger after the row that always raises",
        provoke: "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                      'BEGIN RAISE EXCEPTION ''closed for %'', NEW.user_id; END';
                  CREATE TRIGGER refuse AFTER INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        repair: "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse",
        sqlstate: "P0001",
    },
    Way {
        name: "a foreign key that leads nowhere",
        provoke: "CREATE TABLE people (id uuid PRIMARY KEY);
                  ALTER TABLE user_signals ADD CONSTRAINT known FOREIGN KEY (user_id) REFERENCES people NOT VALID",
        repair: "ALTER TABLE user_signals DROP CONSTRAINT known; DROP TABLE people",
        sqlstate: "23503",
    },
    Way {
        name: "a domain that no value is of",
        provoke: "CREATE DOMAIN public.nothing AS text CHECK (VALUE = '');
                  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                      'DECLARE n public.nothing; BEGIN n := NEW.tier; RETURN NEW; END';
                  CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        repair: "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse; DROP DOMAIN nothing",
        sqlstate: "23514",
    },
    Way {
        name: "a trigger that a statement in it fails",
        provoke: "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                      'BEGIN INSERT INTO public.missing VALUES (1); RETURN NEW; END';
                  CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        repair: "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse",
        sqlstate: "42P01",
    },
];

fn health(session: &mut Session) -> (bool, String, String) {
    let row = &session.rows("SELECT healthy, state, message FROM signal_health")[0];
    (row.get(0), row.get(1), row.get(2))
}

fn failures(session: &mut Session) -> i64 {
    session.one("SELECT coalesce(sum(delivery_failures), 0)::bigint FROM signals")
}

fn wait_until_healthy(session: &mut Session) {
    eventually(SOON, "health is green", || health(session).0);
}

#[test]
fn what_refuses_every_row_gives_nobody_up_and_everybody_gets_their_signals_once_after_it() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, SUBSCRIBERS);
    wait_for_good_run(&mut session);
    for (number, way) in WAYS.iter().enumerate() {
        let Way { name, sqlstate, .. } = way;
        session.run(way.provoke);
        let change = if number % 2 == 0 { "3.5" } else { "-3.5" };
        // Two symbols move: the second signal waits like the first.
        market.set_change("BTCUSDT", change);
        market.set_change("ETHUSDT", change);
        let signals = 2 * i64::try_from(number + 1).expect("few");
        eventually(SOON, name, || {
            let (healthy, state, message) = health(&mut session);
            !healthy
                && state == "failing"
                && message.contains("5000 subscriber(s) of tier MAX")
                && message.contains("No row is given up")
        });
        eventually(SOON, name, || {
            session.one::<i64>("SELECT count(*) FROM signals") == signals
        });
        meanwhile(
            Duration::from_secs(6),
            &format!("{name}: it stays so"),
            || {
                let (healthy, state, _) = health(&mut session);
                !healthy
                    && state == "failing"
                    && failures(&mut session) == 0
                    && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL")
                        == 2
            },
        );
        let on_record: Vec<String> = session.list(
            "SELECT sqlstate FROM signal_runs WHERE run_id IN (SELECT run_id FROM signals WHERE delivered_at IS NULL)
                AND error IS NOT NULL",
        );
        assert!(
            on_record.iter().all(|s| s == sqlstate) && !on_record.is_empty(),
            "{name}: {on_record:?}"
        );
        session.run(way.repair);
        let rows = signals * i64::from(SUBSCRIBERS);
        eventually(SOON, &format!("{name}: everybody is served"), || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
                && session.one::<i64>("SELECT count(*) FROM user_signals") == rows
        });
        each_signal_once_each(&mut session, SUBSCRIBERS);
        assert_eq!(failures(&mut session), 0, "{name}");
        wait_until_healthy(&mut session);
    }
    assert_eq!(cluster.log().matches("gave up").count(), 0);
    // The log may say it a moment after health does.
    eventually(SOON, "told once each", || {
        let log = cluster.log();
        log.matches("recovered (delivering)").count() == WAYS.len()
    });
}

#[test]
fn a_fault_of_one_tier_holds_only_that_tier_back_in_this_signal_and_later_ones() {
    for processes in ["1", "3"] {
        let market = flat_market();
        let options = small_batches(&market).set("signal_hub.delivery_workers", processes);
        let cluster = options.start();
        let mut session = cluster.session(POSTGRES);
        session.run("BEGIN; CREATE EXTENSION signal_hub");
        for (tier, first) in [("MAX", 1), ("PRO", 10_001), ("FREE", 20_001)] {
            subscribe(&mut session, tier, first, first + 2_999);
        }
        session.run("UPDATE signal_tiers SET enabled = true, daily_quota = NULL; COMMIT");
        wait_for_good_run(&mut session);
        // The middle tier: one is served before it, one after it.
        session.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN IF NEW.tier = 'PRO' THEN RAISE EXCEPTION 'no PRO'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        );
        for (number, symbol) in ["BTCUSDT", "ETHUSDT", "SOLUSDT"].into_iter().enumerate() {
            market.set_change(symbol, "3.5");
            let rows = 6_000 * i64::try_from(number + 1).expect("few");
            eventually(SOON, "the other tiers are served", || {
                session.one::<i64>("SELECT count(*) FROM user_signals") == rows
            });
        }
        assert_eq!(failures(&mut session), 0);
        let (healthy, state, message) = health(&mut session);
        assert!(!healthy && state == "failing", "{message}");
        assert!(
            message.contains("of tier PRO") && message.contains("no PRO"),
            "{message}"
        );
        session.run("DROP TRIGGER refuse ON user_signals");
        eventually(SOON, "the held tier is served", || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
        });
        each_signal_once_each(&mut session, 9_000);
        assert_eq!(failures(&mut session), 0);
        wait_until_healthy(&mut session);
    }
}

/// Rows of many are refused, of others not: those are given up, counted and shown, and delivered
/// when somebody who has corrected the cause asks for it.
#[test]
fn rows_that_are_refused_beside_others_are_counted_and_come_when_they_are_asked_for() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, SUBSCRIBERS);
    wait_for_good_run(&mut session);
    let refused = |condition: &str| {
        format!(
            "ALTER TABLE user_signals ADD CONSTRAINT for_some CHECK (NOT ({condition})) NOT VALID"
        )
    };
    let cases = [
        (
            "every third row",
            "BTCUSDT",
            "('x' || right(user_id::text, 6))::bit(24)::integer % 3 = 0".to_owned(),
        ),
        (
            "the first 300",
            "ETHUSDT",
            format!("user_id <= '{}'", user(300)),
        ),
        (
            "the last 300",
            "SOLUSDT",
            format!("user_id > '{}'", user(SUBSCRIBERS - 300)),
        ),
    ];
    for (name, symbol, condition) in cases {
        let expected: i64 = session.one(&format!(
            "SELECT count(*) FROM user_subscriptions WHERE {condition}"
        ));
        session.run(&refused(&condition));
        market.set_change(symbol, "3.5");
        eventually(SOON, name, || {
            session.one::<i64>(&format!(
                "SELECT count(*) FROM signals WHERE symbol = '{symbol}' AND delivered_at IS NOT NULL"
            )) == 1
        });
        assert_eq!(failures(&mut session), expected, "{name}");
        let rows: i64 = session.one(&format!(
            "SELECT count(*) FROM user_signals WHERE symbol = '{symbol}'"
        ));
        assert_eq!(rows, i64::from(SUBSCRIBERS) - expected, "{name}");
        // Nothing that goes well clears it but a signal to all.
        meanwhile(Duration::from_secs(3), name, || {
            let (healthy, state, message) = health(&mut session);
            !healthy
                && state == "failing"
                && message.contains(&format!("{expected} delivery(s)"))
                && message.contains("00000000-0000-4000-8000-")
                && message.contains("retry_refused_deliveries()")
        });
        session.run("ALTER TABLE user_signals DROP CONSTRAINT for_some");
        assert_eq!(
            session.one::<i64>("SELECT retry_refused_deliveries()"),
            1,
            "{name}"
        );
        eventually(SOON, name, || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
        });
        each_signal_once_each(&mut session, SUBSCRIBERS);
        wait_until_healthy(&mut session);
    }
}

#[test]
fn by_hand_what_refuses_every_row_keeps_the_signals_for_later() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, 50);
    session.run("ALTER TABLE user_signals ADD CONSTRAINT never CHECK (false)");
    market.set_change("BTCUSDT", "3.5");
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 0, "{report}");
    assert!(
        report["delivery_error"]
            .as_str()
            .is_some_and(|e| e.contains("50 subscriber(s) of tier MAX")),
        "{report}"
    );
    assert_eq!(failures(&mut session), 0);
    session.run("ALTER TABLE user_signals DROP CONSTRAINT never");
    generate(&mut session);
    each_signal_once_each(&mut session, 50);
}
