//! Alerts: what the operator is told by a webhook, and when.

use crate::cluster::POSTGRES;
use crate::scene::{SOON, by_itself, flat_market, wait_for_good_run, worker_pid};
use crate::service::Service;
use crate::shop::Shop;
use crate::wait::{eventually, within};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Takes messages, and refuses them while it is told to.
struct Receiver {
    url: String,
    refuses: Arc<AtomicBool>,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let receiver = Self {
            url: format!("http://{address}/secret-path"),
            refuses: Arc::default(),
            messages: Arc::default(),
        };
        let (refuses, messages) = (
            Arc::clone(&receiver.refuses),
            Arc::clone(&receiver.messages),
        );
        // It ends with the test.
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(client.try_clone().expect("a socket"));
                let mut length = 0;
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 0) && line != "\r\n" {
                    let line = std::mem::take(&mut line).to_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a number");
                    }
                }
                let mut body = vec![0; length];
                if reader.read_exact(&mut body).is_err() {
                    continue;
                }
                let is_taken = !refuses.load(Ordering::Relaxed);
                let status = match is_taken {
                    true => "204 No Content",
                    false => "500 No",
                };
                if is_taken {
                    let message = serde_json::from_slice(&body).expect("JSON");
                    messages.lock().expect("no panic").push(message);
                }
                let _ = write!(
                    client,
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                );
            }
        });
        receiver
    }

    /// Event and state of every message so far.
    fn told(&self) -> Vec<String> {
        let messages = self.messages.lock().expect("no panic");
        let in_words = |m: &Value| format!("{} {}", m["event"], m["state"]).replace('"', "");
        messages.iter().map(in_words).collect()
    }

    #[track_caller]
    fn expect(&self, expected: &[&str]) {
        eventually(SOON, &format!("{expected:?} is told"), || {
            self.told().len() >= expected.len()
        });
        assert_eq!(self.told(), expected);
    }
}

#[test]
fn the_operator_is_told_of_a_dead_worker_and_a_dead_database_and_when_that_is_over() {
    let market = flat_market();
    let mut cluster = by_itself(&market).set("wal_level", "logical").start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE EXTENSION signal_hub; CREATE ROLE authenticated; SELECT grant_realtime_access('authenticated', NULL, NULL);
         SELECT enable_realtime()",
    );
    wait_for_good_run(&mut admin);
    let receiver = Receiver::open();
    let mut service = Service::of(&cluster, &mut admin);
    service.start(&[
        "--create-slot",
        "--alert-url",
        &receiver.url,
        "--alert-after=200ms",
        "--alert-quiet=300ms",
    ]);
    assert_eq!(receiver.told(), [""; 0], "all is well");

    // Another worker comes after a second, which a busy service may miss.
    eventually(SOON, "the operator is told of the dead worker", || {
        if let Some(worker) = worker_pid(&mut admin) {
            admin.run(&format!("SELECT pg_terminate_backend({worker})"));
        }
        within(Duration::from_secs(3), || !receiver.told().is_empty())
    });
    receiver.expect(&["alert stopped", "recovered running"]);

    receiver.refuses.store(true, Ordering::Relaxed);
    cluster.kill9();
    eventually(SOON, "a refused message is counted", || {
        service.metric("alert_failures_total") >= 1.0
    });
    eventually(SOON, "it is still to be sent", || {
        service.metric("alerts_pending") == 1.0
    });
    receiver.refuses.store(false, Ordering::Relaxed);
    let mut expected = vec!["alert stopped", "recovered running", "alert database_away"];
    receiver.expect(&expected);
    cluster.start();
    eventually(SOON, "it is over", || {
        receiver
            .told()
            .last()
            .is_some_and(|m| m.starts_with("recovered"))
    });
    expected.push("recovered running");
    let told = receiver.told();
    assert_eq!(told[..3], expected[..3]);
    assert!(
        !service.said().contains("secret-path"),
        "{}",
        service.said()
    );
    let text = receiver.messages.lock().expect("no panic")[2]["text"].clone();
    let text = text.as_str().expect("text");
    assert!(
        text.starts_with("signal_hub in postgres is database_away since 20"),
        "{text}"
    );

    // What others write does not look like a message of its own.
    let mut admin = cluster.session(POSTGRES);
    admin.run("SELECT pause_signals(E'maintenance\\nsignal_hub in postgres is running again')");
    eventually(SOON, "the pause is told", || {
        receiver.told().last().is_some_and(|m| m == "alert paused")
    });
    let messages = receiver.messages.lock().expect("no panic");
    let text = messages.last().map(|m| m["text"].to_string());
    let text = text.expect("it was told");
    assert!(text.contains(r"maintenance\\nsignal_hub"), "{text}");
}

#[test]
fn a_test_message_says_that_alerts_arrive() {
    let mut shop = Shop::open();
    let service = Service::of(&shop.cluster, &mut shop.admin);
    let receiver = Receiver::open();
    let telegram = format!("{}?chat_id=-100123", receiver.url);
    for arguments in [
        ["--alert-url", &receiver.url, "--alert-format=slack"],
        ["--alert-url", &telegram, "--alert-format=telegram"],
    ] {
        let output = service.run("test-alert", &arguments);
        assert!(output.status.success(), "{output:?}");
    }
    let messages = receiver.messages.lock().expect("no panic").clone();
    assert!(
        messages[0]["text"]
            .as_str()
            .is_some_and(|t| t.contains("test message"))
    );
    assert_eq!(messages[1]["chat_id"], "-100123");
    receiver.refuses.store(true, Ordering::Relaxed);
    for (arguments, why) in [
        (&["--alert-url", receiver.url.as_str()][..], "answered 500"),
        (
            &["--alert-url", "http://127.0.0.1:1/secret-path"],
            "refused",
        ),
        (&["--alert-url", "secret-path"], "begins with https"),
        (
            &["--alert-url", "http://192.0.2.1/secret-path"],
            "--alert-plain-http",
        ),
        (
            &["--alert-url", &receiver.url, "--alert-format=telegram"],
            "names no chat",
        ),
        (&[], "Name one by --alert-url"),
    ] {
        let output = service.run("test-alert", arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!said.contains("secret-path"), "{said}");
    }
}
