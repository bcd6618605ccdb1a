//! Keeps a fan-out from burying those who follow it by logical replication.
//!
//! A server writes rows faster than it decodes them for a client. Unchecked, a long fan-out would
//! leave a backlog of seconds, and whatever else is committed meanwhile would reach the clients
//! behind it. The last row of the fan-out itself reaches them no later when it is written no
//! faster than they take it.

use crate::postgres::statements::{read_catalogs, read_catalogs_with};
use crate::postgres::transaction::idle;
use crate::postgres::{Failure, Scope};
use std::time::{Duration, Instant};

/// Bytes of WAL that followers may be behind before a batch waits for them.
const NEAR: i64 = 512 * 1024;
/// Longest wait per batch: who is slower than that is not waited for.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// Longest wait for those who are served first to have their rows.
const LONGEST_HEAD_START: Duration = Duration::from_millis(250);
/// Bytes of WAL that a follower takes in a millisecond, about: how soon to look again.
const BYTES_PER_MS: i64 = 100 * 1024;
/// Time between two looks for followers while there are none.
const LOOK_FOR_FOLLOWERS: Duration = Duration::from_millis(50);

/// Where the log on disk ends, in bytes.
const END_OF_LOG: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint";
/// How many bytes the last of this database's followers is behind a place in the log, or its end;
/// null when nobody follows.
const BEHIND: &str = "
    SELECT max(coalesce($1, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint)
               - pg_wal_lsn_diff(r.sent_lsn, '0/0')::bigint)
      FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
     WHERE s.slot_type = 'logical' AND s.database = current_database()";

/// What is known of the followers.
pub struct Pace {
    followed: bool,
    looked: Instant,
}

impl Pace {
    pub fn new() -> Self {
        Self {
            followed: true,
            looked: Instant::now(),
        }
    }

    /// Called after a batch: waits until the followers are near.
    pub fn keep(&mut self) -> Result<(), Failure> {
        if !self.followed && self.looked.elapsed() < LOOK_FOR_FOLLOWERS {
            return Ok(());
        }
        self.wait(None, NEAR, LONGEST_WAIT)
    }

    /// Called after rows that are to be on their way to the followers before any other is written.
    pub fn let_catch_up(&mut self) -> Result<(), Failure> {
        let end = watching(|| read_catalogs(END_OF_LOG))?;
        self.wait(end, 0, LONGEST_HEAD_START)
    }

    /// Waits until the followers are at most this many bytes behind a place in the log, or else its
    /// end at each look.
    fn wait(&mut self, place: Option<i64>, bytes: i64, longest: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let behind = watching(|| read_catalogs_with(BEHIND, &[place.into()]))?;
            self.followed = behind.is_some();
            self.looked = Instant::now();
            let too_far = behind.unwrap_or(0_i64) - bytes;
            if too_far <= 0 || began.elapsed() >= longest {
                return Ok(());
            }
            let look_again = (too_far / BYTES_PER_MS).clamp(1, LONGEST_WAIT.as_millis() as i64);
            idle(Duration::from_millis(look_again as u64));
        }
    }
}

fn watching<T>(look: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    Scope::Worker.atomically(c"signal_hub: delivering, waiting for replication", look)
}
