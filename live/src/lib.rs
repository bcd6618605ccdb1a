//! The live service of signal_hub: follows `user_signals` by logical replication and streams each
//! row to the browser of its subscriber. It generates nothing and stores nothing.
//!
//! ```text
//! slot -> replication -> fan_out -> one bounded queue per client -> stream -> browser
//!                  |     database (row-level security) -> catch-up ---^
//!                  '--> push -> push services -> browsers without a page in view
//! ```
//!
//! One room per subject; each uses only rooms above it in this list, which a test checks:
//!
//! - `error`: why a command fails
//! - `options`: the command line and the environment
//! - `log`: how messages reach the operator
//! - `https`: requests to servers of others
//! - `auth`: who a client is, by its token
//! - `signal`: a row of `user_signals`, the events made of it, and resume points
//! - `database`: every statement of the service, and the connections they run on
//! - `preflight`: what must be in place before serving, and the replication slot
//! - `fan_out`: one bounded queue per client
//! - `push`: notifications to browsers in which no page is in view
//! - `app`: what all parts of a running service share
//! - `alerts`: tells the operator by a webhook what is wrong
//! - `replication`: follows the slot and feeds `fan_out`
//! - `stream`: what one client is sent
//! - `http`: the requests of clients and operators
//! - `server`: starts everything, accepts connections, and ends in time
#![forbid(unsafe_code)]

mod alerts;
mod app;
mod auth;
mod database;
mod error;
mod fan_out;
mod http;
mod https;
mod log;
mod options;
mod preflight;
mod push;
mod replication;
#[cfg(test)]
mod rooms;
mod server;
mod signal;
mod stream;

pub use database::Statement;

use error::Failure;
use options::Command;
use std::process::ExitCode;

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    let options = options::from_environment();
    log::start(&options.log);
    auth::crypto::install();
    match execute(options.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Token(order) => {
            println!("{}", auth::issue(&order)?);
            Ok(())
        }
        Command::VapidKey => {
            println!("{}", push::generate_key()?);
            Ok(())
        }
        Command::Serve(options) => block_on(server::serve(options)),
        Command::CreateSlot(source) => block_on(preflight::slot::create_by_command(&source)),
        Command::TestAlert(options) => block_on(alerts::test(&options)),
        Command::DropSlot(source) => block_on(preflight::slot::drop_by_command(&source)),
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let done = runtime.block_on(work);
    // A name lookup blocks its thread until the name server answers; do not wait for it.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    #[test]
    fn a_blocked_thread_does_not_delay_the_end() {
        let (release, released) = mpsc::channel::<()>();
        let began = Instant::now();
        let done = block_on(async {
            let (running, runs) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let _ = running.send(());
                let _ = released.recv_timeout(Duration::from_secs(30));
            });
            runs.await.expect("it runs");
            Ok(())
        });
        assert!(done.is_ok());
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(release);
    }
}
