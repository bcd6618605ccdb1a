//! Requests against a peer on loopback that misbehaves by script.

use super::*;
use crate::{Asked, BINANCE, Exchange, LastLook, Tickers};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

pub(crate) type Act = Box<dyn FnOnce(&mut TcpStream) + Send>;

/// A listener that plays one act per connection, and then accepts no more.
pub(crate) struct Peer {
    pub(crate) endpoint: Endpoint,
    /// The request heads it read.
    requests: Receiver<String>,
}

impl Peer {
    pub(crate) fn playing(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        thread::spawn(move || {
            for act in acts {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = sender.send(read_head(&mut stream));
                act(&mut stream);
            }
        });
        let endpoint = Endpoint {
            base_url,
            timeout: Duration::from_secs(10),
            max_body: 1 << 20,
            ca_file: None,
            http_proxy: None,
        };
        Self { endpoint, requests }
    }

    pub(crate) fn answering(answers: &[&str]) -> Self {
        Self::playing(answers.iter().map(|answer| says(answer)).collect())
    }

    pub(crate) fn within(mut self, ms: u64) -> Self {
        self.endpoint.timeout = Duration::from_millis(ms);
        self
    }

    pub(crate) fn fetch(&self) -> Result<Tickers, MarketError> {
        self.fetch_after(LastLook::Never)
    }

    /// Fetches BTCUSDT, and GONEUSDT after this last look.
    pub(crate) fn fetch_after(&self, last_look: LastLook) -> Result<Tickers, MarketError> {
        let gone = asked("GONEUSDT", last_look);
        BINANCE.tickers(&self.endpoint, &[asked("BTCUSDT", LastLook::Listed), gone])
    }

    /// The first lines of the requests so far.
    pub(crate) fn request_lines(&self) -> Vec<String> {
        let first_line = |head: String| head.lines().next().unwrap_or_default().to_owned();
        self.requests.try_iter().map(first_line).collect()
    }
}

pub(crate) fn asked(symbol: &str, last_look: LastLook) -> Asked {
    Asked {
        symbol: symbol.to_owned(),
        last_look,
    }
}

pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn says(answer: &str) -> Act {
    let answer = answer.to_owned();
    Box::new(move |stream| stream.write_all(answer.as_bytes()).unwrap())
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

pub(crate) fn ticker_list() -> String {
    answer("200 OK", "", &format!("[{}]", include_str!("ticker.json")))
}

pub(crate) const UNKNOWN_SYMBOL: &str = r#"{"code":-1121,"msg":"Invalid symbol."}"#;

#[test]
fn a_good_reply_is_read() {
    let peer = Peer::answering(&[&ticker_list()]);
    let tickers = peer.fetch().unwrap();
    assert_eq!(
        tickers.rows["BTCUSDT"]
            .as_ref()
            .unwrap()
            .last_price
            .to_string(),
        "61500.00000000"
    );
    assert_eq!(tickers.unknown, [""; 0], "the exchange does not say so");
    assert!(tickers.missing.contains("GONEUSDT"));
    let head = peer.requests.recv().unwrap().to_lowercase();
    let wanted =
        "get /api/v3/ticker/24hr?symbols=%5b%22btcusdt%22%2c%22goneusdt%22%5d http/1.1\r\n";
    assert!(head.starts_with(wanted), "{head}");
    let agent = concat!("user-agent: signal_hub/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(head.contains(agent), "{head}");
    assert!(head.contains("accept: application/json\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
}

#[test]
fn an_unknown_symbol_costs_a_second_request_and_nothing_else() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let peer = Peer::answering(&[&refusal, &ticker_list()]);
    let tickers = peer.fetch().unwrap();
    assert!(tickers.rows["BTCUSDT"].is_ok());
    assert_eq!(tickers.unknown, ["GONEUSDT"]);
    assert_eq!(peer.request_lines()[1], "GET /api/v3/ticker/24hr HTTP/1.1");
}

#[test]
fn a_refusal_that_stays_is_reported() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let peer = Peer::answering(&[&refusal, &refusal]);
    let expected = MarketError::Rejected {
        code: "-1121".to_owned(),
        message: "Invalid symbol.".to_owned(),
    };
    assert_eq!(peer.fetch().unwrap_err(), expected);
}

#[test]
fn more_than_a_hundred_symbols_are_asked_for_as_all() {
    let peer = Peer::answering(&[&ticker_list()]);
    let symbols: Vec<Asked> = (0..101)
        .map(|n| asked(&format!("S{n}USDT"), LastLook::Never))
        .collect();
    let tickers = BINANCE.tickers(&peer.endpoint, &symbols).unwrap();
    assert_eq!(tickers.unknown.len(), 101);
    assert_eq!(peer.request_lines(), ["GET /api/v3/ticker/24hr HTTP/1.1"]);
}

#[test]
fn the_time_of_the_exchange_is_that_of_its_reply() {
    let list = format!("[{}]", include_str!("ticker.json"));
    let date = "Date: Fri, 10 Mar 2023 14:34:34 GMT\r\n";
    let peer = Peer::answering(&[&answer("200 OK", date, &list)]);
    assert_eq!(peer.fetch().unwrap().exchange_time, Some(1_678_458_874_000));
}

#[test]
fn without_a_possible_symbol_nothing_is_asked() {
    let peer = Peer::answering(&[]);
    let tickers = BINANCE
        .tickers(&peer.endpoint, &[asked("btc usdt", LastLook::Never)])
        .unwrap();
    assert_eq!(tickers.unknown, ["btc usdt"]);
}

#[test]
fn an_exchange_that_says_stop_says_for_how_long() {
    for (status, header, wait) in [
        (429, "Retry-After: 17\r\n", Some(17)),
        (418, "retry-after:  259200 \r\n", Some(259_200)),
        (
            403,
            "Date: Fri, 10 Mar 2023 14:34:34 GMT\r\nRetry-After: Fri, 10 Mar 2023 15:00:00 GMT\r\n",
            Some(1526),
        ),
        // Over already, by either clock.
        (
            429,
            "Retry-After: Fri, 10 Mar 2023 14:34:34 GMT\r\n",
            Some(0),
        ),
        (429, "Retry-After: soon\r\n", None),
        (451, "", None),
    ] {
        let peer = Peer::answering(&[&answer(&format!("{status} No"), header, UNKNOWN_SYMBOL)]);
        let expected = MarketError::LeftAlone {
            status,
            code: None,
            retry_after: wait.map(Duration::from_secs),
            body: UNKNOWN_SYMBOL.to_owned(),
        };
        assert_eq!(peer.fetch().unwrap_err(), expected);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let peer = Peer::answering(&[
        &answer("302 Found", "Location: /elsewhere\r\n", "moved"),
        &ticker_list(),
    ]);
    let expected = MarketError::HttpStatus {
        status: 302,
        body: "moved".to_owned(),
    };
    assert_eq!(peer.fetch().unwrap_err(), expected);
    assert_eq!(peer.request_lines().len(), 1);
}

#[test]
fn an_endless_body_is_cut_at_the_limit() {
    let endless = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    };
    let peer = Peer::playing(vec![Box::new(endless)]);
    assert_eq!(
        peer.fetch().unwrap_err(),
        MarketError::TooLarge { limit: 1 << 20 }
    );
}

#[test]
fn a_body_announced_over_the_limit_is_not_read() {
    let peer = Peer::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n["]);
    assert_eq!(
        peer.fetch().unwrap_err(),
        MarketError::TooLarge { limit: 1 << 20 }
    );
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let mut peer = Peer::answering(&[&ticker_list()]);
    peer.endpoint.max_body = include_str!("ticker.json").len() as u64 + 2;
    assert!(peer.fetch().is_ok());
}

#[test]
fn an_endless_error_page_is_cut_short_too() {
    let endless = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    let peer = Peer::playing(vec![Box::new(endless)]);
    let expected = MarketError::HttpStatus {
        status: 500,
        body: "x".repeat(200),
    };
    assert_eq!(peer.fetch().unwrap_err(), expected);
}

/// Writes `head`, then one byte every few milliseconds until the other side is gone.
fn drips(head: &'static [u8]) -> Act {
    Box::new(move |stream| {
        let _ = stream.write_all(head);
        stream
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        // Nothing more is ever sent to read: the time limit of the read sets the pace.
        while stream.read(&mut [0]).is_err() && stream.write_all(b" ").is_ok() {}
    })
}

fn waits_for_hang_up() -> Act {
    Box::new(|stream| {
        let _ = stream.read(&mut [0]);
    })
}

#[test]
fn the_deadline_ends_silence_and_slow_drips() {
    let acts: [fn() -> Act; 4] = [
        waits_for_hang_up,
        || drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        || drips(b"HTTP/1.1 200 OK\r\n\r\n["),
        || drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n["),
    ];
    for act in acts {
        let peer = Peer::playing(vec![act()]).within(300);
        let started = Instant::now();
        let expected = MarketError::TimedOut(Duration::from_millis(300));
        assert_eq!(peer.fetch().unwrap_err(), expected);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn both_requests_share_one_deadline() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let late = Box::new(move |stream: &mut TcpStream| {
        stream
            .set_read_timeout(Some(Duration::from_millis(1500)))
            .unwrap();
        let _ = stream.read(&mut [0]);
        let _ = stream.write_all(refusal.as_bytes());
    });
    let peer = Peer::playing(vec![late, waits_for_hang_up()]).within(2000);
    let started = Instant::now();
    let expected = MarketError::TimedOut(Duration::from_millis(2000));
    assert_eq!(peer.fetch().unwrap_err(), expected);
    assert!(started.elapsed() < Duration::from_millis(3200));
    assert_eq!(peer.request_lines().len(), 2);
}

#[test]
fn a_connection_cut_in_the_middle_is_told_from_one_never_made() {
    for head in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{",
    ] {
        let error = Peer::answering(&[head]).fetch().unwrap_err();
        assert!(
            matches!(error, MarketError::CutOff(_)),
            "{head:?}: {error:?}"
        );
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut peer = Peer::answering(&[]);
    peer.endpoint.base_url = base_url;
    let error = peer.fetch().unwrap_err();
    assert!(matches!(error, MarketError::Unreachable(_)), "{error:?}");
    assert!(error.detail().contains("127.0.0.1: "), "{error:?}");
}

#[test]
fn a_reset_connection_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut peer = Peer::answering(&[]);
    peer.endpoint.base_url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Closing a socket with unread bytes in it resets the connection.
        let _ = stream.read(&mut [0]);
    });
    let error = peer.fetch().unwrap_err();
    assert!(matches!(error, MarketError::CutOff(_)), "{error:?}");
}

#[test]
fn a_peer_that_speaks_no_http_is_refused() {
    let error = Peer::answering(&["220 mail.example.com ESMTP\r\n\r\n"])
        .fetch()
        .unwrap_err();
    assert!(matches!(error, MarketError::NotJson { .. }), "{error:?}");
}

#[test]
fn a_peer_that_speaks_no_tls_is_refused() {
    let mut peer = Peer::playing(vec![]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    peer.endpoint.base_url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = peer.fetch().unwrap_err();
    assert!(matches!(error, MarketError::Unreachable(_)), "{error:?}");
}

#[test]
fn a_ca_file_must_be_a_file_with_certificates() {
    let mut peer = Peer::answering(&[]);
    for path in [
        "/nonexistent/ca.pem",
        "/dev/zero",
        env!("CARGO_MANIFEST_DIR"),
        file!(),
    ] {
        peer.endpoint.ca_file = Some(path.to_owned());
        match peer.fetch().unwrap_err() {
            MarketError::BadCaFile { path: named, .. } => assert_eq!(named, path),
            other => panic!("{other:?}"),
        }
    }
}
