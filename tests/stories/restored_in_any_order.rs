//! A dump is restored by several jobs, or its tables in another order than they were dumped in.

use signal_hub_harness::cluster::binaries::{output, succeed};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{flat_market, installed_by_hand, subscribe};
use signal_hub_harness::session::Session;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server whose tiers, rules and symbols were changed, with subscribers of each tier.
fn changed(own_tier: bool) -> (Cluster, PathBuf, Vec<String>) {
    let market = flat_market();
    let (cluster, mut session) = installed_by_hand(&market);
    session.run(
        "UPDATE signal_tiers SET daily_quota = 7, priority = 31 WHERE tier = 'MAX';
         UPDATE signal_tiers SET enabled = true, min_gap = '1 hour' WHERE tier = 'PRO';
         UPDATE signal_rules SET stop_loss_percent = 2.5;
         UPDATE signal_symbols SET enabled = false WHERE symbol = 'BTCUSDT';
         UPDATE signal_protections SET enabled = true",
    );
    subscribe(&mut session, "MAX", 1, 3);
    subscribe(&mut session, "PRO", 4, 6);
    if own_tier {
        session.run("INSERT INTO signal_tiers (tier) VALUES ('GOLD')");
        subscribe(&mut session, "GOLD", 7, 9);
    }
    let rows = rows(&mut session);
    let dump = cluster.folder().join("dump");
    let mut pg_dump = cluster.tool("pg_dump");
    succeed(
        pg_dump
            .args(["--format=custom", "--file"])
            .arg(&dump)
            .arg(POSTGRES),
    );
    (cluster, dump, rows)
}

fn rows(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT 'tier ' || t FROM signal_tiers t UNION ALL SELECT 'subscriber ' || t FROM user_subscriptions t
          UNION ALL SELECT 'rule ' || t FROM signal_rules t UNION ALL SELECT 'symbol ' || t FROM signal_symbols t
          UNION ALL SELECT 'protection ' || t FROM signal_protections t
          UNION ALL SELECT 'version ' || t FROM signal_rule_versions t ORDER BY 1",
    )
}

fn restore(cluster: &Cluster, dump: &Path) -> Command {
    let mut restore = cluster.tool("pg_restore");
    restore
        .args(["--exit-on-error", "--dbname=moved"])
        .arg(dump);
    restore
}

/// The table of contents with the tables of subscribers before all others, and tiers last.
fn subscribers_first(cluster: &Cluster, dump: &Path) -> PathBuf {
    let list = output(cluster.tool("pg_restore").arg("--list").arg(dump));
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_by_key(|line| match line {
        _ if line.contains(" TABLE DATA ") && line.contains(" user_") => 1,
        _ if line.contains(" TABLE DATA ") && line.contains(" signal_tiers ") => 3,
        _ if line.contains(" TABLE DATA ") => 2,
        _ => 0,
    });
    let file = cluster.folder().join("list");
    fs::write(&file, lines.join("\n")).expect("written");
    file
}

#[test]
fn shipped_tiers_may_come_after_their_subscribers() {
    let (cluster, dump, before) = changed(false);
    let mut session = cluster.create_database("moved");
    let list = subscribers_first(&cluster, &dump);
    succeed(restore(&cluster, &dump).arg("--use-list").arg(list));
    assert_eq!(rows(&mut session), before);
}

#[test]
fn a_tier_of_ones_own_has_to_be_first_and_is_when_only_the_rest_is_restored_by_several_jobs() {
    let (cluster, dump, before) = changed(true);
    let mut session = cluster.create_database("moved");
    let list = subscribers_first(&cluster, &dump);
    let refused = restore(&cluster, &dump)
        .arg("--use-list")
        .arg(list)
        .output();
    let said = String::from_utf8_lossy(&refused.expect("it runs").stderr).into_owned();
    for part in [
        "tier \"GOLD\" is not in signal_tiers",
        "--section=data and without --jobs",
    ] {
        assert!(said.contains(part), "{said}");
    }

    session.run("DROP EXTENSION signal_hub");
    // As docs/operating.md says.
    for options in [
        ["--section=pre-data", "--jobs=1"],
        ["--section=data", "--jobs=1"],
        ["--section=post-data", "--jobs=4"],
    ] {
        succeed(restore(&cluster, &dump).args(options));
    }
    assert_eq!(rows(&mut session), before);
}
