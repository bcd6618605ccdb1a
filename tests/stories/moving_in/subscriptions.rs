//! The application's table says who subscribes.

use super::{INSTALL, OLD_STACK, beside_the_application, subscribers};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, by_hand, by_itself, flat_market};
use signal_hub_harness::wait::eventually;
use std::thread;

#[test]
fn names_that_are_taken_are_told_with_the_way_to_go_on() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    let error = session.error("CREATE EXTENSION signal_hub");
    assert_eq!(error.code().code(), "42P07");
    assert_eq!(
        error.message(),
        "relation \"user_subscriptions\" already exists"
    );
    let detail = error.detail().unwrap_or_default();
    assert!(
        detail.contains("user_subscriptions, user_signals"),
        "{detail}"
    );
    let hint = error.hint().unwrap_or_default();
    for said in [
        "CREATE EXTENSION signal_hub SCHEMA signal_hub",
        "adopt_subscriptions()",
    ] {
        assert!(hint.contains(said), "{hint}");
    }
    session.run(INSTALL);
}

#[test]
fn subscriptions_are_taken_over_as_they_are_found_and_kept_in_step() {
    let market = flat_market();
    let (cluster, mut session) = beside_the_application(&market);
    let adopt = "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')";
    let told: Vec<String> = session.list(adopt);
    assert_eq!(
        told[0],
        "public.user_subscriptions: 4 rows of 3 users; 1 of them are entitled to signals now"
    );
    assert!(told[1].starts_with("status 'incomplete' of 1 rows is not known"));
    assert_eq!(told.len(), 3, "{told:?}");
    let found = ["1 MAX active", "2 PRO active", "3 FREE paused"];
    assert_eq!(subscribers(&mut session), found);
    assert_eq!(session.list::<String>(adopt), told, "again");
    assert_eq!(subscribers(&mut session), found);

    // What the application does from now on, as a role that knows nothing of the extension.
    let mut app = cluster.session(POSTGRES);
    app.run("SET ROLE service_role");
    let mut after = |statement: &str, expected: &[&str]| {
        app.run(statement);
        assert_eq!(subscribers(&mut session), expected, "{statement}");
    };
    let user = |n: u32| format!("'00000000-0000-0000-0000-{n:012}'");
    after(
        "UPDATE user_subscriptions SET status = 'canceled' WHERE tier = 'MAX'",
        &["1 MAX canceled", "2 PRO active", "3 FREE paused"],
    );
    after(
        &format!(
            "INSERT INTO user_subscriptions (user_id, tier) VALUES ({}, 'Max')",
            user(3)
        ),
        &["1 MAX canceled", "2 PRO active", "3 MAX active"],
    );
    after(
        &format!(
            "INSERT INTO user_subscriptions (id, user_id, tier)
             SELECT id, user_id, 'MAX' FROM user_subscriptions WHERE user_id = {}
                 ON CONFLICT (id) DO UPDATE SET tier = excluded.tier",
            user(2)
        ),
        &["1 MAX canceled", "2 MAX active", "3 MAX active"],
    );
    after(
        &format!("DELETE FROM user_subscriptions WHERE user_id = {}", user(2)),
        &["1 MAX canceled", "3 MAX active"],
    );
    after(
        &format!(
            "UPDATE user_subscriptions SET user_id = {} WHERE user_id = {}",
            user(5),
            user(3)
        ),
        &["1 MAX canceled", "5 MAX active"],
    );
    after(
        &format!(
            "UPDATE user_subscriptions SET tier = 'PLATINUM' WHERE user_id = {}",
            user(5)
        ),
        &["1 MAX canceled"],
    );
    after(
        "BEGIN; TRUNCATE user_subscriptions; ROLLBACK",
        &["1 MAX canceled"],
    );
    after("TRUNCATE user_subscriptions", &[]);
    assert!(cluster.log().contains("signal_hub has no tier 'PLATINUM'"));

    // Words of other applications.
    after(
        &format!(
            "INSERT INTO user_subscriptions (user_id, tier, status) VALUES ({}, 'premium', 'trialing')",
            user(7)
        ),
        &[],
    );
    let told: Vec<String> = session.list(
        r#"SELECT signal_hub.adopt_subscriptions('public.user_subscriptions', tiers => '{"premium": "MAX"}',
                                                 statuses => '{"trialing": "active"}')"#,
    );
    assert!(told[0].contains("1 of them are entitled"), "{told:?}");
    assert_eq!(subscribers(&mut session), ["7 MAX active"]);

    // The schema of the extension gets another name.
    session.run("ALTER SCHEMA signal_hub RENAME TO hub");
    app.run("UPDATE user_subscriptions SET status = 'ACTIVE', tier = 'pro'");
    session.run("ALTER SCHEMA hub RENAME TO signal_hub");
    assert_eq!(subscribers(&mut session), ["7 PRO active"]);
}

