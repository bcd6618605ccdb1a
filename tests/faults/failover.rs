//! The primary is lost in the middle of a fan-out and the standby takes over; later the old
//! primary comes back as a standby.

use crate::ground::{
    CROWD, Tide, cluster_for, hurry, slow_down, small_batches, wait_for_the_middle_of_a_fan_out,
};
use crate::processes::{LAUNCHER, WORKER, pids};
use signal_hub_harness::cluster::binaries::{as_server_user, program, succeed};
use signal_hub_harness::cluster::{POSTGRES, Stop};
use signal_hub_harness::scene::{SOON, flat_market, wait_for_good_run};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

/// A standby runs neither launcher nor worker, says so, and is well.
#[track_caller]
fn is_silent(standby: &mut Session) {
    let state: String = standby.one("SELECT state FROM signal_health WHERE healthy");
    assert_eq!(state, "standby");
    assert!(pids(standby, LAUNCHER).is_empty());
    assert!(pids(standby, WORKER).is_empty());
}

#[test]
fn a_failover_in_the_middle_of_a_fan_out_and_the_way_back_cost_nobody_a_signal() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let options = small_batches(&market)
        // What pg_rewind needs.
        .set("wal_log_hints", "on")
        .set("wal_keep_size", "256MB");
    let (mut old, mut session) = cluster_for(options, CROWD);
    slow_down(&mut session);
    wait_for_good_run(&mut session);
    let standby = old.standby();
    let mut reader = standby.session(POSTGRES);
    is_silent(&mut reader);
    tide.turn();
    wait_for_the_middle_of_a_fan_out(&mut reader);
    is_silent(&mut reader);
    drop(session);
    old.stop(Stop::Immediate);

    assert!(reader.one::<bool>("SELECT pg_promote()"));
    let new = standby;
    let mut session = reader;
    assert!(
        session.one::<i64>("SELECT count(*) FROM user_signals") < i64::from(CROWD),
        "promoted too late to prove anything"
    );
    hurry(&mut session);
    tide.everybody_has_everything_once(&mut session, CROWD);
    assert_eq!(
        session.one::<i64>("SELECT restarts FROM signal_health"),
        0,
        "a start is no restart"
    );

    // pg_rewind reads the timeline from the last checkpoint.
    session.run("CHECKPOINT");
    let port: String = session.one("SHOW port");
    let source = format!("host=127.0.0.1 port={port} user=postgres dbname={POSTGRES}");
    succeed(
        as_server_user(&mut program("pg_rewind"))
            .arg("--target-pgdata")
            .arg(old.folder().join("data"))
            .args([
                "--source-server",
                &source,
                "--write-recovery-conf",
                "--no-sync",
            ])
            .current_dir(old.folder()),
    );
    old.start();
    let mut reader = old.session(POSTGRES);
    tide.turn();
    tide.everybody_has_everything_once(&mut session, CROWD);
    eventually(SOON, "the old primary follows", || {
        reader.one::<i64>("SELECT count(*) FROM user_signals") == tide.turns() * i64::from(CROWD)
            && reader.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
    });
    tide.everybody_has_everything_once(&mut reader, CROWD);
    meanwhile(Duration::from_secs(3), "it is silent", || {
        is_silent(&mut reader);
        true
    });
    assert_eq!(pids(&mut session, WORKER).len(), 1);
    drop(new);
}
