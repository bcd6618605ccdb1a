//! The program `market_simulator`, as the demo and people start it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The program, which ends with its standard input.
fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_market_simulator"))
        .args(arguments)
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Sends one request to a base URL, and returns the whole answer.
fn get(url: &str, target: &str) -> String {
    let host = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(host).expect("a connection");
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn each_dialect_that_is_named_is_served_on_a_port_of_its_own() {
    let mut program = start(&[
        "--dialect",
        "okx",
        "--dialect",
        "kraken",
        "--volatility",
        "0",
    ]);
    let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
    let mut url = |begin: &str| {
        let line = lines.next().expect("a line").expect("text");
        let url = line.strip_prefix(begin);
        url.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let okx = url("market simulator listening on ");
    let kraken = url("kraken listening on ");
    let answer = get(&okx, "/api/v5/market/ticker?instId=BTC-USDT");
    assert!(answer.contains(r#""last":"64250""#), "{answer}");
    let answer = get(&kraken, "/0/public/Ticker?pair=XBTUSDT");
    assert!(answer.contains(r#""c":["64250.00000""#), "{answer}");
    drop(program.stdin.take());
    assert!(program.wait().expect("it is ours").success());
}

#[test]
fn without_a_dialect_it_is_binance_and_a_wrong_one_is_refused_with_the_names() {
    let mut program = start(&[]);
    let mut first = String::new();
    let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
    output.read_line(&mut first).expect("a line");
    let url = first
        .trim_end()
        .strip_prefix("market simulator listening on ");
    let answer = get(url.expect("the address"), "/api/v3/ping");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(program.stdin.take());
    assert!(program.wait().expect("it is ours").success());

    let refused = start(&["--dialect", "ftx"]).wait_with_output();
    let refused = refused.expect("it ends");
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(
        words.contains("ftx") && words.contains("binance_us"),
        "{words}"
    );
}
