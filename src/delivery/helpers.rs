//! Processes that share a long fan-out with the worker, `signal_hub.delivery_workers` in all.
//! Each goes on while there is something undelivered, then ends.

use super::{Role, deliver_all};
use crate::board::slots;
use crate::postgres::statements::read_catalogs;
use crate::postgres::{Failure, Scope, process};
use crate::settings;
use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// A fan-out that takes less than this is not worth a process.
const WORTH_HELP: Duration = Duration::from_millis(50);

/// The helpers of one fan-out.
pub struct Helpers {
    /// When to call them; `None` when they were called, or are not wanted.
    call_at: Option<Instant>,
}

impl Helpers {
    /// Helpers for a fan-out that begins now.
    pub fn of(role: Role) -> Self {
        let wanted = role == Role::Worker && settings::delivery_workers() > 1;
        Self {
            call_at: wanted.then(|| Instant::now() + WORTH_HELP),
        }
    }

    /// Calls them when the fan-out has turned out to be a long one. Without a free process the
    /// fan-out goes on with those there are.
    pub fn call_when_worth_it(&mut self) -> Result<(), Failure> {
        if self.call_at.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        self.call_at = None;
        // Helpers that an earlier fan-out called may still be at work.
        let wanted = i64::from(settings::delivery_workers()) - 1 - count_helpers()?;
        for _ in 0..wanted {
            let started = BackgroundWorkerBuilder::new("signal_hub delivery worker")
                .set_library("signal_hub")
                .set_function("signal_hub_delivery_main")
                .enable_spi_access()
                .set_restart_time(None)
                .set_argument(pg_sys::Oid::from(slots::this_database()).into_datum())
                .load_dynamic();
            if started.is_err() {
                debug1!("signal_hub: no background worker slot is free for a delivery worker");
                break;
            }
        }
        Ok(())
    }
}

/// How many helpers this database has.
fn count_helpers() -> Result<i64, Failure> {
    let count = Scope::Worker.atomically(c"signal_hub: delivering", || {
        read_catalogs(
            "SELECT count(*) FROM pg_stat_activity
              WHERE backend_type = 'signal_hub delivery worker'
                AND datname = current_database()",
        )
    })?;
    Ok(count.unwrap_or(0))
}

/// Entry point of a helper; the argument is the database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn signal_hub_delivery_main(database: pg_sys::Datum) {
    process::take_up_signals();
    process::connect_to_database(database.value() as u32);
    // What goes wrong is on record with the run; the worker goes on.
    deliver_all(Role::Helper);
}