#[test]
fn a_hundred_thousand_at_once_and_two_at_the_same_time() {
    let market = flat_market();
    let (cluster, mut session) = beside_the_application(&market);
    session.run("SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')");
    let many = "INSERT INTO user_subscriptions (user_id, tier)
                SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'max'
                  FROM generate_series(1, 100000) i";
    session.run(many);
    let count = "SELECT count(*) FROM signal_hub.user_subscriptions WHERE tier = 'MAX' AND status = 'active'";
    assert_eq!(session.one::<i64>(count), 100_001);
    session.run("UPDATE user_subscriptions SET status = 'unpaid' WHERE tier = 'max'");
    let count = "SELECT count(*) FROM signal_hub.user_subscriptions WHERE status = 'past_due'";
    assert_eq!(session.one::<i64>(count), 100_000);
    session.run("DELETE FROM user_subscriptions WHERE tier = 'max'");
    assert_eq!(subscribers(&mut session).len(), 3);

    // A second transaction that changes the same user waits, and then sees both rows.
    let buy = |tier: &str| {
        format!(
            "INSERT INTO user_subscriptions (user_id, tier) VALUES ('00000000-0000-0000-0000-000000000009', '{tier}')"
        )
    };
    session.run(&format!("BEGIN; {}", buy("MAX")));
    let mut other = cluster.session(POSTGRES);
    let pid: i32 = other.one("SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let second = scope.spawn(|| other.run(&buy("PRO")));
        let mut watcher = cluster.session(POSTGRES);
        eventually(SOON, "the second waits for the first", || {
            watcher.one::<bool>(&format!("SELECT cardinality(pg_blocking_pids({pid})) > 0"))
        });
        session.run("COMMIT");
        second.join().expect("the second goes on");
    });
    assert!(subscribers(&mut session).contains(&"9 MAX active".to_owned()));
}

#[test]
fn a_subscription_that_ends_by_time_gives_way_to_the_next_best() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    session.run(INSTALL);
    session.run(
        "UPDATE user_subscriptions SET current_period_end = clock_timestamp() + interval '1 hour'
          WHERE tier = 'MAX';
         UPDATE user_subscriptions SET status = 'active' WHERE tier = 'FREE';
         SELECT signal_hub.adopt_subscriptions('user_subscriptions')",
    );
    assert_eq!(subscribers(&mut session)[0], "1 MAX active");
    // The hour passes, which nobody writes down.
    let earlier =
        "SET current_period_end = current_period_end - interval '2 hours' WHERE tier = 'MAX'";
    session.run(&format!(
        "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE user_subscriptions {earlier}; UPDATE signal_hub.user_subscriptions {earlier}; COMMIT"
    ));
    // It looks when it starts, and every ten minutes.
    session.run("SELECT pg_terminate_backend(worker_pid) FROM signal_hub.signal_health");
    eventually(SOON, "the other subscription counts", || {
        subscribers(&mut session)[0] == "1 FREE active"
    });
}

