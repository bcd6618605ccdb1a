//! PostgreSQL is upgraded in the middle of a fan-out.

use crate::ground::{
    CROWD, Tide, delivered, extension_for, slow_down, small_batches,
    wait_for_the_middle_of_a_fan_out,
};
use crate::inventory::Inventory;
use signal_hub_harness::cluster::binaries::{Installation, as_server_user, output};
use signal_hub_harness::cluster::{Cluster, POSTGRES, Stop};
use signal_hub_harness::scene::{SOON, flat_market, wait_for_good_run, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "needs an older PostgreSQL beside the one under test: tests/other_postgres.sh MAJOR --upgrade"]
fn what_pg_upgrade_finds_half_delivered_is_delivered_once_by_the_new_server() {
    let market = flat_market();
    let mut tide = Tide::new(&market);
    let mut new = small_batches(&market).start();
    let mut session = new.session(POSTGRES);
    let checksums: String = session.one("SHOW data_checksums");
    let newer = release(&mut session);
    drop(session);
    new.stop(Stop::Fast);

    let mut old = small_batches(&market).start_older(checksums == "on");
    let mut session = old.session(POSTGRES);
    extension_for(&mut session, CROWD);
    let older = release(&mut session);
    let extension: String =
        session.one("SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'");
    println!("from PostgreSQL {older} with signal_hub {extension} to {newer}");
    assert!(older < newer);
    session.run(
        "UPDATE signal_rules SET stop_loss_percent = 2.5;
         UPDATE signal_symbols SET enabled = false WHERE symbol = 'DOGEUSDT';
         INSERT INTO signal_tiers (tier, enabled, priority) VALUES ('TEAM', true, 50)",
    );
    slow_down(&mut session);
    wait_for_good_run(&mut session);
    tide.turn();
    tide.everybody_has_everything_once(&mut session, CROWD);
    tide.turn();
    wait_for_the_middle_of_a_fan_out(&mut session);
    drop(session);
    old.stop(Stop::Immediate);
    let before = without_a_worker(&mut old, |cluster| {
        let mut session = cluster.session(POSTGRES);
        let half = delivered(&mut session) - i64::from(CROWD);
        assert!(
            0 < half && half < CROWD.into(),
            "{half} of {CROWD} are served"
        );
        Inventory::take(&mut session)
    });

    upgrade(&old, &new);
    without_a_worker(&mut new, |cluster| {
        before.is_still_there(&mut cluster.session(POSTGRES), &[]);
    });
    new.start();
    let mut session = new.session(POSTGRES);
    update_the_extension(&mut session);
    tide.everybody_has_everything_once(&mut session, CROWD);
    tide.turn();
    tide.everybody_has_everything_once(&mut session, CROWD);
    assert!(
        session.one::<bool>("SELECT ok AND rows > 2 FROM verify_track_record()"),
        "the record of outcomes goes on where it was"
    );
    let kept: bool = session.one(
        "SELECT stop_loss_percent = 2.5 AND (SELECT NOT enabled FROM signal_symbols WHERE symbol = 'DOGEUSDT')
           FROM signal_rules WHERE strategy = 'momentum'",
    );
    assert!(kept, "the configuration");
    eventually(SOON, "all is well", || {
        session.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
}

/// The major release of the server.
fn release(session: &mut Session) -> i32 {
    session.one("SELECT current_setting('server_version_num')::integer / 10000")
}

/// Reads what a stopped cluster has, and leaves it stopped and with the library preloaded.
fn without_a_worker<T>(cluster: &mut Cluster, inspect: impl FnOnce(&Cluster) -> T) -> T {
    cluster.append_setting("shared_preload_libraries", "");
    cluster.start();
    let found = inspect(cluster);
    cluster.stop(Stop::Fast);
    cluster.append_setting("shared_preload_libraries", "signal_hub");
    found
}

fn upgrade(old: &Cluster, new: &Cluster) {
    let mut command = Installation::under_test().program("pg_upgrade");
    as_server_user(&mut command)
        .args(["--username=postgres", "--old-bindir"])
        .arg(&Installation::older().programs)
        .arg("--new-bindir")
        .arg(&Installation::under_test().programs)
        .arg("--old-datadir")
        .arg(old.data())
        .arg("--new-datadir")
        .arg(new.data())
        .arg("--socketdir")
        .arg(new.folder())
        .current_dir(new.folder());
    let run = command.output().expect("pg_upgrade runs");
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        logs(&new.data().join("pg_upgrade_output.d"))
    );
}

/// The end of each log that pg_upgrade left.
fn logs(folder: &Path) -> String {
    let find = output(Command::new("find").arg(folder).args(["-name", "*.log"]));
    let end = |file| output(Command::new("tail").args(["-n", "15", "-v", file]));
    find.lines().map(|file| end(file) + "\n").collect()
}

/// For an old server that had an older release of the extension, too.
fn update_the_extension(session: &mut Session) {
    let is_older: bool = session.one(
        "SELECT installed_version <> default_version FROM pg_available_extensions WHERE name = 'signal_hub'",
    );
    if is_older {
        eventually(SOON, "health says what to do", || {
            session.one::<bool>("SELECT state = 'version_mismatch' FROM signal_health")
        });
        let worker = eventually(SOON, "the worker waits", || worker_pid(session));
        session.run("ALTER EXTENSION signal_hub UPDATE");
        eventually(SOON, "the worker goes on", || {
            session.one::<bool>("SELECT state <> 'version_mismatch' FROM signal_health")
        });
        assert_eq!(worker_pid(session), Some(worker), "the same process");
    }
}
