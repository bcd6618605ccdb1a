//! A purge that fails is shown until a purge goes well, whatever else goes well meanwhile.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, runs, subscribe, wait_for_deliveries,
};
use signal_hub_harness::wait::{eventually, meanwhile};
use std::time::Duration;

#[test]
fn a_purge_refused_for_want_of_a_replica_identity_is_shown_until_one_goes_well() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    subscribe(&mut session, "MAX", 1, 5);
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 5);
    // The next worker begins with a purge.
    session.run(
        "CREATE PUBLICATION everything FOR ALL TABLES;
         ALTER TABLE user_signals REPLICA IDENTITY NOTHING;
         UPDATE signals SET created_at = created_at - interval '2400 hours';
         SELECT pg_terminate_backend(worker_pid) FROM signal_worker_status()",
    );
    let is_shown = "SELECT NOT healthy AND state = 'failing' AND message LIKE '%replica identity%' FROM signal_health";
    eventually(2 * SOON, "the purge fails", || {
        session.one::<bool>(is_shown)
    });
    let before = runs(&mut session);
    market.set_change("ETHUSDT", "3.5");
    meanwhile(
        Duration::from_secs(6),
        "runs and deliveries do not clear it",
        || session.one::<bool>(is_shown),
    );
    eventually(SOON, "the next signal is delivered", || {
        session.one::<i64>("SELECT count(*) FROM user_signals WHERE symbol = 'ETHUSDT'") == 5
    });
    assert!(runs(&mut session) > before);
    assert!(session.one::<bool>(is_shown));
    assert!(!cluster.log().contains("recovered"));

    session.run("ALTER TABLE user_signals REPLICA IDENTITY DEFAULT");
    eventually(2 * SOON, "the purge goes well", || {
        session.one::<bool>("SELECT healthy FROM signal_health")
    });
    assert_eq!(
        session.list::<String>("SELECT DISTINCT symbol FROM user_signals"),
        ["ETHUSDT"]
    );
    eventually(SOON, "the recovery is logged", || {
        cluster.log().contains("recovered (purging signals)")
    });
}
