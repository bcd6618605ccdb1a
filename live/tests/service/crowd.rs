//! Many clients, and some that take more than their share.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::scene::SOON;
use crate::service::{Service, open};
use crate::shop::{Shop, import};
use crate::wait::{eventually, meanwhile};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A client that opens a stream and does not read it.
fn unread(service: &Service, token: &str) -> TcpStream {
    let mut socket = TcpStream::connect(service.address()).expect("it listens");
    let request =
        format!("GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("it listens");
    socket
}

/// Reads until this text has come.
fn read_until(socket: &mut TcpStream, expected: &str) {
    socket.set_read_timeout(Some(SOON)).expect("a socket");
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains(expected) {
        let read = socket.read(&mut bytes);
        let read = read.unwrap_or_else(|error| panic!("no {expected}: {error}; {text}"));
        assert!(read > 0, "no {expected}: {text}");
        text += &String::from_utf8_lossy(&bytes[..read]);
    }
}

#[test]
fn one_subscriber_who_waits_for_a_lock_keeps_nobody_else_waiting() {
    let (mut shop, service) = open();
    shop.admin.run(&import(2, 1));
    let mut holder = shop.cluster.session(POSTGRES);
    holder.run("BEGIN; UPDATE user_signals SET tier = tier WHERE signal_id = 1");
    let (greedy, other) = (service.token(2), service.token(3));
    let mut watching = Stream::open(&service, 3, None);
    let stop = AtomicBool::new(false);
    thread::scope(|crowd| {
        for _ in 0..12 {
            crowd.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let (status, error) =
                        service.post("/api/signals/1", &greedy, r#"{"viewed":true}"#);
                    assert_eq!(status, 503, "{error}");
                    assert_eq!(error["error"], "busy, try again");
                }
            });
        }
        meanwhile(Duration::from_secs(4), "others are served", || {
            // Who would have to wait for those would be refused after five seconds.
            let began = Instant::now();
            service.get("/api/signals", Some(&other)).status() == 200
                && began.elapsed() < Duration::from_secs(10)
                && service.health() == "ok"
        });
        stop.store(true, Ordering::Relaxed);
    });
    holder.run("ROLLBACK");
    let (status, _) = service.post("/api/signals/1", &greedy, r#"{"viewed":true}"#);
    assert_eq!(status, 200);
    shop.admin.run(&import(3, 2));
    watching.expect_signal(2);
}

#[test]
fn dead_streams_do_not_lock_a_subscriber_out() {
    const MOST: usize = 32;
    let (mut shop, service) = open();
    let token = service.token(2);
    let mut dead: Vec<TcpStream> = (0..MOST).map(|_| unread(&service, &token)).collect();
    eventually(SOON, "all are there", || {
        service.metric("clients") == MOST as f64
    });
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    assert_eq!(service.metric("clients"), MOST as f64);
    assert_eq!(service.metric("clients_dropped_total"), 0.0);
    // One of the streams was not dead; it is sent the reason.
    let mut texts = vec![Vec::new(); MOST];
    let mut told = || {
        for (socket, text) in dead.iter_mut().zip(&mut texts) {
            let mut bytes = [0; 4096];
            let wait = Some(Duration::from_millis(20));
            socket.set_read_timeout(wait).expect("a socket");
            while let Ok(read @ 1..) = socket.read(&mut bytes) {
                text.extend_from_slice(&bytes[..read]);
            }
        }
        let texts = texts.iter().map(|text| String::from_utf8_lossy(text));
        texts
            .map(|text| text.matches(r#"{"reason":"replaced"}"#).count())
            .sum::<usize>()
    };
    eventually(SOON, "one is told", || told() > 0);
    assert_eq!(told(), 1, "and no other");
}

#[test]
fn few_open_files_make_room_for_few_clients_and_for_the_database() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.may_open(40);
    let said = service.refused(&[]);
    assert!(said.contains("40 open files are too few"), "{said}");
    service.may_open(80);
    service.start(&["--create-slot"]);
    assert!(
        service
            .said()
            .contains("80 open files make room for 16 clients, not 10000")
    );
    // Those who are refused come after all others have their place.
    let mut clients = Vec::new();
    for (numbers, expected) in [(1..=16, "HTTP/1.1 200"), (17..=20, "HTTP/1.1 503")] {
        let mut some: Vec<TcpStream> = numbers
            .map(|number| unread(&service, &service.token(number)))
            .collect();
        for client in &mut some {
            read_until(client, expected);
        }
        clients.append(&mut some);
    }
    assert_eq!(service.health(), "ok");
    let read = service.get("/api/signals", Some(&service.token(2)));
    assert_eq!(read.status(), 200);
}

/// Connections without a request must not use up the files that the service itself needs.
#[test]
fn idle_connections_do_not_keep_the_service_from_its_database() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.may_open(256);
    service.start(&["--create-slot"]);
    let idle: Vec<_> = (0..400)
        .map(|_| TcpStream::connect(service.address()))
        .collect();
    assert!(idle.iter().filter(|socket| socket.is_ok()).count() > 224);
    eventually(SOON, "the service has as many as it takes", || {
        service.said().contains("224 connections are open")
    });
    shop.admin.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signal_hub_live'",
    );
    for what in [
        "active_pid IS NOT NULL",
        "EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = 'signal_hub_live' AND a.pid <> active_pid)",
    ] {
        eventually(SOON, what, || {
            shop.admin
                .one::<bool>(&format!("SELECT {what} FROM pg_replication_slots"))
        });
    }
    drop(idle);
    eventually(SOON, "all is well", || service.health() == "ok");
}
