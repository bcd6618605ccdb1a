//! Dropping a simulator ends it, no matter what its connections are doing.

use super::{ALL, connect, good, start};
use crate::{Fault, Simulator, SimulatorOptions, Times};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Waits until the simulator has received this many requests.
fn wait_for_requests(market: &Simulator, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while market.request_count() < count {
        assert!(Instant::now() < deadline, "requests did not arrive");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn stopping_takes_no_time_and_frees_the_port() {
    let market = start();
    good(&market, ALL);
    let faults = [Fault::Silence, Fault::SlowDrip, Fault::EndlessBody];
    let mut held = Vec::new();
    for (sent, fault) in faults.into_iter().enumerate() {
        market.inject(fault, Times::Once);
        held.push(connect(&market, ALL).expect("a connection"));
        wait_for_requests(&market, sent as u64 + 2);
    }
    // One more connection, which has not asked for anything.
    held.push(TcpStream::connect(("127.0.0.1", market.port())).expect("a connection"));

    let port = market.port();
    let begun = Instant::now();
    drop(market);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    drop(held);
}

#[test]
fn a_stopped_simulator_can_be_started_again_on_its_port() {
    let market = start();
    good(&market, ALL);
    let port = market.port();
    drop(market);
    let again = Simulator::start(SimulatorOptions {
        port,
        ..SimulatorOptions::default()
    })
    .expect("the port is free again");
    assert_eq!(again.url(), format!("http://127.0.0.1:{port}"));
    good(&again, ALL);
}
