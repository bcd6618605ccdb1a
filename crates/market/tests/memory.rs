//! What a reply takes in memory: at its peak at most four times its length, whatever it holds.

use market::{
    Asked, BINANCE, CandleQuery, Endpoint, Exchange, Interval, LastLook, MarketError, ReplyTime,
    Tickers,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Counts what is allocated. A block that grows counts twice while it does, as it may be copied.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator; growing is left to the trait, which
// calls these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise is that of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the block came from there.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What one fetch or one list needs however short the reply is: buffers of the connection, and
/// what is kept of the symbols asked for.
const BESIDE: usize = 512 << 10;
/// Length of the replies, which the room that doubles while reading has just outgrown.
const LENGTH: usize = (2 << 20) + 4096;

const BTC: &str = include_str!("../src/http/ticker.json");

/// `begin`, then `piece` again and again up to [`LENGTH`], then `end`.
fn filled(begin: &str, piece: &str, end: &str) -> Vec<u8> {
    let times = (LENGTH - begin.len() - end.len()) / piece.len();
    [begin, &piece.repeat(times), end].concat().into_bytes()
}

/// An object of which one field is filled up with `piece`.
fn row_with(field: &str, open: &str, piece: &str, close: &str) -> Vec<u8> {
    let begin = BTC.trim_end().trim_end_matches('}');
    // A field that is there already would be one that comes twice.
    let begin = begin.replacen(&format!("\"{field}\""), "\"before\"", 1);
    filled(
        &format!("[{begin},\"{field}\":{open}"),
        piece,
        &format!("{close}}}]"),
    )
}

fn hostile_replies() -> Vec<(&'static str, Vec<u8>)> {
    let keys: String = (0..1000).map(|n| format!("\"key{n}\":{n},")).collect();
    let numbers: String = (0..1000).map(|n| format!("{n},")).collect();
    let btc = format!("{},", BTC.trim());
    vec![
        ("empty objects", filled("[{}", ",{}", "]")),
        ("empty lists", filled("[[]", ",[]", "]")),
        ("numbers", filled("[", &numbers, "0]")),
        ("numbers that do not fit", filled("[1e999", ",1e999", "]")),
        ("nulls", filled("[null", ",null", "]")),
        ("strings", filled("[\"\"", ",\"\"", "]")),
        ("escaped strings", filled("[\"\\n\"", ",\"\\n\"", "]")),
        ("lists without end", filled("", "[", "")),
        ("objects without end", filled("", "{\"a\":", "")),
        ("a row of lists without end", filled("[{\"a\":", "[", "")),
        (
            "a field of lists without end",
            filled("[{\"lastPrice\":", "[", ""),
        ),
        ("one string", filled("\"", "a", "\"")),
        ("one string in a list", filled("[\"", "a", "\"]")),
        ("one escaped string", filled("\"\\n", "a", "\"")),
        (
            "one escaped string in a list",
            filled("[\"\\n", "a", "\\n\"]"),
        ),
        (
            "one string of escapes in a list",
            filled("[\"", "\\n", "\"]"),
        ),
        (
            "one string of wide escapes",
            filled("[\"", "\\u20ac", "\"]"),
        ),
        ("one number in a list", filled("[", "1", "]")),
        ("one string without end", filled("[{\"symbol\":\"", "a", "")),
        ("an object of many keys", filled("{", &keys, "\"last\":1}")),
        ("a row of many keys", filled("[{", &keys, "\"last\":1}]")),
        (
            "a row of one key many times",
            filled("[{\"a\":1", ",\"a\":1", "}]"),
        ),
        (
            "a row of one field many times",
            filled("[{\"count\":1", ",\"count\":1", "}]"),
        ),
        ("a key without end", filled("[{\"", "a", "\":1}]")),
        (
            "an escaped key without end",
            filled("[{\"\\n", "a", "\":1}]"),
        ),
        (
            "a key of an object without end",
            filled("{\"\\n", "a", "\":1}"),
        ),
        (
            "a symbol without end",
            filled("[{\"symbol\":\"", "A", "\"}]"),
        ),
        (
            "an escaped symbol",
            filled("[{\"symbol\":\"\\u0041", "A", "\"}]"),
        ),
        (
            "a price without end",
            row_with("lastPrice", "\"", "1", "\""),
        ),
        (
            "an escaped price",
            row_with("lastPrice", "\"\\u0031", "1", "\""),
        ),
        (
            "a price of escapes",
            row_with("lastPrice", "\"", "\\n", "\""),
        ),
        (
            "a bare price without end",
            row_with("lastPrice", "", "1", ""),
        ),
        ("a price of lists", row_with("lastPrice", "[", "[],", "1]")),
        (
            "a count without end",
            row_with("count", "\"\\u0031", "1", "\""),
        ),
        ("one symbol many times", filled("[", &btc, "{}]")),
        (
            "bare symbols",
            filled(
                "[{\"symbol\":\"BTCUSDT\"}",
                ",{\"symbol\":\"BTCUSDT\"}",
                "]",
            ),
        ),
        (
            "other symbols",
            filled("[", "{\"symbol\":\"AUSDT\"},", "{}]"),
        ),
        (
            "rows, then a number that does not fit",
            filled("[", &btc, "1e999]"),
        ),
        ("rows, then nothing", filled("[", &btc, "")),
        (
            "an error object",
            filled("{\"code\":-1121,\"msg\":\"", "a", "\"}"),
        ),
        (
            "an escaped error object",
            filled("{\"code\":-1121,\"msg\":\"\\n", "a", "\"}"),
        ),
        (
            "an error's endless code",
            filled("{\"code\":", "1", ",\"msg\":\"\"}"),
        ),
        (
            "rows of another exchange",
            filled(
                "{\"code\":\"0\",\"msg\":\"\",\"data\":[{\"instId\":\"BTC-USDT\"}",
                ",{\"instId\":\"A-B\"}",
                "]}",
            ),
        ),
        (
            "candles of another exchange",
            filled(
                "{\"code\":\"0\",\"msg\":\"\",\"data\":[[]",
                ",[\"0\"]",
                "]}",
            ),
        ),
        (
            "pairs without end",
            filled(
                "{\"error\":[],\"result\":{\"A\":{}",
                ",\"XBTUSDT\":{}",
                "}}",
            ),
        ),
        ("blanks", filled("", " ", "")),
        ("HTML", filled("<html>", "<p>busy</p>", "</html>")),
        ("wide characters", filled("[\"", "\u{200b}", "\"]")),
        ("not UTF-8", [filled("[\"", "a", ""), vec![0xff]].concat()),
    ]
}

/// The most that was allocated at a time while `work` ran, beyond what was before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    (PEAK.load(Relaxed) - before, result)
}

