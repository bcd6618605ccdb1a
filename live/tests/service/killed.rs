//! Whatever is killed, every client ends with every row.

use crate::client::{Follower, Stream};
use crate::cluster::{POSTGRES, Stop};
use crate::scene::SOON;
use crate::service::open;
use crate::shop::{Shop, import};
use crate::wait::eventually;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u32 = 50;
/// Enough for a burst on a busy machine.
const LATER: Duration = Duration::from_secs(60);

#[test]
fn the_service_is_killed_three_times_in_a_burst_and_every_client_ends_with_every_row() {
    const SIGNALS: i64 = 300;
    let (mut shop, mut service) = open();
    let clients: Vec<Follower> = (1..=CLIENTS)
        .map(|number| Follower::start(&service, number))
        .collect();
    eventually(LATER, "all are connected", || {
        clients.iter().all(|client| client.streams() > 0)
    });
    let mut writer = shop.cluster.session(POSTGRES);
    let writing = thread::spawn(move || {
        for signal in 1..=SIGNALS {
            writer.run(&format!(
                "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                           expires_at, full_details, metadata)
                 SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, {signal}, 'MAX', 'BTCUSDT', 'LONG',
                        50, 50, 'infinity', false, '{{}}' FROM generate_series(1, {CLIENTS}) AS i"
            ));
            thread::sleep(Duration::from_millis(10));
        }
    });
    for part in 1..=3 {
        let enough = usize::try_from(i64::from(part) * SIGNALS / 4).expect("few");
        eventually(LATER, "the burst goes on, and all are back", || {
            clients[0].count() >= enough && clients.iter().all(|client| client.streams() >= part)
        });
        service.kill();
        service.start(&[]);
    }
    writing.join().expect("no panic");
    let all: BTreeSet<i64> = (1..=SIGNALS).collect();
    for (number, client) in clients.iter().enumerate() {
        eventually(LATER, "a client has everything", || {
            client.count() == all.len()
        });
        assert_eq!(client.seen(), all, "client {number}");
        assert!(client.streams() >= 3, "it was there all the time");
    }
    let rows: i64 = shop.admin.one("SELECT count(*) FROM user_signals");
    assert_eq!(rows, SIGNALS * i64::from(CLIENTS));
}

#[test]
fn the_database_restarts_and_clients_stay_and_miss_nothing() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    for (number, how) in [Stop::Fast, Stop::Immediate].into_iter().enumerate() {
        let number = i64::try_from(number).expect("few");
        shop.cluster.stop(how);
        eventually(SOON, "the service reports it", || {
            service.get("/healthz", None).status() == 503
        });
        let token = service.token(2);
        let answer = service.get("/api/signals", Some(&token));
        assert_eq!(answer.status(), 503);
        assert_eq!(
            service
                .post("/api/signals/1", &token, r#"{"viewed":true}"#)
                .0,
            503
        );
        shop.cluster.start();
        // Written before the service has connected again.
        shop.admin = shop.cluster.session(POSTGRES);
        shop.admin.run(&import(2, 1000 + number));
        stream.expect_signal(1000 + number);
        eventually(SOON, "all is well again", || {
            service.get("/healthz", None).status() == 200
        });
    }
    shop.admin.run(&import(2, 2000));
    stream.expect_signal(2000);
    stream.settle();
}

/// A server that starts again after a crash makes a process for each attempt to connect: were there as
/// many as there are clients, again and again, it would not get on.
#[test]
fn while_the_database_is_away_clients_do_not_besiege_it_and_read_soon_after() {
    let (mut shop, service) = open();
    let mut streams: Vec<Stream> = (1..=CLIENTS)
        .map(|number| Stream::open(&service, number, None))
        .collect();
    let port: u16 = shop.admin.one::<String>("SHOW port").parse().expect("one");
    shop.cluster.stop(Stop::Immediate);
    let door = TcpListener::bind(("127.0.0.1", port)).expect("nobody is there");
    door.set_nonblocking(true).expect("a socket");
    let came = |time: Duration| {
        let end = Instant::now() + time;
        let mut count = 0;
        while Instant::now() < end {
            match door.accept() {
                Ok(_) => count += 1,
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        count
    };
    // Those of the service itself are among them: its monitor, prices, replication and watchers.
    let (first, then) = (came(Duration::from_secs(5)), came(Duration::from_secs(10)));
    assert!(first < 40 && then < 40, "{first}, {then}");
    drop(door);
    shop.cluster.start();
    eventually(SOON, "the service has its database", || {
        service.get("/healthz", None).status() == 200
    });
    let back = Instant::now();
    shop.admin = shop.cluster.session(POSTGRES);
    for number in 1..=CLIENTS {
        shop.admin.run(&import(number, 1000 + i64::from(number)));
    }
    for (number, stream) in (1..).zip(&mut streams) {
        stream.expect_signal(1000 + number);
        stream.settle();
    }
    // Who is not given a turn reads no sooner than after 30 seconds.
    assert!(
        back.elapsed() < Duration::from_secs(25),
        "{:?}",
        back.elapsed()
    );
}

fn drop_slot(shop: &mut Shop) {
    eventually(SOON, "the slot is gone", || {
        // Each time: the service soon takes the slot again.
        shop.admin.run(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = 'signal_hub_live'",
        );
        shop.admin
            .try_list::<String>("SELECT pg_drop_replication_slot('signal_hub_live')::text")
            .is_ok()
    });
}

#[test]
fn the_slot_is_dropped_and_created_again_and_clients_miss_nothing() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    // A new client reads twice; this test is about another reason to read.
    stream.expect("watermark");
    // Written while there is no slot, so the new slot does not have it.
    drop_slot(&mut shop);
    shop.admin.run(&import(2, 1000));
    shop.admin
        .run("SELECT pg_create_logical_replication_slot('signal_hub_live', 'pgoutput')");
    stream.expect_signal(1000);
    shop.admin.run(&import(2, 1001));
    stream.expect_signal(1001);
    eventually(SOON, "replication goes on", || {
        service.said().contains("replication goes on")
    });
}

#[test]
fn without_a_slot_clients_still_get_every_row() {
    let (mut shop, service) = open();
    let mut before = Stream::open(&service, 2, None);
    before.expect("watermark");
    // As after a failover to a server that does not have the slot.
    drop_slot(&mut shop);
    shop.admin.run(&import(2, 1000));
    before.expect_signal(1000);
    eventually(SOON, "the operator is told", || {
        service.said().contains("HINT: signal_hub_live create-slot")
    });
    let mut after = Stream::open(&service, 2, Some(&before.watermark));
    shop.admin.run(&import(2, 1001));
    for stream in [&mut before, &mut after] {
        stream.expect_signal(1001);
    }
    assert_eq!(service.get("/healthz", None).status(), 503);
    // Attempts become less frequent.
    eventually(SOON, "pauses grow", || {
        service.said().contains("again in 4s")
    });
}
