//! Notifications for subscribers who have no page in view, by a push service on loopback.

use crate::client::Stream;
use crate::push_service::{Browser, PushService, Sent};
use crate::scene::{SOON, user};
use crate::service::{SLOT, Service};
use crate::shop::Shop;
use crate::wait::eventually;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// A shop, a service that sends notifications, and where it sends them.
pub fn open() -> (Shop, Service, PushService) {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let push = PushService::start();
    let service = Service::of(&shop.cluster, &mut shop.admin);
    let key = service.run("vapid-key", &[]).stdout;
    fs::write(key_file(&shop), key).expect("the folder is ours");
    let service = notifying(&mut shop, &push, SLOT);
    (shop, service, push)
}

fn key_file(shop: &Shop) -> String {
    let file = shop.cluster.folder().join("vapid.pem");
    file.into_os_string().into_string().expect("text")
}

/// A service that reads this slot and has the key of the shop.
pub fn notifying(shop: &mut Shop, push: &PushService, slot: &str) -> Service {
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    start(&mut service, shop, push, slot);
    service
}

pub fn start(service: &mut Service, shop: &Shop, push: &PushService, slot: &str) {
    service.start(&[
        "--create-slot",
        "--slot",
        slot,
        "--vapid-key-file",
        &key_file(shop),
        "--vapid-contact",
        "mailto:operator@example.org",
        "--push-service",
        &push.url,
    ]);
}

/// Adds a browser of a subscriber, reached at a path of the push service.
pub fn add(service: &Service, push: &PushService, number: u32, path: &str) -> Browser {
    let browser = Browser::new(&format!("{}{path}", push.url));
    let body = browser.subscription().to_string();
    let (status, said) = service.put("/api/push", &service.token(number), &body);
    assert_eq!((status, &said["stored"]), (200, &json!(true)), "{said}");
    browser
}

pub fn arrives(push: &PushService, path: &str, count: usize) -> Vec<Sent> {
    eventually(SOON, "notifications arrive", || {
        let sent = push.sent(path);
        (sent.len() >= count).then_some(sent)
    })
}

#[test]
fn who_has_no_page_in_view_is_notified_and_nobody_else_can_read_it() {
    let (mut shop, service, push) = open();
    let page: Value = service.json("/api/page", "");
    let key = page["push_key"].as_str().expect("a key").to_owned();
    let browser = add(&service, &push, 2, "/two");
    assert_eq!(service.metric("push_subscribers"), 1.0);
    shop.signal();
    let sent = arrives(&push, "/two", 1).remove(0);
    assert!(sent.headers["authorization"].ends_with(&format!("k={key}")));
    assert_eq!(sent.headers["content-encoding"], "aes128gcm");
    let ttl: u64 = sent.headers["ttl"].parse().expect("a number");
    assert!((800..=900).contains(&ttl), "15 minutes: {ttl}");
    let message = browser.read(&sent);
    let row: Vec<String> = shop.admin.list(&format!(
        "SELECT concat_ws(' ', signal_id, symbol, signal_type, entry_price, stop_loss)
           FROM user_signals WHERE user_id = '{}'",
        user(2)
    ));
    let told = &message["signals"][0];
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let told_row = format!(
        "{} {} {} {} {}",
        told["signal_id"],
        text("symbol"),
        text("signal_type"),
        text("entry_price"),
        text("stop_loss")
    );
    assert_eq!(row, [told_row]);
    assert_eq!(message["count"], 1);
    assert_eq!(
        sent.headers["topic"],
        format!("signal-{}", told["signal_id"])
    );
    eventually(SOON, "it is on record", || {
        let noted = "SELECT last_sent_at IS NOT NULL FROM user_push_subscriptions";
        shop.admin.one::<bool>(noted)
    });

    // Somebody looks at a page; then at no page any more.
    let mut stream = Stream::open(&service, 2, None);
    let token = service.token(2);
    let look = |is_visible: bool, token: &str| {
        let body = json!({"stream": stream.number, "visible": is_visible}).to_string();
        assert_eq!(service.post("/api/visible", token, &body).0, 200);
    };
    look(true, &token);
    // Others cannot say so for them.
    look(false, &service.token(3));
    let other = add(&service, &push, 3, "/three");
    shop.signal();
    arrives(&push, "/three", 1);
    assert_eq!(push.sent("/two").len(), 1, "they see it");
    look(false, &token);
    shop.signal();
    arrives(&push, "/two", 2);
    stream.expect("signal");
    drop(other);

    // What comes in quiet hours is delivered, and notified to nobody.
    shop.admin.run(&format!(
        "INSERT INTO user_preferences (user_id, quiet_from, quiet_until, time_zone)
         SELECT '{}', (t - interval '1 hour')::time, (t + interval '1 hour')::time, 'UTC'
           FROM (SELECT now() AT TIME ZONE 'UTC') q (t)",
        user(2)
    ));
    let before = push.sent("/three").len();
    shop.signal();
    arrives(&push, "/three", before + 1);
    assert_eq!(push.sent("/two").len(), 2, "quiet");

    // A browser that is taken away is left alone.
    let endpoint = json!({"endpoint": format!("{}/three", push.url)}).to_string();
    let delete = |number| service.delete("/api/push", &service.token(number), &endpoint);
    // Also where a policy shows those of others, as to a support desk.
    shop.admin
        .run("CREATE POLICY desk ON user_push_subscriptions TO authenticated USING (true)");
    assert_eq!(delete(2).1["deleted"], false, "it is of another subscriber");
    assert_eq!(delete(3).1["deleted"], true);
    assert_eq!(delete(3).1["deleted"], false);
}

