//! Processes that share a long fan-out with the worker, `signal_hub.delivery_workers`
//! in all. Each goes on while there is something undelivered, then ends.

use super::{Role, deliver_all};
use crate::heartbeat;
use crate::process;
use crate::settings;
use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// A fan-out that is over within this time is not worth a process.
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

    /// Calls them when the fan-out has turned out to be a long one. Without a
    /// free process the fan-out goes on with those there are.
    pub fn call_when_worth_it(&mut self) {
        if self.call_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.call_at = None;
        for _ in 1..settings::delivery_workers() {
            let started = BackgroundWorkerBuilder::new("signal_hub delivery worker")
                .set_library("signal_hub")
                .set_function("signal_hub_delivery_main")
                .enable_spi_access()
                .set_restart_time(None)
                .set_argument(pg_sys::Oid::from(heartbeat::this_database()).into_datum())
                .load_dynamic();
            if started.is_err() {
                debug1!("signal_hub: no background worker slot is free for a delivery worker");
                return;
            }
        }
    }
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
