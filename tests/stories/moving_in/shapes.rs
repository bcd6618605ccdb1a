//! Tables and writes of an application that are out of the ordinary.

use super::{beside_the_application, subscribers};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, flat_market, rising_market};
use signal_hub_harness::wait::eventually;
use std::thread;

const ADOPT: &str = "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')";

#[test]
fn a_subscription_bought_while_the_last_one_is_deleted_counts() {
    let market = flat_market();
    let (cluster, mut session) = beside_the_application(&market);
    session.run(ADOPT);
    let user = "'00000000-0000-0000-0000-000000000002'";
    session.run(&format!(
        "BEGIN; DELETE FROM user_subscriptions WHERE user_id = {user}"
    ));
    let mut other = cluster.session(POSTGRES);
    let pid: i32 = other.one("SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            other.run(&format!(
                "INSERT INTO user_subscriptions (user_id, tier) VALUES ({user}, 'MAX')"
            ))
        });
        let mut watcher = cluster.session(POSTGRES);
        eventually(SOON, "the second waits for the first", || {
            watcher.one::<bool>(&format!("SELECT cardinality(pg_blocking_pids({pid})) > 0"))
        });
        session.run("COMMIT");
        second.join().expect("the second goes on");
    });
    assert!(subscribers(&mut session).contains(&"2 MAX active".to_owned()));
}

#[test]
fn the_smallest_user_stays_and_what_is_no_plain_table_or_translation_is_refused() {
    let market = flat_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "INSERT INTO user_subscriptions (user_id, tier)
             VALUES ('00000000-0000-0000-0000-000000000000', 'MAX');
         CREATE TABLE parted (user_id uuid, tier text, status text) PARTITION BY LIST (tier);
         CREATE TABLE part PARTITION OF parted DEFAULT;
         CREATE TABLE parent (user_id uuid, tier text, status text);
         CREATE TABLE child () INHERITS (parent)",
    );
    session.run(ADOPT);
    session.run("SET standard_conforming_strings = off");
    session.run(ADOPT);
    session.run("SELECT signal_hub.signal_hub_renew_adopted()");
    assert_eq!(subscribers(&mut session)[0], " MAX active");
    session.run("SELECT signal_hub.abandon_table('user_subscriptions')");
    for (source, code) in [
        ("'parted', current_period_end => NULL", "0A000"),
        ("'part', current_period_end => NULL", "0A000"),
        ("'parent', current_period_end => NULL", "0A000"),
        ("'child', current_period_end => NULL", "0A000"),
        ("'user_subscriptions', tiers => '[1]'", "22023"),
        ("'user_subscriptions', statuses => '\"x\"'", "22023"),
    ] {
        let error = session.error(&format!("SELECT signal_hub.adopt_subscriptions({source})"));
        assert_eq!(error.code().code(), code, "{source}: {}", error.message());
        assert!(error.hint().is_some(), "{source}");
    }
}

#[test]
fn a_copy_is_made_whole_or_refused_and_goes_to_nobody_else() {
    let market = rising_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "CREATE TABLE by_symbol (LIKE user_signals INCLUDING DEFAULTS, UNIQUE (user_id, symbol));
         CREATE TABLE short (user_id text, signal_id varchar(12), symbol char(3), signal_type text, entry_price numeric);
         ALTER TABLE short OWNER TO app_owner;
         UPDATE signal_hub.signal_tiers SET enabled = true",
    );
    session.run(ADOPT);
    let error = session.error("SELECT signal_hub.adopt_signals('by_symbol')");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    assert!(error.message().contains("by_symbol_user_id_symbol_key"));
    // Too short for what would be written: refused, not cut off.
    session.run("SELECT signal_hub.adopt_signals('short')");
    let report: String = session.one("SELECT signal_hub.generate_signals_now()::text");
    assert!(report.contains("value too long"), "{report}");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM short"), 0);
    session.run("SELECT signal_hub.abandon_table('short')");
    // Another role takes the name of the table.
    session.run(
        "SELECT signal_hub.adopt_signals('user_signals'); DROP TABLE user_signals;
         CREATE ROLE mal; GRANT CREATE ON SCHEMA public TO mal; SET ROLE mal;
         CREATE TABLE user_signals (user_id uuid, signal_id text, symbol text, signal_type text);
         RESET ROLE; SELECT signal_hub.retry_refused_deliveries()",
    );
    let error = session.error("SELECT signal_hub.generate_signals_now()");
    assert!(
        error.message().contains("is not the table of app_owner"),
        "{}",
        error.message()
    );
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 0);
    session.run("SELECT signal_hub.adopt_signals('user_signals'); SELECT signal_hub.retry_refused_deliveries()");
    session.run("SELECT signal_hub.generate_signals_now()");
    assert!(session.one::<bool>("SELECT count(*) > 0 FROM user_signals"));
}
