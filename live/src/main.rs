//! The live service of signal_hub: follows `user_signals` by logical replication and streams each
//! row to the browser of its subscriber. It generates nothing.
//!
//! ```text
//! slot -> replication -> pgoutput -> fan_out -> one bounded queue per client -> stream -> browser
//!                                        database (row-level security) -> catch-up ---^
//! ```
//!
//! `config` reads options, `token` says who a client is, `database` reads and writes as them,
//! over `connections`, in `turns`, or says why not by a `refusal`; `slot` creates and drops what is
//! followed, `preflight` and `publication` say whether it can be, `replication` follows it until it
//! is `broken`, `pgoutput` and `row` are what comes out of it and what is sent of that, `fan_out`
//! holds the queues, `stream` is one client's stream of events, `watch` asks for the generator's
//! `health` and how far the log is, `api`, `page` and `metrics` are the other requests, `server` and
//! `sockets` the connections of clients, `app` what all of these share; `quoting` is how names stand
//! in SQL.

mod api;
mod app;
mod broken;
mod config;
mod connections;
mod crypto;
mod database;
mod error;
mod event;
mod fan_out;
mod health;
mod metrics;
mod page;
mod pgoutput;
mod preflight;
mod publication;
mod quoting;
mod refusal;
mod replication;
mod row;
mod server;
mod slot;
mod sockets;
mod stream;
mod token;
mod turns;
mod watch;
mod watermark;

use config::Command;
use error::{Failure, say};
use std::process::ExitCode;

fn main() -> ExitCode {
    crypto::install();
    match config::from_environment().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            say(format!("{message}\n\n{}", config::HELP));
            ExitCode::from(2)
        }
        Err(failure) => {
            say(failure);
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
        Command::Serve(options) => on_threads(server::serve(options)),
        Command::CreateSlot(source) => on_threads(slot::create_by_command(&source)),
        Command::DropSlot(source) => on_threads(slot::drop_by_command(&source)),
    }
}

fn on_threads(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
    let done = runtime.block_on(work);
    // A name that is being looked up keeps its thread for as long as the name server is silent.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    #[test]
    fn the_end_does_not_wait_for_what_blocks_a_thread() {
        let (release, released) = mpsc::channel::<()>();
        let began = Instant::now();
        let done = on_threads(async {
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
