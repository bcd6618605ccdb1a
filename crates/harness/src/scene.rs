//! What most tests begin with: an exchange, a server that asks it, subscribers.

use crate::cluster::{Cluster, Options, POSTGRES};
use crate::session::Session;
use crate::wait::eventually;
use serde_json::Value;
use signal_hub_simulator::{Dialect, Fault, Simulator, SimulatorOptions, Times};
use std::time::Duration;

/// Long enough for anything that takes seconds, even on a slow and busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// Longest time of one fetch: no answer of the simulator comes later, on a busy machine either.
const FETCH_TIMEOUT: &str = "60s";

/// An exchange whose prices only change when a test sets them.
pub fn flat_market() -> Simulator {
    let options = SimulatorOptions {
        volatility: 0.0,
        ..SimulatorOptions::default()
    };
    Simulator::start(options).expect("a port is free")
}

/// A flat market with BTCUSDT 3.5 % up, so that the first run has one LONG signal.
pub fn rising_market() -> Simulator {
    let market = flat_market();
    market.set_change("BTCUSDT", "3.5");
    market
}

/// Another exchange of the same market: its symbols have the same prices and the same clock.
pub fn beside(market: &Simulator, dialect: Dialect) -> Simulator {
    market.beside(dialect).expect("a port is free")
}

/// A server with the library preloaded, whose worker asks this exchange every second.
pub fn by_itself(market: &Simulator) -> Options {
    Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.interval", "1s")
        .set("signal_hub.http_timeout", FETCH_TIMEOUT)
}

/// What `signal_hub.exchanges` has to be for these exchanges, in the order of preference.
pub fn in_order(markets: &[&Simulator]) -> String {
    let entries: Vec<String> = markets.iter().map(|market| market.entry()).collect();
    entries.join(", ")
}

/// A server as of [`by_itself`], whose worker asks the first of these exchanges while it can.
pub fn by_itself_at(markets: &[&Simulator]) -> Options {
    Options::preloaded()
        .set("signal_hub.exchanges", &in_order(markets))
        .set("signal_hub.interval", "1s")
        .set("signal_hub.http_timeout", FETCH_TIMEOUT)
}

/// A server as of [`by_hand`], whose cycles ask the first of these exchanges while they can.
pub fn by_hand_at(markets: &[&Simulator]) -> Options {
    Options::not_preloaded()
        .set("signal_hub.exchanges", &in_order(markets))
        .set("signal_hub.http_timeout", FETCH_TIMEOUT)
}

/// A server without the library preloaded, where cycles only run when a session calls for one.
pub fn by_hand(market: &Simulator) -> Options {
    Options::not_preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.http_timeout", FETCH_TIMEOUT)
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

/// A server whose worker waits for an exchange that accepts a request and never answers.
pub fn waiting_behind_a_silent_exchange(market: &Simulator, times: Times) -> (Cluster, Session) {
    market.inject(Fault::Silence, times);
    let cluster = by_itself(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the exchange is asked", || {
        market.request_count() == 1
    });
    (cluster, session)
}

/// The symbols that change side, in this order.
const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

/// Lets a symbol that changes side be signalled at once, so that a few symbols make many signals.
pub const FLIPS_AT_ONCE: &str = "UPDATE signal_rules SET cooldown_flips = false";

/// Moves an exchange: one symbol after the other changes to its other side, which makes a signal
/// each time where a rule lets it, see [`FLIPS_AT_ONCE`].
#[derive(Default)]
pub struct Turns {
    made: usize,
}

impl Turns {
    /// Moves the next symbol.
    pub fn turn(&mut self, market: &Simulator) {
        let symbol = SYMBOLS[self.made % SYMBOLS.len()];
        let rising = (self.made / SYMBOLS.len()).is_multiple_of(2);
        market.set_change(symbol, if rising { "3.5" } else { "-3.5" });
        self.made += 1;
    }

    /// How many times a symbol was moved.
    pub fn made(&self) -> usize {
        self.made
    }
}

/// The `user_id` of subscriber number `i`, as text.
pub fn user(i: u32) -> String {
    format!("00000000-0000-4000-8000-{i:012x}")
}

/// Adds active subscribers of a tier, with the numbers from `first` to `last`.
pub fn subscribe(session: &mut Session, tier: &str, first: u32, last: u32) {
    session.run(&format!(
        "INSERT INTO user_subscriptions (user_id, tier)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, '{tier}'
           FROM generate_series({first}, {last}) AS i"
    ));
}

/// Process id of the worker of the session's database, if it has one.
pub fn worker_pid(session: &mut Session) -> Option<i32> {
    let pids = session.list(
        "SELECT pid FROM pg_stat_activity
          WHERE backend_type = 'signal_hub worker' AND datname = current_database()",
    );
    assert!(pids.len() <= 1, "a database has one worker, not {pids:?}");
    pids.first().copied()
}

/// How many runs are on record.
pub fn runs(session: &mut Session) -> i64 {
    session.one("SELECT count(*) FROM signal_runs")
}

/// Waits until the last run on record is good.
#[track_caller]
pub fn wait_for_good_run(session: &mut Session) {
    eventually(SOON, "a run succeeds", || {
        let last =
            session.list::<String>("SELECT status FROM signal_runs ORDER BY run_id DESC LIMIT 1");
        last == ["ok"]
    });
}

/// Waits until user_signals has exactly this many rows and no signal is left to deliver.
#[track_caller]
pub fn wait_for_deliveries(session: &mut Session, rows: i64) {
    eventually(SOON, "the deliveries are complete", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == rows
            && session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
    });
}

/// What a run could change: how many rows each of the extension's tables has, and the state of
/// its sequences. The days of `signal_uptime` are left out: the worker counts them by itself, also
/// when it makes no run.
pub fn contents(session: &mut Session) -> Vec<String> {
    let counts: Vec<String> = session.list(
        "SELECT format('SELECT format(''%%s: %%s'', %L, %s) FROM %s', c.oid::regclass,
                       CASE c.relkind WHEN 'S' THEN 'last_value * 2 + is_called::int' ELSE 'count(*)' END,
                       c.oid::regclass)
           FROM pg_class c
           JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND c.relkind IN ('r', 'S') AND c.relname <> 'signal_run_days'",
    );
    session.list(&format!("{} ORDER BY 1", counts.join(" UNION ALL ")))
}
