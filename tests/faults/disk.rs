//! The disk of the rows or of the WAL is full or read-only: health says so as far as possible,
//! and once the disk can be written again, nothing is lost and nobody gets a signal twice.

use crate::ground::{
    CROWD, LATER, Tide, cluster_for, each_signal_once_each_whatever_the_runs_say, hurry, slow_down,
    small_batches, wait_for_the_middle_of_a_fan_out,
};
use crate::mounts::{SmallDisk, with_mounts_of_its_own};
use signal_hub_harness::cluster::{Cluster, POSTGRES, Stop};
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, rising_market, runs, wait_for_deliveries, wait_for_good_run,
    worker_pid,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

/// Moves tables and their indexes to the disk, which the rest of the server does not use.
fn move_to(disk: &SmallDisk, session: &mut Session, tables: &[&str]) {
    let folder = disk.data();
    session.run(&format!(
        "CREATE TABLESPACE small LOCATION '{}'",
        folder.display()
    ));
    for table in tables {
        session.run(&format!("ALTER TABLE {table} SET TABLESPACE small"));
        let indexes: Vec<String> = session.list(&format!(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{table}'::regclass"
        ));
        for index in indexes {
            session.run(&format!("ALTER INDEX {index} SET TABLESPACE small"));
        }
    }
}

/// Waits until the message of health has these words.
#[track_caller]
fn wait_for_complaint(session: &mut Session, words: &str) {
    eventually(SOON, &format!("health says: {words}"), || {
        session.one::<bool>(&format!(
            "SELECT state = 'failing' AND message LIKE '%{words}%' FROM signal_health"
        ))
    });
}

/// The worker goes on, and does not fill the log with the same warning.
#[track_caller]
fn it_goes_on_quietly(cluster: &Cluster, session: &mut Session, worker: Option<i32>) {
    // After 15 s without a sign of life, health says that the worker has stalled.
    meanwhile(Duration::from_secs(4), "the worker lives", || {
        worker_pid(session) == worker
            && session.one::<bool>("SELECT heartbeat_age < '14 s' FROM signal_health")
    });
    let warnings = cluster.log().matches("WARNING:  signal_hub").count();
    assert!((1..=3).contains(&warnings), "{warnings} warnings");
}

#[test]
fn a_disk_that_fills_up_in_a_fan_out_stops_it_until_there_is_room() {
    with_mounts_of_its_own(|| {
        let disk = SmallDisk::of(64);
        let market = flat_market();
        let mut tide = Tide::new(&market);
        let (cluster, mut session) = cluster_for(small_batches(&market), CROWD);
        wait_for_good_run(&mut session);
        let worker = worker_pid(&mut session);
        move_to(&disk, &mut session, &["user_signals"]);
        disk.fill_up_except(4 << 20);
        tide.turn();
        wait_for_complaint(&mut session, "No space left on device");
        let stopped_at: i64 = session.one("SELECT count(*) FROM user_signals");
        assert!(
            (1_000..i64::from(CROWD)).contains(&stopped_at),
            "stopped at {stopped_at}: that proves nothing"
        );
        let on_record: String = session.one(
            "SELECT format('%s %s %s %s', status, sqlstate, error, finished_at IS NULL) FROM signal_runs WHERE error IS NOT NULL",
        );
        assert!(
            on_record.starts_with("ok 53100 could not extend file"),
            "{on_record}"
        );
        assert!(on_record.ends_with(" t"), "the run goes on: {on_record}");
        let before = runs(&mut session);
        it_goes_on_quietly(&cluster, &mut session, worker);
        eventually(SOON, "the market is still watched", || {
            runs(&mut session) > before
        });
        // Another signal waits until the first is delivered.
        tide.turn();
        eventually(SOON, "it is on record", || {
            session.one::<i64>("SELECT undelivered_signals FROM signal_health") == 2
        });

        disk.make_room();
        tide.everybody_has_everything_once(&mut session, CROWD);
        wait_for_recovery(&mut session);
        assert_eq!(worker_pid(&mut session), worker, "the same process");
    });
}

/// Waits until health is good again and no signal is left to deliver.
#[track_caller]
fn wait_for_recovery(session: &mut Session) {
    eventually(SOON, "all is well", || {
        session.one::<bool>("SELECT healthy AND undelivered_signals = 0 FROM signal_health")
    });
}

#[test]
fn a_full_disk_of_the_ledger_fails_the_run_and_the_signal_comes_once_there_is_room() {
    with_mounts_of_its_own(|| {
        let disk = SmallDisk::of(16);
        let market = flat_market();
        let mut tide = Tide::new(&market);
        let (cluster, mut session) = cluster_for(by_itself(&market), 10);
        wait_for_good_run(&mut session);
        let worker = worker_pid(&mut session);
        move_to(&disk, &mut session, &["signals"]);
        disk.fill_up_except(0);
        tide.turn();
        wait_for_complaint(&mut session, "No space left on device");
        let on_record: String = session.one(
            "SELECT format('%s %s %s', status, sqlstate, error) FROM signal_runs WHERE error IS NOT NULL ORDER BY run_id LIMIT 1",
        );
        assert!(
            on_record.starts_with("failed 53100 could not extend file"),
            "{on_record}"
        );
        it_goes_on_quietly(&cluster, &mut session, worker);
        let error = session.error("SELECT generate_signals_now()");
        assert_eq!(error.code().code(), "53100", "{}", error.message());
        assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 0);
        assert_eq!(
            session.one::<i64>("SELECT count(*) FROM signal_episodes"),
            0,
            "what was not recorded is not remembered"
        );

        disk.make_room();
        tide.everybody_has_everything_once(&mut session, 10);
        wait_for_recovery(&mut session);
        assert_eq!(worker_pid(&mut session), worker, "the same process");
    });
}

