//! Keeps a fan-out from burying those who follow it by logical replication.
//!
//! A server writes rows faster than it decodes them for a client. Unchecked, a long fan-out would
//! leave a backlog of seconds, and whatever else is committed meanwhile would reach the clients
//! behind it. The last row of the fan-out itself reaches them no later when it is written no
//! faster than they take it.

use crate::postgres::statements::read_catalogs;
use crate::postgres::transaction::idle;
use crate::postgres::{Failure, Scope};
use std::time::{Duration, Instant};

/// Bytes of WAL that followers may be behind before a batch waits for them.
const NEAR: i64 = 512 * 1024;
/// Longest wait per batch: who is slower than that is not waited for.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// Bytes of WAL that a follower takes in a millisecond, about: how soon to look again.
const BYTES_PER_MS: i64 = 100 * 1024;
/// Time between two looks for followers while there are none.
const LOOK_FOR_FOLLOWERS: Duration = Duration::from_millis(50);

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
        let began = Instant::now();
        loop {
            let behind = behind()?;
            self.followed = behind.is_some();
            self.looked = Instant::now();
            let too_far = behind.unwrap_or(0) - NEAR;
            if too_far <= 0 || began.elapsed() >= LONGEST_WAIT {
                return Ok(());
            }
            let look_again = (too_far / BYTES_PER_MS).clamp(1, LONGEST_WAIT.as_millis() as i64);
            idle(Duration::from_millis(look_again as u64));
        }
    }
}

/// How many bytes of WAL the last of this database's followers is behind; `None` when nobody
/// follows.
fn behind() -> Result<Option<i64>, Failure> {
    Scope::Worker.atomically(c"signal_hub: delivering, waiting for replication", || {
        read_catalogs(
            "SELECT max(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), r.sent_lsn))::bigint
               FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
              WHERE s.slot_type = 'logical' AND s.database = current_database()",
        )
    })
}
