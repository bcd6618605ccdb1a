//! What an operator sees: health, numbers, an end in time; and the files of the page.

use crate::client::Stream;
use crate::scene::SOON;
use crate::service::open;
use crate::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn the_service_ends_in_time_and_says_goodbye() {
    let (_shop, mut service) = open();
    let is_said_to_all = |is_down: bool| {
        if is_down {
            service.start(&[]);
        }
        let mut streams: Vec<Stream> = (1..=20)
            .map(|number| Stream::open(&service, number, None))
            .collect();
        // An open connection without a request: alone, it would stay for 15 seconds.
        let idle = TcpStream::connect(service.address()).expect("it listens");
        let began = Instant::now();
        assert!(service.stop().success());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(8), "{took:?}");
        drop(idle);
        streams.iter_mut().all(|stream| {
            let bye = std::iter::from_fn(|| stream.next()).find(|event| event.name == "bye");
            let Some(bye) = bye else {
                return false;
            };
            assert_eq!(bye.data["reason"], "shutdown");
            assert!(bye.id.is_some(), "from where to go on");
            assert!(stream.next().is_none());
            true
        })
    };
    // A busy machine may not be done with all of them in the second that they are given.
    let is_said = [false, true, true].into_iter().any(is_said_to_all);
    assert!(is_said, "not to all");
}

#[test]
fn health_and_numbers_are_those_of_the_database_and_the_service() {
    let (mut shop, service) = open();
    let body = service.get("/healthz", None).body_mut().read_to_string();
    let healthz: Value = serde_json::from_str(&body.expect("text")).expect("JSON");
    assert_eq!(healthz["status"], "ok");
    assert_eq!(healthz["replication"], "streaming");
    assert_eq!(healthz["database"], "up");
    for address in ["/livez", "/readyz"] {
        assert_eq!(service.get(address, None).status(), 200, "{address}");
    }
    let mut stream = Stream::open(&service, 2, None);
    shop.signal();
    stream.expect_signal(1);
    // Counted when the commit has come, which is after the row.
    eventually(SOON, "rows are counted", || {
        service.metric("rows_total") == 3.0
    });
    for (name, value) in [
        ("clients", 1.0),
        ("events_total", 1.0),
        ("clients_dropped_total", 0.0),
        ("replication_connected", 1.0),
        ("replication_starts_total", 1.0),
    ] {
        assert_eq!(service.metric(name), value, "{name}");
    }
    assert!(service.metric("resident_memory_bytes") > 1e6);
    assert!(service.metric("last_row_timestamp_seconds") > 1.7e9);
    assert!(service.metric("replication_lag_bytes") >= 0.0);
    assert_eq!(service.metric("commit_to_sent_seconds_count"), 1.0);
    let sent = service.metric("commit_to_sent_seconds_sum");
    assert!(sent > 0.0 && sent < 60.0, "{sent}");
    // And those of the database.
    let all = service.get("/metrics", None).body_mut().read_to_string();
    let all = all.expect("text");
    for line in [
        "# TYPE signal_hub_run_stage_seconds histogram",
        "signal_hub_run_stage_seconds_count{stage=\"record\"} 1",
        "signal_hub_signals_total 1",
        "signal_hub_slot_active{slot=\"signal_hub_live\"} 1",
        "signal_hub_state{state=\"not_preloaded\"} 1",
    ] {
        assert!(all.lines().any(|l| l == line), "{line}: {all}");
    }

    let token = service.token(2);
    // Not preloaded: this test makes signals by hand.
    eventually(SOON, "the run is known", || {
        !service.json("/api/health", &token)["last_signal_at"].is_null()
    });
    let mut clock = || {
        shop.admin
            .one::<f64>("SELECT extract(epoch FROM clock_timestamp())::float8")
    };
    let before = clock();
    let health = service.json("/api/health", &token);
    let after = clock();
    assert_eq!(health["state"], "not_preloaded");
    assert_eq!(health["healthy"], false);
    assert_eq!(health["message"], "No signals are generated at present.");
    let told: f64 = shop.admin.one(&format!(
        "SELECT extract(epoch FROM '{}'::timestamptz)::float8",
        health["server_time"].as_str().expect("a text")
    ));
    assert!(before - 5.0 < told && told < after + 5.0, "{health}");
    drop(stream);
    // Writing to a client that left shows that it left.
    shop.signal();
    eventually(SOON, "the client has left", || {
        service.metric("clients") == 0.0
    });
}

#[test]
fn that_the_numbers_of_the_database_cannot_be_read_is_a_number_and_in_the_log() {
    let (mut shop, service) = open();
    let is_read = || service.metric("database_metrics_read");
    assert_eq!(is_read(), 1.0);
    for (wrong, words) in [
        ("SELECT 1 AS one FROM the_real_ones", "does not exist"),
        (
            "SELECT m.* FROM (SELECT pg_sleep(4)) s, the_real_ones m",
            "no answer within 3s",
        ),
    ] {
        shop.admin.run(&format!(
            "ALTER VIEW signal_metrics RENAME TO the_real_ones; CREATE VIEW signal_metrics AS {wrong}"
        ));
        eventually(SOON, "it is a number", || is_read() == 0.0);
        eventually(SOON, words, || {
            let said = service.said();
            let mut warnings = said
                .lines()
                .filter(|line| line.contains("metrics of the database"));
            warnings
                .next_back()
                .is_some_and(|last| last.contains(words))
        });
        shop.admin
            .run("DROP VIEW signal_metrics; ALTER VIEW the_real_ones RENAME TO signal_metrics");
        eventually(SOON, "they are read again", || is_read() == 1.0);
    }
}

