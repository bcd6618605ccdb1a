//! Market signals generated and delivered inside PostgreSQL.
//!
//! Data walks one way: [`settings`] -> [`market`] (the exchange's reply becomes tickers) ->
//! [`strategy`] (tickers become verdicts) -> [`cycle`] (the four stages of a run) -> [`ledger`]
//! (verdicts become rows of `signals`) -> [`delivery`] (a signal becomes rows of `user_signals`).
//! `market` and `strategy` know nothing of PostgreSQL.

mod claims;
mod cycle;
mod delivery;
mod failed_calls;
mod failure;
mod functions;
mod heartbeat;
mod installation;
mod interrupt;
mod launcher;
mod ledger;
mod lock;
mod market;
mod process;
mod realtime;
mod retention;
mod schedule;
mod settings;
mod statements;
mod strategy;
mod transaction;
mod worker;

use pgrx::prelude::*;

pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/1_tables.sql", name = "tables", bootstrap);
extension_sql_file!(
    "../sql/2_functions.sql",
    name = "functions",
    requires = ["tables"]
);
extension_sql_file!(
    "../sql/3_realtime.sql",
    name = "realtime",
    requires = ["functions"]
);
extension_sql_file!(
    "../sql/3_views.sql",
    name = "views",
    requires = ["realtime"]
);
extension_sql_file!("../sql/4_access.sql", name = "access", finalize);

/// Release of this library; the installed SQL objects must be of the same.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Called once per process that loads the library; with the library preloaded, that is the
/// postmaster.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    if process::preloading() && !process::binary_upgrade() {
        heartbeat::reserve_shared_memory();
        failed_calls::reserve_shared_memory();
        launcher::register();
    }
}
