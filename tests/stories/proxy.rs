//! The exchange is asked through a proxy, which is all that the server connects to.

use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::generate;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

/// Answers one request as a proxy that wants somebody else, and returns its head.
fn refuse_one(listener: TcpListener) -> String {
    let (mut connection, _) = listener.accept().expect("somebody connects");
    let mut lines = BufReader::new(connection.try_clone().expect("a handle")).lines();
    let head: Vec<String> = lines
        .by_ref()
        .map(|line| line.expect("text"))
        .take_while(|line| !line.is_empty())
        .collect();
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    connection
        .write_all(refusal.as_bytes())
        .expect("it waits for the answer");
    head.join("\n")
}

#[test]
fn the_proxy_is_asked_for_the_exchange_and_its_password_is_told_to_nobody_else() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let proxy = format!("http://somebody:secret@127.0.0.1:{port}");
    let cluster = Options::not_preloaded()
        .set("signal_hub.exchanges", "bybit=https://exchange.example")
        .set("signal_hub.http_proxy", &proxy)
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let asked = thread::spawn(|| refuse_one(listener));
    let error = session.error("SELECT generate_signals_now()");
    let said = format!(
        "{} {} {}",
        error.message(),
        error.detail().unwrap_or_default(),
        error.hint().unwrap_or_default()
    );
    assert_eq!(error.code().code(), "08001", "{said}");
    assert!(!said.contains("secret"), "{said}");
    let head = asked.join().expect("somebody asked");
    assert!(
        head.starts_with("CONNECT exchange.example:443 HTTP/1.1"),
        "{head}"
    );
    assert!(
        head.to_ascii_lowercase()
            .contains("proxy-authorization: basic"),
        "{head}"
    );
    // Who may not change it may not read it either.
    session.run("CREATE ROLE stranger; SET ROLE stranger");
    let shown = session.try_list::<String>("SELECT current_setting('signal_hub.http_proxy')");
    assert!(shown.is_err(), "{shown:?}");
    let error = session.error("SET signal_hub.http_proxy = 'http://elsewhere:1'");
    assert!(
        ["42501", "55P02"].contains(&error.code().code()),
        "{error:?}"
    );
    let shown: i64 =
        session.one("SELECT count(*) FROM pg_settings WHERE name = 'signal_hub.http_proxy'");
    assert_eq!(shown, 0);
    session.run("RESET ROLE");
    drop(session);

    // What is on this machine is not asked through it.
    let market = signal_hub_harness::scene::flat_market();
    let cluster = Options::not_preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.http_proxy", &proxy)
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    assert_eq!(generate(&mut session)["symbols_evaluated"], 10);
}
