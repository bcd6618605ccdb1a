//! What most stories begin with: an exchange, a server that asks it, subscribers.

use crate::cluster::{Cluster, Options, POSTGRES};
use crate::session::Session;
use crate::wait::eventually;
use serde_json::Value;
use signal_hub_simulator::{Fault, Simulator, SimulatorOptions, Times};
use std::time::Duration;

/// Enough for anything that happens within seconds, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(20);

/// An exchange where prices stand still, but for what a test sets.
pub fn flat_market() -> Simulator {
    let options = SimulatorOptions {
        volatility: 0.0,
        ..SimulatorOptions::default()
    };
    Simulator::start(options).expect("a port is free")
}

/// The same with BTCUSDT 3.5 % up: one LONG signal to come.
pub fn rising_market() -> Simulator {
    let market = flat_market();
    market.set_change("BTCUSDT", "3.5");
    market
}

/// A server with the library preloaded that asks this exchange every second.
pub fn by_itself(market: &Simulator) -> Options {
    Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.interval", "1s")
}

/// A server without the library preloaded, where cycles only run by hand.
pub fn by_hand(market: &Simulator) -> Options {
    Options::not_preloaded().set("signal_hub.exchange_url", &market.url())
}

/// A server as of [`by_hand`], and a session of its database, which has the extension.
pub fn installed_by_hand(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_hand(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    (cluster, session)
}

/// Runs one cycle by hand, and returns its report.
#[track_caller]
pub fn generate(session: &mut Session) -> Value {
    session.one("SELECT generate_signals_now()")
}

/// A server whose worker waits for an exchange that accepts and never answers.
pub fn waiting_behind_a_silent_exchange(
    market: &Simulator,
    how_often: Times,
) -> (Cluster, Session) {
    market.inject(Fault::Silence, how_often);
    let cluster = by_itself(market)
        .set("signal_hub.http_timeout", "60s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the exchange is asked", || {
        market.request_count() == 1
    });
    (cluster, session)
}

/// Number `i` of the subscribers.
pub fn user(i: u32) -> String {
    format!("00000000-0000-4000-8000-{i:012x}")
}

/// Adds active subscribers `first` to `last` of a tier.
pub fn subscribe(session: &mut Session, tier: &str, first: u32, last: u32) {
    session.run(&format!(
        "INSERT INTO user_subscriptions (user_id, tier)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, '{tier}'
           FROM generate_series({first}, {last}) AS i"
    ));
}

/// The worker of the session's database, if it has one.
pub fn worker_pid(session: &mut Session) -> Option<i32> {
    let pids = session.list(
        "SELECT pid FROM pg_stat_activity
          WHERE backend_type = 'signal_hub worker' AND datname = current_database()",
    );
    assert!(pids.len() <= 1, "a database has one worker, not {pids:?}");
    pids.first().copied()
}

/// Runs on record.
pub fn runs(session: &mut Session) -> i64 {
    session.one("SELECT count(*) FROM signal_runs")
}

/// Waits until the last run is a good one.
#[track_caller]
pub fn wait_for_good_run(session: &mut Session) {
    eventually(SOON, "a run succeeds", || {
        let last =
            session.list::<String>("SELECT status FROM signal_runs ORDER BY run_id DESC LIMIT 1");
        last == ["ok"]
    });
}

/// Waits for this many rows of user_signals, all of them.
#[track_caller]
pub fn wait_for_deliveries(session: &mut Session, rows: i64) {
    eventually(SOON, "the deliveries are complete", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == rows
            && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
    });
}

/// What can change in the extension's tables: how many rows each has, and the state of its sequences.
pub fn contents(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s: %s', c.oid::regclass,
                       (xpath('/row/n/text()', query_to_xml(
                            CASE c.relkind WHEN 'S' THEN format('SELECT last_value * 2 + is_called::int AS n FROM %s', c.oid::regclass)
                                           ELSE format('SELECT count(*) AS n FROM %s', c.oid::regclass) END,
                            false, true, '')))[1])
           FROM pg_class c
           JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND c.relkind IN ('r', 'S')
          ORDER BY c.relname",
    )
}