/// Fetches a reply from a peer on loopback.
fn fetched(body: &[u8]) -> (usize, Result<Tickers, MarketError>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint {
        base_url: format!("http://{}", listener.local_addr().unwrap()),
        timeout: Duration::from_secs(60),
        max_body: 64 << 20,
        ca_file: None,
        http_proxy: None,
    };
    let asked = [Asked {
        symbol: "BTCUSDT".to_owned(),
        last_look: LastLook::Listed,
    }];
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            // Without a length: the reader has to find out.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(body);
        });
        peak_of(|| BINANCE.tickers(&endpoint, &asked))
    })
}

#[test]
fn a_reply_takes_at_most_four_times_its_length() {
    let mut problems = Vec::new();
    for (what, body) in hostile_replies() {
        let most = 4 * body.len() + BESIDE;
        let (peak, result) = fetched(&body);
        let outcome = match result {
            Ok(tickers) => format!("{} rows", tickers.rows.len()),
            Err(error) => error.message(),
        };
        let times = peak as f64 / body.len() as f64;
        eprintln!("{what}: {times:.2} times its length: {outcome}");
        if peak > most {
            problems.push(format!("{what} of binance"));
        }
        // The reply itself is the first time its length.
        let most = most - body.len();
        for name in SHAPES {
            let (peak, _) = peak_of(|| read(name, &body));
            if peak > most {
                problems.push(format!("{what} of {name}"));
            }
        }
    }
    assert!(problems.is_empty(), "too much for {problems:?}");
}

/// Exchanges that others are read like: by a list in an envelope, by a list, and by members.
const SHAPES: [&str; 3] = ["okx", "gate", "kraken"];

/// Reads a reply as tickers, and where their order is turned round, as candles.
fn read(name: &str, body: &[u8]) -> bool {
    let exchange = market::exchange(name).expect("an exchange");
    let time = ReplyTime {
        date: None,
        received: 0,
    };
    let query = CandleQuery {
        symbol: "BTCUSDT".to_owned(),
        interval: Interval::Minute,
        from: 0,
        until: 600_000_000,
    };
    let asked = HashSet::from(["BTCUSDT"]);
    let tickers = exchange.read_tickers(body, &asked, time);
    let is_turned_round = name == "okx";
    tickers.is_ok() || is_turned_round && exchange.read_candles(body, &query, i64::MAX).is_ok()
}
