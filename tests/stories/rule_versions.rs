//! Every set of parameters that was ever enabled is on record, whatever becomes of the rule.

use signal_hub_harness::cluster::Options;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::{releases, succeed};
use signal_hub_harness::session::Session;

fn installed() -> (signal_hub_harness::cluster::Cluster, Session) {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

fn versions(session: &mut Session) -> i64 {
    session.one("SELECT count(*) FROM signal_rule_versions")
}

#[test]
fn each_set_of_parameters_counts_once_however_it_is_written() {
    let (_cluster, mut session) = installed();
    assert_eq!(versions(&mut session), 1, "the shipped rule is enabled");
    for (change, expected) in [
        ("stop_loss_percent = 2", 2),
        ("stop_loss_percent = 2.000", 2),
        ("stop_loss_percent = 1.5", 2),
        ("take_profit_percents = '{5,3.0,1.5}'", 2),
        ("lifetime = '1 day'", 3),
        ("lifetime = '24 hours'", 3),
        ("lifetime = '4 hours', cooldown = '30 minutes'", 4),
        // Nothing was judged by these while they were off.
        ("enabled = false, min_quality = 30", 4),
        ("min_quality = 40", 4),
        ("enabled = true", 5),
        ("renew = true", 6),
    ] {
        session.run(&format!(
            "UPDATE signal_rules SET {change} WHERE strategy = 'momentum'"
        ));
        assert_eq!(versions(&mut session), expected, "{change}");
    }
    session.run("SET intervalstyle = iso_8601; UPDATE signal_rules SET renew = renew");
    assert_eq!(versions(&mut session), 6, "whatever the session's style");
    session
        .run("DELETE FROM signal_rules; INSERT INTO signal_rules (strategy) VALUES ('momentum')");
    assert_eq!(versions(&mut session), 6, "known from the beginning");
    // They can be put back as they are.
    session.run(
        "UPDATE signal_rules r SET lifetime = (v.parameters ->> 'lifetime')::interval,
                                   cooldown = (v.parameters ->> 'cooldown')::interval
           FROM signal_rule_versions v WHERE v.parameters ->> 'lifetime' = '24:00:00'",
    );
    assert_eq!(versions(&mut session), 6);
}

#[test]
fn nothing_takes_a_version_away_and_no_way_of_changing_a_rule_leaves_it_out() {
    let (cluster, mut session) = installed();
    for statement in [
        "DELETE FROM signal_rule_versions",
        "TRUNCATE signal_rule_versions",
        "UPDATE signal_rule_versions SET strategy = 'other'",
        "UPDATE signal_rule_versions SET first_enabled_at = now() + interval '1 day'",
        "SET session_replication_role = replica; DELETE FROM signal_rule_versions",
    ] {
        let error = session.error(statement);
        assert_eq!(error.code().code(), "55000", "{statement}");
    }
    session.run(
        "SET session_replication_role = replica; UPDATE signal_rules SET stop_loss_percent = 3",
    );
    assert_eq!(versions(&mut session), 2);
    session.run("RESET session_replication_role");
    // Who may change the rule and nothing else.
    session.run("CREATE ROLE operator LOGIN; GRANT SELECT, UPDATE ON signal_rules TO operator; SET ROLE operator");
    session.run("UPDATE signal_rules SET stop_loss_percent = 4");
    session.run("RESET ROLE");
    assert_eq!(versions(&mut session), 3);
    // A trigger of somebody who may not act as the owner would run with the owner's rights.
    session.run(
        "CREATE ROLE mallory; GRANT TRIGGER ON signal_rule_versions TO mallory; GRANT CREATE ON SCHEMA public TO mallory;
         SET ROLE mallory;
         CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''climbed as %'', current_user; END';
         CREATE TRIGGER a_climb BEFORE INSERT ON signal_rule_versions FOR EACH ROW EXECUTE FUNCTION climb();
         RESET ROLE",
    );
    let error = session.error("UPDATE signal_rules SET stop_loss_percent = 5");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("mallory"))
    );
    drop(cluster);
}

#[test]
fn a_dump_carries_them_with_their_times() {
    let (cluster, mut session) = installed();
    session.run(
        "UPDATE signal_rules SET stop_loss_percent = 2;
         UPDATE signal_rules SET stop_loss_percent = 2.5",
    );
    let all = "SELECT to_jsonb(v)::text FROM signal_rule_versions v ORDER BY 1";
    let before: Vec<String> = session.list(all);
    assert_eq!(before.len(), 3);
    let dump = cluster.folder().join("dump");
    succeed(
        cluster
            .tool("pg_dump")
            .args(["--format=custom", "--file"])
            .arg(&dump)
            .arg(POSTGRES),
    );
    let mut session = cluster.create_database("moved");
    succeed(
        cluster
            .tool("pg_restore")
            .args(["--exit-on-error", "--dbname=moved"])
            .arg(&dump),
    );
    assert_eq!(session.list::<String>(all), before);
}

#[test]
fn an_update_begins_with_the_rule_that_it_found() {
    let cluster = Options::not_preloaded().start();
    for release in releases() {
        for (number, (change, stop, renew)) in [
            ("SELECT", 1.5, false),
            ("UPDATE signal_rules SET stop_loss_percent = 2.5", 2.5, true),
        ]
        .into_iter()
        .enumerate()
        {
            let mut session = cluster.create_database(&format!("{release} versions {number}"));
            session.run(&format!(
                "CREATE EXTENSION signal_hub VERSION '{release}'; {change};
                 ALTER EXTENSION signal_hub UPDATE"
            ));
            let found = &session.rows(
                "SELECT (parameters ->> 'stop_loss_percent')::float8, (parameters ->> 'renew')::boolean,
                        count(*) OVER () FROM signal_rule_versions",
            )[0];
            assert_eq!(found.get::<_, f64>(0), stop, "{release}: {change}");
            assert_eq!(found.get::<_, bool>(1), renew, "{release}: {change}");
            assert_eq!(found.get::<_, i64>(2), 1, "{release}: {change}");
        }
    }
}
