//! Who is let in, and that they get their own rows and nothing else.

use crate::client::Stream;
use crate::scene::{SOON, user};
use crate::service::{SECRET, open};
use crate::shop::import;
use crate::wait::eventually;
use ring::hmac;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// A token made of any header and claims, signed with any secret.
fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let body = format!(
        "{}.{}",
        base64(header.to_string()),
        base64(claims.to_string())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, body.as_bytes());
    format!("{body}.{}", base64(signature))
}

/// Base 64 for URLs, without padding.
fn base64(bytes: impl AsRef<[u8]>) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.as_ref().chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for place in 0..=chunk.len() {
            text.push(char::from(
                ALPHABET[(group >> (18 - 6 * place)) as usize & 63],
            ));
        }
    }
    text
}

#[test]
fn only_a_good_token_opens_anything() {
    let (mut shop, service) = open();
    shop.signal();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    let claims = |ends: i64| json!({"sub": user(2), "exp": now.as_secs() as i64 + ends});
    let good = token(&hs256, &claims(60), SECRET);
    let bad = [
        ("has expired", token(&hs256, &claims(-60), SECRET)),
        (
            "signature",
            token(
                &hs256,
                &claims(60),
                "some other secret of more than 32 bytes",
            ),
        ),
        (
            "malformed",
            token(&json!({"alg": "none"}), &claims(60), SECRET),
        ),
        (
            "signature",
            token(&json!({"alg": "HS512"}), &claims(60), SECRET),
        ),
        ("no exp", token(&hs256, &json!({"sub": user(2)}), SECRET)),
        (
            "not for role",
            token(
                &hs256,
                &json!({"sub": user(2), "exp": 4e9, "role": "service_role"}),
                SECRET,
            ),
        ),
        ("signature", format!("{}x", &good[..good.len() - 4])),
        ("malformed", "junk".to_owned()),
    ];
    for path in ["/api/signals", "/api/stream", "/api/health"] {
        let response = service.get(path, None);
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        for (why, token) in &bad {
            let mut response = service.get(path, Some(token));
            let body = response.body_mut().read_to_string().expect("text");
            assert_eq!(response.status(), 401, "{path}: {body}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let error = body["error"].as_str().expect("words");
            assert!(error.contains(why), "{error}, not {why}");
        }
        assert_eq!(service.get(path, Some(&good)).status(), 200, "{path}");
    }
    for (_, token) in &bad {
        let (status, _) = service.post("/api/signals/1", token, r#"{"viewed":true}"#);
        assert_eq!(status, 401);
    }
    let marked: i64 = shop
        .admin
        .one("SELECT count(*) FROM user_signals WHERE viewed");
    assert_eq!(marked, 0);
}

#[test]
fn a_subscriber_gets_their_own_signals_whole_and_no_others() {
    let (mut shop, service) = open();
    let mut second = Stream::open(&service, 2, None);
    let mut third = Stream::open(&service, 3, None);
    shop.admin.run(&import(3, 1000));
    shop.signal();
    let live = second.expect("signal").data;
    assert_eq!(
        live["signal_id"], 1,
        "the third's does not come to the second"
    );
    assert_eq!(third.expect("signal").data["signal_id"], 1000);
    let id = third.expect_signal(1).data["signal_id"].clone();
    assert_eq!(id, 1);

    let read = &service.json("/api/signals", &service.token(2))["signals"];
    assert_eq!(read.as_array().map(Vec::len), Some(1));
    assert_eq!(read[0], live, "read or streamed, it is the same");
    let truth: Value = shop.admin.one(
        "SELECT to_jsonb(s) FROM user_signals s WHERE signal_id = 1 ORDER BY user_id LIMIT 1 OFFSET 1",
    );
    for same in [
        "signal_id",
        "symbol",
        "signal_type",
        "tier",
        "full_details",
        "metadata",
        "viewed",
        "clicked",
        "viewed_at",
        "clicked_at",
        "expires_at",
        "created_at",
    ] {
        assert_eq!(live[same], truth[same], "{same}");
    }
    for price in ["confidence", "quality_score", "entry_price", "stop_loss"] {
        let exact: String = shop.admin.one(&format!(
            "SELECT {price}::text FROM user_signals WHERE signal_id = 1 LIMIT 1"
        ));
        assert_eq!(live[price], exact, "{price}");
    }
    let targets: Vec<String> = shop
        .admin
        .one("SELECT take_profit::text[] FROM user_signals WHERE signal_id = 1 LIMIT 1");
    assert_eq!(live["take_profit"], json!(targets));
    assert!(live.get("user_id").is_none());
}

#[test]
fn marks_are_written_back_to_ones_own_signals_and_reach_ones_other_devices() {
    let (mut shop, service) = open();
    shop.signal();
    shop.admin.run(&import(3, 1000));
    let mut phone = Stream::open(&service, 2, None);
    let token = service.token(2);
    let (status, marked) = service.post("/api/signals/1", &token, r#"{"viewed":true}"#);
    assert_eq!((status, &marked["viewed"]), (200, &json!(true)), "{marked}");
    assert!(marked["viewed_at"].is_string());
    assert_eq!(phone.expect("mark").data, marked);
    // The same mark again is not written.
    let (_, again) = service.post("/api/signals/1", &token, r#"{"viewed":true}"#);
    assert_eq!(again, marked);
    let (status, clicked) = service.post("/api/signals/1", &token, r#"{"clicked":true}"#);
    assert_eq!((status, &clicked["viewed"]), (200, &json!(true)));
    assert_eq!(phone.expect("mark").data, clicked);
    for (path, body, expected) in [
        ("/api/signals/1000", r#"{"viewed":true}"#, 404),
        ("/api/signals/77", r#"{"viewed":true}"#, 404),
        ("/api/signals/x", r#"{"viewed":true}"#, 400),
        ("/api/signals/1", "{", 400),
        ("/api/signals/1", r#"{"tier":"MAX"}"#, 400),
        ("/api/signals/1", r#"{"viewed":"yes"}"#, 400),
        ("/api/signals/1", "[true,false]", 400),
        ("/api/signals/1", " [true]", 400),
        ("/api/signals/1", &" ".repeat(2000), 413),
        ("/api/signals", "{}", 405),
        ("/healthz", "{}", 405),
    ] {
        let (status, error) = service.post(path, &token, body);
        assert_eq!(status, expected, "{path} {body}");
        assert!(error["error"].is_string());
    }
    let others: i64 = shop
        .admin
        .one("SELECT count(*) FROM user_signals WHERE viewed AND signal_id = 1000");
    assert_eq!(others, 0);
}

#[test]
fn a_request_without_its_body_is_ended() {
    let (_shop, service) = open();
    let mut socket = TcpStream::connect(service.address()).expect("it listens");
    let request = format!(
        "POST /api/signals/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 20\r\n\r\n",
        service.token(2)
    );
    socket.write_all(request.as_bytes()).expect("it listens");
    socket.set_read_timeout(Some(SOON)).expect("a socket");
    let mut answer = String::new();
    // To the end of the connection: no request can follow half of one.
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn a_stream_ends_with_the_token_that_opened_it() {
    let (_shop, service) = open();
    // It is valid for little more than a second, in which a busy machine may open no stream.
    let (short, mut response) = eventually(SOON, "a stream is opened in time", || {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        // The clocks of others may differ by 30 seconds.
        let claims = json!({"sub": user(2), "exp": now.as_secs() - 28});
        let short = token(&json!({"alg": "HS256"}), &claims, SECRET);
        let response = service.get("/api/stream", Some(&short));
        (response.status() == 200).then_some((short, response))
    });
    let stream = response.body_mut().read_to_string().expect("its end comes");
    assert!(
        stream.ends_with("data: {\"reason\":\"expired\"}\n\n"),
        "{stream}"
    );
    eventually(SOON, "the token is refused", || {
        service.get("/api/health", Some(&short)).status() == 401
    });
}

#[test]
fn what_is_wrong_with_a_request_is_said_without_terms_of_the_implementation() {
    let (_shop, service) = open();
    let token = service.token(2);
    for path in [
        "/api/signals?limit=abc",
        "/api/signals?limit=0",
        "/api/signals?limit=501",
        "/api/signals?limit=99999999999",
        "/api/signals?limit=1&limit=2",
        "/api/stream?since=a&since=b",
        "/api/signals?since=nonsense",
    ] {
        let mut response = service.get(path, Some(&token));
        let body = response.body_mut().read_to_string().expect("text");
        assert_eq!(response.status(), 400, "{path}: {body}");
        for term in ["deserialize", "parse", "invalid digit", "SQLSTATE", "field"] {
            assert!(!body.contains(term), "{path}: {body}");
        }
    }
    let mut response = service.get("/api/signals?limit=abc", Some(&token));
    let body = response.body_mut().read_to_string().expect("text");
    assert!(
        body.contains("limit must be a number from 1 to 500"),
        "{body}"
    );
}

#[test]
fn a_request_has_exactly_one_host() {
    let (_shop, service) = open();
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 200"),
        ("GET / HTTP/1.0\r\n", "HTTP/1.0 200"),
        ("GET / HTTP/1.1\r\n", "HTTP/1.1 400"),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n", "HTTP/1.1 400"),
        ("GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n", "HTTP/1.1 400"),
        ("GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n", "HTTP/1.0 400"),
        // Nor two tokens, or two resume points: a proxy may have looked at the other one.
        (
            "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n",
            "HTTP/1.1 400",
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nLast-Event-ID: a\r\nlast-event-id: a\r\n",
            "HTTP/1.1 400",
        ),
    ] {
        let mut socket = TcpStream::connect(service.address()).expect("it listens");
        let request = format!("{head}Connection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).expect("it listens");
        socket.set_read_timeout(Some(SOON)).expect("a socket");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with(expected), "{head}: {answer}");
    }
}

#[test]
fn a_subscriber_cannot_mark_without_limit() {
    let (mut shop, service) = open();
    shop.signal();
    let token = service.token(2);
    let began = std::time::Instant::now();
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    // Several at once and until one is refused: a busy machine may not be faster than the limit.
    thread::scope(|crowd| {
        for _ in 0..4 {
            crowd.spawn(|| {
                loop {
                    let done = count(&taken) + count(&refused);
                    if done >= 5000 || done >= 500 && count(&refused) > 0 {
                        return;
                    }
                    let body = format!(r#"{{"viewed":{}}}"#, done % 2 == 0);
                    let (status, said) = service.post("/api/signals/1", &token, &body);
                    let number = match status {
                        // Several of one subscriber may be in each other's way.
                        200 | 503 => &taken,
                        429 => &refused,
                        _ => panic!("{status}: {said}"),
                    };
                    number.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (taken, refused) = (count(&taken), count(&refused));
    let most = 300 + 10 * (began.elapsed().as_secs() as usize + 1);
    assert!((300..=most).contains(&taken), "{taken}, at most {most}");
    assert!(refused > 0, "{taken} were taken");
    let (status, _) = service.post("/api/signals/1", &service.token(3), r#"{"viewed":true}"#);
    assert_eq!(status, 200, "others are not limited by it");
}

#[test]
fn key_sets_without_an_audience_are_warned_about() {
    let mut shop = crate::shop::Shop::open();
    let service = crate::service::Service::of(&shop.cluster, &mut shop.admin);
    let keys = shop.cluster.folder().join("keys");
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64([7; 32])}]});
    std::fs::write(&keys, set.to_string()).expect("the folder is ours");
    let keys = keys.to_str().expect("text");
    let start = |audience: &[&str]| {
        let mut command = service.command("serve");
        command.env_remove("SIGNAL_HUB_LIVE_JWT_SECRET_FILE");
        let output = command.args(["--jwks-file", keys]).args(audience).output();
        String::from_utf8(output.expect("it runs").stderr).expect("text")
    };
    let warning = "warning: --jwt-audience is not given";
    assert!(start(&[]).contains(warning));
    assert!(!start(&["--jwt-audience", "signals"]).contains(warning));
}

#[test]
fn no_answer_may_be_kept_on_the_way_but_the_files_of_the_page() {
    let (_shop, service) = open();
    let token = service.token(2);
    let control = |response: ureq::http::Response<ureq::Body>| {
        let values = response.headers().get_all("cache-control");
        let values: Vec<_> = values.iter().map(|v| v.to_str().expect("text")).collect();
        values.join(", ")
    };
    for path in [
        "/healthz",
        "/metrics",
        "/api/health",
        "/api/signals",
        // It takes no GET.
        "/api/signals/1",
        "/nowhere",
    ] {
        for token in [None, Some(token.as_str())] {
            assert_eq!(control(service.get(path, token)), "no-store", "{path}");
        }
    }
    for path in ["/", "/app.js", "/sw.js"] {
        assert_eq!(control(service.get(path, None)), "no-cache", "{path}");
    }
}

#[test]
fn what_clients_send_cannot_forge_lines_of_the_log() {
    let mut shop = crate::shop::Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let mut service = crate::service::Service::of(&shop.cluster, &mut shop.admin);
    service.start(&["--create-slot", "--log-level", "debug"]);
    let path = "/api/signals?since=a%0Asignal_hub_live:%20forged%1B%5B2J";
    assert_eq!(service.get(path, Some(&service.token(2))).status(), 400);
    let line = eventually(SOON, "the refusal is logged", || {
        let said = service.said();
        let line = said.lines().find(|line| line.contains("forged"));
        line.map(str::to_owned)
    });
    assert!(
        line.contains(r"a\nsignal_hub_live: forged\u{1b}[2J"),
        "{line}"
    );
}
