//! The record of outcomes is only added to: what is on it cannot be changed or removed, and where
//! somebody switches off what keeps it, the chain of digests shows it.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::succeed;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, rising_market,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::thread;

/// What opens outcomes of signals with these numbers.
fn opening(numbers: &str) -> String {
    format!(
        "INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price,
                                      stop_loss, take_profit, stop_loss_percent, take_profit_percents, confidence,
                                      quality_score, price_change_percent, range_percent)
         SELECT n, 'momentum', 'BTCUSDT', 'LONG', 'entered', '2026-01-02 03:04:05.5+00', '2026-01-02 07:04:05.5+00',
                100.0, 98.50, '{{101.5,103}}', 1.5, '{{1.5,3}}', 35, 80, 3.5, 5.25
           FROM unnest('{{{numbers}}}'::bigint[]) AS n ORDER BY n"
    )
}

fn open(session: &mut Session, numbers: &str) {
    session.run(&opening(numbers));
}

/// What settles an outcome whose first target was touched.
const RESULT: &str = "state = 'settled', best_target = 1, first_touch = 'target', ended = 'expired',
    target_at = '{2026-01-02 04:00:00+00}', ended_at = expires_at, returns_percent = '{1.3,-0.20}', ladder_percent = 0.55,
    hold_percent = -0.20, mirror_percent = -1.7, mirror_returns_percent = '{-1.7,-1.7}', mfe_percent = 1.6,
    mae_percent = 0.4, fee_percent = 0.1, resolution = '1m', ambiguous = false, gap = false";

/// A rule whose signals this result fits.
const TWO_TARGETS: &str = "UPDATE signal_rules SET take_profit_percents = '{1.5,3}'";

fn settle(session: &mut Session, number: i64) {
    session.run(&format!(
        "UPDATE signal_outcomes SET {RESULT} WHERE signal_id = {number}"
    ));
}

/// Four outcomes: 1 and 3 are settled, 2 is void, 4 is open.
fn four(session: &mut Session) {
    open(session, "1,2");
    settle(session, 1);
    open(session, "3,4");
    session.run("UPDATE signal_outcomes SET state = 'void', void_why = 'no candles for 7 days' WHERE signal_id = 2");
    settle(session, 3);
}

/// What `verify_track_record()` says: which signal, and why.
fn verdict(session: &mut Session, known: &str) -> String {
    session.one(&format!(
        "SELECT CASE WHEN ok THEN 'ok' ELSE format('%s: %s', coalesce(broken_signal_id::text, '-'), why) END
           FROM verify_track_record({known})"
    ))
}

#[test]
fn nobody_changes_or_removes_what_is_on_record() {
    let market = flat_market();
    let (cluster, mut session) = installed_by_hand(&market);
    four(&mut session);
    session.run(
        "CREATE ROLE keeper; GRANT CREATE ON SCHEMA public TO keeper;
         ALTER TABLE signal_outcomes OWNER TO keeper;
         ALTER FUNCTION signal_outcome_opened(signal_outcomes) OWNER TO keeper",
    );
    let before: Vec<String> = session.list("SELECT o::text FROM signal_outcomes o ORDER BY 1");
    let refused = [
        "UPDATE signal_outcomes SET returns_percent = '{9,9}' WHERE signal_id = 3",
        "UPDATE signal_outcomes SET state = 'void', void_why = 'too bad' WHERE signal_id = 1",
        "UPDATE signal_outcomes SET state = 'open' WHERE signal_id = 2",
        "UPDATE signal_outcomes SET ambiguous = ambiguous WHERE signal_id = 3",
        "UPDATE signal_outcomes SET signal_at = signal_at + interval '1 hour' WHERE signal_id = 4",
        "UPDATE signal_outcomes SET expires_at = expires_at + interval '1 hour' WHERE signal_id = 4",
        "UPDATE signal_outcomes SET entry_price = 99 WHERE signal_id = 4",
        "UPDATE signal_outcomes SET entry_price = 100.00 WHERE signal_id = 4",
        "UPDATE signal_outcomes SET forecast_target = 0.9 WHERE signal_id = 4",
        "UPDATE signal_outcomes SET signal_id = 40 WHERE signal_id = 4",
        "UPDATE signal_outcomes SET opened_at = now() WHERE signal_id = 4",
        "UPDATE signal_outcomes SET nonce = gen_random_uuid() WHERE signal_id = 4",
        "DELETE FROM signal_outcomes WHERE signal_id = 3",
        "DELETE FROM signal_outcomes WHERE signal_id = 4",
        "TRUNCATE signal_outcomes",
        "INSERT INTO signal_outcomes SELECT (jsonb_populate_record(o, '{\"signal_id\": 5, \"opened_digest\": null}')).*
           FROM signal_outcomes o WHERE signal_id = 3",
    ];
    for role in [
        "SET ROLE postgres",
        "SET ROLE keeper",
        "RESET ROLE; SET session_replication_role = replica",
    ] {
        session.run(role);
        for statement in refused {
            let error = session.error(statement);
            assert_eq!(
                error.code().code(),
                "55000",
                "{role}: {statement}: {error:?}"
            );
        }
    }
    session.run("RESET ROLE; RESET session_replication_role");
    assert_eq!(
        session.list::<String>("SELECT o::text FROM signal_outcomes o ORDER BY 1"),
        before
    );
    assert_eq!(verdict(&mut session, ""), "ok");

    // What is provisional changes, and a signal is superseded once.
    session.run("UPDATE signal_outcomes SET high_seen = 101, low_seen = 99 WHERE signal_id = 4");
    session.run("UPDATE signal_outcomes SET superseded_at = now() WHERE signal_id = 4");
    let error =
        session.error("UPDATE signal_outcomes SET superseded_at = NULL WHERE signal_id = 4");
    assert_eq!(error.code().code(), "55000");
    assert_eq!(verdict(&mut session, ""), "ok");
    session.run("DROP EXTENSION signal_hub");
    assert!(!cluster.log().contains("PANIC"));
}

