//! A database that vanishes silently, and a log that nobody reads.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::proxy::Proxy;
use crate::scene::SOON;
use crate::service::{Service, open};
use crate::shop::{Shop, import};
use crate::wait::eventually;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// Ten seconds until a connection is given up, and some more until a new one works.
const LATER: Duration = Duration::from_secs(45);

#[test]
fn silent_connections_are_given_up() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    // After this time the server frees the slot.
    shop.cluster.configure("wal_sender_timeout", "2s");
    let port: String = shop.admin.one("SHOW port");
    let proxy = Proxy::to(port.parse().expect("a number"));
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.go_by(proxy.port());
    service.start(&["--create-slot"]);
    let token = service.token(2);
    let mut stream = Stream::open(&service, 2, None);
    // Several connections, as after a burst of readers.
    thread::scope(|burst| {
        for number in 2..18 {
            let token = service.token(number);
            let service = &service;
            burst
                .spawn(move || assert_eq!(service.get("/api/signals", Some(&token)).status(), 200));
        }
    });
    proxy.silence();
    shop.admin.run(&import(2, 1000));
    eventually(LATER, "a subscriber reads", || {
        service.get("/api/signals", Some(&token)).status() == 200
    });
    let mut watching = Stream::open(&service, 2, None);
    eventually(LATER, "the service follows again", || {
        service.health() == "ok"
    });
    stream.expect_signal(1000);
    shop.admin.run(&import(2, 1001));
    stream.expect_signal(1001);
    watching.expect_signal(1001);
    // Every connection is a new one.
    for _ in 0..16 {
        assert_eq!(service.get("/api/signals", Some(&token)).status(), 200);
    }
}

#[test]
fn a_server_that_accepts_and_never_answers_does_not_block_commands() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let mut shop = Shop::open();
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.go_by(silent.local_addr().expect("it listens").port());
    thread::scope(|both| {
        for command in ["create-slot", "serve"] {
            let service = &service;
            both.spawn(move || {
                let began = Instant::now();
                let output = service.run(command, &[]);
                assert!(began.elapsed() < LATER, "{command} took too long");
                assert_eq!(output.status.code(), Some(1), "{command}");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("it does not answer"), "{command}: {said}");
            });
        }
    });
}

#[test]
fn the_service_goes_on_when_nobody_reads_its_log() {
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    stream.expect("watermark");
    service.stop_hearing();
    for signal in [1000, 1001] {
        shop.admin
            .run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots");
        eventually(SOON, "the stream is a new one", || {
            service.metric("replication_starts_total") > (signal - 999) as f64
        });
        eventually(SOON, "all is well again", || service.health() == "ok");
        let mut session = shop.cluster.session(POSTGRES);
        session.run(&import(2, signal));
        stream.expect_signal(signal);
    }
}
