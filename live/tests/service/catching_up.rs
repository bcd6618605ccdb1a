//! A client that was away, or connects at a bad moment, gets every row.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::scene::SOON;
use crate::service::{Service, agent, open};
use crate::shop::{Shop, import};
use crate::wait::eventually;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::thread;

#[test]
fn a_client_begins_with_the_newest_and_goes_on_from_there_after_a_restart() {
    let (mut shop, mut service) = open();
    for _ in 0..4 {
        shop.signal();
    }
    let token = service.token(2);
    let newest = service.json("/api/signals?limit=3", &token);
    let ids: Vec<_> = newest["signals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| s["signal_id"].as_i64())
        .collect();
    assert_eq!(ids, [Some(2), Some(3), Some(4)]);
    let watermark = newest["watermark"].as_str().expect("a text");
    shop.signal();

    let mut stream = Stream::open(&service, 2, Some(watermark));
    assert_eq!(stream.expect("signal").data["signal_id"], 5);
    stream.settle();
    shop.signal();
    stream.expect_signal(6);
    let missed = stream.watermark.clone();
    assert!(service.stop().success());
    while let Some(event) = stream.next() {
        assert!(
            ["watermark", "signal", "bye"].contains(&event.name.as_str()),
            "{event:?}"
        );
        if event.name == "bye" {
            assert_eq!(event.data["reason"], "shutdown");
        }
    }
    shop.signal();
    service.start(&[]);
    let mut stream = Stream::open(&service, 2, Some(&missed));
    assert_eq!(
        stream.expect("signal").data["signal_id"],
        6,
        "not vouched for, so again"
    );
    assert_eq!(stream.expect("signal").data["signal_id"], 7);
    shop.signal();
    stream.expect_signal(8);
    stream.settle();
    // Nothing is left over.
    let url = format!("/api/signals?since={}", stream.watermark);
    let left = service.json(&url, &token);
    assert_eq!(left["signals"].as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(left["more"], false);
}

#[test]
fn a_long_absence_is_caught_up_while_new_signals_come() {
    let (mut shop, service) = open();
    let watermark = service.json("/api/signals", &service.token(2))["watermark"].clone();
    for signal in 1..=1500 {
        shop.admin.run(&import(2, signal));
    }
    let mut late = shop.cluster.session(POSTGRES);
    let writing = thread::spawn(move || {
        for signal in 1501..=1600 {
            late.run(&import(2, signal));
        }
    });
    let mut stream = Stream::open(&service, 2, watermark.as_str());
    let mut seen = BTreeSet::new();
    while seen.len() < 1600 {
        seen.insert(stream.expect("signal").data["signal_id"].as_i64());
    }
    writing.join().expect("no panic");
}

/// With synchronous replication a transaction is in the log, and so in the stream, before others
/// can see it.
#[test]
fn a_row_that_was_streamed_before_it_could_be_read_is_not_missed() {
    let mut shop = Shop::open();
    // A standby that never comes. Only sessions that ask for it wait.
    shop.cluster
        .append_setting("synchronous_standby_names", "nobody");
    shop.cluster.append_setting("synchronous_commit", "local");
    shop.cluster.restart();
    shop.admin = shop.cluster.session(POSTGRES);
    shop.admin.run("SELECT enable_realtime()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.start(&["--create-slot"]);
    let mut before = Stream::open(&service, 2, None);
    before.expect("watermark");
    let mut writer = shop.cluster.session(POSTGRES);
    writer.run("SET synchronous_commit = on");
    let committing = thread::spawn(move || writer.run(&import(2, 1000)));
    before.expect_signal(1000);
    let mut after = Stream::open(&service, 2, None);
    let begun = after.watermark.clone();
    let visible: i64 = shop.admin.one("SELECT count(*) FROM user_signals");
    assert_eq!(visible, 0, "the commit is still waiting");
    // The next rows must not move the resume point past it.
    shop.admin.run(&import(2, 1001));
    after.expect_signal(1001);
    let resumed = Stream::open(&service, 2, Some(&after.watermark)).watermark;
    assert_eq!(resumed, begun);
    shop.cluster.configure("synchronous_standby_names", "");
    committing.join().expect("no panic");
    after.expect_signal(1000);
    after.settle();
}

/// How a page reads back through all of its history.
#[test]
fn the_history_is_read_back_to_its_beginning_by_whoever_it_belongs_to() {
    let (mut shop, service) = open();
    for signal in 1..=23 {
        shop.admin.run(&import(2, signal));
    }
    shop.admin.run(&import(3, 5));
    shop.admin.run("INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, \
        stop_loss, take_profit, stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent) \
        SELECT signal_id, 'momentum', symbol, signal_type, 'entered', created_at, created_at + interval '4 hours', 100, 98.5, '{101.5}', 1.5, '{1.5}', 50, 50, 2, 4 \
        FROM user_signals WHERE signal_id = 3");
    let token = service.token(2);
    let mut before = i64::MAX;
    let mut all = Vec::new();
    loop {
        let page = service.json(&format!("/api/signals?before={before}&limit=10"), &token);
        let ids = page["signals"].as_array().expect("a list").iter();
        let ids: Vec<_> = ids.filter_map(|row| row["signal_id"].as_i64()).collect();
        assert!(page["watermark"].is_null(), "{page}");
        before = *ids.last().expect("no empty page");
        all.extend(ids);
        if page["more"] == false {
            // The outcome comes with its signal.
            assert_eq!(page["outcomes"][0]["signal_id"], 3, "{page}");
            break;
        }
    }
    assert_eq!(all, (1..=23).rev().collect::<Vec<_>>());
    // A page that is just full is the last one if nothing is left.
    let last = service.json("/api/signals?before=24&limit=23", &token);
    assert_eq!(last["more"], false, "{last}");
    let theirs = service.json("/api/signals?before=24", &service.token(3));
    assert_eq!(theirs["signals"].as_array().map(Vec::len), Some(1));
    for path in [
        "before=x",
        "before=",
        "before=1&since=x",
        "before=9223372036854775808",
    ] {
        let path = format!("/api/signals?{path}");
        assert_eq!(service.get(&path, Some(&token)).status(), 400, "{path}");
    }
    assert_eq!(service.get("/api/signals?before=9", None).status(), 401);
}

#[test]
fn a_wrong_resume_point_is_refused() {
    let (_shop, service) = open();
    let token = service.token(2);
    for path in [
        "/api/stream?since=junk",
        "/api/stream?since=%00",
        "/api/signals?since=junk",
        "/api/signals?limit=0",
        "/api/signals?limit=501",
        "/api/signals?limit=x",
    ] {
        assert_eq!(service.get(path, Some(&token)).status(), 400, "{path}");
    }
    // The resume point of another subscriber starts at the beginning.
    let of_another = service.json("/api/signals", &service.token(3))["watermark"].clone();
    Stream::open(&service, 2, of_another.as_str());
}

/// What a client sends that comes back by itself: the address as it was at first, and in a header
/// where it was last.
#[test]
fn a_client_that_comes_back_by_itself_misses_nothing() {
    let (mut shop, service) = open();
    let token = service.token(2);
    let point = |service: &Service| service.json("/api/signals", &token)["watermark"].clone();
    let first = point(&service);
    let first = first.as_str().expect("text");
    shop.admin.run(&import(2, 1));
    let second = point(&service);
    let second = second.as_str().expect("text");
    shop.admin.run(&import(2, 2));
    let come_back = |path: &str, id: &[u8]| {
        let id = ureq::http::HeaderValue::from_bytes(id).expect("a header");
        let request = agent().get(service.url(path));
        let request = request.header("Authorization", format!("Bearer {token}"));
        let response = request.header("Last-Event-ID", id).call();
        let response = response.expect("the service answers");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        let mut came = Vec::new();
        for line in lines.map(|line| line.expect("text")) {
            if let Some(("data", data)) = line.split_once(": ") {
                let data: Value = serde_json::from_str(data).expect("JSON");
                came.extend(data["signal_id"].as_i64());
            } else if line == "event: watermark" {
                break;
            }
        }
        Ok(came)
    };
    let old = format!("/api/stream?since={first}");
    assert_eq!(come_back("/api/stream", second.as_bytes()), Ok(vec![2]));
    assert_eq!(
        come_back("/api/stream?since=", second.as_bytes()),
        Ok(vec![2])
    );
    assert_eq!(come_back(&old, second.as_bytes()), Ok(vec![2]));
    assert_eq!(come_back(&old, b""), Ok(vec![1, 2]));
    assert_eq!(come_back(&old, b"junk"), Err(400));
    assert_eq!(come_back("/api/stream", b"\xff"), Err(400));
}

#[test]
fn a_client_that_is_refused_what_it_missed_is_told_so_and_the_operator_once() {
    let (mut shop, service) = open();
    // What a client has to read again after this transaction.
    let mut writer = shop.cluster.session(POSTGRES);
    writer.run(&format!("BEGIN; {}", import(2, 1)));
    // One that begins later and ends before it.
    shop.admin.run("SELECT pg_current_xact_id()");
    let mut streams = [(); 3].map(|()| Stream::open(&service, 2, None));
    shop.admin
        .run("REVOKE SELECT ON user_signals FROM authenticated");
    writer.run("COMMIT");
    for stream in &mut streams {
        let health = stream.expect_health(|health| health["state"] == "incomplete");
        assert_eq!(health["healthy"], false);
        let message = health["message"].as_str().expect("text");
        assert!(message.contains("cannot be read"), "{message}");
    }
    // What comes is sent all the same.
    shop.admin.run(&import(2, 2));
    for stream in &mut streams {
        stream.expect_signal(2);
    }
    let refused = "refuses to read what clients missed";
    assert_eq!(service.said().matches(refused).count(), 1);
    shop.admin
        .run("GRANT SELECT ON user_signals TO authenticated");
    for stream in &mut streams {
        let before = stream.watermark.clone();
        stream.expect_health(|health| health["state"] != "incomplete");
        assert_ne!(stream.watermark, before, "what was missed has come");
    }
    eventually(SOON, "the log says that it is over", || {
        service.said().contains("no client waits any more")
    });
    assert_eq!(service.said().matches(refused).count(), 1);
}
