//! Servers made by copying the disk of production: subscribers hear from the original alone, as
//! docs/operating.md sets it up.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, rising_market, subscribe, wait_for_deliveries, worker_pid,
};
use signal_hub_harness::wait::eventually;
use std::fs;
use std::path::Path;

/// The settings that the page gives for what is copied: names and values.
fn settings_of_the_page() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let block = page
        .split("```")
        .find(|block| block.contains("include_if_exists"))
        .expect("the page has the settings");
    let lines = block.lines().filter_map(|line| line.split_once(" = "));
    lines
        .map(|(name, value)| {
            let value = value.split('#').next().unwrap_or(value);
            (name.to_owned(), value.trim().trim_matches('\'').to_owned())
        })
        .collect()
}

#[test]
fn a_copy_of_the_disk_is_silent_where_the_file_of_production_is_not() {
    let market = rising_market();
    let production = by_itself(&market).start();
    let file = production.folder().join("production.conf");
    fs::write(&file, "signal_hub.enabled = on\n").expect("the folder is ours");
    for (name, value) in settings_of_the_page() {
        let here = file.to_str().expect("a path of this test is UTF-8");
        let value = if name == "include_if_exists" {
            here
        } else {
            &value
        };
        production.append_setting(&name, value);
    }
    let mut session = production.session(POSTGRES);
    session.run("SELECT pg_reload_conf()");
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 1);
    session.run("COMMIT");
    wait_for_deliveries(&mut session, 1);

    // The machine of the copy has no such file.
    fs::remove_file(&file).expect("the file is there");
    let copy = production.standby();
    let mut copied = copy.session(POSTGRES);
    assert!(copied.one::<bool>("SELECT pg_promote()"));
    // The runs of production up to here are in the copy, too.
    let last_run = "SELECT max(run_id) FROM signal_runs";
    let last: i64 = copied.one(last_run);
    eventually(SOON, "the copy is switched off", || {
        copied.one::<String>("SELECT state FROM signal_health") == "disabled"
    });
    assert_eq!(
        copied.one::<i64>("SELECT count(*) FROM user_subscriptions"),
        1,
        "the copy knows whom it must not tell"
    );

    market.set_change("ETHUSDT", "-4");
    wait_for_deliveries(&mut session, 2);
    assert!(worker_pid(&mut session).is_some());
    assert_eq!(copied.one::<i64>("SELECT count(*) FROM user_signals"), 1);
    assert_eq!(
        copied.one::<i64>(last_run),
        last,
        "the copy makes no run of its own"
    );
}
