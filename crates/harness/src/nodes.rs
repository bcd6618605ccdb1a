//! What the tests begin with: a coordinator, its worker nodes, and an exchange.

use crate::cluster::{Cluster, POSTGRES, binaries};
use crate::scene::{FLIPS_AT_ONCE, SOON, Turns, by_itself, flat_market};
use crate::session::Session;
use crate::skip::report_skipped;
use crate::wait::eventually;
use signal_hub_simulator::Simulator;

/// A coordinator with the extension, and its nodes.
pub struct Servers {
    /// A superuser's session of the coordinator's database.
    pub admin: Session,
    /// The server that has the extension from the start.
    pub coordinator: Cluster,
    /// The servers that the tables can move to.
    pub nodes: Vec<Cluster>,
    market: Simulator,
    turns: Turns,
    rising: bool,
}

/// Signals that [`Servers::flip_all`] makes: all symbols that are watched as shipped.
pub const FLIPPED: i64 = 10;

impl Servers {
    /// Two nodes, as of [`Servers::with`].
    pub fn start() -> Option<Self> {
        Self::with(2, &[])
    }

    /// Servers that know of each other, with these settings; `None`, with a word, where the
    /// PostgreSQL under test has no Citus. The tables are all on the coordinator.
    pub fn with(nodes: usize, settings: &[(&str, &str)]) -> Option<Self> {
        let mut servers = Self::without_extension(nodes, settings)?;
        servers
            .admin
            .run("CREATE EXTENSION signal_hub; UPDATE signal_tiers SET daily_quota = NULL");
        servers.admin.run(FLIPS_AT_ONCE);
        Some(servers)
    }

    /// The same, of which none has the extension.
    pub fn without_extension(nodes: usize, settings: &[(&str, &str)]) -> Option<Self> {
        if !binaries::library().with_file_name("citus.so").is_file() {
            report_skipped("the PostgreSQL under test has no Citus");
            return None;
        }
        let market = flat_market();
        let server = || {
            let plain = by_itself(&market)
                .set("shared_preload_libraries", "citus,signal_hub")
                .set("max_prepared_transactions", "200")
                .set("max_connections", "100")
                .set("wal_level", "logical")
                .set("citus.enable_statistics_collection", "off")
                // No certificates, made or looked for in somebody's home.
                .set("citus.node_conninfo", "sslmode=disable")
                .env("HOME", "/nonexistent");
            let options = settings
                .iter()
                .fold(plain, |options, (name, value)| options.set(name, value));
            let cluster = options.start();
            cluster.session(POSTGRES).run("CREATE EXTENSION citus");
            cluster
        };
        let coordinator = server();
        let nodes: Vec<Cluster> = (0..nodes).map(|_| server()).collect();
        let mut admin = coordinator.session(POSTGRES);
        let here = port(&mut admin);
        admin.run(&format!(
            "SELECT citus_set_coordinator_host('127.0.0.1', {here})"
        ));
        for node in &nodes {
            let there = port(&mut node.session(POSTGRES));
            admin.run(&format!("SELECT citus_add_node('127.0.0.1', {there})"));
        }
        Some(Self {
            admin,
            coordinator,
            nodes,
            market,
            turns: Turns::default(),
            rising: false,
        })
    }

    /// Moves the tables to the nodes.
    pub fn shard(&mut self) -> String {
        self.admin.one("SELECT enable_citus()")
    }

    /// The exchange that signals are made from.
    pub fn market(&self) -> &Simulator {
        &self.market
    }

    /// Lets one symbol change side, so that the next run has one signal.
    pub fn turn(&mut self) {
        self.turns.turn(&self.market);
    }

    /// Lets all symbols change side, so that the next run has [`FLIPPED`] signals at once. Not
    /// beside [`turn`](Self::turn), which changes some of them.
    pub fn flip_all(&mut self) {
        self.rising = !self.rising;
        let symbols: Vec<String> = self.admin.list("SELECT symbol FROM signal_symbols");
        assert_eq!(symbols.len() as i64, FLIPPED, "the symbols as shipped");
        for symbol in symbols {
            let change = if self.rising { "3.5" } else { "-3.5" };
            self.market.set_change(&symbol, change);
        }
    }

    /// Adds this many active subscribers of tier MAX, with keys from all over.
    pub fn subscribe(&mut self, number: u32) {
        self.admin.run(&format!(
            "INSERT INTO user_subscriptions (user_id, tier)
             SELECT gen_random_uuid(), 'MAX' FROM generate_series(1, {number})"
        ));
    }

    /// Waits until this many signals are delivered, and none is left to deliver.
    #[track_caller]
    pub fn wait_for_signals(&mut self, number: i64) {
        let admin = &mut self.admin;
        eventually(SOON, "the signals are delivered", || {
            admin.one::<bool>(&format!(
                "SELECT count(*) = {number} AND bool_and(delivered_at IS NOT NULL) FROM signals"
            ))
        });
    }

    /// Everybody has one row of each of the signals, on whatever node, and nothing is pending.
    #[track_caller]
    pub fn everybody_has_each_once(&mut self, subscribers: i64, signals: i64) {
        assert_eq!(
            self.admin.one::<i64>("SELECT count(*) FROM user_signals"),
            subscribers * signals,
            "rows on all nodes"
        );
        // The primary key is of user and signal, so no row is there twice.
        assert_eq!(
            self.admin.one::<i64>(
                "SELECT coalesce(sum(deliveries), 0)::bigint FROM signals WHERE delivery_failures = 0"
            ),
            subscribers * signals,
            "rows on record"
        );
        assert_eq!(self.pending(), 0, "prepared transactions");
    }

    /// Prepared transactions of all nodes.
    pub fn pending(&self) -> i64 {
        let count = |node: &Cluster| {
            let mut session = node.session(POSTGRES);
            session.one::<i64>("SELECT count(*) FROM pg_prepared_xacts")
        };
        self.nodes.iter().map(count).sum()
    }
}

/// The port that a session's server listens on.
pub fn port(session: &mut Session) -> i32 {
    session.one("SELECT inet_server_port()")
}