#[test]
fn what_is_changed_with_the_triggers_off_is_found() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    four(&mut session);
    let published: String =
        session.one("SELECT format('%L::bytea', track_record_digest(current_date))");
    assert_eq!(verdict(&mut session, &published), "ok");
    let off = "ALTER TABLE signal_outcomes DISABLE TRIGGER keep_outcomes; ALTER TABLE signal_outcomes DISABLE TRIGGER keep_all_outcomes";
    let on = "ALTER TABLE signal_outcomes ENABLE ALWAYS TRIGGER keep_outcomes; ALTER TABLE signal_outcomes ENABLE ALWAYS TRIGGER keep_all_outcomes";
    let digest_of_3 = "(SELECT sha256(p.digest || convert_to(signal_outcome_settled(o), 'UTF8'))
                          FROM signal_outcomes o, signal_outcome_chain p WHERE o.signal_id = 3 AND p.position = o.settled_position - 1)";
    let found = [
        (
            "UPDATE signal_outcomes SET returns_percent[1] = 2.3 WHERE signal_id = 1".to_owned(),
            "1: signal 1 at place 3",
        ),
        (
            "UPDATE signal_outcomes SET entry_price = 99 WHERE signal_id = 4".to_owned(),
            "4: signal 4 at place 5",
        ),
        (
            "UPDATE signal_outcomes SET symbol = 'ETHUSDT' WHERE signal_id = 2".to_owned(),
            "2: signal 2 at place 2",
        ),
        (
            "UPDATE signal_outcomes SET gap = true WHERE signal_id = 3".to_owned(),
            "3: signal 3 at place 7",
        ),
        (
            "DELETE FROM signal_outcomes WHERE signal_id = 1".to_owned(),
            "2: places 1 to 1, before signal 2, are missing",
        ),
        (
            "DELETE FROM signal_outcomes WHERE signal_id = 4".to_owned(),
            "2: places 5 to 5, before signal 2, are missing",
        ),
        (
            "UPDATE signal_outcomes SET state = 'open', void_why = NULL, settled_at = NULL, settled_position = NULL, digest = NULL WHERE signal_id = 2".to_owned(),
            "3: places 6 to 6, before signal 3, are missing",
        ),
        // Made anew, with a digest that fits: only what was published tells.
        (
            format!("UPDATE signal_outcomes SET hold_percent = 7 WHERE signal_id = 3; UPDATE signal_outcomes SET digest = {digest_of_3} WHERE signal_id = 3"),
            "-: the known digest is of no place of the chain",
        ),
        (
            "UPDATE signal_outcomes SET state = 'open', best_target = NULL, returns_percent = NULL, ladder_percent = NULL,
                    hold_percent = NULL, mirror_percent = NULL, mirror_returns_percent = NULL, mfe_percent = NULL,
                    mae_percent = NULL, fee_percent = NULL, resolution = NULL, ambiguous = NULL, gap = NULL,
                    settled_at = NULL, settled_position = NULL, digest = NULL WHERE signal_id = 3".to_owned(),
            "-: the known digest is of no place of the chain",
        ),
        (
            "TRUNCATE signal_outcomes".to_owned(),
            "-: the known digest is of no place of the chain",
        ),
    ];
    for (change, expected) in found {
        session.run(&format!("BEGIN; {off}; {change}; {on}"));
        let said = verdict(&mut session, &published);
        assert!(said.starts_with(expected), "{change}: {said}");
        session.run("ROLLBACK");
    }
    for change in [
        "ALTER TABLE signal_outcomes DISABLE TRIGGER keep_outcomes",
        "ALTER TABLE signal_outcomes ENABLE TRIGGER keep_outcomes",
        "DROP TRIGGER keep_outcomes ON signal_outcomes",
    ] {
        session.run(&format!("BEGIN; {change}"));
        let said = verdict(&mut session, "");
        assert!(
            said.starts_with("-: trigger keep_outcomes of signal_outcomes"),
            "{change}: {said}"
        );
        session.run("ROLLBACK");
    }
    assert_eq!(verdict(&mut session, &published), "ok");
}

