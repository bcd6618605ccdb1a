//! Starts everything, accepts connections, and ends in time.

mod accept;
mod monitor;
mod prices;
mod pushing;
mod sockets;
mod watchers;

use crate::alerts::{self, Webhook};
use crate::app::database_metrics::DatabaseMetrics;
use crate::app::health::Health;
use crate::app::mark_limit::MarkLimit;
use crate::app::metrics::Metrics;
use crate::app::track_record::TrackRecord;
use crate::app::unread::Unread;
use crate::app::{App, UP};
use crate::auth::Keys;
use crate::database::Database;
use crate::error::Failure;
use crate::fan_out::FanOut;
use crate::options::Serve;
use crate::preflight::{self, slot};
use crate::push::Push;
use crate::replication;
use accept::accept;
use sockets::room_for;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tracing::info;

/// At the end, clients have this much time to receive their last event, and push services to take what
/// is under way.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1200);

/// Serves until SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// What is missing, in words.
pub async fn serve(options: Box<Serve>) -> Result<(), Failure> {
    let keys = Keys::read(&options.keys, &options.claims)?;
    let room = room_for(
        options.max_clients as usize,
        Push::most_files(&options.push),
    )?;
    let schema = preflight::check(&options).await?;
    let (push, reports) = Push::start(&options.push)?.unzip();
    let webhook = Webhook::new(&options.alerts)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| Failure::Other(format!("cannot listen on {}: {error}", options.listen)))?;
    let database = Database::new(&options, &schema)?;
    let app = Arc::new(App {
        fan_out: FanOut::new(room.streams),
        options: *options,
        schema,
        keys,
        database,
        push,
        mark_limit: MarkLimit::default(),
        unread: Unread::default(),
        track_record: TrackRecord::default(),
        metrics: Metrics::default(),
        database_metrics: DatabaseMetrics::default(),
        health: watch::Sender::new(Health::unknown()),
        prices: watch::Sender::default(),
        log_report: watch::Sender::new(None),
        ask_now: Notify::new(),
        shutdown: watch::Sender::new(false),
        database_is: watch::Sender::new(UP),
        replication_is: watch::Sender::new("reconnecting"),
    });
    let address = listener.local_addr();
    let address = address.map_or_else(|_| app.options.listen.to_string(), |a| a.to_string());
    let pushing = match reports {
        Some(reports) => {
            // Rows that come before it is known who wants to be notified would notify nobody.
            pushing::learn(&app).await;
            Some(tokio::spawn(pushing::keep(Arc::clone(&app), reports)))
        }
        None => None,
    };
    let mut monitoring = tokio::spawn(monitor::watch(Arc::clone(&app)));
    let mut following = tokio::spawn(replication::follow(Arc::clone(&app)));
    tokio::spawn(watchers::keep(Arc::clone(&app)));
    tokio::spawn(prices::watch(Arc::clone(&app)));
    if let Some(webhook) = webhook {
        tokio::spawn(alerts::watch(Arc::clone(&app), webhook));
    }
    info!("listening on http://{address}");
    let ended = |what| Failure::Other(format!("{what} ended by itself"));
    let connections = tokio::select! {
        accepted = accept(&app, listener, room.connections) => accepted?,
        _ = &mut monitoring => return Err(ended("the task that asks the database")),
        _ = &mut following => return Err(ended("the task that follows the slot")),
    };
    info!("ending");
    app.shutdown.send_replace(true);
    let notified = async {
        if let Some(pushing) = pushing {
            let _ = pushing.await;
        }
    };
    let last = async { tokio::join!(connections.shutdown(), notified) };
    let _ = tokio::time::timeout(GOODBYE_LIMIT, last).await;
    // Time to tell the server what was confirmed.
    let _ = tokio::time::timeout(Duration::from_millis(300), following).await;
    info!("{}", slot::farewell(&app.options.source));
    Ok(())
}
