//! The slot: created and dropped by command, never silently; what is missing is reported.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::proxy::Proxy;
use crate::scene::SOON;
use crate::service::{SLOT, Service};
use crate::shop::Shop;
use crate::wait::{eventually, meanwhile};
use std::process::Stdio;
use std::time::{Duration, Instant};

fn there_is_a_slot(shop: &mut Shop) -> bool {
    shop.admin.one(&format!(
        "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{SLOT}')"
    ))
}

#[test]
fn each_missing_thing_is_reported_with_its_remedy() {
    let mut shop = Shop::open();
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    let must_say = |shop: &mut Shop, expected: &str, remedy: &str, arguments: &[&str]| {
        let said = service.refused(arguments);
        assert!(said.contains(expected), "{said}");
        assert!(said.contains(remedy), "{said}");
        shop.admin.run(remedy);
    };
    must_say(
        &mut shop,
        "publication \"signal_hub\" does not publish user_signals",
        "SELECT \"public\".enable_realtime('signal_hub')",
        &[],
    );
    shop.admin
        .run("REVOKE ALL ON user_signals FROM authenticated");
    must_say(
        &mut shop,
        "role \"authenticated\" may not read signals",
        "SELECT \"public\".grant_realtime_access('authenticated')",
        &[],
    );
    shop.admin.run("CREATE ROLE hub LOGIN NOINHERIT");
    service.become_role("hub");
    for (expected, remedy) in [
        (
            "role hub may not follow a slot",
            "ALTER ROLE \"hub\" REPLICATION",
        ),
        (
            "role hub may not become \"authenticated\"",
            "GRANT \"authenticated\" TO \"hub\"",
        ),
        (
            "role hub does not inherit the rights",
            "ALTER ROLE \"hub\" INHERIT",
        ),
        (
            "role hub may not read signal_health",
            "GRANT pg_monitor TO \"hub\"",
        ),
    ] {
        let said = service.refused(&[]);
        assert!(said.contains(expected) && said.contains(remedy), "{said}");
        shop.admin.run(remedy);
    }
    let said = service.refused(&[]);
    assert!(
        said.contains("there is no slot \"signal_hub_live\""),
        "{said}"
    );
    assert!(said.contains("signal_hub_live create-slot"), "{said}");
    assert!(!there_is_a_slot(&mut shop), "none is made unasked");

    // These rights are enough: no superuser is needed.
    assert!(service.run("create-slot", &[]).status.success());
    service.start(&[]);
    let mut stream = Stream::open(&service, 2, None);
    shop.signal();
    stream.expect_signal(1);
    stream.settle();
    let health = service.json("/api/health", &service.token(2));
    assert_eq!(health["state"], "not_preloaded");
    assert!(service.stop().success());

    shop.admin
        .run("CREATE ROLE all_seeing BYPASSRLS; GRANT all_seeing TO hub");
    for role in ["all_seeing", POSTGRES] {
        shop.admin.run("GRANT postgres TO hub");
        let said = service.refused(&["--role", role]);
        assert!(said.contains("row-level security does not bind"), "{said}");
    }
    let said = service.refused(&["--role", "nobody"]);
    assert!(said.contains("there is no role \"nobody\""), "{said}");
}

#[test]
fn a_slot_is_created_and_dropped_by_command_and_stays_otherwise() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    for said in ["created", "is there already"] {
        let output = service.run("create-slot", &[]);
        assert!(output.status.success());
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(said),
            "{output:?}"
        );
    }
    service.start(&[]);
    let another = service.refused(&[]);
    assert!(
        another.contains("slot \"signal_hub_live\" is in use by process"),
        "{another}"
    );
    assert!(another.contains("--slot"), "{another}");
    let began = Instant::now();
    let output = service.run("drop-slot", &[]);
    assert_eq!(output.status.code(), Some(1), "it is read");
    // A service that was stopped just now may still be ending.
    assert!(began.elapsed() >= Duration::from_secs(5), "it waits");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use"));
    assert!(service.stop().success());
    assert!(
        service
            .said()
            .contains("slot \"signal_hub_live\" stays and keeps WAL")
    );
    assert!(service.said().contains("signal_hub_live drop-slot"));
    assert!(there_is_a_slot(&mut shop));
    for said in ["dropped", "there is no slot"] {
        let output = service.run("drop-slot", &[]);
        assert!(output.status.success());
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(said),
            "{output:?}"
        );
    }
    assert!(!there_is_a_slot(&mut shop));

    shop.admin
        .run("SELECT pg_create_logical_replication_slot('theirs', 'test_decoding')");
    let said = service.refused(&["--slot", "theirs"]);
    assert!(
        said.contains("is not a pgoutput slot of this database"),
        "{said}"
    );
    let output = service.run("drop-slot", &["--slot", "theirs"]);
    assert_eq!(output.status.code(), Some(1), "it is not ours to drop");
    shop.admin.run("SELECT pg_drop_replication_slot('theirs')");
}

