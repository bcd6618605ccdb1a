//! Several processes share a fan-out: whatever happens to one of them, everybody gets each signal
//! once, and a refused row costs only its subscriber.

use crate::ground::{
    CROWD, LATER, Tide, batches_take, cluster_for, each_signal_once_each, hurry, slow_down,
    small_batches, wait_for_the_middle_of_a_fan_out,
};
use crate::processes::{WORKER, pids};
use fastrand::Rng;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, flat_market, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use signal_hub_simulator::Simulator;
use std::time::{Duration, Instant};

/// `backend_type` of a process that helps the worker.
const HELPER: &str = "signal_hub delivery worker";

/// A server where three processes share a fan-out of half a second. Where something is to happen
/// in its middle, [`batches_take`] lets it take longer.
fn shared(market: &Simulator) -> (Cluster, Session) {
    let options = small_batches(market).set("signal_hub.delivery_workers", "3");
    let (cluster, mut session) = cluster_for(options, CROWD);
    slow_down(&mut session);
    batches_take(&mut session, 0.02);
    (cluster, session)
}

fn helpers_are_gone(session: &mut Session) {
    eventually(SOON, "the helpers have left", || {
        pids(session, HELPER).is_empty()
    });
    let ranges: i64 = session.one("SELECT count(*) FROM signal_delivery_ranges");
    assert_eq!(ranges, 0, "nothing is left given out");
}

#[test]
fn three_processes_share_a_long_fan_out_and_none_stays() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = shared(&market);
    let mut watch = cluster.session(POSTGRES);
    batches_take(&mut session, 0.5);
    tide.turn();
    wait_for_the_middle_of_a_fan_out(&mut session);
    eventually(SOON, "helpers are at work", || {
        pids(&mut watch, HELPER).len() == 2
    });
    let progress: String = watch.one("SELECT message FROM signal_health");
    assert!(
        progress.starts_with("delivering signal 1 (BTCUSDT): "),
        "{progress}"
    );
    hurry(&mut session);
    tide.everybody_has_everything_once(&mut session, CROWD);
    helpers_are_gone(&mut session);
    assert_eq!(pids(&mut session, WORKER).len(), 1);
}

#[test]
fn processes_of_a_shared_fan_out_die_at_random_and_nobody_misses_a_signal() {
    const TIMES: usize = 15;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = shared(&market);
    let mut random = Rng::with_seed(7);
    for number in 1..=TIMES {
        let mut helpers = Vec::new();
        eventually(LATER, "helpers are at work", || {
            tide.turn_when_settled(&mut session);
            helpers = pids(&mut session, HELPER);
            !helpers.is_empty()
        });
        // The worker one time in four: helpers finish what it leaves.
        let alive = match number % 4 {
            0 => pids(&mut session, WORKER),
            _ => helpers,
        };
        if let Some(victim) = random.choice(alive) {
            session.run(&format!("SELECT pg_terminate_backend({victim})"));
        }
    }
    tide.everybody_has_everything_once(&mut session, CROWD);
    helpers_are_gone(&mut session);
    let log = cluster.log();
    assert!(!log.contains("terminating any other active server processes"));
    assert!(!log.contains("deadlock"), "{log}");
    assert!(!log.contains("duplicate key"), "{log}");
}

#[test]
fn a_shared_fan_out_skips_those_a_trigger_refuses_and_nobody_else() {
    const REFUSED: i64 = 20;
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (_cluster, mut session) = shared(&market);
    session.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF right(NEW.user_id::text, 3) = 'abc' OR right(NEW.user_id::text, 4) = 'f000' THEN
                 RAISE EXCEPTION 'not this one';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let refused: i64 = session.one(
        "SELECT count(*) FROM user_subscriptions
          WHERE right(user_id::text, 3) = 'abc' OR right(user_id::text, 4) = 'f000'",
    );
    assert!((1..=REFUSED).contains(&refused), "{refused}");
    tide.turn();
    eventually(LATER, "the signal is delivered", || {
        tide.is_settled(&mut session)
    });
    let rows: i64 = session.one("SELECT count(*) FROM user_signals");
    assert_eq!(rows, i64::from(CROWD) - refused);
    assert_eq!(
        session.one::<i64>("SELECT delivery_failures FROM signals"),
        refused
    );
    helpers_are_gone(&mut session);
    session.run("DROP TRIGGER refuse ON user_signals; TRUNCATE user_signals, signals, signal_runs");
    session.run("DELETE FROM signal_episodes");
    eventually(SOON, "the signal comes again", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") == 1
    });
    each_signal_once_each(&mut session, CROWD);
}

#[test]
fn a_call_by_hand_during_a_shared_fan_out_neither_waits_for_it_nor_doubles_anything() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = shared(&market);
    let mut caller = cluster.session(POSTGRES);
    for _ in 0..4 {
        batches_take(&mut session, 0.2);
        tide.turn();
        wait_for_the_middle_of_a_fan_out(&mut session);
        tide.turn();
        let outcome: String = caller.one("SELECT generate_signals_now()::text");
        hurry(&mut session);
        assert!(
            outcome.contains("\"success\": true") || outcome.contains("another cycle"),
            "{outcome}"
        );
        eventually(LATER, "both signals are delivered", || {
            tide.is_settled(&mut session)
        });
    }
    tide.everybody_has_everything_once(&mut session, CROWD);
    helpers_are_gone(&mut session);
}

