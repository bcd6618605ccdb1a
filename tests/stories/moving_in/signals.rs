//! The application goes on reading its own table of signals.

use super::beside_the_application;
use signal_hub_harness::cluster::binaries::succeed;
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::rising_market;
use signal_hub_harness::session::Session;

/// What the monitoring of the application asks.
const MONITORING: &str = "SELECT count(*) FROM user_signals WHERE metadata ->> 'generatedBy' = 'edge-function'
                                                              AND created_at > now() - interval '1 hour'";
const USER: &str = "00000000-0000-0000-0000-000000000001";

fn moved_in(session: &mut Session) {
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         SELECT signal_hub.adopt_signals('public.user_signals')",
    );
}

fn run(session: &mut Session) -> i64 {
    session.one("SELECT (signal_hub.generate_signals_now() ->> 'deliveries')::bigint")
}

/// A session of the API in front of the database, for one user.
fn as_user(cluster: &Cluster, user: &str) -> Session {
    let mut client = cluster.session(POSTGRES);
    client.run(&format!(
        "SET request.jwt.claims = '{{\"sub\": \"{user}\"}}'; SET ROLE authenticated"
    ));
    client
}

#[test]
fn queries_row_level_security_and_realtime_go_on() {
    let market = rising_market();
    let (cluster, mut session) = beside_the_application(&market);
    session.run("UPDATE user_signals SET created_at = '2023-11-14'");
    moved_in(&mut session);
    session.run("SELECT pg_create_logical_replication_slot('realtime', 'pgoutput')");
    assert_eq!(session.one::<i64>(MONITORING), 0);
    assert_eq!(run(&mut session), 1);
    assert_eq!(session.one::<i64>(MONITORING), 1);

    // One insert and no more goes to whoever follows the publication: the application's row.
    let inserts: i64 = session.one(
        "SELECT count(*) FROM pg_logical_slot_get_binary_changes('realtime', NULL, NULL, 'proto_version', '1',
                                                                 'publication_names', 'supabase_realtime')
          WHERE get_byte(data, 0) = ascii('I')",
    );
    session.run("SELECT pg_drop_replication_slot('realtime')");
    assert_eq!(inserts, 1);

    // The subscriber reads old and new rows, and marks them; nobody else sees them.
    let mut client = as_user(&cluster, USER);
    let rows: Vec<String> = client.list(
        "SELECT format('%s %s %s', regexp_replace(signal_id, '[0-9]{13}', 'MS'), signal_type, entry_price IS NOT NULL)
           FROM user_signals ORDER BY created_at",
    );
    assert_eq!(rows, ["BTCUSDT-MS-MAX LONG f", "BTCUSDT-MS-MAX-1 LONG t"]);
    client.run("UPDATE user_signals SET viewed = true");
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM user_signals WHERE viewed AND metadata ->> 'copiedBy' = 'signal_hub'"),
        1
    );
    let mut other = as_user(&cluster, "00000000-0000-0000-0000-000000000002");
    assert_eq!(other.one::<i64>("SELECT count(*) FROM user_signals"), 0);

    // What a row says is the same in both.
    let same: bool = session.one(
        "SELECT (a.symbol, a.confidence, a.entry_price, a.take_profit, a.stop_loss, a.expires_at, a.created_at)
              = (b.symbol, b.confidence, b.entry_price, b.take_profit, b.stop_loss, b.expires_at, b.created_at)
           FROM user_signals a JOIN signal_hub.user_signals b
             ON a.signal_id LIKE '%-' || b.signal_id AND a.metadata ? 'copiedBy'",
    );
    assert!(same);
}

#[test]
fn prices_that_come_with_another_tier_reach_the_copy() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "UPDATE signal_hub.signal_tiers SET enabled = true, late_joiners = true;
         UPDATE user_subscriptions SET tier = 'FREE', status = 'active'",
    );
    moved_in(&mut session);
    assert_eq!(run(&mut session), 3);
    let with_prices =
        "SELECT count(*) FROM user_signals WHERE entry_price IS NOT NULL AND full_details";
    assert_eq!(session.one::<i64>(with_prices), 0);
    session.run(&format!(
        "UPDATE user_subscriptions SET tier = 'max' WHERE user_id = '{USER}'"
    ));
    run(&mut session);
    assert_eq!(session.one::<i64>(with_prices), 1);
}

#[test]
fn a_row_that_the_application_refuses_costs_only_itself_and_is_told() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "UPDATE signal_hub.signal_tiers SET enabled = true;
         UPDATE user_subscriptions SET status = 'active';
         CREATE TABLE users (id uuid PRIMARY KEY);
         ALTER TABLE users OWNER TO app_owner;
         INSERT INTO users SELECT DISTINCT user_id FROM user_subscriptions WHERE tier <> 'pro';
         ALTER TABLE user_signals ADD FOREIGN KEY (user_id) REFERENCES users DEFERRABLE INITIALLY DEFERRED",
    );
    moved_in(&mut session);
    let report: String = session.one("SELECT signal_hub.generate_signals_now()::text");
    assert!(
        report.contains("violates foreign key constraint") && report.contains("\"deliveries\": 2"),
        "{report}"
    );
    let rows = "SELECT (SELECT count(*) FROM user_signals WHERE metadata ? 'copiedBy') * 10
                     + (SELECT count(*) FROM signal_hub.user_signals)";
    assert_eq!(session.one::<i64>(rows), 22);
    session.run(
        "INSERT INTO users SELECT DISTINCT user_id FROM user_subscriptions WHERE tier = 'pro';
                 SELECT signal_hub.retry_refused_deliveries()",
    );
    run(&mut session);
    assert_eq!(session.one::<i64>(rows), 33);
}

