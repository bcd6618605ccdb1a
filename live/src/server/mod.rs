//! Starts everything, accepts connections, and ends in time.

mod accept;
mod monitor;
mod prices;
mod pushing;
mod sockets;
mod tasks;
mod watchers;

use crate::alerts::{self, Webhook};
use crate::app::database_metrics::DatabaseMetrics;
use crate::app::health::Health;
use crate::app::mark_limit::MarkLimit;
use crate::app::metrics::Metrics;
use crate::app::streams::Streams;
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
use tasks::Tasks;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tracing::info;

/// At the end, clients have this much time to receive their last event, and push services to take what
/// is under way.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1200);
/// What those tasks do that have something to finish at the end.
const NOTIFIES: &str = "notifies browsers";
const FOLLOWS: &str = "follows the slot";

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
    let (schema, nodes) = preflight::check(&options).await?;
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
        log_report: Arc::new(watch::Sender::new(None)),
        nodes: watch::Sender::default(),
        streams: Streams::default(),
        ask_now: Arc::new(Notify::new()),
        shutdown: watch::Sender::new(false),
        database_is: watch::Sender::new(UP),
        replication_is: watch::Sender::new("reconnecting"),
    });
    app.note_nodes(nodes);
    let address = listener.local_addr();
    let address = address.map_or_else(|_| app.options.listen.to_string(), |a| a.to_string());
    let mut tasks = Tasks::default();
    if let Some(reports) = reports {
        // Rows that come before it is known who wants to be notified would notify nobody.
        pushing::learn(&app).await;
        tasks.start(NOTIFIES, pushing::keep(Arc::clone(&app), reports));
    }
    tasks.start("asks the database", monitor::watch(Arc::clone(&app)));
    tasks.start(FOLLOWS, replication::follow(Arc::clone(&app)));
    tasks.start("lists who watches", watchers::keep(Arc::clone(&app)));
    tasks.start("reads prices", prices::watch(Arc::clone(&app)));
    if let Some(webhook) = webhook {
        tasks.start("sends alerts", alerts::watch(Arc::clone(&app), webhook));
    }
    info!("listening on http://{address}");
    let ended = |what| Failure::Other(format!("the task that {what} ended by itself"));
    let connections = tokio::select! {
        accepted = accept(&app, listener, room.connections) => accepted?,
        what = tasks.ended() => return Err(ended(what)),
    };
    info!("ending");
    app.shutdown.send_replace(true);
    let last = async { tokio::join!(connections.shutdown(), tasks.finish(NOTIFIES)) };
    let _ = tokio::time::timeout(GOODBYE_LIMIT, last).await;
    // Time to tell the server what was confirmed.
    let _ = tokio::time::timeout(Duration::from_millis(300), tasks.finish(FOLLOWS)).await;
    info!("{}", slot::farewell(&app.options.source));
    Ok(())
}