#[test]
fn settings_changed_during_a_shared_fan_out_count_from_the_next_batch_of_each_process() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (cluster, mut session) = shared(&market);
    session.run(
        "CREATE TABLE batches (number bigint GENERATED ALWAYS AS IDENTITY, pid integer, subscribers bigint);
         CREATE FUNCTION note_batch() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.batches (pid, subscribers) SELECT pg_backend_pid(), count(*) FROM written;
             RETURN NULL;
         END $$;
         CREATE TRIGGER note_batch AFTER INSERT ON user_signals REFERENCING NEW TABLE AS written
             FOR EACH STATEMENT EXECUTE FUNCTION note_batch()",
    );
    let batches_of_each = |session: &mut Session| -> Vec<String> {
        session.list(
            "SELECT format('from %s to %s', first, last)
               FROM (SELECT DISTINCT pid, first_value(subscribers) OVER by_time AS first,
                            last_value(subscribers) OVER by_time AS last
                       FROM batches
                     WINDOW by_time AS (PARTITION BY pid ORDER BY number
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS each",
        )
    };
    // There is time for each of them to be seen and to be told.
    batches_take(&mut session, 1.0);
    tide.turn();
    eventually(SOON, "three processes deliver", || {
        batches_of_each(&mut session).len() == 3
    });
    cluster.configure("signal_hub.delivery_batch", "50");
    // This fan-out still ends; another one would not begin.
    cluster.configure("signal_hub.enabled", "off");
    eventually(SOON, "each delivers in smaller batches", || {
        batches_of_each(&mut session) == ["from 250 to 50"; 3]
    });
    hurry(&mut session);
    tide.everybody_has_everything_once(&mut session, CROWD);
    assert_eq!(
        batches_of_each(&mut session),
        ["from 250 to 50"; 3],
        "the same three processes"
    );
    helpers_are_gone(&mut session);
    let state: String = session.one("SELECT state FROM signal_health");
    assert_eq!(state, "disabled");
}

#[test]
fn who_waits_for_the_others_of_a_shared_fan_out_hardly_writes() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let options = small_batches(&market).set("signal_hub.delivery_workers", "2");
    let (_cluster, mut session) = cluster_for(options, CROWD);
    slow_down(&mut session);
    // The row of the last subscriber takes long enough for this test to look at who waits.
    session.run(&format!(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep(15); RETURN NULL; END';
         CREATE TRIGGER linger AFTER INSERT ON user_signals FOR EACH ROW
             WHEN (NEW.user_id = '{}') EXECUTE FUNCTION linger()",
        user(CROWD)
    ));
    tide.turn();
    let one_lingers = |session: &mut Session| -> bool {
        let lingering: i64 = session.one(
            "SELECT count(*) FROM pg_stat_activity
              WHERE backend_type LIKE 'signal_hub %' AND wait_event = 'PgSleep'
                AND clock_timestamp() - query_start > '0.5 s'",
        );
        lingering == 1 && session.one::<i64>("SELECT count(*) FROM signal_delivery_ranges") == 1
    };
    let next_number = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    eventually(SOON, "all but one range is done", || {
        one_lingers(&mut session)
    });
    let began = Instant::now();
    let before: i64 = session.one(next_number);
    meanwhile(
        Duration::from_secs(1),
        "one process waits for the other",
        || one_lingers(&mut session),
    );
    let taken = session.one::<i64>(next_number) - before;
    // Ten times a second it tries to take over ranges that may have been left behind.
    let took = began.elapsed();
    assert!(
        taken as f64 <= 10.0 * took.as_secs_f64() + 5.0,
        "{taken} transaction numbers in {took:?}"
    );
    tide.everybody_has_everything_once(&mut session, CROWD);
}

#[test]
fn quotas_hold_in_a_shared_fan_out() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (_cluster, mut session) = shared(&market);
    session.run("UPDATE signal_tiers SET daily_quota = 2 WHERE tier = 'MAX'");
    for _ in 0..4 {
        tide.turn();
        eventually(LATER, "the signal is delivered", || {
            tide.is_settled(&mut session)
        });
    }
    let received: Vec<i32> =
        session.list("SELECT DISTINCT received FROM user_signal_quotas ORDER BY 1");
    assert_eq!(received, [2]);
    let rows: i64 = session.one("SELECT count(*) FROM user_signals");
    assert_eq!(rows, 2 * i64::from(CROWD));
}

#[test]
fn subscribers_who_join_again_and_tiers_switched_off_and_on_during_a_fan_out_cost_nobody_a_signal()
{
    let market = flat_market();
    for processes in ["1", "3"] {
        let mut tide = Tide::new(&market);
        let options = small_batches(&market).set("signal_hub.delivery_workers", processes);
        let (_cluster, mut session) = cluster_for(options, CROWD);
        session
            .run("UPDATE signal_tiers SET enabled = true, daily_quota = NULL WHERE tier = 'PRO'");
        slow_down(&mut session);
        batches_take(&mut session, 0.2);
        tide.turn();
        wait_for_the_middle_of_a_fan_out(&mut session);
        session.run("UPDATE signal_tiers SET enabled = false WHERE tier = 'MAX'");
        // Subscribers who have the signal already subscribe again, to a tier that is served
        // later.
        session.run(
            "WITH gone AS (DELETE FROM user_subscriptions WHERE user_id IN
                           (SELECT user_id FROM user_signals ORDER BY user_id LIMIT 100) RETURNING user_id)
             INSERT INTO user_subscriptions (user_id, tier) SELECT user_id, 'PRO' FROM gone",
        );
        session.run("UPDATE signal_tiers SET enabled = true WHERE tier = 'MAX'");
        hurry(&mut session);
        tide.everybody_has_everything_once(&mut session, CROWD);
        let refused: i64 = session.one("SELECT sum(delivery_failures)::bigint FROM signals");
        assert_eq!(refused, 0, "{processes} processes");
        // Back to where the market was.
        market.set_change("BTCUSDT", "0");
    }
}
