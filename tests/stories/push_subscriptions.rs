//! Where subscribers want to be notified while no page is open: rows that are theirs alone, a bounded
//! number of them, which a dump carries; and what the live service reads and writes of them.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::user;
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::Shop;

/// Keys in the form in which browsers give them.
fn keys() -> (String, String) {
    (format!("B{}", "A".repeat(86)), "c".repeat(22))
}

fn add(client: &mut Session, number: u32, endpoint: &str) {
    client.run(&adding(number, endpoint));
}

fn adding(number: u32, endpoint: &str) -> String {
    let (p256dh, auth) = keys();
    format!(
        "INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
         VALUES ('{}', '{endpoint}', '{p256dh}', '{auth}')",
        user(number)
    )
}

fn endpoints(session: &mut Session) -> Vec<String> {
    session.list("SELECT endpoint FROM user_push_subscriptions ORDER BY endpoint")
}

#[test]
fn push_subscriptions_are_the_subscribers_own_and_bounded() {
    let mut shop = Shop::open();
    let (mut second, mut third) = (shop.client(2), shop.client(3));
    add(&mut second, 2, "https://push.example/2");
    add(&mut third, 3, "https://push.example/3");
    assert_eq!(endpoints(&mut second), ["https://push.example/2"]);
    let error = second.error(&adding(3, "https://push.example/of-another"));
    assert_eq!(error.code().code(), "42501", "{error}");
    second.run("DELETE FROM user_push_subscriptions");
    assert_eq!(endpoints(&mut third), ["https://push.example/3"]);
    // What the service keeps on record is not theirs to write, nor whose a row is.
    for column in ["user_id", "endpoint", "created_at", "failing_since"] {
        let error = third.error(&format!(
            "UPDATE user_push_subscriptions SET {column} = {column}"
        ));
        assert_eq!(error.code().code(), "42501", "{column}: {error}");
    }
    for number in 10..40 {
        add(&mut third, 3, &format!("https://push.example/{number}"));
    }
    let left = endpoints(&mut third);
    assert_eq!(left.len(), 20);
    assert_eq!(left[0], "https://push.example/20", "the newest stay");
    // So many at once that it takes long where each row looks at all that the others deleted.
    let (p256dh, auth) = keys();
    third.run(&format!(
        "SET statement_timeout = '20s';
         INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
         SELECT '{}', 'https://push.example/' || i, '{p256dh}', '{auth}' FROM generate_series(10001, 30000) i;
         RESET statement_timeout",
        user(3)
    ));
    let left = endpoints(&mut third);
    assert_eq!(left.len(), 20);
    assert_eq!(left[0], "https://push.example/29981", "the newest stay");

    let is_dumped: bool = shop.admin.one(
        "SELECT 'user_push_subscriptions'::regclass::oid = ANY (extconfig)
           FROM pg_extension WHERE extname = 'signal_hub'",
    );
    assert!(is_dumped);

    let (p256dh, auth) = keys();
    let row = |endpoint: &str, p256dh: &str, auth: &str| {
        format!(
            "INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
             VALUES ('{}', '{endpoint}', '{p256dh}', '{auth}')",
            user(3)
        )
    };
    let far = format!("https://push.example/{}", "x".repeat(2000));
    for (endpoint, key, secret, words) in [
        ("http://push.example/", &*p256dh, &*auth, "endpoint must"),
        ("http://localhost.evil/", &*p256dh, &*auth, "endpoint must"),
        ("https://push.example/ a", &*p256dh, &*auth, "endpoint must"),
        ("file:///etc/passwd", &*p256dh, &*auth, "endpoint must"),
        (&*far, &*p256dh, &*auth, "endpoint must"),
        ("https://push.example/", "BAAA", &*auth, "p256dh must"),
        ("https://push.example/", &*p256dh, "short", "auth must"),
    ] {
        let error = third.error(&row(endpoint, key, secret));
        assert!(error.to_string().contains(words), "{endpoint}: {error}");
    }
}

