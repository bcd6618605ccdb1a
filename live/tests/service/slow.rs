//! A client that does not read what it is sent costs little, is dropped, and gets the rest later.

use crate::client::{Event, Stream};
use crate::scene::SOON;
use crate::service::open;
use crate::wait::eventually;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Rows of the second subscriber, 2 kB each.
fn rows(first: u32, last: u32) -> String {
    format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata)
         SELECT '00000000-0000-4000-8000-000000000002', i, 'MAX', 'BTCUSDT', 'LONG', 50, 50, 'infinity', false,
                jsonb_build_object('why', repeat('x', 2000)) FROM generate_series({first}, {last}) AS i"
    )
}

#[test]
fn a_client_that_reads_nothing_is_dropped_and_gets_the_rest_when_it_comes_back() {
    const ROWS: u32 = 20_000;
    let (mut shop, service) = open();
    let token = service.token(2);
    let mut healthy = Stream::open(&service, 3, None);
    let begun = service.json("/api/signals", &token)["watermark"].clone();
    let begun = begun.as_str().expect("a text");
    // It sends its request, reads a little, and then stops reading.
    let mut slow = TcpStream::connect(service.address()).expect("it listens");
    let request = format!(
        "GET /api/stream?since={begun} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    slow.write_all(request.as_bytes()).expect("it listens");
    let mut start = [0; 12];
    slow.read_exact(&mut start).expect("it answers");
    assert_eq!(&start, b"HTTP/1.1 200");
    let memory = service.metric("resident_memory_bytes");
    shop.admin.run(&rows(1, ROWS));
    eventually(SOON, "it is dropped", || {
        service.metric("clients_dropped_total") == 1.0
    });
    eventually(SOON, "all rows have passed", || {
        service.metric("rows_total") == f64::from(ROWS)
    });
    let more = service.metric("resident_memory_bytes") - memory;
    assert!(more < 16e6, "{more} bytes for one slow client");
    shop.admin.run(&crate::shop::import(3, 7));
    healthy.expect_signal(7);

    // Of the resume points that it was sent, the first is the worst case.
    let mut stream = Stream::open(&service, 2, Some(begun));
    read_all(&mut stream, (1..=ROWS.into()).collect());
    // The connection of the slow client is cut, even if its client keeps it open.
    slow.set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    let mut rest = Vec::new();
    let cut = slow.read_to_end(&mut rest);
    assert!(
        cut.is_ok() || !String::from_utf8_lossy(&rest).contains("\r\n0\r\n"),
        "{cut:?}"
    );
}

#[test]
fn a_dropped_client_is_sent_the_reason_and_where_to_go_on() {
    const ROWS: u32 = 5_000;
    let (mut shop, service) = open();
    let mut stream = Stream::open(&service, 2, None);
    stream.expect("watermark");
    // More than a queue holds, in one transaction.
    shop.admin.run(&rows(1, ROWS));
    let mut missing = (1..=ROWS.into()).collect();
    // The rest may again be too much at once; each bye has the point from where to go on.
    while let Some(bye) = read_until_bye(&mut stream, &mut missing) {
        assert_eq!(bye.data["reason"], "slow");
        assert!(stream.next().is_none());
        stream = Stream::open(&service, 2, Some(&bye.id.expect("a resume point")));
    }
}

/// Missed rows and new rows come in no particular order.
fn read_all(stream: &mut Stream, mut missing: BTreeSet<i64>) {
    let bye = read_until_bye(stream, &mut missing);
    assert!(bye.is_none(), "{bye:?}");
}

/// Reads until nothing is missing, or until the service sends bye.
fn read_until_bye(stream: &mut Stream, missing: &mut BTreeSet<i64>) -> Option<Event> {
    while !missing.is_empty() {
        let event = stream.next().expect("a last event comes first");
        match event.name.as_str() {
            "signal" => {
                let signal = event.data["signal_id"].as_i64();
                missing.remove(&signal.expect("a number"));
            }
            "bye" => return Some(event),
            _ => {}
        }
    }
    None
}
