//! The rows of some subscribers are refused: the others get theirs, and the failures are counted.

use crate::ground::{each_signal_once_each, extension_for};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, runs, user, wait_for_deliveries, wait_for_good_run, worker_pid,
};
use signal_hub_harness::wait::eventually;

const SUBSCRIBERS: u32 = 1_000;
/// The first, the last and one in the middle: both ends of a batch that is halved.
const REFUSED: [u32; 3] = [1, 517, 1_000];

/// A way to refuse the rows of some subscribers.
///
/// Names in triggers are written with their schema, since the search_path of a delivery has only
/// pg_catalog.
struct Way {
    name: &'static str,
    provoke: String,
    repair: &'static str,
    /// SQLSTATE of the error on record.
    sqlstate: &'static str,
}

fn ways() -> [Way; 4] {
    let users = REFUSED.map(|i| format!("'{}'", user(i))).join(", ");
    let trigger = |declared: &str, body: &str| {
        format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 DECLARE {declared}
                 BEGIN IF NEW.user_id IN ({users}) THEN {body}; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    };
    let no_trigger = "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse";
    [
        Way {
            name: "a trigger raises",
            provoke: trigger("", "RAISE EXCEPTION 'not for you'"),
            repair: no_trigger,
            sqlstate: "P0001",
        },
        Way {
            name: "a constraint",
            provoke: format!(
                "ALTER TABLE user_signals ADD CONSTRAINT not_for_you CHECK (user_id NOT IN ({users})) NOT VALID"
            ),
            repair: "ALTER TABLE user_signals DROP CONSTRAINT not_for_you",
            sqlstate: "23514",
        },
        Way {
            name: "a domain",
            provoke: format!(
                "CREATE DOMAIN public.addressee AS text CHECK (VALUE NOT IN ({users}));
                 {}",
                trigger("a public.addressee;", "a := NEW.user_id")
            ),
            repair: "DROP TRIGGER refuse ON user_signals; DROP FUNCTION refuse; DROP DOMAIN addressee",
            sqlstate: "23514",
        },
        Way {
            name: "a number out of its domain",
            provoke: trigger("", "PERFORM ln(0.0)"),
            repair: no_trigger,
            sqlstate: "2201E",
        },
    ]
}

#[test]
fn three_of_a_thousand_whose_rows_are_refused_cost_the_others_nothing() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, SUBSCRIBERS);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    for (number, way) in ways().into_iter().enumerate() {
        let Way { name, sqlstate, .. } = way;
        session.run(&way.provoke);
        let change = if number % 2 == 0 { "3.5" } else { "-3.5" };
        market.set_change("BTCUSDT", change);
        let signals = i64::try_from(number + 1).expect("few");
        eventually(SOON, &format!("{name}: the signal is delivered"), || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL")
                == signals
        });
        let signal: i64 = session.one("SELECT max(signal_id) FROM signals");
        let counts = &session.rows(&format!(
            "SELECT (SELECT count(DISTINCT user_id) FROM user_signals WHERE signal_id = {signal}),
                    s.deliveries, s.delivery_failures, r.deliveries, r.delivery_failures, r.status, r.sqlstate,
                    coalesce(r.error, ''), r.finished_at IS NOT NULL
               FROM signals s JOIN signal_runs r USING (run_id) WHERE signal_id = {signal}"
        ))[0];
        for column in [0, 1, 3] {
            assert_eq!(
                counts.get::<_, i64>(column),
                997,
                "{name}: delivered, {column}"
            );
        }
        for column in [2, 4] {
            assert_eq!(counts.get::<_, i64>(column), 3, "{name}: refused, {column}");
        }
        assert_eq!(
            counts.get::<_, &str>(5),
            "ok",
            "{name}: the run itself is good"
        );
        let error: &str = counts.get(7);
        assert_eq!(counts.get::<_, &str>(6), sqlstate, "{name}: {error}");
        assert!(
            REFUSED.iter().any(|i| error.contains(&user(*i))),
            "{name}: {error}"
        );
        assert!(counts.get::<_, bool>(8), "{name}: the run is closed");
        session.run(way.repair);
    }
    let refused: i64 =
        session.one("SELECT count(*) FROM user_subscriptions WHERE user_id NOT IN (SELECT user_id FROM user_signals)");
    assert_eq!(refused, 3, "the same three each time");
    market.set_change("ETHUSDT", "3.5");
    eventually(SOON, "after the repair, everybody has the next one", || {
        session.one::<i64>("SELECT count(*) FROM user_signals WHERE symbol = 'ETHUSDT'")
            == i64::from(SUBSCRIBERS)
    });
    assert_eq!(worker_pid(&mut session), worker, "the same process");
    // A refused row does not count for the quota.
    assert_eq!(
        session.one::<i32>("SELECT max(received) FROM user_signal_quotas"),
        5
    );
    assert_eq!(
        session.one::<i32>("SELECT min(received) FROM user_signal_quotas"),
        1
    );
}

#[test]
fn a_fan_out_that_cannot_go_on_is_logged_once_and_goes_on_when_it_can() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, SUBSCRIBERS);
    wait_for_good_run(&mut session);
    session.run(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.notes VALUES (NEW.user_id); RETURN NEW; END';
         CREATE TRIGGER note BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION note()",
    );
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "health has the reason", || {
        session.one::<bool>(
            "SELECT state = 'failing' AND message LIKE '%notes%' AND undelivered_signals = 1 FROM signal_health",
        )
    });
    // Runs are good meanwhile, which is not a recovery.
    let enough = runs(&mut session) + 5;
    eventually(SOON, "some runs", || runs(&mut session) >= enough);
    let log = cluster.log();
    assert_eq!(log.matches("WARNING").count(), 1, "logged once");
    assert_eq!(log.matches("recovered").count(), 0, "nothing has recovered");
    assert!(session.one::<bool>("SELECT state = 'failing' FROM signal_health"));

    session.run("CREATE TABLE notes (user_id uuid)");
    wait_for_deliveries(&mut session, SUBSCRIBERS.into());
    each_signal_once_each(&mut session, SUBSCRIBERS);
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM notes"),
        i64::from(SUBSCRIBERS)
    );
    eventually(SOON, "the recovery is logged, too", || {
        cluster.log().matches("recovered").count() == 1
    });
}
