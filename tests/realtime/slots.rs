//! signal_health watches the slots of programs that follow: a slot that nobody reads fills the
//! disk.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::options;
use signal_hub_harness::wait::eventually;

fn replication(session: &mut Session) -> Option<String> {
    assert!(
        session.one::<bool>("SELECT state = 'not_preloaded' OR healthy FROM signal_health"),
        "signals are delivered, no matter who follows"
    );
    session.one("SELECT replication FROM signal_health")
}

/// Writes some hundred bytes and begins a new WAL segment of 1 MB, this many times.
fn write_segments(session: &mut Session, segments: u32) {
    for _ in 0..segments {
        session.run(
            "SELECT pg_logical_emit_message(false, 'test', repeat('x', 200)), pg_switch_wal()",
        );
    }
    session.run("CHECKPOINT");
}

#[test]
fn health_names_the_slot_that_has_no_reader_and_the_one_that_is_lost() {
    let market = flat_market();
    let cluster = options(&market)
        .set("max_slot_wal_keep_size", "16MB")
        .set("max_wal_size", "4MB")
        .set("min_wal_size", "2MB")
        .start();
    let mut admin = cluster.session(POSTGRES);
    admin.run("CREATE EXTENSION signal_hub");
    let mut elsewhere = cluster.create_database("elsewhere");
    admin.run("SELECT pg_create_logical_replication_slot('page', 'pgoutput')");
    assert_eq!(replication(&mut admin), None, "nobody publishes");
    admin.run("SELECT enable_realtime()");
    let said = replication(&mut admin).unwrap_or_default();
    assert!(said.contains("slot \"page\" has no reader"), "{said}");
    assert!(!said.contains("nothing limits"), "{said}");

    admin.run("SELECT pg_drop_replication_slot('page')");
    // Health does not judge slots that do not follow user_signals.
    admin.run("SELECT pg_create_physical_replication_slot('standby')");
    elsewhere.run("SELECT pg_create_logical_replication_slot('their_own', 'pgoutput')");
    assert_eq!(
        replication(&mut admin).as_deref(),
        Some("published by signal_hub, followed by 0 slot(s)")
    );
    elsewhere.run("SELECT pg_drop_replication_slot('their_own')");

    // A reader that is connected and reads nothing.
    let mut reader = Reader::of(&cluster, &mut admin, "slow");
    assert_eq!(
        replication(&mut admin).as_deref(),
        Some("published by signal_hub, followed by 1 slot(s)")
    );
    write_segments(&mut admin, 8);
    eventually(SOON, "health says that the reader is behind", || {
        let said = replication(&mut admin).unwrap_or_default();
        said.contains("the reader of slot \"slow\" is behind: it holds")
    });
    reader.stop();
    eventually(SOON, "the slot has no reader", || {
        replication(&mut admin).is_some_and(|said| said.contains("slot \"slow\" has no reader"))
    });
    write_segments(&mut admin, 16);
    let said = replication(&mut admin).unwrap_or_default();
    assert!(said.contains("slot \"slow\" is lost"), "{said}");

    admin.run("SELECT pg_drop_replication_slot('slow')");
    cluster.configure("max_slot_wal_keep_size", "-1");
    admin.run("SELECT pg_create_logical_replication_slot('page', 'pgoutput')");
    eventually(SOON, "health says that nothing limits it", || {
        replication(&mut admin).is_some_and(|said| said.contains("nothing limits the WAL held"))
    });
    admin.run("SET ROLE pg_monitor; SELECT replication FROM signal_health; RESET ROLE");
}

/// A pg_recvlogical with its own slot, which confirms nothing.
struct Reader(std::process::Child);

impl Reader {
    fn of(cluster: &signal_hub_harness::cluster::Cluster, admin: &mut Session, slot: &str) -> Self {
        admin.run(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        ));
        let child = cluster
            .tool("pg_recvlogical")
            .args(["--dbname", POSTGRES, "--slot", slot, "--start", "--file=-"])
            .args(["--status-interval=0", "--fsync-interval=0"])
            .args([
                "--option=proto_version=1",
                "--option=publication_names=signal_hub",
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("pg_recvlogical starts");
        eventually(SOON, "the slot is read", || {
            admin.one::<bool>(&format!(
                "SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"
            ))
        });
        Self(child)
    }

    fn stop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
    }
}