#[test]
fn a_slot_is_created_after_a_long_transaction() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let service = Service::of(&shop.cluster, &mut shop.admin);
    let mut writer = shop.cluster.session(POSTGRES);
    writer.run("BEGIN; CREATE TABLE other ()");
    let mut making = service.command("create-slot");
    let mut making = making.stderr(Stdio::piped()).spawn().expect("it starts");
    eventually(SOON, "it waits", || {
        shop.admin.one::<bool>(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)",
        )
    });
    // Longer than a statement of a client may take.
    meanwhile(Duration::from_secs(6), "it waits", || {
        making.try_wait().expect("it is ours").is_none()
    });
    writer.run("COMMIT");
    let output = making.wait_with_output().expect("it is ours");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("waits for transactions that are running"),
        "{said}"
    );
    assert!(there_is_a_slot(&mut shop));
}

#[test]
fn a_command_killed_while_it_waits_leaves_no_slot_behind() {
    let mut shop = Shop::open();
    let service = Service::of(&shop.cluster, &mut shop.admin);
    let mut writer = shop.cluster.session(POSTGRES);
    writer.run("BEGIN; CREATE TABLE other ()");
    let mut making = service.command("create-slot");
    let mut making = making.stderr(Stdio::null()).spawn().expect("it starts");
    let waits =
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)";
    eventually(SOON, "it waits", || shop.admin.one::<bool>(waits));
    making.kill().expect("it is ours");
    making.wait().expect("it is ours");
    eventually(SOON, "the server has stopped waiting", || {
        !shop.admin.one::<bool>(waits)
    });
    writer.run("COMMIT");
    eventually(SOON, "there is no slot that nobody would read", || {
        !there_is_a_slot(&mut shop)
    });
}

#[test]
fn a_lost_slot_is_reported_with_its_remedy_and_clients_still_get_every_row() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    shop.admin.run("CREATE TABLE other (note text)");
    let port: String = shop.admin.one("SHOW port");
    let proxy = Proxy::to(port.parse().expect("a number"));
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.go_by(proxy.port());
    service.start(&["--create-slot"]);
    let mut stream = Stream::open(&service, 2, None);
    stream.expect("watermark");
    proxy.silence();
    shop.cluster.configure("max_slot_wal_keep_size", "1MB");
    eventually(SOON, "the slot is lost", || {
        shop.admin
            .run("INSERT INTO other VALUES ('x'); SELECT pg_switch_wal(); CHECKPOINT");
        let lost = "SELECT wal_status = 'lost' FROM pg_replication_slots";
        shop.admin.one::<bool>(lost)
    });
    shop.admin.run(&crate::shop::import(2, 1));
    stream.expect_signal(1);
    let remedy = "if the slot is lost: signal_hub_live drop-slot, then create-slot";
    eventually(SOON, "the remedy is reported", || {
        service.said().contains(remedy)
    });
    for command in ["drop-slot", "create-slot"] {
        // The service takes the slot for a moment whenever it tries again.
        eventually(SOON, command, || service.run(command, &[]).status.success());
    }
    eventually(SOON, "all is well again", || service.health() == "ok");
    shop.admin.run(&crate::shop::import(2, 2));
    stream.expect_signal(2);
}

/// Old servers stored passwords in this form; the library for replication signs in by itself.
#[test]
fn a_role_with_an_md5_password_may_follow() {
    let mut shop = Shop::open();
    shop.admin.run(
        "SELECT enable_realtime(); SET password_encryption = 'md5';
         CREATE ROLE hub LOGIN REPLICATION PASSWORD 'of old'; GRANT authenticated, pg_monitor TO hub",
    );
    let rules: String = shop.admin.one("SHOW hba_file");
    shop.admin.run(&format!(
        "COPY (VALUES ('host all hub 127.0.0.1/32 md5'), ('host all all 127.0.0.1/32 trust')) TO '{rules}'"
    ));
    shop.admin.run("SELECT pg_reload_conf()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.become_role("hub:wrong");
    eventually(SOON, "the password is asked for", || {
        let said = service.refused(&[]);
        said.contains("password authentication failed")
    });
    service.become_role("hub:of%20old");
    service.start(&["--create-slot"]);
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&crate::shop::import(2, 1));
    stream.expect_signal(1);
}

#[test]
fn a_slot_does_not_keep_the_log_of_other_tables() {
    let (mut shop, service) = crate::service::open();
    shop.admin.run("CREATE TABLE other (note text)");
    let confirmed = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots";
    let before: String = shop.admin.one(confirmed);
    shop.admin
        .run("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    eventually(SOON, "the slot moves past what others write", || {
        shop.admin.one::<bool>(&format!(
            "SELECT confirmed_flush_lsn > '{before}'::pg_lsn + 1000000 FROM pg_replication_slots"
        ))
    });
    assert_eq!(service.metric("rows_total"), 0.0);
}
