//! Administrators maintain the tables in the middle of a fan-out: each command ends soon, and the
//! worker goes on.

use crate::ground::{
    CROWD, Tide, batches_take, cluster_for, each_signal_once_each, hurry, slow_down, small_batches,
    wait_for_the_middle_of_a_fan_out,
};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market, wait_for_good_run, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant};

/// Longest time for a command on a table with some ten thousand rows, on a busy machine.
const SOON_DONE: Duration = Duration::from_secs(30);

/// Runs each command in the middle of a fan-out of its own.
fn in_the_middle_of_fan_outs(commands: &[&str]) -> (Cluster, Session, i64) {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    slow_down(&mut session);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let mut administrator = cluster.session(POSTGRES);
    for command in commands {
        let undelivered = "SELECT count(*) FROM signals WHERE delivered_at IS NULL";
        batches_take(&mut session, 0.1);
        tide.turn();
        wait_for_the_middle_of_a_fan_out(&mut session);
        let started = Instant::now();
        administrator.run(command);
        let took = started.elapsed();
        assert!(took < SOON_DONE, "{command} took {took:?}");
        hurry(&mut session);
        eventually(SOON, &format!("the fan-out ends after {command}"), || {
            session.one::<i64>(undelivered) == 0
        });
        assert_eq!(worker_pid(&mut session), worker, "after {command}");
    }
    // Later signals are delivered as before.
    let last: i64 = session.one("SELECT coalesce(max(signal_id), 0) FROM signals");
    tide.turn();
    eventually(SOON, "the next signal is delivered", || {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM user_signals WHERE signal_id > {last}"
        )) == i64::from(CROWD)
    });
    eventually(SOON, "and all is well", || {
        session.one::<bool>("SELECT state = 'running' AND undelivered_signals = 0 AND restarts = 0 FROM signal_health")
    });
    assert_eq!(worker_pid(&mut session), worker);
    assert!(!cluster.log().contains("deadlock detected"));
    (cluster, session, tide.turns())
}

#[test]
fn rewriting_the_tables_holds_up_neither_the_administrator_nor_the_fan_out() {
    let (_cluster, mut session, turns) = in_the_middle_of_fan_outs(&[
        "REINDEX TABLE user_signals",
        "VACUUM FULL user_signals",
        "REINDEX TABLE signals",
        "VACUUM FULL signals",
        "VACUUM FULL signal_runs",
        "REINDEX TABLE signal_runs",
        "ALTER TABLE user_subscriptions ADD COLUMN note text DEFAULT clock_timestamp()::text",
        "ALTER TABLE user_signals ADD COLUMN note text",
    ]);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), turns);
    each_signal_once_each(&mut session, CROWD);
}

#[test]
fn emptying_the_tables_loses_what_was_in_them_and_no_more() {
    let (_cluster, mut session, _) = in_the_middle_of_fan_outs(&[
        "TRUNCATE user_signals",
        "TRUNCATE signal_runs",
        "TRUNCATE signals",
        "TRUNCATE signals, user_signals, signal_runs",
    ]);
    let twice: i64 =
        session.one("SELECT count(*) - count(DISTINCT (user_id, signal_id)) FROM user_signals");
    assert_eq!(twice, 0);
}

#[test]
fn a_change_to_every_subscription_makes_no_fan_out_go_through_all_of_them_again_and_again() {
    const SUBSCRIBERS: u32 = 200_000;
    /// Time to deliver to them, on a slow and busy machine.
    const LATER: Duration = Duration::from_secs(300);
    let market = flat_market();
    let options = by_itself(&market).set("signal_hub.delivery_batch", "100000");
    let (_cluster, mut session) = cluster_for(options, SUBSCRIBERS);
    session.run(
        "UPDATE user_subscriptions SET current_period_end = now() + interval '1 month';
         CREATE TABLE statements (at timestamptz DEFAULT clock_timestamp());
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO public.statements DEFAULT VALUES; RETURN NULL; END';
         CREATE TRIGGER note AFTER INSERT ON user_signals EXECUTE FUNCTION note()",
    );
    market.set_change("BTCUSDT", "3.5");
    eventually(LATER, "the signal is delivered", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") == 1
    });
    each_signal_once_each(&mut session, SUBSCRIBERS);
    let statements: i64 = session.one("SELECT count(*) FROM statements");
    assert_eq!(statements, 3, "two batches, and one query for who changed");
}
