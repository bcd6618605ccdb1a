//! What the parts of a running service share.

pub mod database_metrics;
pub mod health;
pub mod histogram;
pub mod mark_limit;
pub mod metrics;
pub mod streams;
pub mod track_record;
pub mod unread;

use crate::auth::Keys;
use crate::database::{Database, LogReport, Node, Prices, Refusal};
use crate::fan_out::FanOut;
use crate::options::Serve;
use crate::push::Push;
use database_metrics::DatabaseMetrics;
use health::Health;
use mark_limit::MarkLimit;
use metrics::Metrics;
use std::sync::Arc;
use streams::Streams;
use tokio::sync::{Notify, watch};
use track_record::TrackRecord;
use unread::Unread;

/// Everything a request or a task may need.
pub struct App {
    /// What the service was started with.
    pub options: Serve,
    /// The schema of the extension.
    pub schema: String,
    /// What tokens are checked with.
    pub keys: Keys,
    /// Reads and writes.
    pub database: Database,
    /// The clients.
    pub fan_out: Arc<FanOut>,
    /// Notifications by push services, if the operator gave a key.
    pub push: Option<Arc<Push>>,
    /// How fast subscribers may mark.
    pub mark_limit: MarkLimit,
    /// Clients that are refused what they missed.
    pub unread: Unread,
    /// What all signals came to.
    pub track_record: TrackRecord,
    /// Numbers for operators.
    pub metrics: Metrics,
    /// Those that the database has.
    pub database_metrics: DatabaseMetrics,
    /// The last report of the generator, with the time of the database.
    pub health: watch::Sender<Arc<Health>>,
    /// The latest prices; none while nobody is connected.
    pub prices: watch::Sender<Arc<Prices>>,
    /// The last report on the log, the slot and the publication.
    pub log_report: Arc<watch::Sender<Option<LogReport>>>,
    /// The nodes that have rows of subscribers; none where all are on one server.
    pub nodes: watch::Sender<Vec<Node>>,
    /// How each replication stream is.
    pub streams: Streams,
    /// Makes the monitor ask the database at once, instead of at its next time.
    pub ask_now: Arc<Notify>,
    /// True once the service is ending.
    pub shutdown: watch::Sender<bool>,
    /// In a word for `/healthz`: [`UP`], [`AWAY`], or "failing" when it answers with errors.
    pub database_is: watch::Sender<&'static str>,
    /// In a word for `/healthz`: [`STREAMING`], or why not.
    pub replication_is: watch::Sender<&'static str>,
}

/// Replication is up, and nothing is missing in it.
pub const STREAMING: &str = "streaming";
/// The database answers.
pub const UP: &str = "up";
/// The database cannot be reached.
pub const AWAY: &str = "away";

impl App {
    /// Whether replication is up, and nothing is missing in it.
    pub fn is_replicating(&self) -> bool {
        *self.replication_is.borrow() == STREAMING
    }

    /// Whether there is nothing to repair.
    pub fn is_well(&self) -> bool {
        self.is_replicating() && *self.database_is.borrow() == UP
    }

    /// Notes how the replication stream of a server is; `None` when it is not followed any more.
    /// Returns how it was.
    pub fn note_stream(&self, server: i32, word: Option<&'static str>) -> Option<&'static str> {
        let (before, all) = self.streams.note(server, word);
        self.replication_is.send_replace(all);
        before
    }

    /// Notes which nodes have rows of subscribers.
    pub fn note_nodes(&self, nodes: Vec<Node>) {
        self.database.set_has_nodes(!nodes.is_empty());
        self.nodes.send_if_modified(|known| {
            let changed = *known != nodes;
            *known = nodes;
            changed
        });
    }

    /// Notes that the database did not do what a client asked. Whether it is away is found out at
    /// once: while that is known, clients do not ask.
    pub fn note_failure(&self, why: &Refusal) {
        if matches!(why, Refusal::Away(_)) && *self.database_is.borrow() == UP {
            self.ask_now.notify_one();
        }
    }

    /// Waits until the service is ending.
    pub async fn ending(&self) {
        let mut shutdown = self.shutdown.subscribe();
        // It fails only without a sender, which lives as long as this.
        let _ = shutdown.wait_for(|ends| *ends).await;
    }
}
