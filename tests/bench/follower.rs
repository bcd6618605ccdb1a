//! A client of logical replication that follows user_signals while somebody else commits a row
//! of their own every few milliseconds: how long those rows take to get to it.

use crate::arena::Arena;
use crate::cluster::POSTGRES;
use crate::wait::eventually;
use std::collections::HashMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const SLOT: &str = "follower";
/// What a row of somebody else looks like in the stream, before its number.
const MARK: &[u8] = b"somebody-else-";
const DIGITS: usize = 8;
const EVERY: Duration = Duration::from_millis(5);

pub struct Follower {
    reader: Child,
    seen: Arc<Mutex<HashMap<u32, Instant>>>,
    reading: Option<JoinHandle<()>>,
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
        let mut command: Command = arena.cluster.tool("pg_recvlogical");
        let mut reader = command
            .args([
                "--dbname",
                POSTGRES,
                "--slot",
                SLOT,
                "--start",
                "--file",
                "-",
                "--no-loop",
            ])
            .args([
                "--option",
                "proto_version=1",
                "--option",
                "publication_names=followed",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("pg_recvlogical starts");
        let mut stream = reader.stdout.take().expect("a pipe");
        let seen: Arc<Mutex<HashMap<u32, Instant>>> = Arc::default();
        let found = Arc::clone(&seen);
        let reading = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            let mut kept = 0;
            while let Ok(count) = stream.read(&mut buffer[kept..]) {
                if count == 0 {
                    break;
                }
                let now = Instant::now();
                let end = kept + count;
                for number in marks(&buffer[..end]) {
                    found.lock().expect("no panic").entry(number).or_insert(now);
                }
                // A mark may lie across two reads.
                kept = end.min(MARK.len() + DIGITS);
                buffer.copy_within(end - kept..end, 0);
            }
        });
        eventually(Duration::from_secs(20), "the client follows", || {
            arena.session.one::<bool>(&format!(
                "SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
            ))
        });
        Self {
            reader,
            seen,
            reading: Some(reading),
        }
    }

    /// Milliseconds that rows of somebody else took to get here while `work` was done, from their
    /// commit on.
    pub fn delays_during<T>(
        &self,
        arena: &mut Arena,
        work: impl FnOnce(&mut Arena) -> T,
    ) -> (T, Vec<f64>) {
        let first = u32::try_from(self.seen.lock().expect("no panic").len()).expect("few");
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
                        "INSERT INTO somebody_else VALUES ('somebody-else-{number:08}')"
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
        eventually(
            Duration::from_secs(120),
            "the client has everything",
            || self.seen.lock().expect("no panic").len() >= all,
        );
        let seen = self.seen.lock().expect("no panic");
        let delays = committed
            .iter()
            .map(|(number, at)| seen[number].saturating_duration_since(*at).as_secs_f64() * 1000.0);
        (done, delays.collect())
    }

    /// Transactions of the slot that went to disk before they could be sent.
    pub fn spilled(&self, arena: &mut Arena) -> i64 {
        arena.session.one(&format!(
            "SELECT coalesce(sum(spill_txns), 0)::bigint FROM pg_stat_replication_slots WHERE slot_name = '{SLOT}'"
        ))
    }

    pub fn stop(mut self, arena: &mut Arena) {
        let _ = self.reader.kill();
        let _ = self.reader.wait();
        if let Some(reading) = self.reading.take() {
            reading.join().expect("no panic");
        }
        eventually(Duration::from_secs(20), "the slot is free", || {
            arena
                .session
                .try_list::<String>(&format!("SELECT pg_drop_replication_slot('{SLOT}')::text"))
                .is_ok()
        });
    }
}

fn marks(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .windows(MARK.len() + DIGITS)
        .filter(|window| window.starts_with(MARK))
        .filter_map(|window| {
            std::str::from_utf8(&window[MARK.len()..])
                .ok()?
                .parse()
                .ok()
        })
}