#[test]
fn the_service_reads_whom_to_notify_and_records_what_became_of_it() {
    let mut shop = Shop::open();
    shop.admin.run(
        "CREATE ROLE service LOGIN REPLICATION IN ROLE pg_monitor;
         CREATE ROLE monitor LOGIN IN ROLE pg_monitor",
    );
    let (mut second, mut third) = (shop.client(2), shop.client(3));
    add(&mut second, 2, "https://push.example/2");
    add(&mut third, 3, "https://push.example/3");
    add(&mut third, 3, "https://push.example/33");
    let as_login = |admin: &mut Session, login: &str, sql: &str| -> Vec<String> {
        admin.run(&format!("SET SESSION AUTHORIZATION {login}"));
        let found = admin.list(sql);
        admin.run("RESET SESSION AUTHORIZATION");
        found
    };
    let targets = format!(
        "SELECT endpoint FROM signal_hub_push_targets('{{{},{}}}') ORDER BY 1",
        user(2),
        user(3)
    );
    let admin = &mut shop.admin;
    for sql in [
        "SELECT signal_hub_push_subscribers()::text",
        targets.as_str(),
    ] {
        assert!(as_login(admin, "monitor", sql).is_empty(), "{sql}");
    }
    let known = as_login(
        admin,
        "service",
        "SELECT signal_hub_push_subscribers()::text AS u ORDER BY u",
    );
    assert_eq!(known, [user(2), user(3)]);
    assert_eq!(as_login(admin, "service", &targets).len(), 3);
    let refused = second.error("SELECT signal_hub_push_subscribers()");
    assert_eq!(refused.code().code(), "42501");

    // Quiet hours that contain this moment, in a zone of their own.
    second.run(&format!(
        "INSERT INTO user_preferences (user_id, quiet_from, quiet_until, time_zone)
         SELECT '{}', (t - interval '1 hour')::time, (t + interval '1 hour')::time, 'Asia/Tokyo'
           FROM (SELECT now() AT TIME ZONE 'Asia/Tokyo') q (t)",
        user(2)
    ));
    let loud = ["https://push.example/3", "https://push.example/33"];
    assert_eq!(as_login(admin, "service", &targets), loud);

    let results = |results: [&str; 2]| {
        format!(
            "SELECT count(*)::text FROM signal_hub_push_results(
                 ARRAY['{0}', '{0}']::uuid[], ARRAY['{1}', '{2}'], ARRAY['{3}', '{4}'])",
            user(3),
            loud[0],
            loud[1],
            results[0],
            results[1]
        )
    };
    let state = "SELECT concat_ws(' ', endpoint, last_sent_at IS NOT NULL, failing_since IS NOT NULL, last_failure)
                   FROM user_push_subscriptions WHERE endpoint LIKE '%/3%' ORDER BY 1";
    as_login(admin, "monitor", &results(["gone", "gone"]));
    assert_eq!(endpoints(admin).len(), 3, "a monitor changes nothing");
    as_login(admin, "service", &results(["sent", "status 500"]));
    assert_eq!(
        admin.list::<String>(state),
        [
            "https://push.example/3 t f",
            "https://push.example/33 f t status 500"
        ]
    );
    as_login(admin, "service", &results(["status 429", "sent"]));
    assert_eq!(
        admin.list::<String>(state),
        [
            "https://push.example/3 t t status 429",
            "https://push.example/33 t f"
        ]
    );
    admin.run("UPDATE user_push_subscriptions SET failing_since = now() - interval '8 days'");
    as_login(admin, "service", &results(["status 429", "gone"]));
    assert_eq!(endpoints(admin), ["https://push.example/2"]);

    // Who knows the secret of a subscription may put another in its place.
    let (p256dh, auth) = keys();
    let moving = |secret: &str| {
        format!(
            "SELECT signal_hub_move_push('{}', 'https://push.example/2', '{secret}',
                 'https://push.example/new', '{p256dh}', '{auth}')::text",
            user(2)
        )
    };
    let wrong = "d".repeat(22);
    assert_eq!(as_login(admin, "service", &moving(&wrong)), ["false"]);
    assert_eq!(as_login(admin, "service", &moving(&auth)), ["true"]);
    assert_eq!(endpoints(admin), ["https://push.example/new"]);
    assert_eq!(as_login(admin, "service", &moving(&auth)), ["false"]);
}

