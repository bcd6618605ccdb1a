//! Every fault as a client sees it, and the good reply that follows.

use super::{A_TIME, ALL, Reply, connect, get, good, request, start, start_at, text};
use crate::{Corruption, Fault, Simulator, Times};
use serde_json::Value;
use std::io::{self, Read};
use std::time::{Duration, Instant};

const TARGET: &str = "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D";

/// A fault strikes the next request and no other.
fn struck_once(market: &Simulator, fault: Fault) -> Reply {
    market.inject(fault, Times::Once);
    let reply = get(market, TARGET);
    good(market, TARGET);
    reply
}

#[test]
fn the_exchange_says_stop() {
    let market = start();
    let retry_after = Some(17);
    let reply = struck_once(&market, Fault::TooManyRequests { retry_after });
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("17"))
    );
    assert_eq!(reply.json()["code"], -1003);

    let reply = struck_once(&market, Fault::Banned { retry_after });
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (418, Some("17"))
    );
    assert!(text(&reply.json(), "msg").contains("IP banned until"));

    let reply = struck_once(&market, Fault::TooManyRequests { retry_after: None });
    assert_eq!((reply.status, reply.header("retry-after")), (429, None));

    let reply = struck_once(&market, Fault::RestrictedLocation);
    assert_eq!(reply.status, 451);
    assert!(text(&reply.json(), "msg").contains("restricted location"));

    let reply = struck_once(&market, Fault::Firewall);
    assert_eq!((reply.status, is_html(&reply)), (403, true));
}

#[test]
fn the_exchange_is_broken() {
    let market = start();
    let reply = struck_once(&market, Fault::InternalError);
    assert_eq!(
        (reply.status, reply.json()["code"].as_i64()),
        (500, Some(-1000))
    );
    let reply = struck_once(&market, Fault::Unavailable);
    assert_eq!((reply.status, is_html(&reply)), (503, true));
    let reply = struck_once(&market, Fault::Html);
    assert_eq!((reply.status, is_html(&reply)), (200, true));
}

fn is_html(reply: &Reply) -> bool {
    reply.header("content-type") == Some("text/html") && reply.body.starts_with(b"<html>")
}

#[test]
fn a_body_is_not_what_it_should_be() {
    let market = start();
    let parsed = |reply: &Reply| serde_json::from_slice::<Value>(&reply.body);

    let reply = struck_once(&market, Fault::MalformedJson);
    assert_eq!((reply.status, parsed(&reply).is_err()), (200, true));
    assert!(std::str::from_utf8(&reply.body).is_ok());

    let reply = struck_once(&market, Fault::NotUtf8);
    assert_eq!(reply.status, 200);
    assert!(std::str::from_utf8(&reply.body).is_err());

    let reply = struck_once(&market, Fault::EmptyBody);
    assert_eq!((reply.status, reply.body.len()), (200, 0));

    let reply = struck_once(&market, Fault::Truncated);
    let promised: usize = reply
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .expect("a length");
    assert_eq!(reply.body.len(), promised / 2);
    assert!(parsed(&reply).is_err());
}

#[test]
fn a_body_never_ends() {
    let market = start();
    market.inject(Fault::EndlessBody, Times::Once);
    let mut stream = connect(&market, TARGET).expect("a connection");
    let mut first = vec![0; 3_000_000];
    stream.read_exact(&mut first).expect("bytes without end");
    drop(stream);
    good(&market, TARGET);
}

#[test]
fn a_body_drips() {
    let market = start();
    market.inject(Fault::SlowDrip, Times::Once);
    let begun = Instant::now();
    let mut stream = connect(&market, TARGET).expect("a connection");
    let mut received = Vec::new();
    let mut byte = [0];
    while !received.ends_with(b"[{\"s") {
        stream.read_exact(&mut byte).expect("one more byte");
        received.push(byte[0]);
    }
    assert!(begun.elapsed() >= Duration::from_millis(600));
    // Other clients are served meanwhile.
    good(&market, TARGET);
}

#[test]
fn nobody_answers() {
    let market = start();
    market.inject(Fault::Silence, Times::Once);
    let mut stream = connect(&market, TARGET).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a timeout");
    let error = stream.read(&mut [0]).expect_err("silence");
    let timed_out = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
    assert!(timed_out.contains(&error.kind()), "{error}");
    good(&market, TARGET);
}

#[test]
fn the_connection_is_reset() {
    let market = start();
    market.inject(Fault::Reset, Times::Once);
    let error = request(&market, TARGET).err().expect("no answer");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    good(&market, TARGET);
}

#[test]
fn a_redirect_counts_when_it_is_followed() {
    let market = start();
    let reply = struck_once(&market, Fault::Redirect);
    assert_eq!(reply.status, 302);
    assert_eq!(market.redirects_followed(), 0);
    let location = reply.header("location").expect("a location");
    assert!(good(&market, location).is_array());
    assert_eq!(market.redirects_followed(), 1);
}

#[test]
fn a_good_reply_is_an_hour_old() {
    let market = start_at(A_TIME);
    let reply = struck_once(&market, Fault::Stale).json();
    assert_eq!(reply[0]["closeTime"], A_TIME - 3_600_000);
    assert_eq!(reply[1]["openTime"], A_TIME - 3_600_000 - 86_400_000);
}

#[test]
fn every_row_is_zero() {
    let market = start_at(A_TIME);
    let reply = struck_once(&market, Fault::Zeros).json();
    for row in reply.as_array().expect("an array") {
        assert_eq!(text(row, "lastPrice"), "0.00000000");
        assert_eq!(row["closeTime"], A_TIME);
        assert_eq!(row["count"], 0);
    }
}

#[test]
fn the_first_row_is_bad() {
    let market = start_at(A_TIME);
    let sound = good(&market, TARGET);
    let fault = Fault::BadRow(Corruption::NotANumber);
    let reply = struck_once(&market, fault).json();
    assert_eq!(reply[0]["lastPrice"], "NaN");
    assert_eq!(reply[1], sound[1]);
}

#[test]
fn faults_strike_in_line_as_often_as_asked() {
    let market = start();
    market.inject(Fault::InternalError, Times::Once);
    market.inject(Fault::Unavailable, Times::N(2));
    market.inject(Fault::Firewall, Times::N(0));
    market.inject(Fault::EmptyBody, Times::Forever);
    let statuses: Vec<u16> = (0..3).map(|_| get(&market, ALL).status).collect();
    assert_eq!(statuses, [500, 503, 503]);
    for _ in 0..3 {
        assert!(get(&market, ALL).body.is_empty());
    }
    market.clear_faults();
    good(&market, ALL);
}