#[test]
fn answers_of_push_services_are_obeyed_and_a_slow_one_delays_no_stream() {
    let (mut shop, service, push) = open();
    let slow = Duration::from_secs(20);
    for (number, path, answer, after) in [
        (1, "/slow", "201 Created", slow),
        (2, "/gone", "410 Gone", Duration::ZERO),
        (2, "/unknown", "404 Not Found", Duration::ZERO),
        (2, "/busy", "429 Too Many\r\nRetry-After: 3", Duration::ZERO),
        (2, "/broken", "503 Not Now", Duration::ZERO),
        (
            2,
            "/elsewhere",
            "307 There\r\nLocation: /target",
            Duration::ZERO,
        ),
        (2, "/well", "201 Created", Duration::ZERO),
    ] {
        push.answer(path, answer, after);
        add(&service, &push, number, path);
    }
    // Written without the service; it must not make the service call inside the network.
    let address = "http://127.0.0.1:1/inside";
    shop.admin.run(&format!(
        "INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
         SELECT user_id, '{address}', p256dh, auth FROM user_push_subscriptions WHERE endpoint LIKE '%/well'"
    ));
    let mut stream = Stream::open(&service, 1, None);
    let began = Instant::now();
    shop.signal();
    stream.expect("signal");
    // Each by a connection of its own, in any order; the slow one is waited for elsewhere.
    for path in ["/slow", "/busy", "/broken", "/well"] {
        arrives(&push, path, 1);
    }
    assert!(began.elapsed() < slow, "{:?}", began.elapsed());
    push.answer("/broken", "201 Created", Duration::ZERO);
    push.answer("/busy", "201 Created", Duration::ZERO);
    arrives(&push, "/busy", 2);
    arrives(&push, "/broken", 2);
    assert!(began.elapsed() > Duration::from_secs(3), "as it asked");
    assert!(push.sent("/target").is_empty(), "no redirect is followed");
    let state = "SELECT concat_ws(' ', substring(endpoint FROM '[^/]+$'), failing_since IS NOT NULL, last_failure)
                   FROM user_push_subscriptions WHERE endpoint NOT LIKE '%/slow' ORDER BY 1";
    let wanted = [
        "broken f",
        "busy f",
        "elsewhere t status 307",
        "inside t not a push service that may be called",
        "well f",
    ];
    eventually(SOON, "all is on record", || {
        let now: Vec<String> = shop.admin.list(state);
        (now == wanted).then_some(())
    });
    assert_eq!(service.metric("push_sent_total"), 3.0);
    assert_eq!(service.metric("push_forgotten_total"), 2.0);
    assert_eq!(service.metric("push_failed_total"), 2.0);
}

