//! Starts everything, accepts connections, and ends in time.

use crate::app::App;
use crate::config::Serve;
use crate::database::Database;
use crate::error::{Failure, say};
use crate::fan_out::FanOut;
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::token::Keys;
use crate::{api, replication, slot};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;

/// A client that takes nothing for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A request must be complete by then.
const HEADER_LIMIT: Duration = Duration::from_secs(15);
/// What hyper keeps for a client, beside its queue.
const BUFFER: usize = 64 * 1024;
/// Clients have so long to take their last event.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1200);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What is missing, in words.
pub async fn serve(options: Box<Serve>) -> Result<(), Failure> {
    let keys = Keys::new(&options.keys, options.audience.clone(), &options.role)?;
    let schema = slot::preflight(&slot::connect(&options.source).await?, &options).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| Failure::Other(format!("cannot listen on {}: {error}", options.listen)))?;
    allow_files();
    let database = Database::new(&options, &schema)
        .map_err(|error| Failure::Other(format!("cannot make a pool: {error}")))?;
    let app = Arc::new(App {
        fan_out: FanOut::new(options.max_clients),
        options: *options,
        schema,
        keys,
        database,
        metrics: Metrics::default(),
        health: watch::Sender::new(Health::unknown()),
        ended: watch::Sender::new(None),
        shutdown: watch::Sender::new(false),
        database_is_up: AtomicBool::new(true),
        replicates: AtomicBool::new(false),
    });
    let address = listener.local_addr();
    let address = address.map_or_else(|_| app.options.listen.to_string(), |a| a.to_string());
    tokio::spawn(health::watch(Arc::clone(&app)));
    tokio::spawn(health::watch_transactions(Arc::clone(&app)));
    let following = tokio::spawn(replication::follow(Arc::clone(&app)));
    say(format!("listening on http://{address}"));
    accept(&app, listener).await?;
    // So that the server learns what was confirmed.
    let _ = tokio::time::timeout(Duration::from_millis(300), following).await;
    say(slot::farewell(&app.options.source));
    Ok(())
}

async fn accept(app: &Arc<App>, listener: TcpListener) -> Result<(), Failure> {
    let failed = |error| Failure::Other(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let routes = TowerToHyperService::new(api::routes(Arc::clone(app)));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        match accepted {
            Ok((socket, _)) => serve_connection(socket, routes.clone(), &connections),
            // Too many files are open, mostly.
            Err(error) => {
                say(format!("cannot accept: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    say("ending");
    app.shutdown.send_replace(true);
    let _ = tokio::time::timeout(GOODBYE_LIMIT, connections.shutdown()).await;
    Ok(())
}

fn serve_connection(
    socket: TcpStream,
    routes: TowerToHyperService<axum::Router>,
    connections: &GracefulShutdown,
) {
    // An event that waits for others is late.
    let _ = socket.set_nodelay(true);
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_LIMIT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Box::pin(socket)), routes);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // Its end is the client's affair, whatever it is.
        let _ = connection.await;
    });
}

/// Each client is an open file; the usual limit of 1024 is meant for other programs.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        say(format!(
            "cannot open more files: {}",
            io::Error::from(error)
        ));
    }
}
