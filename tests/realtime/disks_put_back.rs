//! A snapshot of the disk is put back: transaction numbers are given away again on the same
//! timeline, and a client that was away misses nothing. Ordinary restarts cost no watermark.

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES, Stop};
use signal_hub_harness::scene::{flat_market, subscribe};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{begin, client_of, import, page, since};
use signal_hub_simulator::Simulator;
use std::path::Path;
use std::process::Command;

fn open(preloaded: bool) -> (Simulator, Cluster) {
    let market = flat_market();
    let options = match preloaded {
        true => Options::preloaded(),
        false => Options::not_preloaded(),
    };
    let cluster = options
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.enabled", "off")
        .set("autovacuum", "off")
        .start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE EXTENSION signal_hub;
         CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
         SELECT grant_realtime_access()",
    );
    subscribe(&mut admin, "MAX", 1, 3);
    (market, cluster)
}

fn use_up_numbers(session: &mut Session, number: usize) {
    for _ in 0..number {
        session.run("BEGIN; SELECT pg_current_xact_id(); ROLLBACK");
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()));
    // Of the server that ran when the snapshot was taken.
    let _ = std::fs::remove_file(to.join("postmaster.pid"));
}

#[test]
fn a_client_that_was_away_while_a_snapshot_was_put_back_misses_nothing() {
    for preloaded in [true, false] {
        let (_market, mut cluster) = open(preloaded);
        let mut admin = cluster.session(POSTGRES);
        let mut client = client_of(&cluster, 2);
        admin.run(&import(2, 1));
        let early = begin(&mut client).watermark;
        admin.run("CHECKPOINT");
        let snapshot = cluster.folder().join("snapshot");
        copy(&cluster.data(), &snapshot);

        // What is thrown away: rows that the client has seen, a restart, and pages of many rows.
        use_up_numbers(&mut admin, 100);
        for signal in 2..6 {
            admin.run(&import(2, signal));
        }
        let late = since(&mut client, &early).watermark;
        let in_a_page = page(&mut client, &format!("'{early}'"), "2").watermark;
        drop(client);
        cluster.restart();
        let mut client = client_of(&cluster, 2);
        let after_restart = since(&mut client, &late).watermark;
        drop((client, admin));

        cluster.stop(Stop::Immediate);
        copy(&snapshot, &cluster.data());
        cluster.start();
        let mut admin = cluster.session(POSTGRES);
        admin.run(&import(2, 10));
        // Beyond the numbers of all watermarks.
        use_up_numbers(&mut admin, 400);
        admin.run(&import(2, 11));
        for restarts in 0..3 {
            let mut client = client_of(&cluster, 2);
            for (name, mark) in [
                ("before", &early),
                ("late", &late),
                ("in a page", &in_a_page),
                ("after a restart", &after_restart),
            ] {
                let read = since(&mut client, mark);
                assert!(
                    read.signals.ends_with(&[10, 11]),
                    "preloaded {preloaded}, {restarts} restarts, {name}: {:?}",
                    read.signals
                );
                let again = since(&mut client, &read.watermark);
                assert_eq!(again.signals, Vec::<i64>::new());
            }
            drop(client);
            cluster.restart();
        }
    }
}

#[test]
fn ordinary_restarts_cost_no_watermark() {
    let (_market, mut cluster) = open(true);
    let mut marks = Vec::new();
    for signal in 1..6 {
        let mut admin = cluster.session(POSTGRES);
        admin.run(&import(2, signal));
        let mut client = client_of(&cluster, 2);
        marks.push(begin(&mut client).watermark);
        drop((admin, client));
        cluster.restart();
    }
    let mut client = client_of(&cluster, 2);
    for (seen, mark) in (1..).zip(&marks) {
        let expected: Vec<i64> = (seen + 1..6).collect();
        assert_eq!(since(&mut client, mark).signals, expected, "after {seen}");
    }
    drop(client);
    cluster.stop(Stop::Immediate);
    cluster.start();
    let mut client = client_of(&cluster, 2);
    assert_eq!(since(&mut client, &marks[0]).signals, [2, 3, 4, 5]);
}

/// Those of releases before 0.3.0 name no start of the server.
#[test]
fn a_watermark_of_a_release_before_still_holds() {
    let (_market, mut cluster) = open(true);
    let mut admin = cluster.session(POSTGRES);
    admin.run(&import(2, 1));
    let mut client = client_of(&cluster, 2);
    let mark = begin(&mut client).watermark;
    let number = mark.split('-').nth(1).expect("a number").to_owned();
    // The library names that history third, with its end.
    let names: String = client.one("SELECT history FROM signal_hub_transactions()");
    let old = names.split([' ', ':']).nth(3).expect("a name").to_owned();
    drop((client, admin));
    cluster.restart();
    cluster.session(POSTGRES).run(&import(2, 2));
    let mut client = client_of(&cluster, 2);
    assert_eq!(since(&mut client, &format!("{old}-{number}")).signals, [2]);
}
