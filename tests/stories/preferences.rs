//! What subscribers want of the signals that they are entitled to, and the least time between two
//! that a tier sets.

use signal_hub_harness::cluster::binaries::succeed;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    FLIPS_AT_ONCE, by_hand, by_itself, flat_market, generate, installed_by_hand, subscribe, user,
    wait_for_deliveries,
};
use signal_hub_harness::session::Session;
use signal_hub_simulator::Simulator;

/// A market with these changes, in which BTCUSDT makes a worse signal than others.
fn market(changes: &[(&str, &str)]) -> Simulator {
    let market = flat_market();
    market.set_spread_bps("BTCUSDT", "8");
    for (symbol, change) in changes {
        market.set_change(symbol, change);
    }
    market
}

fn prefer(session: &mut Session, number: u32, columns: &str, values: &str) {
    session.run(&format!(
        "INSERT INTO user_preferences (user_id, {columns}) VALUES ('{}', {values})",
        user(number)
    ));
}

/// The symbols that a subscriber received, in the order of the alphabet.
fn received(session: &mut Session, number: u32) -> Vec<String> {
    session.list(&format!(
        "SELECT symbol FROM user_signals WHERE user_id = '{}' ORDER BY symbol",
        user(number)
    ))
}

const THREE: [(&str, &str); 3] = [("BTCUSDT", "4"), ("ETHUSDT", "-4"), ("SOLUSDT", "8")];

#[test]
fn each_receives_what_they_want_and_no_more() {
    let market = market(&THREE);
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 9);
    prefer(&mut session, 1, "only_symbols", "'{BTCUSDT,XRPUSDT}'");
    prefer(&mut session, 2, "not_symbols", "'{BTCUSDT}'");
    prefer(&mut session, 3, "sides", "'{SHORT}'");
    prefer(&mut session, 4, "min_confidence", "60");
    prefer(&mut session, 5, "strategies", "'{reversal}'");
    prefer(&mut session, 6, "min_quality", "100");
    prefer(
        &mut session,
        7,
        "only_symbols, sides",
        "'{BTCUSDT}', '{SHORT}'",
    );
    prefer(
        &mut session,
        8,
        "quiet_from, quiet_until, time_zone",
        "'00:00', '23:59', 'Europe/Berlin'",
    );
    generate(&mut session);
    let all = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
    assert_eq!(received(&mut session, 1), ["BTCUSDT"]);
    assert_eq!(received(&mut session, 2), ["ETHUSDT", "SOLUSDT"]);
    assert_eq!(received(&mut session, 3), ["ETHUSDT"]);
    assert_eq!(received(&mut session, 4), ["SOLUSDT"]);
    assert!(received(&mut session, 5).is_empty());
    let good: Vec<String> =
        session.list("SELECT symbol FROM signals WHERE quality_score >= 100 ORDER BY symbol");
    assert_eq!(received(&mut session, 6), good);
    assert!(received(&mut session, 7).is_empty());
    assert_eq!(
        received(&mut session, 8),
        all,
        "quiet hours hold back no row"
    );
    assert_eq!(received(&mut session, 9), all, "without preferences");
    let deliveries: i64 = session.one("SELECT sum(deliveries)::bigint FROM signals");
    assert_eq!(deliveries, 11 + good.len() as i64);
}

#[test]
fn a_limit_of_ones_own_counts_like_a_quota_and_only_lowers_it() {
    let market = market(&THREE);
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(FLIPS_AT_ONCE);
    session.run("UPDATE signal_tiers SET daily_quota = 4");
    subscribe(&mut session, "MAX", 1, 4);
    prefer(&mut session, 1, "max_per_day", "2");
    prefer(&mut session, 2, "max_per_day", "0");
    prefer(&mut session, 3, "max_per_day", "100");
    generate(&mut session);
    let mut best: Vec<String> =
        session.list("SELECT symbol FROM signals ORDER BY quality_score DESC, signal_id LIMIT 2");
    best.sort();
    assert_eq!(best, ["ETHUSDT", "SOLUSDT"]);
    assert_eq!(received(&mut session, 1), best, "the best of the run");
    for (symbol, change) in [("BTCUSDT", "-4"), ("ETHUSDT", "4"), ("SOLUSDT", "-8")] {
        market.set_change(symbol, change);
    }
    generate(&mut session);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 6);
    let counts = [1, 2, 3, 4].map(|number| received(&mut session, number).len());
    assert_eq!(counts, [2, 0, 4, 4]);
}