/// Code of a monitor's index runs while a superuser analyzes the table. The login is that of the
/// superuser then, and the rights are the monitor's.
#[test]
fn a_monitors_index_sees_no_endpoint_while_a_superuser_analyzes() {
    let mut shop = Shop::open();
    add(&mut shop.client(3), 3, "https://push.example/3");
    shop.admin
        .run("CREATE ROLE monitor LOGIN IN ROLE pg_monitor; CREATE SCHEMA AUTHORIZATION monitor");
    let mut monitor = shop.cluster.session_as("monitor", POSTGRES);
    monitor.run(&format!(
        "CREATE TABLE monitor.noted (words text);
         CREATE TABLE monitor.bait (number integer);
         INSERT INTO monitor.bait VALUES (1);
         CREATE FUNCTION monitor.note() RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO monitor.noted SELECT endpoint FROM public.signal_hub_push_targets('{{{0}}}');
             INSERT INTO monitor.noted SELECT public.signal_hub_push_subscribers()::text;
             PERFORM public.signal_hub_push_results('{{{0}}}', '{{https://push.example/3}}', '{{gone}}');
             INSERT INTO monitor.noted SELECT signal_id::text
               FROM public.signal_hub_claim_push(gen_random_uuid(), 'a_slot', '{{{0}}}', '{{1}}');
             INSERT INTO monitor.noted VALUES (
                 'moved: ' || public.signal_hub_move_push('{0}', 'https://push.example/3', '{1}',
                                                          'https://push.example/4', '{2}', '{1}'));
             INSERT INTO monitor.noted VALUES (
                 'watches: ' || public.signal_hub_keep_watchers('a_slot', '{{{0}}}'));
         END $$;
         CREATE FUNCTION monitor.look(number integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
         BEGIN
             IF session_user <> current_user THEN PERFORM monitor.note(); END IF;
             RETURN number;
         END $$;
         CREATE INDEX ON monitor.bait (monitor.look(number))",
        user(3),
        keys().1,
        keys().0,
    ));
    shop.admin.run("ANALYZE monitor.bait");
    assert_eq!(
        shop.admin
            .list::<String>("SELECT words FROM monitor.noted ORDER BY words"),
        ["moved: false", "watches: false"]
    );
    assert_eq!(endpoints(&mut shop.admin), ["https://push.example/3"]);
    let watched: i64 = shop.admin.one("SELECT count(*) FROM signal_watchers");
    assert_eq!(watched, 0);
    let claimed: i64 = (shop.admin).one("SELECT count(*) FROM signal_push_claims");
    assert_eq!(claimed, 0);
}

#[test]
fn of_several_services_one_notifies_and_none_where_another_shows_the_page() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    for slot in ["one", "two"] {
        admin.run(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        ));
    }
    let mut claim = |number: u32, slot: &str, signals: &str| -> Vec<i64> {
        admin.list(&format!(
            "SELECT c.signal_id FROM signal_hub_claim_push('00000000-0000-4000-9000-00000000000{number}', '{slot}',
                        array_fill('{}'::uuid, ARRAY[cardinality('{signals}'::bigint[])]), '{signals}') c
              ORDER BY 1",
            user(2)
        ))
    };
    assert_eq!(claim(1, "one", "{1,2}"), [1, 2]);
    assert_eq!(claim(2, "two", "{1,2,3}"), [3]);
    // A service that got no answer asks again.
    assert_eq!(claim(1, "one", "{1,2}"), [1, 2]);
    // The same rows once more, after a crash.
    assert!(claim(3, "one", "{1,2,3}").is_empty());
    shop.admin.run(
        "UPDATE signal_push_claims SET claimed_at = now() - interval '2 hours' WHERE signal_id < 3",
    );
    shop.admin.run(&format!(
        "SELECT signal_hub_claim_push(gen_random_uuid(), 'one', '{{{}}}', '{{4}}')",
        user(3)
    ));
    let kept = "SELECT signal_id FROM signal_push_claims ORDER BY 1";
    assert_eq!(shop.admin.list::<i64>(kept), [3, 4]);
}
