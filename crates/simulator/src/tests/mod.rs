//! Tests of the simulator, over real connections where the wire matters.

mod api;
mod candles;
mod dialects;
mod driving;
mod faults;
mod identities;
mod recorded;
mod stopping;
mod venues;

use super::{Simulator, SimulatorOptions, UnixMillis};
use rust_decimal::Decimal;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ALL: &str = "/api/v3/ticker/24hr";

/// 2026-11-21 10:00:00.123 UTC.
const A_TIME: UnixMillis = 1_795_255_200_123;

fn start() -> Simulator {
    Simulator::start(SimulatorOptions::default()).expect("a free port")
}

/// A simulator whose time stands still.
fn start_at(now: UnixMillis) -> Simulator {
    let market = start();
    market.drive_time(now);
    market
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }
}

/// Sends one request and reads until the other side closes.
fn request(market: &Simulator, target: &str) -> io::Result<Reply> {
    let mut stream = connect(market, target)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Reply {
        status: status.ok_or(io::ErrorKind::InvalidData)?,
        head,
        body: bytes[end + 4..].to_vec(),
    })
}

/// Sends one request and leaves the answer unread.
fn connect(market: &Simulator, target: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", market.port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

fn get(market: &Simulator, target: &str) -> Reply {
    request(market, target).expect("an answer")
}

/// A good reply as JSON.
fn good(market: &Simulator, target: &str) -> Value {
    let reply = get(market, target);
    assert_eq!(reply.status, 200, "{}", reply.head);
    reply.json()
}

fn ticker(market: &Simulator, symbol: &str) -> Value {
    good(market, &format!("{ALL}?symbol={symbol}"))
}

fn symbols_of(reply: &Value) -> Vec<&str> {
    let rows = reply.as_array().expect("an array");
    rows.iter().map(|row| text(row, "symbol")).collect()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {row} is no text"))
}

fn number(row: &Value, name: &str) -> Decimal {
    Decimal::from_str_exact(text(row, name)).expect("a decimal")
}

fn integer(row: &Value, name: &str) -> i64 {
    row[name]
        .as_i64()
        .unwrap_or_else(|| panic!("{name} of {row} is no integer"))
}
