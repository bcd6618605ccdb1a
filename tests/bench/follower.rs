//! A client of logical replication that follows user_signals while somebody else commits a row
//! every few milliseconds: how long those rows take to reach it.

use pgwire_replication::{ReplicationClient, ReplicationConfig, ReplicationEvent, TlsConfig};
use signal_hub_harness::arena::Arena;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::wait::eventually;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

const SLOT: &str = "follower";
/// The text of somebody else's row; its number follows.
const MARK: &str = "somebody-else-";
const DIGITS: usize = 8;
/// Messages of somebody else's rows are shorter than this, those of user_signals are longer.
const SHORT: usize = 64;
const EVERY: Duration = Duration::from_millis(5);
/// Longest time until everything has arrived.
const PATIENCE: Duration = Duration::from_secs(120);

/// It uses as little processor time as a client can, so that the server is what is measured.
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    stop: oneshot::Sender<()>,
    reading: JoinHandle<()>,
}

/// What has arrived.
#[derive(Default)]
struct Seen {
    /// When each row of somebody else arrived, by number.
    others: HashMap<u32, Instant>,
    /// Rows of user_signals.
    rows: u64,
    /// When the last of them arrived.
    last: Option<SystemTime>,
}

/// What the client saw of some work.
pub struct Watched<T> {
    /// What the work returned.
    pub done: T,
    /// Milliseconds from the commit to the arrival of each row of somebody else meanwhile.
    pub delays: Vec<f64>,
    /// When the last row of user_signals arrived.
    pub last: SystemTime,
}

impl Follower {
    /// Publishes user_signals and a table of somebody else, and follows both.
    pub fn start(arena: &mut Arena) -> Self {
        arena.session.run(
            "CREATE TABLE IF NOT EXISTS somebody_else (note text);
             DROP PUBLICATION IF EXISTS followed;
             CREATE PUBLICATION followed FOR TABLE user_signals, somebody_else WITH (publish = 'insert, update')",
        );
        arena.session.run(&format!(
            "SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')"
        ));
        let port: String = arena.session.one("SHOW port");
        let config = ReplicationConfig::new("127.0.0.1", POSTGRES, "", POSTGRES, SLOT, "followed")
            .with_port(port.parse().expect("a port"))
            .with_tls(TlsConfig::disabled());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = oneshot::channel();
        let noted = Arc::clone(&seen);
        let reading = thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(follow(config, &noted, stopped));
        });
        eventually(PATIENCE, "the client follows", || {
            arena.session.one::<bool>(&format!(
                "SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
            ))
        });
        Self {
            seen,
            stop,
            reading,
        }
    }

    /// Watches rows of somebody else, and the `rows` of user_signals that `work` writes.
    pub fn watch<T>(
        &self,
        arena: &mut Arena,
        rows: u32,
        work: impl FnOnce(&mut Arena) -> T,
    ) -> Watched<T> {
        let (first, all_rows) = {
            let seen = self.seen();
            let others = u32::try_from(seen.others.len()).expect("few");
            (others, seen.rows + u64::from(rows))
        };
        let stop = Arc::new(AtomicBool::new(false));
        let committing = {
            let stop = Arc::clone(&stop);
            let mut session = arena.cluster.session(POSTGRES);
            thread::spawn(move || {
                let mut committed = Vec::new();
                let mut number = first;
                while !stop.load(Ordering::Relaxed) {
                    let due = Instant::now() + EVERY;
                    session.run(&format!(
                        "INSERT INTO somebody_else VALUES ('{MARK}{number:0DIGITS$}')"
                    ));
                    committed.push((number, Instant::now()));
                    number += 1;
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                committed
            })
        };
        let done = work(arena);
        stop.store(true, Ordering::Relaxed);
        let committed = committing.join().expect("no panic");
        let all = committed.len() + first as usize;
        eventually(PATIENCE, "the client has everything", || {
            let seen = self.seen();
            seen.others.len() >= all && seen.rows >= all_rows
        });
        let seen = self.seen();
        let delay = |(number, at): &(u32, Instant)| {
            seen.others[number]
                .saturating_duration_since(*at)
                .as_secs_f64()
                * 1000.0
        };
        Watched {
            done,
            delays: committed.iter().map(delay).collect(),
            last: seen.last.expect("rows came"),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic")
    }

    /// How many transactions of the slot were spilled to disk before they could be sent.
    pub fn spilled(&self, arena: &mut Arena) -> i64 {
        arena.session.one(&format!(
            "SELECT coalesce(sum(spill_txns), 0)::bigint FROM pg_stat_replication_slots WHERE slot_name = '{SLOT}'"
        ))
    }

    pub fn stop(self, arena: &mut Arena) {
        self.stop.send(()).expect("the client follows");
        self.reading.join().expect("no panic");
        eventually(PATIENCE, "the slot is free", || {
            arena
                .session
                .try_list::<String>(&format!("SELECT pg_drop_replication_slot('{SLOT}')::text"))
                .is_ok()
        });
    }
}

async fn follow(config: ReplicationConfig, seen: &Mutex<Seen>, mut stopped: oneshot::Receiver<()>) {
    let mut client = ReplicationClient::connect(config)
        .await
        .expect("the server takes it");
    let mut rows = 0;
    loop {
        let event = tokio::select! {
            event = client.recv() => event.expect("the server stays"),
            _ = &mut stopped => break,
        };
        match event {
            Some(ReplicationEvent::XLogData { data, .. }) if data.starts_with(b"I") => {
                match other(&data) {
                    Some(number) => {
                        let now = Instant::now();
                        seen.lock().expect("no panic").others.insert(number, now);
                    }
                    None => rows += 1,
                }
            }
            Some(ReplicationEvent::Commit { end_lsn, .. }) => {
                client.update_applied_lsn(end_lsn);
                if rows > 0 {
                    let mut seen = seen.lock().expect("no panic");
                    seen.rows += std::mem::take(&mut rows);
                    seen.last = Some(SystemTime::now());
                }
            }
            Some(_) => {}
            None => panic!("the server ended the stream"),
        }
    }
    client.shutdown().await.expect("the server stays");
}

/// The number of a row of somebody else.
fn other(message: &[u8]) -> Option<u32> {
    let text = message.get(message.len().checked_sub(MARK.len() + DIGITS)?..)?;
    let digits = text.strip_prefix(MARK.as_bytes())?;
    (message.len() < SHORT).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
