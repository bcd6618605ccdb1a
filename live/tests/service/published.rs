//! A publication that is taken away, changed or put back under a running service.

use crate::client::Stream;
use crate::scene::SOON;
use crate::service::{Service, open};
use crate::shop::{Shop, import};
use crate::wait::eventually;
use std::collections::BTreeSet;

const TAKE_OUT: &str = "ALTER PUBLICATION signal_hub DROP TABLE user_signals";
const PUT_BACK: &str = "SELECT enable_realtime()";

/// Reads until all of these have come, in whatever order.
fn expect_all(stream: &mut Stream, signals: &[i64]) {
    let mut missing: BTreeSet<i64> = signals.iter().copied().collect();
    while !missing.is_empty() {
        let signal = stream.expect("signal").data["signal_id"].as_i64();
        missing.remove(&signal.expect("a number"));
    }
}

#[test]
fn rows_written_while_nothing_was_published_are_read() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    stream.settle();
    // Too short for the service to ask meanwhile; once with a row after it, once without.
    for (lost, behind) in [(2, Some(3)), (4, None)] {
        shop.admin.run(TAKE_OUT);
        shop.admin.run(&import(2, lost));
        shop.admin.run(PUT_BACK);
        if let Some(behind) = behind {
            shop.admin.run(&import(2, behind));
        }
        let all: Vec<i64> = [Some(lost), behind].into_iter().flatten().collect();
        expect_all(&mut stream, &all);
    }
    shop.admin.run(&import(2, 5));
    stream.expect_signal(5);
    stream.settle();
}

#[test]
fn a_missing_publication_is_reported_and_clients_still_get_every_row() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    stream.expect("watermark");
    shop.admin.run(TAKE_OUT);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    eventually(SOON, "it is known", || {
        service.health() == "up, not published"
    });
    assert_eq!(service.metric("replication_connected"), 0.0);
    eventually(SOON, "the remedy is reported", || {
        service
            .said()
            .contains("HINT: SELECT \"public\".enable_realtime('signal_hub')")
    });

    // The extension is dropped and created again, and is not published any more.
    shop.admin.run("DROP EXTENSION signal_hub CASCADE");
    eventually(SOON, "it is known", || {
        service.health().starts_with("failing")
    });
    shop.admin
        .run("CREATE EXTENSION signal_hub; SELECT grant_realtime_access()");
    shop.admin.run(&import(2, 2));
    stream.expect_signal(2);
    eventually(SOON, "the database is well", || {
        service.health() == "up, not published"
    });
    shop.admin.run(PUT_BACK);
    eventually(SOON, "all is well again", || service.health() == "ok");
    shop.admin.run(&import(2, 3));
    stream.expect_signal(3);
}

/// The log is decoded by the catalog as it was when the log was written, so rows written without a
/// publication cannot be decoded, whatever exists now.
#[test]
fn a_dropped_publication_does_not_cause_endless_attempts() {
    let (mut shop, mut service) = open();
    let mut stream = Stream::open(&service, 2, None);
    stream.expect("watermark");
    shop.admin.run("DROP PUBLICATION signal_hub");
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    shop.admin.run(PUT_BACK);
    shop.admin.run(&import(2, 2));
    stream.expect_signal(2);
    eventually(SOON, "pauses grow", || {
        service.said().contains("again in 4s")
    });
    let said = service.said();
    assert!(
        said.contains("signal_hub_live drop-slot, then create-slot"),
        "{said}"
    );
    let attempts = said.matches("again in").count();
    assert!(attempts <= 7, "{attempts} attempts: {said}");

    assert!(service.stop().success());
    let missed = stream.watermark.clone();
    for command in ["drop-slot", "create-slot"] {
        assert!(service.run(command, &[]).status.success(), "{command}");
    }
    service.start(&[]);
    let mut stream = Stream::open(&service, 2, Some(&missed));
    shop.admin.run(&import(2, 3));
    stream.expect_signal(3);
}

#[test]
fn a_publication_of_a_part_is_refused_with_its_remedy() {
    let mut shop = Shop::open();
    let service = Service::of(&shop.cluster, &mut shop.admin);
    for part in [
        "FOR TABLE user_signals WITH (publish = 'insert')",
        "FOR TABLE user_signals WHERE (signal_id > 100) WITH (publish = 'insert')",
        "FOR TABLE user_signals (user_id, signal_id, symbol) WITH (publish = 'insert, update')",
    ] {
        shop.admin
            .run(&format!("CREATE PUBLICATION signal_hub {part}"));
        let said = service.refused(&[]);
        assert!(said.contains("publishes a part of user_signals"), "{said}");
        let (_, remedy) = said.split_once("HINT: ").expect("a remedy");
        shop.admin.run(remedy);
        let said = service.refused(&[]);
        assert!(said.contains("there is no slot"), "{part}: {said}");
        shop.admin.run("DROP PUBLICATION signal_hub");
    }
    shop.admin
        .run("CREATE PUBLICATION signal_hub FOR ALL TABLES");
    let said = service.refused(&[]);
    assert!(said.contains("there is no slot"), "{said}");
}