#[test]
fn health_reports_a_full_disk_that_the_history_is_on_too() {
    with_mounts_of_its_own(|| {
        let disk = SmallDisk::of(16);
        let market = flat_market();
        let mut tide = Tide::new(&market);
        let (cluster, mut session) = cluster_for(by_itself(&market), 10);
        // Each page has room for only a few runs, so that the pages are full soon.
        session.run("ALTER TABLE signal_runs SET (fillfactor = 10)");
        wait_for_good_run(&mut session);
        let worker = worker_pid(&mut session);
        move_to(&disk, &mut session, &["signals", "signal_runs"]);
        disk.fill_up_except(0);
        tide.turn();
        wait_for_complaint(&mut session, "No space left on device");
        eventually(SOON, "not even the failure can be recorded", || {
            let before = runs(&mut session);
            let requests = market.request_count();
            eventually(SOON, "two more runs", || {
                market.request_count() >= requests + 2
            });
            runs(&mut session) == before
        });
        it_goes_on_quietly(&cluster, &mut session, worker);
        wait_for_complaint(&mut session, "No space left on device");

        disk.make_room();
        tide.everybody_has_everything_once(&mut session, 10);
        wait_for_recovery(&mut session);
        assert_eq!(worker_pid(&mut session), worker, "the same process");
    });
}

#[test]
fn a_disk_that_comes_back_read_only_stops_a_fan_out_until_it_can_be_written() {
    with_mounts_of_its_own(|| {
        let disk = SmallDisk::of(64);
        let market = rising_market();
        let (mut cluster, mut session) = cluster_for(small_batches(&market), CROWD);
        move_to(&disk, &mut session, &["user_signals"]);
        slow_down(&mut session);
        wait_for_the_middle_of_a_fan_out(&mut session);
        drop(session);
        cluster.stop(Stop::Fast);
        disk.set_read_only(true);

        cluster.start();
        let mut session = cluster.session(POSTGRES);
        wait_for_complaint(&mut session, "Read-only file system");
        let worker = worker_pid(&mut session);
        it_goes_on_quietly(&cluster, &mut session, worker);
        let error: String = session.one("SELECT error FROM signal_runs WHERE error IS NOT NULL");
        assert!(error.contains("Read-only file system"), "{error}");

        hurry(&mut session);
        disk.set_read_only(false);
        wait_for_deliveries(&mut session, CROWD.into());
        each_signal_once_each_whatever_the_runs_say(&mut session, CROWD);
        wait_for_recovery(&mut session);
        assert_eq!(worker_pid(&mut session), worker, "the same process");
    });
}

#[test]
fn a_full_disk_of_the_wal_is_a_crash_that_costs_nobody_a_signal() {
    with_mounts_of_its_own(|| {
        let disk = SmallDisk::of(64);
        let market = flat_market();
        let mut tide = Tide::new(&market);
        // Files of WAL that are kept to be used again would be room that the disk does not show.
        let options = small_batches(&market).set("wal_recycle", "off");
        let (mut cluster, session) = cluster_for(options, CROWD);
        drop(session);
        cluster.stop(Stop::Fast);
        move_wal_to(&disk, &cluster);
        cluster.start();
        let mut session = cluster.session(POSTGRES);
        wait_for_good_run(&mut session);

        // The WAL of a fan-out needs more, and no checkpoint frees any in time.
        disk.fill_up_except(2 << 20);
        tide.turn();
        // By design, PostgreSQL ends all its processes when it cannot write its WAL.
        eventually(LATER, "the session is gone", || {
            session.try_list::<i32>("SELECT 1").is_err()
        });
        drop(session);
        cluster.stop(Stop::Immediate);
        let reason = "PANIC:  could not write to file \"pg_wal/";
        assert!(cluster.log().contains(reason), "another reason");

        disk.make_room();
        cluster.start();
        let mut session = cluster.session(POSTGRES);
        tide.everybody_has_everything_once(&mut session, CROWD);
    });
}

/// Moves a stopped server's WAL to the disk, as an administrator does.
fn move_wal_to(disk: &SmallDisk, cluster: &Cluster) {
    let log = cluster.data().join("pg_wal");
    let mut copy = std::process::Command::new("cp");
    copy.arg("-a").arg(&log).arg(disk.data());
    signal_hub_harness::cluster::binaries::succeed(&mut copy);
    std::fs::remove_dir_all(&log).expect("the server is stopped");
    std::os::unix::fs::symlink(disk.data().join("pg_wal"), &log).expect("it was removed");
}