#[test]
fn a_tier_may_set_a_least_time_between_two_signals_and_the_best_of_a_run_is_taken() {
    let market = market(&THREE);
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(FLIPS_AT_ONCE);
    session.run(
        "UPDATE signal_tiers SET enabled = true;
         UPDATE signal_tiers SET min_gap = '1 hour' WHERE tier = 'MAX'",
    );
    subscribe(&mut session, "MAX", 1, 2);
    subscribe(&mut session, "PRO", 3, 3);
    prefer(&mut session, 2, "sides", "'{SHORT}'");
    generate(&mut session);
    let best: String =
        session.one("SELECT symbol FROM signals ORDER BY quality_score DESC, signal_id LIMIT 1");
    assert_ne!(best, "BTCUSDT");
    assert_eq!(received(&mut session, 1), [best]);
    assert_eq!(
        received(&mut session, 2),
        ["ETHUSDT"],
        "the best that they want"
    );
    assert_eq!(received(&mut session, 3).len(), 3, "another tier");
    market.set_change("XRPUSDT", "4");
    generate(&mut session);
    assert_eq!(received(&mut session, 1).len(), 1, "within the hour");
    // The hour passes.
    session.run(
        "UPDATE signals SET created_at = created_at - interval '1 hour';
         UPDATE user_signals SET created_at = created_at - interval '1 hour'",
    );
    market.set_change("XRPUSDT", "-4");
    generate(&mut session);
    assert_eq!(received(&mut session, 1).len(), 2);
    for wrong in ["0", "-1 hour", "8 days"] {
        let error = session.error(&format!("UPDATE signal_tiers SET min_gap = '{wrong}'"));
        assert!(
            error.to_string().contains("min_gap must be above 0"),
            "{error}"
        );
    }
}

#[test]
fn the_worker_goes_by_preferences_in_large_batches_too() {
    let market = market(&[("BTCUSDT", "4")]);
    let cluster: Cluster = by_itself(&market)
        .set("signal_hub.delivery_batch", "100")
        .set("signal_hub.delivery_workers", "2")
        .start();
    let mut session = cluster.create_database("shop");
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 3000);
    // A third does not want it.
    session.run(
        "INSERT INTO user_preferences (user_id, not_symbols)
         SELECT user_id, '{BTCUSDT}' FROM (
             SELECT user_id, row_number() OVER (ORDER BY user_id) AS n FROM user_subscriptions) u
          WHERE n % 3 = 0;
         COMMIT",
    );
    wait_for_deliveries(&mut session, 2000);
    let wrong: i64 = session.one(
        "SELECT count(*) FROM user_signals e JOIN user_preferences p ON p.user_id = e.user_id",
    );
    assert_eq!(wrong, 0);
}

#[test]
fn subscribers_keep_their_own_row_and_no_other() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "CREATE ROLE authenticated; CREATE ROLE anon; CREATE EXTENSION signal_hub;
         SELECT grant_realtime_access()",
    );
    subscribe(&mut session, "MAX", 1, 2);
    prefer(&mut session, 2, "sides", "'{LONG}'");
    session.run(&format!(
        "SELECT set_config('request.jwt.claims', '{{\"sub\": \"{}\"}}', false); SET ROLE authenticated",
        user(1)
    ));
    prefer(&mut session, 1, "only_symbols", "'{BTCUSDT}'");
    session.run("UPDATE user_preferences SET max_per_day = 5");
    let seen: Vec<String> =
        session.list("SELECT user_id || ' ' || max_per_day FROM user_preferences");
    assert_eq!(seen, [format!("{} 5", user(1))]);
    let of_another = format!(
        "INSERT INTO user_preferences (user_id) VALUES ('{}')",
        user(3)
    );
    assert_eq!(session.error(&of_another).code().code(), "42501");
    let given_away = format!("UPDATE user_preferences SET user_id = '{}'", user(3));
    assert_eq!(session.error(&given_away).code().code(), "42501");
    session.run("DELETE FROM user_preferences; RESET ROLE");
    assert_eq!(
        session.list::<String>("SELECT user_id::text FROM user_preferences"),
        [user(2)]
    );
    session.run("SET ROLE anon");
    let error = session.error("SELECT FROM user_preferences");
    assert_eq!(error.code().code(), "42501");
}

