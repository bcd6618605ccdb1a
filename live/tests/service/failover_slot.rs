//! From PostgreSQL 17 on the slot that create-slot makes is kept in step on a standby, and a failover
//! costs no signal and no command.

use crate::client::Stream;
use crate::cluster::{Cluster, POSTGRES};
use crate::scene::SOON;
use crate::service::{SLOT, Service};
use crate::shop::{Shop, import};
use crate::wait::eventually;
use signal_hub_harness::skip::report_skipped;

/// A standby that keeps slots in step, as docs/operating.md says.
fn standby_with_slots(shop: &mut Shop) -> Cluster {
    shop.admin
        .run("SELECT pg_create_physical_replication_slot('standby', true)");
    let standby = shop.cluster.standby();
    let mut session = standby.session(POSTGRES);
    let connection: String = session.one("SELECT current_setting('primary_conninfo')");
    for setting in [
        format!(
            "primary_conninfo = '{} dbname=postgres'",
            connection.replace('\'', "''")
        ),
        "primary_slot_name = 'standby'".to_owned(),
        "hot_standby_feedback = on".to_owned(),
        "sync_replication_slots = on".to_owned(),
    ] {
        session.run(&format!("ALTER SYSTEM SET {setting}"));
    }
    session.run("SELECT pg_reload_conf()");
    // Whoever reads a slot is never told of what the standby does not have.
    shop.admin
        .run("ALTER SYSTEM SET synchronized_standby_slots = 'standby'");
    shop.admin.run("SELECT pg_reload_conf()");
    standby
}

#[test]
fn the_slot_is_there_after_a_failover_and_nothing_is_missing() {
    let mut shop = Shop::open();
    let version: i32 = shop
        .admin
        .one("SELECT current_setting('server_version_num')::integer");
    if version < 170_000 {
        return report_skipped("slots that survive a failover take PostgreSQL 17");
    }
    shop.admin.run("SELECT enable_realtime()");
    let standby = standby_with_slots(&mut shop);
    let mut reader = standby.session(POSTGRES);
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    let created = service.run("create-slot", &[]);
    let said = String::from_utf8_lossy(&created.stderr).into_owned();
    assert!(
        said.contains("failover slot \"signal_hub_live\" created"),
        "{said}"
    );
    let (first, second): (String, String) = (shop.admin.one("SHOW port"), reader.one("SHOW port"));
    service.use_address(&format!(
        "postgresql://postgres@127.0.0.1:{second},127.0.0.1:{first}/{POSTGRES}?sslmode=disable"
    ));
    service.start(&[]);
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    eventually(SOON, "the standby has the slot", || {
        reader.one::<bool>(&format!(
            "SELECT EXISTS (SELECT FROM pg_replication_slots
                             WHERE slot_name = '{SLOT}' AND failover AND synced AND NOT temporary)"
        ))
    });
    eventually(SOON, "the standby has the row", || {
        reader.one::<i64>("SELECT count(*) FROM user_signals") == 1
    });

    shop.cluster.kill9();
    assert!(reader.one::<bool>("SELECT pg_promote()"));
    // Before the service is there again.
    reader.run(&import(2, 2));
    stream.expect_signal(2);
    eventually(
        SOON,
        "the service follows the slot of the new primary",
        || {
            service.health() == "ok"
                && reader.one::<bool>(&format!(
                    "SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
                ))
        },
    );
    reader.run(&import(2, 3));
    stream.expect_signal(3);
}