#[test]
fn a_signal_whose_outcome_was_cut_off_is_found_without_a_published_digest() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    generate(&mut session);
    market.set_change("ETHUSDT", "3.5");
    generate(&mut session);
    session.run(
        "ALTER TABLE signal_outcomes DISABLE TRIGGER keep_outcomes;
         DELETE FROM signal_outcomes WHERE signal_id = 2;
         ALTER TABLE signal_outcomes ENABLE ALWAYS TRIGGER keep_outcomes",
    );
    let said = verdict(&mut session, "");
    let missing = "2: the outcome of signal 2 is missing";
    assert!(said.starts_with(missing), "{said}");
}

#[test]
fn the_digest_of_a_day_is_the_head_of_the_chain_at_its_end() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    assert_eq!(
        session.list::<bool>("SELECT ok AND rows = 0 AND head IS NULL FROM verify_track_record()"),
        [true]
    );
    four(&mut session);
    session.run(
        "ALTER TABLE signal_outcomes DISABLE TRIGGER keep_outcomes;
         UPDATE signal_outcomes SET opened_at = '2026-02-01 23:59:59.999999+00' WHERE signal_id = 1;
         UPDATE signal_outcomes SET opened_at = '2026-02-02 00:00:00+00' WHERE signal_id = 2",
    );
    assert!(session.one::<bool>(
        "SELECT track_record_digest('2026-01-31') IS NULL
                AND track_record_digest('2026-02-01') = (SELECT opened_digest FROM signal_outcomes WHERE signal_id = 1)
                AND track_record_digest('2026-02-02') = (SELECT opened_digest FROM signal_outcomes WHERE signal_id = 2)
                AND track_record_digest(current_date + 1) = (SELECT digest FROM signal_outcomes WHERE signal_id = 3)
                AND track_record_digest(NULL) IS NULL"
    ));
}

/// Whoever does not trust the functions makes the digests themselves.
#[test]
fn the_canonical_rows_are_those_of_the_documentation() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    four(&mut session);
    let opened: serde_json::Value = session
        .one("SELECT signal_outcome_opened(o)::json FROM signal_outcomes o WHERE signal_id = 1");
    let at: String = session.one(
        "SELECT to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM signal_outcomes WHERE signal_id = 1",
    );
    assert_eq!(
        opened,
        serde_json::json!([
            "opened",
            1,
            "momentum",
            "BTCUSDT",
            "LONG",
            "entered",
            "2026-01-02T03:04:05.500000Z",
            "2026-01-02T07:04:05.500000Z",
            "100.0",
            "98.50",
            "{101.5,103}",
            "1.5",
            "{1.5,3}",
            "35",
            "80",
            "3.5",
            "5.25",
            null,
            null,
            null,
            null,
            at,
            session.one::<String>("SELECT nonce::text FROM signal_outcomes WHERE signal_id = 1")
        ])
    );
    // The same text, whatever the session prefers.
    session.run("SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -5; SET bytea_output = 'escape'");
    let settled: String =
        session.one("SELECT signal_outcome_settled(o) FROM signal_outcomes o WHERE signal_id = 1");
    let digest: String =
        session.one("SELECT encode(opened_digest, 'hex') FROM signal_outcomes WHERE signal_id = 1");
    let at: String = session.one(
        "SELECT to_char(settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM signal_outcomes WHERE signal_id = 1",
    );
    assert_eq!(
        settled,
        format!(
            r#"["settled", 1, "{digest}", null, 1, "target", "expired", "{{2026-01-02T04:00:00.000000Z}}", null, "2026-01-02T07:04:05.500000Z", "{{1.3,-0.20}}", "0.55", "-0.20", "-1.7", "{{-1.7,-1.7}}", "1.6", "0.4", "0.1", "1m", false, false, null, null, null, "{at}"]"#
        )
    );
    assert_eq!(verdict(&mut session, ""), "ok");
}

