//! One server generates, whatever the number of nodes.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, wait_for_good_run};
use signal_hub_harness::wait::eventually;

#[test]
fn the_coordinator_alone_generates_and_the_nodes_say_so() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    servers.subscribe(10);
    servers.turn();
    servers.wait_for_signals(1);
    wait_for_good_run(&mut servers.admin);
    for node in &servers.nodes {
        let mut session = node.session(POSTGRES);
        eventually(SOON, "the node says what it is", || {
            session.one::<bool>("SELECT healthy AND state = 'node' FROM signal_health")
        });
        assert_eq!(session.one::<i64>("SELECT count(*) FROM signal_runs"), 0);
        let refused = session.error("SELECT generate_signals_now()");
        assert_eq!(refused.code().code(), "0A000", "{refused:?}");
        let hint = refused.hint().expect("it says where");
        assert_eq!(hint, "Call this on the coordinator.");
        let refused = session.error("SELECT enable_citus()");
        assert_eq!(refused.code().code(), "0A000", "{refused:?}");
    }
    // Dropped, it is gone from all of them.
    servers.admin.run("DROP EXTENSION signal_hub");
    for node in &servers.nodes {
        let mut session = node.session(POSTGRES);
        let left: i64 = session.one(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname ~ 'signal'",
        );
        assert_eq!(left, 0, "tables left on a node");
    }
}
