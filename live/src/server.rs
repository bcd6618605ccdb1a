//! Starts everything, accepts connections, and ends in time.

use crate::app::{App, UP};
use crate::config::Serve;
use crate::connections::PATIENCE;
use crate::database::Database;
use crate::error::{Failure, say};
use crate::fan_out::FanOut;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::sockets::{room_for, serve_connection};
use crate::token::Keys;
use crate::{api, preflight, replication, slot, watch as watching};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// Clients have so long to take their last event.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1200);
/// What goes wrong all the time is said so often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What is missing, in words.
pub async fn serve(mut options: Box<Serve>) -> Result<(), Failure> {
    let keys = Keys::new(&options.keys, options.audience.clone(), &options.role)?;
    options.max_clients = room_for(options.max_clients)?;
    let schema = ready(&options).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| Failure::Other(format!("cannot listen on {}: {error}", options.listen)))?;
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
        look: watch::Sender::new(None),
        look_now: Notify::new(),
        shutdown: watch::Sender::new(false),
        database_is: watch::Sender::new(UP),
        replication_is: watch::Sender::new("reconnecting"),
    });
    let address = listener.local_addr();
    let address = address.map_or_else(|_| app.options.listen.to_string(), |a| a.to_string());
    let mut asking = tokio::spawn(watching::watch(Arc::clone(&app)));
    let mut following = tokio::spawn(replication::follow(Arc::clone(&app)));
    say(format!("listening on http://{address}"));
    let ended = |what| Failure::Other(format!("{what} ended by itself"));
    let connections = tokio::select! {
        accepted = accept(&app, listener) => accepted?,
        _ = &mut asking => return Err(ended("what asks the database")),
        _ = &mut following => return Err(ended("what follows the slot")),
    };
    say("ending");
    app.shutdown.send_replace(true);
    let _ = tokio::time::timeout(GOODBYE_LIMIT, connections.shutdown()).await;
    // So that the server learns what was confirmed.
    let _ = tokio::time::timeout(Duration::from_millis(300), following).await;
    say(slot::farewell(&app.options.source));
    Ok(())
}

/// Looks whether all is there that serving takes, and returns the extension's schema.
async fn ready(options: &Serve) -> Result<String, Failure> {
    let client = slot::connect(&options.source).await?;
    let asked = tokio::time::timeout(2 * PATIENCE, preflight::preflight(&client, options)).await;
    let schema = asked.map_err(|_| Failure::Other("the database does not answer".to_owned()))??;
    slot::must_be_free(&client, options).await?;
    Ok(schema)
}

/// Accepts clients until the service is to end.
async fn accept(app: &Arc<App>, listener: TcpListener) -> Result<GracefulShutdown, Failure> {
    let failed = |error| Failure::Other(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let routes = TowerToHyperService::new(api::routes(Arc::clone(app)));
    let connections = GracefulShutdown::new();
    let mut said: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => return Ok(connections),
            _ = interrupt.recv() => return Ok(connections),
        };
        match accepted {
            Ok((socket, _)) => serve_connection(socket, routes.clone(), &connections),
            // Too many files are open, mostly.
            Err(error) => {
                if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                    said = Some(Instant::now());
                    say(format!("cannot accept: {error}"));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
