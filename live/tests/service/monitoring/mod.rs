//! The rules of packaging/prometheus, each made to fire by its fault: what /metrics says before and
//! in the fault becomes the series of a unit test of `promtool`. The dashboard names what is there.

mod plant;
mod promtool;

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::push;
use crate::scene::{SOON, user, worker_pid};
use crate::wait::eventually;
use plant::Plant;
use promtool::{Scrape, base, exported, promtool, unit_test};
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::skip::report_skipped;
use signal_hub_simulator::{Fault, Times};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Alerts that fire in the same fault, and what was scraped before and in it.
type Made = (&'static [&'static str], Scrape, Scrape);

fn packaging(file: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../packaging").join(file);
    path.canonicalize().expect("it is there")
}

fn rules() -> String {
    fs::read_to_string(packaging("prometheus/signal_hub.rules.yml")).expect("it is there")
}

fn is_promtool_there() -> bool {
    let found = Command::new("promtool").arg("--version").output().is_ok();
    if !found {
        report_skipped("there is no promtool (Debian's package prometheus)");
    }
    found
}

fn paused(plant: &mut Plant) -> Made {
    let (before, during) = plant.fault(
        |plant| plant.admin.run("SELECT pause_signals('test')"),
        |_, now| {
            now.get("signal_hub_state{state=\"paused\"}") == 1.0
                && now.get("signal_hub_live_alerts_pending") == 1.0
        },
        |plant| plant.admin.run("SELECT resume_signals()"),
    );
    (
        &["SignalHubPaused", "SignalHubAlertNotSent"],
        before,
        during,
    )
}

#[test]
fn rules_and_dashboard_name_what_is_there_and_a_pause_fires_its_alert() {
    if !is_promtool_there() {
        return;
    }
    let mut plant = Plant::new();
    let made = paused(&mut plant);
    let names: BTreeSet<&str> = made.1.series.keys().map(|series| base(series)).collect();
    let dashboard = fs::read_to_string(packaging("grafana/signal_hub.json")).expect("it is there");
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = parsed["panels"].as_array().map_or(0, Vec::len);
    assert!(panels > 10, "{panels}");
    for text in [&rules(), &dashboard] {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in text.split(|c| !is_letter(c)) {
            // The program is no metric; an exchange has its row since it was in trouble.
            let is_other = ["signal_hub_live", "signal_hub_exchange_failures"].contains(&word);
            let is_metric = word.starts_with("signal_hub_") && !is_other;
            assert!(!is_metric || names.contains(word), "{word}");
        }
    }
    check(&plant, &[made]);
}

