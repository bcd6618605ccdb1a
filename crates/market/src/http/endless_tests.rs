//! A peer that breaks the protocol without end.

use super::tests::{Act, Peer};
use crate::MarketError;
use std::io::Write;

/// A peer that sends `head`, and then `piece` without end.
fn endless(head: &'static str, piece: &'static [u8]) -> Act {
    Box::new(move |stream| {
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(&piece.repeat(4096)).is_ok() {}
    })
}

#[test]
fn what_breaks_the_protocol_without_end_is_not_called_unreachable() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let first = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n";
    let cases: [(&str, &str, &[u8]); 11] = [
        ("an endless status line", "HTTP/1.1 200 ", b"a"),
        ("no status line", "", b"a"),
        ("an endless version", "HTTP/", b"1"),
        ("blanks before the status line", "", b"\r\n"),
        ("an endless header", "HTTP/1.1 200 OK\r\nA: ", b"a"),
        ("a header's endless name", ok, b"a"),
        ("headers without end", ok, b"A: b\r\n"),
        ("an endless first chunk's length", chunked, b"0"),
        ("an endless chunk's length", first, b"0"),
        ("an endless chunk's extension", chunked, b"1;a"),
        ("a chunk's length that is no number", chunked, b"z"),
    ];
    for (what, head, piece) in cases {
        let peer = Peer::playing(vec![endless(head, piece)]).within(3000);
        let error = peer.fetch().unwrap_err();
        assert!(
            matches!(&error, MarketError::NotJson { reason, .. } if reason.contains("HTTP protocol")),
            "{what}: {error:?}"
        );
    }
}
