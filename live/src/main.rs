//! The live service of signal_hub: follows `user_signals` by logical replication and streams each
//! row to the browser of its subscriber. It generates nothing.
//!
//! ```text
//! slot -> replication -> pgoutput -> fan_out -> one bounded queue per client -> stream -> browser
//!                                        database (row-level security) -> catch-up ---^
//! ```
//!
//! `config` reads options, `token` says who a client is, `database` reads and writes as them,
//! `slot` creates, checks and drops what is followed, `replication` follows it, `pgoutput` and
//! `row` are what comes out of it and what is sent of that, `fan_out` holds the queues, `stream`
//! is one client's stream of events, `health` what the generator says of itself, `api`, `page` and
//! `metrics` the other requests, `server` the connections, `app` what all of these share.

mod api;
mod app;
mod config;
mod crypto;
mod database;
mod error;
mod event;
mod fan_out;
mod health;
mod metrics;
mod page;
mod pgoutput;
mod replication;
mod row;
mod server;
mod slot;
mod stream;
mod token;
mod watermark;

use config::Command;
use error::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    crypto::install();
    match config::from_environment().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("signal_hub_live: {message}\n\n{}", config::HELP);
            ExitCode::from(2)
        }
        Err(failure) => {
            eprintln!("signal_hub_live: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help => {
            print!("{}", config::HELP);
            Ok(())
        }
        Command::Token(order) => {
            println!("{}", token::issue(&order)?);
            Ok(())
        }
        Command::Serve(options) => on_threads()?.block_on(server::serve(options)),
        Command::CreateSlot(source) => on_threads()?.block_on(slot::create_by_command(&source)),
        Command::DropSlot(source) => on_threads()?.block_on(slot::drop_by_command(&source)),
    }
}

fn on_threads() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))
}