#[test]
fn a_browser_moves_by_its_secret_and_only_push_services_are_taken() {
    let (mut shop, mut service, push) = open();
    let token = service.token(2);
    for (endpoint, words) in [
        (
            "https://10.0.0.1/x",
            "the push service of this browser is not known here",
        ),
        (
            "http://127.0.0.1:1/x",
            "the push service of this browser is not known here",
        ),
        ("", "the push service of this browser is not known here"),
    ] {
        let body = Browser::new(endpoint).subscription().to_string();
        let (status, said) = service.put("/api/push", &token, &body);
        assert_eq!((status, &said["error"]), (400, &json!(words)), "{endpoint}");
    }
    let short = json!({"endpoint": format!("{}/x", push.url), "keys": {"p256dh": "B", "auth": Browser::auth()}});
    let (status, said) = service.put("/api/push", &token, &short.to_string());
    assert_eq!(status, 400);
    assert!(
        said["error"]
            .as_str()
            .expect("text")
            .starts_with("p256dh must be"),
        "{said}"
    );
    let no_point = json!({"endpoint": format!("{}/x", push.url), "keys": {"p256dh": format!("B{}", "A".repeat(86)),
        "auth": Browser::auth()}});
    let (status, said) = service.put("/api/push", &token, &no_point.to_string());
    let rule = "p256dh must be a point of the curve P-256 in base64url";
    assert_eq!(
        (status, &said["error"]),
        (400, &json!(rule)),
        "not on the curve"
    );
    assert_eq!(service.put("/api/push", &token, "[]").0, 400);
    assert_eq!(service.put("/api/push", "none", &short.to_string()).0, 401);

    add(&service, &push, 2, "/old");
    let moving = |auth: &str| {
        let browser = Browser::new(&format!("{}/new", push.url));
        let body = json!({"user": user(2), "endpoint": format!("{}/old", push.url), "auth": auth,
            "subscription": browser.subscription()});
        service.post("/api/push/moved", "", &body.to_string()).0
    };
    assert_eq!(moving("c2l4dGVlbiBieXRlcyBvTw"), 404, "another secret");
    // Anybody can ask: who does so for one subscription all the time keeps no other from it.
    let guess = |_| {
        let browser = Browser::new(&format!("{}/new", push.url));
        let body = json!({"user": user(2), "endpoint": format!("{}/guessed", push.url),
            "auth": Browser::auth(), "subscription": browser.subscription()});
        service.post("/api/push/moved", "", &body.to_string()).0
    };
    let refused = (0..400).map(guess).filter(|status| *status == 429).count();
    assert!(refused >= 350, "{refused}");
    assert_eq!(moving(&Browser::auth()), 200);
    let left: Vec<String> = shop
        .admin
        .list("SELECT endpoint FROM user_push_subscriptions");
    assert_eq!(left, [format!("{}/new", push.url)]);
    // Written without the service: one key is no point of the curve, one has bits left over.
    shop.admin.run(
        "INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
         SELECT user_id, endpoint || n, 'B' || repeat('A', 85) || k, auth
           FROM user_push_subscriptions, (VALUES (1, 'A'), (2, '_')) v (n, k)",
    );
    shop.signal();
    arrives(&push, "/new", 1);
    assert!(push.sent("/old").is_empty());
    let why =
        "SELECT coalesce(last_failure, 'none') FROM user_push_subscriptions ORDER BY endpoint";
    eventually(SOON, "what is wrong with a key is on record", || {
        let now: Vec<String> = shop.admin.list(why);
        (now == ["none", "the key of the browser is not valid", rule]).then_some(())
    });
    assert_eq!(service.metric("push_failed_total"), 2.0);

    // A service that ends sends what has come; a busy machine may not in the second it is given.
    let is_sent_at_the_end = |is_down: bool| {
        if is_down {
            start(&mut service, &shop, &push, SLOT);
        }
        let (before, rows) = (push.sent("/new").len(), service.metric("rows_total"));
        shop.signal();
        eventually(SOON, "the three rows have come", || {
            service.metric("rows_total") >= rows + 3.0
        });
        assert_eq!(service.stop().code(), Some(0));
        push.sent("/new").len() > before
    };
    let is_sent = [false, true, true].into_iter().any(is_sent_at_the_end);
    assert!(is_sent, "nothing was sent");
}

#[test]
fn what_push_services_do_not_take_in_time_is_on_record() {
    let (mut shop, service, push) = open();
    let broken = ["/a", "/b", "/c"];
    for path in broken {
        push.answer(path, "503 Not Now", Duration::ZERO);
        add(&service, &push, 2, path);
    }
    let much = "429 Too Many\r\nRetry-After: 3600";
    push.answer("/busy", much, Duration::ZERO);
    add(&service, &push, 3, "/busy");
    add(&service, &push, 4, "/waits");
    let mut send = |number: u32, expires: &str| {
        shop.admin.run(&format!(
            "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                       expires_at, full_details, metadata)
             VALUES ('{}', {number}, 'MAX', 'BTCUSDT', 'LONG', 50, 50, now() + interval '{expires}', false, '{{}}')",
            user(number)
        ));
    };
    send(3, "1 minute");
    // Time for a second attempt, on a busy machine too, but not for a third.
    send(2, "10 seconds");
    eventually(SOON, "the push service is tried again", || {
        broken
            .iter()
            .map(|path| push.sent(path).len())
            .sum::<usize>()
            > broken.len()
    });
    // It is left alone for eight seconds or more.
    send(4, "4 seconds");
    eventually(SOON, "all is on record", || {
        let now: Vec<String> = shop.admin.list(
            "SELECT concat_ws(' ', substring(endpoint FROM '[^/]+$'), failing_since IS NOT NULL, last_failure)
               FROM user_push_subscriptions ORDER BY 1",
        );
        let wanted = [
            "a t status 503",
            "b t status 503",
            "busy t status 429",
            "c t status 503",
            "waits t status 503",
        ];
        (now == wanted).then_some(())
    });
    assert!(push.sent("/waits").is_empty(), "nothing was sent in time");
    assert_eq!(service.metric("push_failed_total"), 5.0);
}
