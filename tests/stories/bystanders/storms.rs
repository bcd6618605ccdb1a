//! Changes of the catalogs that any role can make, by the thousand.

use super::*;
use signal_hub_harness::arena::processor_seconds;

/// What a role without rights can change: temporary tables and functions of its own, its own
/// password, who is a member of it.
const CHANGES: [&str; 3] = [
    "CREATE TEMP TABLE mine (a int); DROP TABLE mine",
    "ALTER ROLE mallory PASSWORD 'x'",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION pg_temp.f()",
];

#[test]
fn whoever_changes_their_own_tables_functions_and_password_all_the_time_delays_nothing() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    subscribe(&mut session, "MAX", 4, 20_003);
    // Many short transactions, each of which looks whether something has changed.
    cluster.configure("signal_hub.delivery_batch", "50");
    let worker: i32 = session.one("SELECT worker_pid FROM signal_health");
    let before = processor_seconds(worker);
    market.set_change("SOLUSDT", "3.5");
    wait_for_deliveries(&mut session, 20_003);
    let alone = processor_seconds(worker) - before;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for change in CHANGES {
            let mut mallory = cluster.session_as("mallory", POSTGRES);
            let stop = &stop;
            scope.spawn(move || {
                mallory.run("SET synchronous_commit = off");
                while !stop.load(Ordering::Relaxed) {
                    mallory.run(change);
                }
            });
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let before = processor_seconds(worker);
            market.set_change("XRPUSDT", "3.5");
            eventually(Duration::from_secs(120), "it is delivered, too", || {
                session.one::<i64>("SELECT count(*) FROM user_signals") == 40_006
            });
            // How long it takes depends on who else uses the processors.
            let took = processor_seconds(worker) - before;
            assert!(took < 3.0 * alone, "{took} s, and {alone} s without");
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
}
