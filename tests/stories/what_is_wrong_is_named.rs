//! Messages name who and what: the holder of a lock, the role that lacks a permission, what a
//! worker died of, why a template has none, and which number of a rule is wrong.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, subscribe, wait_for_good_run,
    worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::time::Duration;

fn message(session: &mut Session) -> String {
    session.one("SELECT message FROM signal_health")
}

#[test]
fn who_holds_a_lock_that_deliveries_or_runs_wait_for_is_named() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 5);
    wait_for_good_run(&mut session);
    let mut holder = cluster.session(POSTGRES);
    let pid: i32 = holder.one("SELECT pg_backend_pid()");
    holder.run("BEGIN; LOCK TABLE user_signals IN SHARE MODE");
    market.set_change("BTCUSDT", "3.5");
    let named = format!("process {pid} (postgres) holds ShareLock on public.user_signals");
    eventually(Duration::from_secs(60), "deliveries name it", || {
        message(&mut session).contains(&named)
    });
    holder.run("ROLLBACK");
    eventually(SOON, "health is green", || {
        session.one::<bool>("SELECT healthy FROM signal_health")
    });
    holder.run("BEGIN; LOCK TABLE signal_rules IN ACCESS EXCLUSIVE MODE");
    let named =
        format!("process {pid} (postgres) holds AccessExclusiveLock on public.signal_rules");
    eventually(SOON, "runs name it", || {
        session.one::<bool>("SELECT state = 'blocked' FROM signal_health")
            && message(&mut session).contains(&named)
    });
}

#[test]
fn as_whom_a_permission_is_missing_is_named() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "CREATE ROLE keeper;
         DO $$ DECLARE t regclass; BEGIN
             FOR t IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
             LOOP EXECUTE format('ALTER TABLE %s OWNER TO keeper', t); END LOOP;
         END $$;
         REVOKE ALL ON signal_rules FROM keeper",
    );
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "42501");
    assert_eq!(error.message(), "permission denied for table signal_rules");
    assert_eq!(
        error.detail(),
        Some("This is done as role keeper, the owner of user_signals.")
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("same owner")));
}

#[test]
fn what_a_worker_died_of_is_kept() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    let died = worker_pid(&mut session).expect("a worker runs");
    session.run(&format!("SELECT pg_terminate_backend({died})"));
    eventually(SOON, "another one works", || {
        worker_pid(&mut session).is_some_and(|pid| pid != died)
            && session.one::<bool>("SELECT healthy FROM signal_health")
    });
    let error: String = session.one("SELECT last_error FROM signal_health");
    assert!(
        error.starts_with("the worker died: terminating background worker"),
        "{error}"
    );
    assert!(session.one::<bool>(
        "SELECT last_error_at BETWEEN now() - interval '1 minute' AND now() FROM signal_health"
    ));
}

#[test]
fn a_template_is_told_that_workers_leave_it_alone() {
    let market = flat_market();
    let mut cluster = by_itself(&market).start();
    let mut session = cluster.create_database("shape");
    session.run("CREATE EXTENSION signal_hub; ALTER DATABASE shape IS_TEMPLATE true");
    drop(session);
    cluster.restart();
    let mut session = cluster.session("shape");
    assert_eq!(
        session.one::<String>("SELECT state FROM signal_health"),
        "stopped"
    );
    let told = message(&mut session);
    assert!(
        told.contains("template") && told.contains("IS_TEMPLATE false"),
        "{told}"
    );
}

#[test]
fn a_target_that_would_be_below_zero_is_not_put_down_to_the_tick() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("UPDATE signal_rules SET take_profit_percents = '{1.5,150}'");
    market.set_change("BTCUSDT", "-3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 0, "{report}");
    let verdicts: Vec<String> =
        session.list("SELECT DISTINCT verdict FROM preview_signals() WHERE symbol = 'BTCUSDT'");
    assert!(
        verdicts.len() == 1 && verdicts[0].contains("100 or more"),
        "{verdicts:?}"
    );
}