/// Makes a unit test of each alert, and has promtool run them.
fn check(plant: &Plant, faults: &[Made]) {
    let path = packaging("prometheus/signal_hub.rules.yml");
    let rules = rules();
    let mut tests = format!(
        "rule_files: ['{}']\nevaluation_interval: 1m\ntests:\n",
        path.display()
    );
    for (number, (names, before, during)) in faults.iter().enumerate() {
        for name in *names {
            tests += &unit_test(name, before, during, &rules, number == 0);
        }
    }
    let file = plant.cluster.folder().join("rules_test.yml");
    fs::write(&file, &tests).expect("the folder is ours");
    let output = promtool(&["test", "rules", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// A minute long: `./pgrx-install.sh test live -- --ignored monitoring::`.
#[test]
#[ignore = "takes a minute"]
fn each_rule_fires_by_its_fault() {
    if !is_promtool_there() {
        return;
    }
    let rules = rules();
    let mut plant = Plant::new();
    let mut faults: Vec<Made> = Vec::new();
    let mut stream = Stream::open(&plant.service, 2, None);
    plant.turn();
    stream.expect_signal(1);
    faults.push(paused(&mut plant));

    let (before, during) = plant.fault(
        |plant| plant.first.inject(Fault::InternalError, Times::Forever),
        |_, now| now.get("signal_hub_exchange_failures{exchange=\"binance\"}") >= 1.0,
        |_| {},
    );
    faults.push((&["SignalHubExchangeFailing"], before, during));
    let (before, during) = plant.fault(
        |plant| plant.second.inject(Fault::InternalError, Times::Forever),
        |_, now| now.get("signal_hub_state{state=\"failing\"}") == 1.0,
        |plant| {
            plant.first.clear_faults();
            plant.second.clear_faults();
        },
    );
    faults.push((
        &["SignalHubUnhealthy", "SignalHubNoGoodRun"],
        before,
        during,
    ));

    let count = "signal_hub_run_stage_seconds_count{stage=\"fetch\"}";
    let (before, during) = plant.fault(
        |plant| {
            let late = Fault::Late(Duration::from_millis(800));
            plant.second.inject(late.clone(), Times::N(4));
            plant.first.inject(late, Times::N(4));
        },
        |before, now| now.get(count) >= before.get(count) + 4.0,
        |plant| {
            plant.first.clear_faults();
            plant.second.clear_faults();
        },
    );
    faults.push((&["SignalHubSlowRuns"], before, during));

    let (before, during) = plant.fault(
        |plant| {
            for _ in 0..2 {
                let admin = &mut plant.admin;
                let pid = eventually(SOON, "a worker runs", || worker_pid(admin));
                admin.run(&format!("SELECT pg_terminate_backend({pid})"));
                eventually(SOON, "it has ended", || worker_pid(admin) != Some(pid));
            }
        },
        |before, now| {
            let restarts = "signal_hub_worker_restarts_total";
            now.get(restarts) >= before.get(restarts) + 2.0
        },
        |_| {},
    );
    faults.push((&["SignalHubWorkerRestarts"], before, during));

    let (before, during) = plant.fault(
        |plant| {
            plant.admin.run(&format!(
                "ALTER TABLE user_signals ADD CONSTRAINT refused CHECK (user_id <> '{}') NOT VALID",
                user(3)
            ));
            plant.turn();
        },
        |_, now| now.get("signal_hub_delivery_failures_total") >= 1.0,
        |plant| {
            plant.admin.run(
                "ALTER TABLE user_signals DROP CONSTRAINT refused; SELECT retry_refused_deliveries()",
            );
        },
    );
    faults.push((&["SignalHubDeliveryFailures"], before, during));
    let (before, during) = plant.fault(
        |plant| {
            plant.admin.run(
                "ALTER TABLE user_signals ADD CONSTRAINT refused CHECK (user_id IS NULL) NOT VALID",
            );
            plant.turn();
        },
        |_, now| now.get("signal_hub_undelivered_signals") >= 1.0,
        |plant| {
            plant
                .admin
                .run("ALTER TABLE user_signals DROP CONSTRAINT refused")
        },
    );
    faults.push((&["SignalHubDeliveryStuck"], before, during));

    let (before, during) = plant.fault(
        |plant| {
            plant
                .admin
                .run("ALTER VIEW signal_metrics RENAME TO elsewhere")
        },
        |_, now| now.get("signal_hub_live_database_metrics_read") == 0.0,
        |plant| {
            plant
                .admin
                .run("ALTER VIEW elsewhere RENAME TO signal_metrics")
        },
    );
    faults.push((&["SignalHubMetricsUnread"], before, during));

    let sent = "signal_hub_live_commit_to_sent_seconds_count";
    let (before, during) = plant.fault(
        |plant| {
            let service = Pid::from_raw(plant.service.pid()).expect("a process");
            let rows = "SELECT count(*) FROM user_signals";
            let seen: i64 = plant.admin.one(rows);
            kill_process(service, Signal::STOP).expect("it is ours");
            plant.turn();
            eventually(SOON, "the signal is delivered", || {
                plant.admin.one::<i64>(rows) > seen
            });
            plant.admin.run("SELECT pg_sleep(1.5)");
            kill_process(service, Signal::CONT).expect("it is ours");
        },
        |before, now| now.get(sent) > before.get(sent),
        |_| {},
    );
    faults.push((&["SignalHubSlowToClients"], before, during));

    let failed = "signal_hub_live_push_failed_total";
    let (before, during) = plant.fault(
        |plant| {
            let path = "/refuses";
            plant.push.answer(path, "400 Bad Request", Duration::ZERO);
            push::add(&plant.service, &plant.push, 3, path);
            plant.turn();
        },
        |before, now| now.get(failed) > before.get(failed),
        |plant| plant.admin.run("DELETE FROM user_push_subscriptions"),
    );
    faults.push((&["SignalHubPushFailing"], before, during));

    let (before, during) = plant.fault(
        |plant| plant.admin.run("SELECT disable_realtime()"),
        |_, now| now.get("signal_hub_live_replication_connected") == 0.0,
        |plant| plant.admin.run("SELECT enable_realtime()"),
    );
    faults.push((&["SignalHubReplicationDown"], before, during));
    let (before, during) = plant.fault(
        |plant| plant.cluster.kill9(),
        |_, now| now.get("signal_hub_live_database_up") == 0.0,
        |plant| {
            plant.cluster.start();
            plant.admin = plant.cluster.session(POSTGRES);
        },
    );
    faults.push((&["SignalHubDatabaseDown"], before, during));

    let before = plant.well();
    assert!(plant.service.stop().success());
    faults.push((
        &["SignalHubServiceDown"],
        before.clone(),
        Scrape::silence(&before),
    ));
    let during = exported(&mut plant.admin);
    faults.push((&["SignalHubSlotUnread"], before.clone(), during));
    plant.cluster.configure("max_slot_wal_keep_size", "1MB");
    eventually(SOON, "the slot is lost", || {
        plant
            .admin
            .run("CREATE TABLE filler AS SELECT generate_series(1, 1000)");
        plant
            .admin
            .run("DROP TABLE filler; SELECT pg_switch_wal(); CHECKPOINT");
        plant
            .admin
            .one::<bool>("SELECT wal_status = 'lost' FROM pg_replication_slots")
    });
    faults.push((&["SignalHubSlotLost"], before, exported(&mut plant.admin)));

    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<&str> = alerts.collect();
    let made = faults.iter().flat_map(|fault| fault.0.iter().copied());
    assert_eq!(alerts, made.collect(), "every rule has its fault");
    check(&plant, &faults);
}
