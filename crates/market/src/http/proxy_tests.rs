//! Requests through a proxy on loopback.

use super::tests::{Act, Peer, answer, asked, says};
use super::{Client, check_proxy};
use crate::{BINANCE, Exchange, LastLook, MarketError};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A proxy that plays this, and an exchange whose name only the proxy could resolve.
fn proxy(act: Act) -> Peer {
    let mut peer = Peer::playing(vec![act]);
    let url = peer.endpoint.base_url.trim_end_matches('/').to_owned();
    peer.endpoint.http_proxy = Some(url);
    peer.endpoint.base_url = "https://exchange.invalid".to_owned();
    peer
}

fn error(peer: &Peer) -> MarketError {
    let symbols = [asked("BTCUSDT", LastLook::Listed)];
    let tickers = BINANCE.tickers(&peer.endpoint, &symbols);
    tickers.expect_err("no exchange is there")
}

#[test]
fn the_proxy_is_asked_for_the_host_of_the_exchange_and_nothing_else() {
    let peer = proxy(says(&answer("407 Proxy Authentication Required", "", "")));
    match error(&peer) {
        MarketError::Unreachable(reason) => assert!(reason.contains("407"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        peer.request_lines(),
        ["CONNECT exchange.invalid:443 HTTP/1.1"]
    );
}

#[test]
fn behind_the_proxy_tls_is_spoken_with_the_exchange() {
    let (sender, hello) = std::sync::mpsc::channel();
    let peer = proxy(Box::new(move |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let mut record = [0; 512];
        let length = stream.read(&mut record).unwrap_or(0);
        let _ = sender.send(record[..length].to_vec());
    }));
    error(&peer);
    let hello = hello.recv().expect("a first message");
    // A handshake record of TLS, whose first message names the exchange in plain text.
    assert_eq!(hello.first(), Some(&22));
    let name = b"exchange.invalid";
    assert!(hello.windows(name.len()).any(|part| part == name));
}

#[test]
fn the_deadline_ends_a_proxy_that_is_silent_or_drips() {
    let silent: Act = Box::new(|stream| {
        let _ = stream.read(&mut [0]);
    });
    let drips: Act = Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ");
        let _ = stream.set_read_timeout(Some(Duration::from_millis(10)));
        while !matches!(stream.read(&mut [0]), Ok(0)) && stream.write_all(b"x").is_ok() {}
    });
    for act in [silent, drips] {
        let peer = proxy(act).within(300);
        let started = Instant::now();
        let expected = MarketError::TimedOut(Duration::from_millis(300));
        assert_eq!(error(&peer), expected);
        assert!(started.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn this_machine_is_asked_without_the_proxy() {
    let mut peer = Peer::answering(&[&answer("200 OK", "", "[]")]);
    peer.endpoint.http_proxy = Some("http://proxy.invalid:3128".to_owned());
    let client = Client::new(&peer.endpoint).unwrap();
    assert_eq!(client.get("/x").unwrap().status, 200);
    assert_eq!(peer.request_lines(), ["GET /x HTTP/1.1"]);
}

#[test]
fn a_proxy_is_http_or_https_and_its_password_is_never_repeated() {
    for url in [
        "http://proxy.example.com:3128",
        "http://proxy.example.com/",
        "https://proxy.example.com",
        "http://10.0.0.1:8080",
        "http://[::1]:3128",
        "http://user:hunter2@proxy.example.com:3128",
    ] {
        assert_eq!(check_proxy(url), Ok(()), "{url}");
    }
    for url in [
        "",
        "proxy.example.com:3128",
        "socks5://user:hunter2@proxy.example.com",
        "http://",
        "http://user:hunter2@proxy.example.com:99999",
        "http://user:hunter2@proxy.example.com:0",
        "http://user:hunter2@proxy.example.com/path",
        "http://user:hunter2@proxy.example.com?query",
    ] {
        let error = check_proxy(url).unwrap_err();
        assert!(matches!(error, MarketError::BadProxy(_)), "{url}");
        let texts = [error.message(), error.detail()];
        assert!(!texts.iter().any(|text| text.contains("hunter2")), "{url}");
    }
}
