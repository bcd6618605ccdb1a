//! A watermark contains a transaction number, which is meaningful in only one history: what
//! happens to it after a crash, on a standby, after a failover, with another subscriber or in
//! another database.

use signal_hub_harness::cluster::binaries::{as_server_user, program, succeed};
use signal_hub_harness::cluster::{POSTGRES, Stop};
use signal_hub_harness::scene::SOON;
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{Shop, begin, claim, client_of, import, page, since};
use signal_hub_harness::wait::eventually;
use std::fs;

#[test]
fn a_watermark_of_somebody_else_or_from_elsewhere_starts_at_the_beginning() {
    let mut shop = Shop::open();
    shop.signal();
    shop.signal();
    let mut client = shop.client(2);
    let own = begin(&mut client).watermark;
    assert_eq!(since(&mut client, &own).signals, Vec::<i64>::new());
    claim(&mut client, 3);
    let read = since(&mut client, &own);
    assert_eq!(read.signals, [1, 2], "another subscriber");
    assert_eq!(
        since(&mut client, &read.watermark).signals,
        Vec::<i64>::new()
    );
    claim(&mut client, 2);
    shop.admin
        .run("CREATE ROLE mobile; SELECT grant_realtime_access('mobile')");
    client.run("RESET ROLE; SET ROLE mobile");
    assert_eq!(since(&mut client, &own).signals, [1, 2], "another role");

    shop.admin.run("CREATE DATABASE copy TEMPLATE template0");
    let mut copy = shop.cluster.session("copy");
    copy.run("CREATE EXTENSION signal_hub");
    copy.run(&import(2, 7));
    shop.signal();
    let office = begin(&mut shop.admin).watermark;
    assert_eq!(since(&mut copy, &office).signals, [7], "another database");
    let other = Shop::open();
    assert_eq!(
        other
            .client(2)
            .rows(&format!("SELECT signals_since('{own}')"))
            .len(),
        1,
        "another server"
    );
}

#[test]
fn no_crash_uses_a_number_twice_that_a_watermark_has_passed() {
    let mut shop = Shop::open();
    // A server that keeps WAL in memory as long as nobody waits for it.
    for (name, value) in [
        ("wal_writer_delay", "10s"),
        ("wal_writer_flush_after", "1GB"),
        ("autovacuum", "off"),
    ] {
        shop.cluster.append_setting(name, value);
    }
    shop.cluster.restart();
    shop.admin = shop.cluster.session(POSTGRES);
    let mut client = shop.client(2);
    // Called once before, so that nothing else is written in between: then everything fits into
    // one page of WAL, and a page that is not full stays in memory.
    begin(&mut client);
    use_up_numbers(&mut shop.admin);
    // Once in ten seconds the WAL writer writes all there is.
    eventually(SOON, "there is something to forget", || {
        shop.admin.run("CHECKPOINT");
        shop.admin.run("SELECT pg_switch_wal()");
        use_up_numbers(&mut shop.admin);
        shop.admin
            .one::<bool>("SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()")
    });
    let watermark = begin(&mut client).watermark;
    shop.cluster.stop(Stop::Immediate);
    shop.cluster.start();
    shop.admin = shop.cluster.session(POSTGRES);
    shop.admin.run(&import(2, 1));
    // The client returns later.
    use_up_numbers(&mut shop.admin);
    use_up_numbers(&mut shop.admin);
    let mut client = shop.client(2);
    assert_eq!(since(&mut client, &watermark).signals, [1]);
}

/// Fifty aborted transactions, which need not reach the disk.
fn use_up_numbers(session: &mut Session) {
    for _ in 0..50 {
        session.run("BEGIN");
        session.run("SELECT pg_current_xact_id()");
        session.run("ROLLBACK");
    }
}