#[test]
fn two_sessions_that_append_at_once_make_one_chain() {
    let market = flat_market();
    let (cluster, mut first) = installed_by_hand(&market);
    for numbers in [("1,2", "3,4"), ("5", "6")] {
        first.run("BEGIN");
        open(&mut first, numbers.0);
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let mut second = cluster.session(POSTGRES);
                second
                    .try_list::<i64>(&format!("{} RETURNING signal_id", opening(numbers.1)))
                    .map_err(|error| error.code().map(|code| code.code().to_owned()))
            });
            let waits =
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')";
            let mut watcher = cluster.session(POSTGRES);
            eventually(SOON, "the second session waits for the first", || {
                watcher.one::<bool>(waits)
            });
            first.run("COMMIT");
            let second = second.join().expect("no panic");
            // Where there was no row to wait for, it is refused, and nothing is forked.
            assert!(
                second.is_ok() || second == Err(Some("23505".to_owned())),
                "{second:?}"
            );
            assert_eq!(second.is_ok(), numbers.0 == "5");
        });
        assert_eq!(verdict(&mut first, ""), "ok");
    }
    assert_eq!(
        first.list::<i64>("SELECT position FROM signal_outcome_chain ORDER BY 1"),
        [1, 2, 3, 4]
    );
}

#[test]
fn a_restored_dump_verifies_and_goes_on() {
    let market = rising_market();
    let (old, mut session) = installed_by_hand(&market);
    session.run(TWO_TARGETS);
    generate(&mut session);
    market.set_change("ETHUSDT", "-4");
    generate(&mut session);
    settle(&mut session, 1);
    let published: String =
        session.one("SELECT format('%L::bytea', head) FROM verify_track_record()");
    let before: Vec<String> = session.list("SELECT o::text FROM signal_outcomes o ORDER BY 1");
    let dump = old.folder().join("dump");
    succeed(
        old.tool("pg_dump")
            .args(["--format=custom", POSTGRES, "--file"])
            .arg(&dump),
    );
    let new = by_itself(&market).set("signal_hub.enabled", "off").start();
    let mut session = new.create_database("moved");
    succeed(
        new.tool("pg_restore")
            .args(["--exit-on-error", "--dbname=moved"])
            .arg(&dump),
    );
    assert_eq!(
        session.list::<String>("SELECT o::text FROM signal_outcomes o ORDER BY 1"),
        before
    );
    assert_eq!(verdict(&mut session, &published), "ok");
    new.configure("signal_hub.enabled", "on");
    market.set_change("SOLUSDT", "3.5");
    eventually(SOON, "the next outcome is opened", || {
        session.one::<i64>("SELECT count(*) FROM signal_outcomes") == 3
    });
    settle(&mut session, 2);
    assert_eq!(verdict(&mut session, &published), "ok");
    assert_eq!(
        session.one::<i64>("SELECT max(position) FROM signal_outcome_chain"),
        5
    );
}

#[test]
fn the_chain_goes_on_in_a_schema_that_is_renamed() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "DROP EXTENSION signal_hub; CREATE SCHEMA hub; CREATE EXTENSION signal_hub SCHEMA hub; SET search_path = hub",
    );
    session.run(TWO_TARGETS);
    generate(&mut session);
    settle(&mut session, 1);
    session.run("ALTER SCHEMA hub RENAME TO \"Old Hub\"; SET search_path = \"Old Hub\"");
    market.set_change("ETHUSDT", "3.5");
    generate(&mut session);
    assert_eq!(
        session.list::<i64>("SELECT position FROM signal_outcome_chain ORDER BY 1"),
        [1, 2, 3]
    );
    assert_eq!(verdict(&mut session, ""), "ok");
}
