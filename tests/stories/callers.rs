//! Who calls `generate_signals_now()`, in which kind of transaction, and at the same time as
//! others.

use serde_json::Value;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_hand, flat_market, generate, installed_by_hand, rising_market, subscribe,
    wait_for_deliveries,
};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Times};
use std::sync::Barrier;
use std::thread;

#[test]
fn eight_callers_at_once_make_one_signal() {
    const CALLERS: usize = 8;
    let market = rising_market();
    let (cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 50);
    let start = Barrier::new(CALLERS);
    let reports: Vec<Value> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut session = cluster.session(POSTGRES);
                    start.wait();
                    generate(&mut session)
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("a report"))
            .collect()
    });
    let generated: Vec<&Value> = reports
        .iter()
        .filter(|r| r["signals_generated"] == 1)
        .collect();
    assert_eq!(generated.len(), 1, "{reports:?}");
    assert_eq!(generated[0]["deliveries"], 50);
    for report in reports.iter().filter(|r| r["signals_generated"] != 1) {
        assert_eq!(report["signals_generated"], 0);
        assert!(
            report["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{report}"
        );
    }
    wait_for_deliveries(&mut session, 50);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
}

#[test]
fn a_caller_is_told_when_another_cycle_is_running() {
    let market = flat_market();
    let cluster = by_hand(&market)
        .set("signal_hub.http_timeout", "120s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    market.inject(Fault::Silence, Times::Once);
    let mut first = cluster.session(POSTGRES);
    let pid: i32 = first.one("SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let slow = scope.spawn(move || {
            // Not for ever, should the test fail.
            first.run("SET statement_timeout = '90s'");
            first.error("SELECT generate_signals_now()")
        });
        eventually(SOON, "the first call waits", || market.request_count() == 1);
        let report = generate(&mut session);
        assert_eq!(report["success"], false);
        assert!(
            report["message"]
                .as_str()
                .is_some_and(|m| m.contains("another cycle")),
            "{report}"
        );
        session.run(&format!("SELECT pg_cancel_backend({pid})"));
        assert_eq!(slow.join().expect("an error").code().code(), "57014");
    });
}

#[test]
fn a_paused_database_says_so_to_a_caller() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("SELECT pause_signals('maintenance')");
    let report = generate(&mut session);
    assert_eq!(report["success"], false);
    assert!(
        report["message"]
            .as_str()
            .is_some_and(|m| m.contains("maintenance")),
        "{report}"
    );
    assert_eq!(market.request_count(), 0);
}

#[test]
fn what_a_caller_has_deferred_is_checked_when_signals_are_written_and_not_by_a_preview() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "CREATE TABLE people (id integer PRIMARY KEY);
         CREATE TABLE pets (owner integer REFERENCES people DEFERRABLE INITIALLY DEFERRED)",
    );
    // A pet may come before its owner: that is checked at the end of the transaction.
    session.run("BEGIN; INSERT INTO pets VALUES (1)");
    session.run("SELECT * FROM preview_signals()");
    session.run("INSERT INTO pets VALUES (2)");
    session.run("INSERT INTO people VALUES (1), (2); COMMIT");

    session.run("BEGIN; INSERT INTO pets VALUES (3)");
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "23503", "{}", error.message());
    session.run("ROLLBACK");

    session.run("BEGIN; INSERT INTO pets VALUES (3); INSERT INTO people VALUES (3)");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    // From then on constraints are checked at once, unless the caller defers them again.
    session.run("SAVEPOINT here");
    let error = session.error("INSERT INTO pets VALUES (4)");
    assert_eq!(error.code().code(), "23503", "{}", error.message());
    session.run("ROLLBACK TO here; SET CONSTRAINTS ALL DEFERRED; INSERT INTO pets VALUES (4)");
    session.run("INSERT INTO people VALUES (4); COMMIT");
}

#[test]
fn a_role_that_was_granted_the_function_needs_no_other_right() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 2);
    session.run(
        "CREATE ROLE operator;
         GRANT EXECUTE ON FUNCTION generate_signals_now(), preview_signals() TO operator;
         SET ROLE operator",
    );
    session.run("SELECT * FROM preview_signals()");
    assert_eq!(generate(&mut session)["deliveries"], 2);
    assert_eq!(
        session.one::<String>("SELECT current_user::text"),
        "operator"
    );
    let error = session.error("SELECT * FROM signals");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
}

#[test]
fn a_caller_cannot_slip_in_objects_of_their_own() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 2);
    session.run(
        "CREATE ROLE attacker;
         GRANT EXECUTE ON FUNCTION generate_signals_now() TO attacker;
         CREATE SCHEMA trap AUTHORIZATION attacker;
         SET ROLE attacker;
         CREATE FUNCTION trap.fooled() RETURNS boolean LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'fooled as %', current_user; END $$;
         CREATE FUNCTION trap.same(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.fooled()';
         CREATE FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.fooled()';
         CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT CASE WHEN trap.fooled() THEN clock_timestamp() END';
         CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = text, FUNCTION = trap.same);
         CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
         CREATE TEMP TABLE signals (signal_id bigint);
         CREATE TEMP TABLE user_signals (user_id uuid);
         CREATE TEMP TABLE pg_extension (extname text);
         SET search_path = trap, pg_temp, pg_catalog, public",
    );
    assert_eq!(
        session.one::<Value>("SELECT public.generate_signals_now()")["deliveries"],
        2
    );
    assert_eq!(
        session.one::<String>("SHOW search_path"),
        "trap, pg_temp, pg_catalog, public",
        "the caller's own setting is as it was"
    );
}

#[test]
fn a_read_only_transaction_is_refused_before_the_exchange_is_asked() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("BEGIN READ ONLY");
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "25006", "{}", error.message());
    session.run("ROLLBACK");
    assert_eq!(market.request_count(), 0);
}

#[test]
fn a_call_whose_transaction_cannot_see_what_others_do_is_refused() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        session.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        let error = session.error("SELECT generate_signals_now()");
        session.run("ROLLBACK");
        assert_eq!(error.code().code(), "0A000", "{}", error.message());
        assert_eq!(error.hint(), Some("Use isolation level read committed."));
    }
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signal_runs"), 0);
}

#[test]
fn a_trigger_on_the_deliveries_that_calls_for_a_run_begins_none_within_the_run() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run(
        "CREATE TABLE answers (success boolean);
         CREATE FUNCTION call() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.answers VALUES ((public.generate_signals_now() ->> 'success')::boolean);
             RETURN NULL;
         END $$;
         CREATE TRIGGER call AFTER INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION call()",
    );
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 3, "{report}");
    let answers: Vec<bool> = session.list("SELECT success FROM answers");
    assert_eq!(answers, [false; 3]);
    assert_eq!(market.request_count(), 1);
    // Outside of it the call works as before.
    assert_eq!(generate(&mut session)["success"], true);
}
