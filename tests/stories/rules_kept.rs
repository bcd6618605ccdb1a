//! An update gives the shipped rule its new defaults, and lets a rule that somebody changed go on as
//! it was.

use signal_hub_harness::cluster::Options;
use signal_hub_harness::cluster::binaries::{releases, succeed};
use signal_hub_harness::scene::{FLIPS_AT_ONCE, generate, installed_by_hand, rising_market};
use signal_hub_harness::session::Session;

/// As a release before 0.3.0 judged.
const AS_BEFORE: &str = "renew, cooldown 00:30:00, flips at once";
/// As a rule judges that nobody changed.
const AS_SHIPPED: &str = "no renewal, cooldown of the lifetime, flips too";

/// How the momentum rule goes on.
fn goes_on(session: &mut Session) -> String {
    session.one(
        "SELECT format('%s, cooldown %s, %s', CASE WHEN renew THEN 'renew' ELSE 'no renewal' END,
                       coalesce(cooldown::text, 'of the lifetime'),
                       CASE WHEN cooldown_flips THEN 'flips too' ELSE 'flips at once' END)
           FROM signal_rules WHERE strategy = 'momentum'",
    )
}

#[test]
fn an_update_changes_only_a_rule_that_stands_as_it_was_shipped() {
    let cluster = Options::not_preloaded().start();
    for release in releases() {
        for (number, (change, expected)) in [
            ("SELECT", AS_SHIPPED),
            // To what it was already.
            (
                "UPDATE signal_rules SET stop_loss_percent = 1.50",
                AS_SHIPPED,
            ),
            ("UPDATE signal_rules SET stop_loss_percent = 2.5", AS_BEFORE),
            (
                "UPDATE signal_rules SET take_profit_percents = '{5,3,1.5}'",
                AS_BEFORE,
            ),
            (
                "UPDATE signal_rules SET max_signals_per_run = 1000",
                AS_BEFORE,
            ),
            ("UPDATE signal_rules SET enabled = false", AS_BEFORE),
            (
                "UPDATE signal_rules SET cooldown = '1 hour'",
                "renew, cooldown 01:00:00, flips at once",
            ),
            // Not the row that was shipped, but a user's own.
            (
                "DELETE FROM signal_rules; INSERT INTO signal_rules (strategy) VALUES ('momentum')",
                AS_BEFORE,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let mut session = cluster.create_database(&format!("{release} changed {number}"));
            session.run(&format!(
                "CREATE EXTENSION signal_hub VERSION '{release}'; {change};
                 ALTER EXTENSION signal_hub UPDATE"
            ));
            assert_eq!(goes_on(&mut session), expected, "{release}: {change}");
        }
    }
}

/// Whoever chose the numbers of a rule did so when no spread was too wide.
#[test]
fn an_update_lets_a_rule_that_was_changed_go_on_at_any_spread() {
    let cluster = Options::not_preloaded().start();
    for release in releases() {
        for (change, expected) in [
            ("SELECT", "0.5"),
            ("UPDATE signal_rules SET min_quality = 30", "any"),
        ] {
            let mut session = cluster.create_database(&format!("{release} spread {expected}"));
            session.run(&format!(
                "CREATE EXTENSION signal_hub VERSION '{release}'; {change};
                 ALTER EXTENSION signal_hub UPDATE"
            ));
            let spread: String = session.one(
                "SELECT coalesce(max_spread_percent::text, 'any') FROM signal_rules WHERE strategy = 'momentum'",
            );
            assert_eq!(spread, expected, "{release}: {change}");
            session.run(
                "INSERT INTO signal_symbols (symbol) VALUES (repeat('A', 50)), (U&'\\5E01\\5B89USDT');
                 INSERT INTO signal_rules (strategy) VALUES ('reversal') ON CONFLICT DO NOTHING",
            );
            assert!(session.one::<bool>(
                "SELECT bool_and(max_spread_percent = 0.5) FROM signal_rules WHERE strategy <> 'momentum'"
            ));
        }
    }
}

#[test]
fn a_rule_from_a_dump_of_an_older_release_is_told_from_the_shipped_one() {
    let cluster = Options::not_preloaded().start();
    for release in releases() {
        for (number, (change, expected)) in [
            ("SELECT", AS_SHIPPED),
            ("UPDATE signal_rules SET min_quality = 30", AS_BEFORE),
        ]
        .into_iter()
        .enumerate()
        {
            let from = format!("{release} moves {number}");
            let to = format!("{release} has moved {number}");
            let mut session = cluster.create_database(&from);
            session.run(&format!(
                "CREATE EXTENSION signal_hub VERSION '{release}'; {change}"
            ));
            let dump = cluster.folder().join("dump");
            succeed(
                cluster
                    .tool("pg_dump")
                    .args(["--format=custom", "--file"])
                    .arg(&dump)
                    .arg(&from),
            );
            let mut session = cluster.create_database(&to);
            session.run(&format!("CREATE EXTENSION signal_hub VERSION '{release}'"));
            succeed(
                cluster
                    .tool("pg_restore")
                    .args(["--exit-on-error", "--dbname"])
                    .arg(&to)
                    .arg(&dump),
            );
            session.run("ALTER EXTENSION signal_hub UPDATE");
            assert_eq!(goes_on(&mut session), expected, "{release}: {change}");
        }
    }
}

#[test]
fn a_flip_waits_for_the_end_of_the_last_signal_or_comes_at_once_as_the_rule_says() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    market.set_change("BTCUSDT", "-3.5");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 0, "{report}");
    let verdict: String = session.one(
        "SELECT DISTINCT verdict FROM preview_signals() WHERE symbol = 'BTCUSDT' AND verdict LIKE 'cooldown until %'",
    );
    let until: bool = session.one(&format!(
        "SELECT s.expires_at - ('{}')::timestamptz BETWEEN '0 s' AND '1 s' FROM signals s",
        verdict.trim_start_matches("cooldown until ")
    ));
    assert!(until, "{verdict}");
    assert!(session.one::<bool>(
        "SELECT side IS NULL AND e.expires_at = s.expires_at FROM signal_episodes e JOIN signals s USING (symbol)"
    ));
    // What was held back is no episode: with other rules, it enters.
    session.run("UPDATE signal_rules SET cooldown = '0'");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    session.run("UPDATE signal_rules SET cooldown = NULL");
    session.run(FLIPS_AT_ONCE);
    market.set_change("BTCUSDT", "3.5");
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    let reasons: Vec<String> = session.list("SELECT reason FROM signals ORDER BY signal_id");
    assert_eq!(reasons, ["entered", "entered", "flipped"]);
}

#[test]
fn stop_targets_and_lifetime_follow_the_range_where_the_rule_says_so() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "UPDATE signal_rules SET stop_loss_range_share = 0.2, lifetime_per_range = 2, lifetime_floor = '5 minutes'",
    );
    assert_eq!(generate(&mut session)["signals_generated"], 1);
    assert!(session.one::<bool>(
        "SELECT abs((entry_price - stop_loss) / entry_price * 100 - stop) < 0.01
                AND abs((take_profit[2] - entry_price) / entry_price * 100 - stop * 2) < 0.01
                AND abs(extract(epoch FROM expires_at - created_at) - 86400 * (2 * stop / range) ^ 2) < 2
           FROM signals CROSS JOIN LATERAL (SELECT (high_price - low_price) / open_price * 100 AS range) r
          CROSS JOIN LATERAL (SELECT range * 0.2 AS stop) s"
    ));
}
