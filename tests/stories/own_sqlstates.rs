//! Triggers of an application that refuse rows with SQLSTATEs of their own, as those of an API in
//! front of the database do.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, by_itself, flat_market, subscribe, user};
use signal_hub_harness::wait::eventually;

#[test]
fn a_refusal_with_a_sqlstate_of_its_own_costs_one_subscriber_and_nobody_else() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub; UPDATE signal_tiers SET enabled = true");
    subscribe(&mut session, "MAX", 1, 3);
    subscribe(&mut session, "PRO", 4, 6);
    session.run(&format!(
        "COMMIT;
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE
             nothing text;
         BEGIN
             IF NEW.user_id = '{}' THEN
                 IF NEW.symbol = 'BTCUSDT' THEN
                     RAISE SQLSTATE 'PT402' USING MESSAGE = 'payment required';
                 END IF;
                 SELECT 'x' INTO STRICT nothing WHERE false;
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
        user(2)
    ));
    for (symbol, sqlstate, rows) in [("BTCUSDT", "PT402", 5), ("ETHUSDT", "P0002", 10)] {
        market.set_change(symbol, "3.5");
        eventually(SOON, "everybody else has it", || {
            session.one::<i64>("SELECT count(*) FROM user_signals") == rows
                && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL")
                    == 0
        });
        assert_eq!(
            session.one::<String>(
                "SELECT sqlstate FROM signal_runs WHERE error IS NOT NULL ORDER BY run_id DESC LIMIT 1"
            ),
            sqlstate
        );
    }
    let message: String = session.one("SELECT message FROM signal_health");
    assert!(message.contains(&user(2)), "{message}");
    session.run("DROP TRIGGER refuse ON user_signals; SELECT retry_refused_deliveries()");
    eventually(SOON, "the one has both, too", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 12
    });
}

#[test]
fn who_calls_a_run_by_hand_gets_the_sqlstate_that_a_trigger_has_chosen() {
    let market = flat_market();
    market.set_change("BTCUSDT", "3.5");
    let cluster = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE EXTENSION signal_hub;
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$BEGIN RAISE SQLSTATE 'PT409' USING MESSAGE = 'not now'; END$$;
         CREATE TRIGGER refuse BEFORE INSERT ON signals FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!((error.code().code(), error.message()), ("PT409", "not now"));
}
