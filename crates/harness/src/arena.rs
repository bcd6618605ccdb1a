//! Where measurements take place: a server with fsync on, subscribers, and an exchange whose
//! prices stand still until signals are wanted.

use crate::cluster::{Cluster, POSTGRES};
use crate::scene::{FLIPS_AT_ONCE, by_itself, flat_market};
use crate::session::Session;
use crate::wait::eventually;
use signal_hub_simulator::Simulator;
use std::fs;
use std::time::{Duration, Instant, SystemTime};

/// The pairs of the shipped watchlist.
const SYMBOLS: [&str; 10] = [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "AVAXUSDT",
    "LINKUSDT", "LTCUSDT",
];

/// Longest time to wait for a run.
const PATIENCE: Duration = Duration::from_secs(600);

/// A server to measure on.
pub struct Arena {
    /// A superuser's session of the database.
    pub session: Session,
    /// The server.
    pub cluster: Cluster,
    market: Simulator,
    rising: bool,
}

/// What a run of the worker took, as the run itself recorded it.
pub struct Turn {
    /// When the signals were made of the exchange's reply.
    pub created: SystemTime,
    /// Time from the start of the delivery to the last signal delivered.
    pub delivery: Duration,
    /// Time from `created` to the last signal delivered.
    pub after_fetch: Duration,
    /// Rows of user_signals written.
    pub rows: i64,
    /// Bytes of WAL written meanwhile by the whole server.
    pub wal_bytes: f64,
}

/// The order in which the plain statement writes.
#[derive(Clone, Copy)]
pub enum Order {
    /// As the planner chooses for the statement that people would write.
    AsWritten,
    /// In the order of the primary key, which is the fastest.
    OfTheKey,
}

impl Arena {
    /// A server with this many active subscribers of tier MAX, without a quota.
    pub fn new(subscribers: u32) -> Self {
        let market = flat_market();
        let cluster = by_itself(&market)
            .set("fsync", "on")
            .set("wal_level", "logical")
            .set("shared_buffers", "4GB")
            .set("max_wal_size", "16GB")
            // No checkpoint slows down one measurement and not the one it is compared with.
            .set("checkpoint_timeout", "1h")
            .start();
        let mut session = cluster.session(POSTGRES);
        session.run("CREATE EXTENSION signal_hub; UPDATE signal_tiers SET daily_quota = NULL");
        session.run(FLIPS_AT_ONCE);
        let mut arena = Self {
            session,
            cluster,
            market,
            rising: false,
        };
        arena.subscribe(subscribers);
        arena
    }

    /// Replaces the subscribers by this many active ones of tier MAX.
    pub fn subscribe(&mut self, subscribers: u32) {
        self.session.run(&format!(
            "TRUNCATE user_subscriptions;
             INSERT INTO user_subscriptions (user_id, tier) SELECT gen_random_uuid(), 'MAX' FROM generate_series(1, {subscribers})"
        ));
        self.session.run("VACUUM ANALYZE user_subscriptions");
    }

    /// Empties user_signals, and writes a checkpoint.
    pub fn clear(&mut self) {
        self.session.run("TRUNCATE user_signals");
        self.settle();
    }

    /// Writes a checkpoint, so that what is measured next does not write for what came before.
    pub fn settle(&mut self) {
        self.session.run("CHECKPOINT");
    }

    /// Changes a setting, and waits until this session has it.
    pub fn configure(&mut self, setting: &str, value: &str) {
        self.cluster.configure(setting, value);
        eventually(PATIENCE, "the setting is in force", || {
            self.session
                .one::<String>(&format!("SELECT current_setting('{setting}')"))
                == value
        });
    }

    /// Process id of the worker.
    pub fn worker(&mut self) -> i32 {
        self.session.one("SELECT worker_pid FROM signal_health")
    }

    /// Lets this many pairs, at most 10, change side, and waits until all signals are delivered.
    pub fn turn(&mut self, signals: usize) -> Turn {
        let before = self.last_run();
        let wal = self.wal();
        self.rising = !self.rising;
        for symbol in &SYMBOLS[..signals] {
            let change = if self.rising { "3.5" } else { "-3.5" };
            self.market.set_change(symbol, change);
        }
        eventually(PATIENCE, "the signals are delivered", || {
            self.session.one::<i64>(&format!(
                "SELECT coalesce(sum(signals_generated), 0) FROM signal_runs WHERE run_id > {before} AND finished_at IS NOT NULL"
            )) == i64::try_from(signals).expect("few")
        });
        let row = &self.session.rows(&format!(
            "SELECT extract(epoch FROM max(delivered_at) - min(delivery_started_at))::float8,
                    extract(epoch FROM max(delivered_at) - min(created_at))::float8, sum(deliveries)::bigint,
                    min(created_at)
               FROM signals WHERE run_id > {before}"
        ))[0];
        Turn {
            created: row.get(3),
            delivery: Duration::from_secs_f64(row.get(0)),
            after_fetch: Duration::from_secs_f64(row.get(1)),
            rows: row.get(2),
            wal_bytes: self.wal() - wal,
        }
    }

    fn last_run(&mut self) -> i64 {
        self.session
            .one("SELECT coalesce(max(run_id), 0) FROM signal_runs")
    }

    /// Bytes of WAL written since the server was made.
    pub fn wal(&mut self) -> f64 {
        self.session
            .one("SELECT (pg_current_wal_insert_lsn() - '0/0')::float8")
    }

    /// Runs the plain statement once per signal. Returns the time it took and the bytes of WAL it
    /// wrote. `number` is the signal_id of the first; the others follow.
    pub fn plain(&mut self, order: Order, signals: usize, number: i64) -> (Duration, f64) {
        let order = match order {
            Order::AsWritten => "",
            Order::OfTheKey => "ORDER BY u.user_id",
        };
        let wal = self.wal();
        let began = Instant::now();
        for number in number..number + i64::try_from(signals).expect("few") {
            self.session.run(&format!(
                "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                           entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
                 SELECT u.user_id, {number}, u.tier, s.symbol, s.signal_type, s.confidence, s.quality_score,
                        s.entry_price, s.take_profit, s.stop_loss, s.expires_at, true, s.metadata
                   FROM user_subscriptions u
                  CROSS JOIN (SELECT *, jsonb_build_object('generatedBy', 'signal_hub',
                                        'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
                                        'strategy', strategy, 'reason', reason, 'why', why,
                                        'changePercent', price_change_percent) AS metadata
                                FROM signals ORDER BY signal_id DESC LIMIT 1) s
                  WHERE u.status = 'active' AND u.tier = 'MAX' {order}"
            ));
        }
        (began.elapsed(), self.wal() - wal)
    }
}

/// Memory of a process that it does not share with any other, in kB.
pub fn own_memory_kb(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("proc(5)")
}

/// Processor time that the first thread of a process has used, in seconds.
pub fn processor_seconds(pid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the process lives");
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanoseconds.expect("proc(5)") / 1e9
}
