//! The operator's view: for roles that the database knows as such, with the rights they have there.

use crate::service::{SLOT, Service};
use crate::shop::Shop;
use crate::wait::eventually;
use signal_hub_harness::scene::{SOON, user};
use std::io::Write;
use std::net::TcpStream;

fn token(service: &Service, role: &str) -> String {
    let output = service.run("token", &["--sub", &user(7), "--role", role]);
    let token = String::from_utf8(output.stdout).expect("text");
    token.trim_end().to_owned()
}

#[test]
fn an_operator_sees_and_does_what_their_role_may_and_nobody_else_does() {
    const ACTIONS: [&str; 4] = ["preview", "run", "pause", "resume"];
    let mut shop = Shop::open();
    shop.admin.run(
        "SELECT enable_realtime();
         CREATE ROLE desk; GRANT pg_monitor TO desk;
         GRANT EXECUTE ON FUNCTION generate_signals_now(), preview_signals(), pause_signals(text), resume_signals() TO desk;
         CREATE ROLE onlooker; GRANT pg_monitor TO onlooker;
         CREATE ROLE stranger; GRANT pg_monitor TO stranger;
         CREATE ROLE signal_hub_live LOGIN REPLICATION;
         GRANT authenticated, pg_monitor, desk, onlooker TO signal_hub_live",
    );
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.become_role("signal_hub_live");
    service.start(&["--create-slot", "--slot", SLOT]);
    let (desk, onlooker) = (token(&service, "desk"), token(&service, "onlooker"));
    let act = |action: &str, token: &str| {
        service.post(
            &format!("/api/operator/{action}"),
            token,
            r#"{"reason":"maintenance"}"#,
        )
    };

    // A subscriber, a role that the service may not take, none, and what stands for the login.
    for role in [
        "authenticated",
        "stranger",
        "nobody",
        "none",
        "signal_hub_live",
        "pg_monitor",
        "postgres",
    ] {
        let token = token(&service, role);
        let look = |path: &str| service.get(path, Some(&token)).status().as_u16();
        let is_member = role == "pg_monitor";
        let expected = if is_member { 200 } else { 403 };
        assert_eq!(look("/api/operator"), expected, "{role}");
        assert_eq!(look("/api/operator/record"), expected, "{role}");
        for action in ACTIONS {
            assert_eq!(act(action, &token).0, 403, "{role} {action}");
        }
    }
    assert_eq!(service.get("/api/operator", None).status(), 401);
    assert_eq!(service.get("/api/operator/run", Some(&desk)).status(), 405);
    // And no operator reads the signals of a subscriber.
    assert_eq!(service.get("/api/signals", Some(&desk)).status(), 401);

    shop.market.turn();
    let (status, run) = act("run", &desk);
    assert_eq!(
        (status, run["signals_generated"].as_i64()),
        (200, Some(1)),
        "{run}"
    );
    for token in [&desk, &onlooker] {
        let seen = service.json("/api/operator", token);
        assert_eq!(seen["health"]["signals_24h"], 1, "{seen}");
        assert_eq!(seen["deliveries"][0]["deliveries"], 3);
        assert!(seen["runs"][0]["fetch_ms"].as_f64() > Some(0.0));
        assert_eq!(seen["symbols"].as_array().map(Vec::len), Some(10));
        assert_eq!(seen["clients"], 0);
        assert!(
            seen["uptime"].is_array() && seen["progress"].is_array() && seen["pause"].is_null()
        );
        assert!(!seen.to_string().contains("exchange_url"));
        let record = service.json("/api/operator/record", token);
        assert!(record["total"]["signals"].is_number(), "{record}");
    }
    for action in ACTIONS {
        assert_eq!(act(action, &onlooker).0, 403, "{action}");
    }
    let (status, gates) = act("preview", &desk);
    assert_eq!(status, 200, "{gates}");
    assert!(gates.as_array().map_or(0, Vec::len) > 10);
    assert_eq!(act("pause", &desk), (200, true.into()));
    let pause = &service.json("/api/operator", &desk)["pause"];
    assert_eq!(pause["reason"], "maintenance");
    let (status, run) = act("run", &desk);
    assert_eq!((status, &run["success"]), (200, &false.into()));
    assert_eq!(act("resume", &desk), (200, true.into()));
    assert!(service.json("/api/operator", &desk)["pause"].is_null());
    assert_eq!(service.post("/api/operator/pause", &desk, "[]").0, 400);
    // It is done as well when the browser is closed before the answer comes.
    shop.admin.run(
        "CREATE SEQUENCE begun;
         CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $f$BEGIN PERFORM nextval('public.begun'), pg_sleep(1); RETURN NEW; END$f$;
         CREATE TRIGGER slow BEFORE INSERT ON signal_pause FOR EACH ROW EXECUTE FUNCTION take_time()",
    );
    let mut browser = TcpStream::connect(service.address()).expect("it listens");
    let body = r#"{"reason":"emergency"}"#;
    write!(
        browser,
        "POST /api/operator/pause HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {desk}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it is connected");
    eventually(SOON, "it is begun", || {
        shop.admin.one::<bool>("SELECT is_called FROM begun")
    });
    drop(browser);
    eventually(SOON, "runs are paused", || {
        shop.admin.one::<i64>("SELECT count(*) FROM signal_pause") == 1
    });
    assert_eq!(act("resume", &desk), (200, true.into()));
    // What the exchange says, the operator may read.
    shop.admin
        .run("ALTER SYSTEM SET signal_hub.exchange_url = 'http://127.0.0.1:1'");
    shop.admin.run("SELECT pg_reload_conf()");
    // Each process takes the setting over at a time of its own.
    let words = eventually(SOON, "the exchange is out of reach", || {
        let (status, words) = act("run", &desk);
        (status == 409).then_some(words)
    });
    assert!(
        words["error"]
            .as_str()
            .is_some_and(|words| words.contains("could not reach the exchange")),
        "{words}"
    );

    // A login with all rights does not pass them on.
    shop.admin.run("ALTER ROLE signal_hub_live SUPERUSER");
    assert_eq!(act("resume", &token(&service, "postgres")).0, 403);
    assert_eq!(act("resume", &desk).0, 200);
}
