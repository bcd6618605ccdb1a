//! Reads the rules, the watchlist and the memory of episodes; writes signals and the history of
//! runs. Everything here runs inside a transaction, as the owner of the tables, which are named
//! with their schema.

pub mod days;
pub mod exchanges;
mod forecasts;
mod history;
pub mod instruments;
pub mod keys;
mod numbers;
pub mod outcomes;
pub mod path;
mod plan;
pub mod prices;
pub mod protections;
mod recordset;
pub mod retention;
mod rules;
mod sharded;
pub mod uptime;
mod verdicts;

pub use history::{
    Run, Status, Trigger, record_delivery, record_delivery_error, record_leave_alone, record_run,
    record_times,
};
pub use numbers::{go_beyond_deliveries, look_ahead};
pub use plan::{
    Plan, episodes, last_worker_run, pause, paused, plan, reopen_refused, resume, standing,
};
pub use rules::{RULE_COLUMNS, rule};
pub use verdicts::{OfRun, record_verdicts};