#[test]
fn a_standby_that_lags_has_nothing_new_and_a_failover_starts_at_the_beginning() {
    let mut shop = Shop::open();
    shop.signal();
    let standby = shop.cluster.standby();
    let mut reader = client_of(&standby, 2);
    let mut operator = standby.session(POSTGRES);
    let mut client = shop.client(2);
    let begun = begin(&mut client).watermark;
    let follow = |operator: &mut Session, admin: &mut Session| {
        let written: String = admin.one("SELECT pg_current_wal_lsn()::text");
        eventually(SOON, "the standby follows", || {
            operator.one::<bool>(&format!("SELECT pg_last_wal_replay_lsn() >= '{written}'"))
        });
    };
    follow(&mut operator, &mut shop.admin);
    // Both have the same transaction numbers.
    assert_eq!(since(&mut reader, &begun).signals, Vec::<i64>::new());
    shop.signal();
    follow(&mut operator, &mut shop.admin);
    let on_standby = since(&mut reader, &begun);
    assert_eq!(on_standby.signals, [2]);
    assert_eq!(
        since(&mut client, &on_standby.watermark).signals,
        Vec::<i64>::new()
    );

    operator.run("SELECT pg_wal_replay_pause()");
    eventually(SOON, "the standby stands still", || {
        operator.one::<String>("SELECT pg_get_wal_replay_pause_state()") == "paused"
    });
    for _ in 0..3 {
        shop.signal();
    }
    let ahead = since(&mut client, &begun);
    assert_eq!(ahead.signals, [2, 3, 4, 5]);
    let behind = since(&mut reader, &ahead.watermark);
    assert_eq!(behind.signals, Vec::<i64>::new());
    assert_eq!(behind.watermark, ahead.watermark, "not set back");
    // The failover comes while the client is reading pages.
    let first = page(&mut client, &format!("'{begun}'"), "2");
    assert_eq!(first.signals, [2, 3]);
    let behind = since(&mut reader, &first.watermark);
    assert_eq!((behind.signals, behind.more), (vec![], false));
    assert_eq!(
        behind.watermark, first.watermark,
        "the page is still to come"
    );
    operator.run("SELECT pg_wal_replay_resume()");
    follow(&mut operator, &mut shop.admin);
    assert_eq!(since(&mut reader, &first.watermark).signals, [4, 5]);

    shop.cluster.stop(Stop::Immediate);
    assert!(operator.one::<bool>("SELECT pg_promote()"));
    let after = since(&mut reader, &ahead.watermark);
    assert_eq!(after.signals, [1, 2, 3, 4, 5], "a new timeline");
    operator.run(&import(2, 6));
    assert_eq!(since(&mut reader, &after.watermark).signals, [6]);
}

/// Transaction numbers have 64 bits, of which a row stores 32.
#[test]
fn numbers_go_on_beyond_32_bits() {
    let mut shop = Shop::open();
    shop.signal();
    let mut client = shop.client(2);
    let early = begin(&mut client).watermark;
    shop.admin
        .run("UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'");
    for database in ["template0", "template1", POSTGRES] {
        shop.cluster.session(database).run("VACUUM FREEZE");
    }
    drop(client);
    shop.cluster.stop(Stop::Fast);
    let data = shop.cluster.folder().join("data");
    // Two hundred numbers before the 32 bits are used up; they are in the last segment of the
    // commit log.
    fs::write(data.join("pg_xact/0FFF"), vec![0; 256 * 1024]).expect("the folder is ours");
    let _ = std::os::unix::fs::chown(
        data.join("pg_xact/0FFF"),
        signal_hub_harness::cluster::binaries::server_user().map(|user| user.0),
        signal_hub_harness::cluster::binaries::server_user().map(|user| user.1),
    );
    succeed(
        as_server_user(&mut program("pg_resetwal"))
            .arg("--next-transaction-id=4294967096")
            .arg(&data)
            .current_dir(shop.cluster.folder()),
    );
    shop.cluster.start();
    shop.admin = shop.cluster.session(POSTGRES);
    let mut client = shop.client(2);
    let mut watermark = early;
    for signal in 100..500 {
        shop.admin.run(&import(2, signal));
        let read = since(&mut client, &watermark);
        assert!(
            read.signals.contains(&signal),
            "{signal}: {:?}",
            read.signals
        );
        watermark = read.watermark;
    }
    let number: i64 = watermark
        .split('-')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    assert!(number > 1 << 32, "{number}");
    assert_eq!(since(&mut client, &watermark).signals, Vec::<i64>::new());
}