/// Numbers need no token.
#[test]
fn who_asks_for_numbers_and_leaves_makes_the_database_work_no_more_than_who_waits() {
    let (mut shop, service) = open();
    shop.admin.run(
        "CREATE SEQUENCE asked;
         ALTER VIEW signal_metrics RENAME TO the_real_ones;
         CREATE VIEW signal_metrics AS
             SELECT m.* FROM (SELECT nextval('asked'), pg_sleep(1.5)) s, the_real_ones m",
    );
    // From now on the question needs no preparation.
    service.metric("clients");
    let began = Instant::now();
    let mut gave_up = 0;
    while gave_up < 10 && began.elapsed() < SOON {
        let mut client = TcpStream::connect(service.address()).expect("it listens");
        let request = b"GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n";
        client.write_all(request).expect("it is connected");
        let patience = Some(Duration::from_millis(200));
        client.set_read_timeout(patience).expect("a timeout");
        gave_up += i32::from(client.read(&mut [0]).is_err());
    }
    // Who waits gets them, unless the machine is too busy for an answer within three seconds.
    eventually(SOON, "the numbers of the database come", || {
        let numbers = service.get("/metrics", None).body_mut().read_to_string();
        numbers.expect("text").contains("signal_hub_signals_total")
    });
    assert_eq!(service.health(), "ok");
    let times: i64 = shop.admin.one("SELECT last_value FROM asked");
    // One after the other.
    let took = began.elapsed();
    assert!(
        times <= 2 + took.as_secs() as i64,
        "{times} times in {took:?}"
    );
}

#[test]
fn subscribers_get_no_words_that_are_meant_for_operators() {
    let (mut shop, service) = open();
    shop.admin.run(
        "ALTER VIEW signal_health RENAME TO the_real_one;
         CREATE VIEW signal_health AS SELECT 'failing'::text AS state, false AS healthy, last_run, next_run,
                'LONG BTCUSDT to 00000000-0000-4000-8000-000000000003 failed: no route to 10.0.0.7'::text AS message
           FROM the_real_one;
         CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS
             $f$BEGIN RAISE 'account of 10.0.0.7 is locked' USING ERRCODE = 'invalid_parameter_value'; END$f$;
         CREATE TRIGGER complain BEFORE UPDATE ON user_signals FOR EACH ROW EXECUTE FUNCTION complain()",
    );
    shop.admin.run(&crate::shop::import(2, 1));
    let token = service.token(2);
    let health = eventually(SOON, "the state is known", || {
        let health = service.json("/api/health", &token);
        (health["state"] == "failing").then_some(health)
    });
    let members: Vec<&String> = health.as_object().expect("an object").keys().collect();
    assert_eq!(
        members,
        [
            "healthy",
            "last_run",
            "last_signal_at",
            "message",
            "next_run",
            "server_time",
            "state"
        ]
    );
    let stream = eventually(SOON, "the event comes", || {
        let mut response = service.get("/api/stream", Some(&token));
        let mut start = [0; 4096];
        let mut read = 0;
        let mut reader = response.body_mut().as_reader();
        while !String::from_utf8_lossy(&start[..read]).contains("last_signal_at") {
            read += reader.read(&mut start[read..]).expect("the stream goes on");
        }
        Some(String::from_utf8_lossy(&start[..read]).into_owned())
    });
    let (status, refused) = service.post("/api/signals/1", &token, r#"{"viewed":true}"#);
    assert_eq!(status, 400);
    for reply in [health.to_string(), stream, refused.to_string()] {
        for word in ["BTCUSDT", "000000000003", "10.0.0.7"] {
            assert!(!reply.contains(word), "{reply}");
        }
    }
}

#[test]
fn the_page_comes_with_all_its_files_and_a_strict_policy() {
    let (_shop, service) = open();
    let mut index = service.get("/", None);
    assert_eq!(index.status(), 200);
    let headers = index.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
    let tag = headers["etag"].to_str().expect("text").to_owned();
    let page = index.body_mut().read_to_string().expect("text");
    assert!(page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"));
    let again = crate::service::agent()
        .get(service.url("/"))
        .header("If-None-Match", &tag)
        .call();
    assert_eq!(again.expect("it answers").status(), 304);
    let named = page.split([' ', '\n']).filter_map(|word| {
        let path = word
            .strip_prefix("href=\"")
            .or(word.strip_prefix("src=\""))?;
        path.split('"').next().filter(|path| !path.starts_with('#'))
    });
    let files: Vec<&str> = named.chain(["sw.js"]).collect();
    assert!(files.len() >= 4, "{files:?}");
    for name in files {
        let file = service.get(&format!("/{name}"), None);
        assert_eq!(file.status(), 200, "{name}");
        let kind = file.headers()["content-type"].to_str().expect("text");
        assert!(!kind.contains("octet-stream"), "{name}: {kind}");
    }
    for missing in [
        "/nothing",
        "/api/nothing",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
    ] {
        assert_eq!(service.get(missing, None).status(), 404, "{missing}");
    }
    let token = service.token(2);
    let read = service.get("/api/signals", Some(&token));
    assert_eq!(read.headers()["cache-control"], "no-store");
}

/// A hangup too: of a terminal that is closed, or from a program that rotates logs.
#[test]
fn each_usual_signal_ends_the_service_in_order() {
    let (_shop, mut service) = open();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut stream = Stream::open(&service, 2, None);
        let process = Pid::from_raw(service.pid()).expect("a process");
        // Repeated, as by several managers at once.
        for _ in 0..3 {
            kill_process(process, signal).expect("it is ours");
        }
        let bye = stream.expect("bye");
        assert_eq!(bye.data["reason"], "shutdown", "{signal:?}");
        assert!(service.stop().success(), "{signal:?}");
        assert!(service.said().contains("stays and keeps WAL"), "{signal:?}");
        service.start(&[]);
    }
}
