//! The server stops while work is under way: it stops at once, and nothing is lost, left over or
//! sent twice.

use crate::ground::{
    CROWD, Tide, batches_take, cluster_for, each_signal_once_each, hurry, slow_down, small_batches,
    wait_for_the_middle_of_a_fan_out,
};
use crate::processes::processes_of;
use signal_hub_harness::cluster::{Cluster, POSTGRES, Stop};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, rising_market, wait_for_deliveries, wait_for_good_run, worker_pid,
};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Times};
use std::time::{Duration, Instant};

/// Stops a server as by `pg_ctl stop -m fast`, which must not wait until a fault is over: those
/// last for a minute or for ever. Without one, a busy machine needs some seconds.
#[track_caller]
pub fn stops_at_once(cluster: &mut Cluster) {
    let started = Instant::now();
    let status = cluster.stop(Stop::Fast);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "it took {took:?}");
    assert!(status.success(), "{status}");
    assert_eq!(processes_of(cluster), [""; 0]);
}

#[test]
fn the_server_stops_at_once_while_delivery_waits_for_a_table() {
    let market = flat_market();
    let (mut cluster, mut session) = cluster_for(by_itself(&market), 10);
    wait_for_good_run(&mut session);
    let mut owner = cluster.session(POSTGRES);
    owner.run("BEGIN; LOCK TABLE user_signals IN ACCESS EXCLUSIVE MODE");
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the worker waits for the table", || {
        let waiting = "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                                       WHERE NOT granted AND backend_type = 'signal_hub worker')";
        session.one::<bool>(waiting)
    });
    stops_at_once(&mut cluster);
    drop((owner, session));

    cluster.start();
    let mut session = cluster.session(POSTGRES);
    wait_for_deliveries(&mut session, 10);
    each_signal_once_each(&mut session, 10);
}

#[test]
fn the_server_stops_at_once_while_a_commit_waits_for_a_standby_that_is_not_there() {
    let market = flat_market();
    let (mut cluster, mut session) = cluster_for(by_itself(&market), 10);
    wait_for_good_run(&mut session);
    cluster.configure("synchronous_standby_names", "nobody");
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the worker waits for the standby", || {
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                                       WHERE wait_event = 'SyncRep' AND backend_type = 'signal_hub worker')";
        session.one::<bool>(waiting)
    });
    stops_at_once(&mut cluster);
    drop(session);

    cluster.start();
    cluster.configure("synchronous_standby_names", "");
    let mut session = cluster.session(POSTGRES);
    wait_for_deliveries(&mut session, 10);
    each_signal_once_each(&mut session, 10);
}

#[test]
fn the_server_stops_at_once_while_the_exchange_answers_drop_by_drop() {
    let market = flat_market();
    market.inject(Fault::SlowDrip, Times::Forever);
    let options = by_itself(&market).set("signal_hub.http_timeout", "60s");
    let (mut cluster, mut session) = cluster_for(options, 10);
    eventually(SOON, "the exchange answers", || market.request_count() == 1);
    assert!(worker_pid(&mut session).is_some());
    stops_at_once(&mut cluster);
}

#[test]
fn an_immediate_stop_in_the_middle_of_a_fan_out_leaves_no_process_and_costs_nobody_a_signal() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let (mut cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    slow_down(&mut session);
    for _ in 0..2 {
        batches_take(&mut session, 0.1);
        tide.turn();
        wait_for_the_middle_of_a_fan_out(&mut session);
        drop(session);
        cluster.stop(Stop::Immediate);
        assert_eq!(processes_of(&cluster), [""; 0]);

        cluster.start();
        session = cluster.session(POSTGRES);
        assert!(
            session.one::<i64>("SELECT count(*) FROM user_signals")
                < tide.turns() * i64::from(CROWD),
            "stopped too late to prove anything"
        );
        hurry(&mut session);
        tide.everybody_has_everything_once(&mut session, CROWD);
    }
}

#[test]
fn a_postmaster_killed_in_the_middle_of_a_fan_out_leaves_no_process_and_costs_nobody_a_signal() {
    let market = rising_market();
    let (mut cluster, mut session) = cluster_for(small_batches(&market), CROWD);
    slow_down(&mut session);
    wait_for_the_middle_of_a_fan_out(&mut session);
    drop(session);
    cluster.kill9();
    // Each process notices by itself that its parent is gone.
    eventually(SOON, "its processes are gone", || {
        processes_of(&cluster).is_empty()
    });
    cluster.start();
    let mut session = cluster.session(POSTGRES);
    hurry(&mut session);
    wait_for_deliveries(&mut session, CROWD.into());
    each_signal_once_each(&mut session, CROWD);
}
