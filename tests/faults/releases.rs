//! The SQL objects are of a newer release than the library, as after a downgrade of the package.

use crate::cluster::POSTGRES;
use crate::ground::{each_signal_once_each, extension_for};
use crate::scene::{SOON, by_itself, flat_market, runs, wait_for_good_run, worker_pid};
use crate::wait::{eventually, meanwhile};
use std::time::Duration;

#[test]
fn sql_objects_newer_than_the_library_stop_the_worker_until_they_match_again() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, 3);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let release: String =
        session.one("SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'");

    session.run("UPDATE pg_extension SET extversion = '99.0.0' WHERE extname = 'signal_hub'");
    eventually(SOON, "health says so", || {
        session.one::<bool>(
            "SELECT state = 'version_mismatch' AND NOT healthy AND message LIKE '%99.0.0%install the matching library%' FROM signal_health",
        )
    });
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "55000", "{}", error.message());
    assert!(error.message().contains("99.0.0"), "{}", error.message());
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("install the matching library"), "{hint}");
    market.set_change("BTCUSDT", "3.5");
    // A run under way when the version changed may still end.
    let before = runs(&mut session);
    meanwhile(Duration::from_secs(4), "no table is touched", || {
        runs(&mut session) <= before + 1 && session.one::<i64>("SELECT count(*) FROM signals") == 0
    });

    session.run(&format!(
        "UPDATE pg_extension SET extversion = '{release}' WHERE extname = 'signal_hub'"
    ));
    eventually(SOON, "the signal arrives", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") == 1
    });
    each_signal_once_each(&mut session, 3);
    assert_eq!(worker_pid(&mut session), worker, "the same process");
}
