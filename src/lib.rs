//! Market signals generated and delivered inside PostgreSQL.
//!
//! Data walks one way: [`settings`] -> `market` (the reply of the exchange becomes tickers) ->
//! `strategy` (tickers become verdicts) -> [`cycle`] (the four stages of a run) -> [`ledger`]
//! (verdicts become rows of `signals`) -> [`delivery`] (a signal becomes rows of `user_signals`).
//! `market` and `strategy` are crates that know nothing of PostgreSQL. [`api`] is what SQL calls,
//! [`service`] what runs by itself, [`board`] the shared memory between them, and [`postgres`]
//! the room that calls PostgreSQL's C interface; [`replays`] puts history through the same judge.
//! Nothing imports this file.

mod api;
mod board;
mod cycle;
mod delivery;
mod ledger;
mod postgres;
mod replays;
mod service;
mod settings;

use pgrx::prelude::*;

pgrx::pg_module_magic!(name, version);

/// Called once per process that loads the library; with the library preloaded, that is the
/// postmaster.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    if postgres::process::preloading() && !postgres::process::binary_upgrade() {
        postgres::server_starts::remember_first_number();
        board::slots::reserve_shared_memory();
        board::failed_calls::reserve_shared_memory();
        board::stops::reserve_shared_memory();
        service::launcher::register();
    }
}