/// An application that renames a column is told what to do, whichever of them it is.
#[test]
fn a_column_that_is_gone_is_named_and_the_table_adopted_again() {
    let market = flat_market();
    let (_cluster, mut session) = beside_the_application(&market);
    let adopt = "SELECT signal_hub.adopt_subscriptions('user_subscriptions')";
    session.run(adopt);
    for (change, lost) in [
        ("RENAME user_id TO x", "column user_id of type uuid"),
        ("ALTER user_id TYPE text", "column user_id of type uuid"),
        ("RENAME tier TO x", "column tier"),
        ("DROP status", "column status"),
        (
            "RENAME current_period_end TO x",
            "column current_period_end of type timestamptz or timestamp",
        ),
        (
            "ALTER current_period_end TYPE date",
            "column current_period_end of type timestamptz or timestamp",
        ),
    ] {
        session.run(&format!("BEGIN; ALTER TABLE user_subscriptions {change}"));
        session.run("SAVEPOINT altered");
        for write in [
            "UPDATE user_subscriptions SET stripe_customer_id = 'x'",
            "DELETE FROM user_subscriptions",
            "SELECT signal_hub.signal_hub_renew_adopted()",
        ] {
            session.run("UPDATE signal_hub.user_subscriptions SET current_period_end = '2020-01-01', status = 'active'");
            let error = session.error(write);
            assert_eq!(error.code().code(), "55000", "{change}: {error}");
            assert_eq!(
                error.message(),
                format!(
                    "table public.user_subscriptions has no longer the {lost} by which signal_hub follows it"
                )
            );
            let hint = error.hint().unwrap_or_default();
            assert!(hint.starts_with("Call adopt_subscriptions()"), "{hint}");
            session.run("ROLLBACK TO altered");
        }
        session.run("ROLLBACK");
    }
    session.run(
        "ALTER TABLE user_subscriptions RENAME tier TO plan;
         SELECT signal_hub.adopt_subscriptions('user_subscriptions', tier => 'plan');
         UPDATE user_subscriptions SET plan = 'PRO' WHERE plan = 'MAX'",
    );
    assert_eq!(subscribers(&mut session)[0], "1 PRO active");
}

#[test]
fn what_cannot_be_adopted_is_refused_with_what_to_do() {
    let market = flat_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "CREATE VIEW seen AS SELECT * FROM user_subscriptions;
         CREATE TABLE other (owner_id uuid, tier text, status text);
         CREATE TABLE by_name (user_id text, tier text, status text)",
    );
    let adopt = |source: &str| format!("SELECT signal_hub.adopt_subscriptions({source})");
    for (source, code, said) in [
        ("'seen'", "42809", "is not a table of an application"),
        (
            "'signal_hub.user_subscriptions'",
            "42809",
            "is not a table of an application",
        ),
        ("'other'", "42703", "has no column user_id of type uuid"),
        ("'by_name'", "42703", "has no column user_id of type uuid"),
        (
            "'user_subscriptions', current_period_end => 'tier'",
            "42703",
            "has no column tier of type timestamptz or timestamp",
        ),
        ("NULL", "22004", "may be null"),
    ] {
        let error = session.error(&adopt(source));
        assert_eq!(error.code().code(), code, "{source}: {}", error.message());
        assert!(error.message().contains(said), "{}", error.message());
    }
    session.run("INSERT INTO signal_hub.user_subscriptions VALUES (gen_random_uuid(), 'MAX')");
    let error = session.error(&adopt("'user_subscriptions'"));
    assert!(error.message().contains("has 1 subscribers of whom"));
    session.run("DELETE FROM signal_hub.user_subscriptions");
    session.run(&adopt("'user_subscriptions'"));
    let error = session.error(&adopt(
        "'other', user_id => 'owner_id', current_period_end => NULL",
    ));
    assert!(
        error.message().contains("are adopted already"),
        "{}",
        error.message()
    );
    let told: Vec<String> = session.list("SELECT signal_hub.abandon_table('user_subscriptions')");
    assert_eq!(told.len(), 4, "{told:?}");
    session.run("DELETE FROM user_subscriptions");
    assert_eq!(subscribers(&mut session).len(), 3, "left as they are");
    session.run("DROP EXTENSION signal_hub");
}
