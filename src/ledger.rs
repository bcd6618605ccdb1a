//! Reads the rules, the watchlist and the memory of episodes; writes signals and the history of
//! runs. Everything here runs inside a transaction, as the owner of the tables, which are named
//! with their schema.

mod history;
mod plan;
mod verdicts;

use crate::failure::Failure;
use pgrx::spi::SpiHeapTupleData;

pub use history::{
    Run, Status, Trigger, record_delivery, record_delivery_error, record_run, record_times,
};
pub use plan::{
    Plan, Standing, episodes, last_worker_run, paused, plan, restore_is_running, standing,
};
pub use verdicts::record_verdicts;

/// A column that cannot be null.
pub fn text(row: &SpiHeapTupleData, ordinal: usize) -> Result<String, Failure> {
    row.get(ordinal)?
        .ok_or_else(|| Failure::internal(format!("column {ordinal} of an internal query is null")))
}