/// A zone may be unknown to another server, or after an upgrade of the operating system.
#[test]
fn a_time_zone_that_is_gone_costs_nothing_but_quiet_hours() {
    let market = flat_market();
    let (cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    let quiet = |number: u32, zone: &str| {
        format!(
            "INSERT INTO user_preferences (user_id, quiet_from, quiet_until, time_zone, updated_at)
             SELECT '{0}', t::time, (t + interval '2 hours')::time, '{zone}', '2026-01-02 03:04:05Z'
               FROM (SELECT now() AT TIME ZONE 'UTC' - interval '1 hour') q (t);
             INSERT INTO user_push_subscriptions (user_id, endpoint, p256dh, auth)
             VALUES ('{0}', 'https://push.example/{number}', 'B{1}', '{2}')",
            user(number),
            "A".repeat(86),
            "c".repeat(22)
        )
    };
    session.run(&format!(
        "ALTER TABLE user_preferences DISABLE TRIGGER check_preferences; {}; {};
         ALTER TABLE user_preferences ENABLE TRIGGER check_preferences",
        quiet(1, "US/Gone"),
        quiet(2, "UTC")
    ));
    let state = format!(
        "SELECT concat_ws(' ', p.endpoint, s.quiet, s.reason, t.endpoint)
           FROM user_push_subscriptions p
          CROSS JOIN subscriber_status(p.user_id) s
           LEFT JOIN signal_hub_push_targets('{{{},{}}}') t USING (user_id)
          ORDER BY p.user_id",
        user(1),
        user(2)
    );
    let expected = [
        "https://push.example/1 f no_signal https://push.example/1",
        "https://push.example/2 t no_signal",
    ];
    assert_eq!(session.list::<String>(&state), expected);

    let all = "SELECT p::text FROM user_preferences p ORDER BY 1";
    let before: Vec<String> = session.list(all);
    for (name, form) in [("copied", "--format=plain"), ("inserted", "--inserts")] {
        let dump = cluster.folder().join(name);
        succeed(
            cluster
                .tool("pg_dump")
                .args([form, "--file"])
                .arg(&dump)
                .arg(POSTGRES),
        );
        let mut restored = cluster.create_database(name);
        let told = succeed(
            cluster
                .tool("psql")
                .args([
                    "--set=ON_ERROR_STOP=1",
                    "--no-psqlrc",
                    "--quiet",
                    "--dbname",
                    name,
                    "--file",
                ])
                .arg(&dump),
        );
        assert!(
            String::from_utf8_lossy(&told.stderr)
                .contains("WARNING:  time zone \"US/Gone\" is not known")
        );
        assert_eq!(restored.list::<String>(all), before);
        assert_eq!(restored.list::<String>(&state), expected);
    }
    // What else they change is theirs to change; the zone is not theirs to choose again.
    session.run("UPDATE user_preferences SET sides = '{LONG}'");
    assert!(
        session.one::<bool>("SELECT bool_and(updated_at > '2026-02-01') FROM user_preferences")
    );
    // One of the two settings is no restore.
    session.run("SET check_function_bodies = off");
    let error = session.error(&quiet(3, "US/Gone"));
    assert_eq!(error.code().code(), "22023", "{error}");
    // With both, whom row-level security binds writes nothing.
    session.run(&format!(
        "CREATE ROLE authenticated; SELECT grant_realtime_access();
         SELECT set_config('request.jwt.claims', '{{\"sub\": \"{}\"}}', false);
         SET ROLE authenticated; SET row_security = off",
        user(3)
    ));
    let error = session.error(&quiet(3, "US/Gone"));
    assert_eq!(error.code().code(), "42501", "{error}");
}

#[test]
fn what_cannot_be_is_refused_in_words_and_changes_nothing() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    prefer(&mut session, 1, "sides", "'{LONG}'");
    let many = "(SELECT array_agg('S' || n) FROM generate_series(1, 201) n)";
    for (change, words) in [
        (
            "time_zone = 'Europe/Atlantis'",
            "time zone \"Europe/Atlantis\" is not known",
        ),
        ("time_zone = 'XYZ+3'", "time zone \"XYZ+3\" is not known"),
        (
            "quiet_from = '22:00'",
            "quiet hours need a begin, another end, and a time zone",
        ),
        (
            "quiet_from = '22:00', quiet_until = '07:00'",
            "quiet hours need a begin, another end, and a time zone",
        ),
        (
            "quiet_from = '22:00', quiet_until = '22:00', time_zone = 'UTC'",
            "quiet hours need a begin, another end, and a time zone",
        ),
        (
            &format!("only_symbols = {many}"),
            "only_symbols must have 1 to 200 symbols",
        ),
        (
            &format!("not_symbols = {many}"),
            "not_symbols must have 200 symbols at most",
        ),
        (
            "only_symbols = '{}'",
            "only_symbols must have 1 to 200 symbols",
        ),
        (
            "only_symbols = '{btcusdt}'",
            "symbols must be in upper case",
        ),
        (
            "not_symbols = '{\"\"}'",
            "names in lists must have 1 to 50 characters",
        ),
        (
            "strategies = '{null}'",
            "names in lists must have 1 to 50 characters",
        ),
        (
            "not_symbols = ARRAY[repeat('X', 51)]",
            "names in lists must have 1 to 50 characters",
        ),
        ("sides = '{UP}'", "sides must be LONG, SHORT or both"),
        (
            "min_confidence = 101",
            "min_confidence must be from 0 to 100",
        ),
        ("min_quality = 'NaN'", "min_quality must be from 0 to 100"),
        ("max_per_day = -1", "max_per_day must be from 0 to 1000000"),
    ] {
        let error = session.error(&format!("UPDATE user_preferences SET {change}"));
        assert!(error.to_string().contains(words), "{change}: {error}");
    }
    let row: String = session.one(
        "SELECT (to_jsonb(p) - 'user_id' - 'updated_at')::text FROM user_preferences p
          WHERE num_nonnulls(sides) = 1 AND num_nonnulls(only_symbols, not_symbols, time_zone, max_per_day) = 0",
    );
    assert!(row.contains("LONG"), "{row}");
}