/// Rather than rows that are nobody's, or of no symbol.
#[test]
fn a_column_that_is_gone_is_told_and_the_rows_come_once_it_is_back() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    moved_in(&mut session);
    session.run(
        "ALTER TABLE user_signals ALTER symbol DROP NOT NULL;
         ALTER TABLE user_signals RENAME symbol TO pair",
    );
    let error = session.error("SELECT signal_hub.generate_signals_now()");
    assert!(
        error
            .message()
            .contains("user_signals lacks columns that signals are copied to: symbol"),
        "{error}"
    );
    let rows = "SELECT count(*) FROM user_signals WHERE metadata ? 'copiedBy'";
    assert_eq!(session.one::<i64>(rows), 0);
    session.run("ALTER TABLE user_signals RENAME pair TO symbol");
    run(&mut session);
    assert_eq!(session.one::<i64>(rows), 1);
}

#[test]
fn tables_of_other_shapes_are_copied_into_or_refused() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "CREATE TYPE side AS ENUM ('LONG', 'SHORT');
         CREATE SCHEMA \"app's\";
         CREATE TABLE \"app's\".\"Signals\" (
             signal_id bigint, user_id uuid, symbol varchar(20), signal_type side, take_profit double precision,
             metadata json, \"user\" text DEFAULT current_user, PRIMARY KEY (user_id, signal_id));
         CREATE TABLE strict (LIKE user_signals INCLUDING DEFAULTS, region text NOT NULL);
         CREATE TABLE numbers (user_id uuid, signal_id uuid, symbol text, signal_type text);
         CREATE TABLE forced (LIKE user_signals INCLUDING ALL);
         ALTER TABLE forced OWNER TO app_owner;
         ALTER TABLE forced ENABLE ROW LEVEL SECURITY; ALTER TABLE forced FORCE ROW LEVEL SECURITY;
         CREATE TABLE empty ()",
    );
    for (target, code, said) in [
        (
            "strict",
            "23502",
            "must not be null, and signal_hub has no value for them: region",
        ),
        ("numbers", "42804", "is no text, bigint or numeric"),
        ("forced", "42501", "row-level security"),
        ("empty", "42703", "lacks columns that a signal has"),
        ("signal_hub.user_signals", "42809", "is not a table"),
    ] {
        let error = session.error(&format!("SELECT signal_hub.adopt_signals('{target}')"));
        assert!(
            error.code().code() == code && error.message().contains(said),
            "{target}: {} {}",
            error.code().code(),
            error.message()
        );
    }
    let adopt = "SELECT signal_hub.adopt_signals('\"app''s\".\"Signals\"', NULL)";
    let told: Vec<String> = session.list(adopt);
    assert!(told[1].contains("is in no publication"), "{told:?}");
    assert_eq!(session.list::<String>(adopt), told);
    let error = session.error("SELECT signal_hub.adopt_signals('user_signals')");
    assert!(error.message().contains("into another table already"));
    session.run("SELECT signal_hub.adopt_subscriptions('user_subscriptions')");
    assert_eq!(run(&mut session), 1);
    let row: String = session.one(
        "SELECT format('%s %s %s %s', signal_id, signal_type, metadata ->> 'generatedBy', take_profit > 0)
           FROM \"app's\".\"Signals\"",
    );
    assert_eq!(row, "1 LONG signal_hub t");
    let told: Vec<String> =
        session.list("SELECT signal_hub.abandon_table('\"app''s\".\"Signals\"')");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_dump_brings_the_application_and_the_extension_back_together() {
    let market = rising_market();
    let (cluster, mut session) = beside_the_application(&market);
    moved_in(&mut session);
    run(&mut session);
    let dump = cluster.folder().join("application.dump");
    succeed(
        cluster
            .tool("pg_dump")
            .args(["-Fc", "postgres", "-f"])
            .arg(&dump),
    );
    let additions: Vec<String> =
        session.list("SELECT statement FROM signal_hub.dump_user_additions()");
    cluster.create_database("copy");
    succeed(
        cluster
            .tool("pg_restore")
            .args(["-e", "-d", "copy"])
            .arg(&dump),
    );
    let mut copy = cluster.session("copy");
    copy.run(&additions.join("\n"));
    copy.run("UPDATE user_subscriptions SET tier = 'MAX' WHERE tier = 'pro'");
    market.set_change("ETHUSDT", "3.5");
    assert_eq!(run(&mut copy), 2);
    let copied = "SELECT count(*) FROM user_signals WHERE metadata ? 'copiedBy'";
    assert_eq!(copy.one::<i64>(copied), 3);
}
