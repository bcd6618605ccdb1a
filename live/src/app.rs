//! What the parts of the service share.

use crate::config::Serve;
use crate::database::{Database, Ended};
use crate::fan_out::FanOut;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::token::Keys;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Everything a request or a task may need.
pub struct App {
    /// What the service was started with.
    pub options: Serve,
    /// The extension's.
    pub schema: String,
    /// What tokens are checked with.
    pub keys: Keys,
    /// Reads and writes.
    pub database: Database,
    /// The clients.
    pub fan_out: Arc<FanOut>,
    /// What is counted beside the clients.
    pub metrics: Metrics,
    /// The last report of the generator, with the time of the database.
    pub health: watch::Sender<Arc<Health>>,
    /// The newest resume point whose place in the log is still to be reached.
    pub ended: watch::Sender<Option<Ended>>,
    /// True once the service is to end.
    pub shutdown: watch::Sender<bool>,
    /// Whether the database answered last.
    pub database_is_up: AtomicBool,
    /// Whether the replication stream is up.
    pub replicates: AtomicBool,
}

impl App {
    /// Whether the replication stream is up.
    pub fn is_replicating(&self) -> bool {
        self.replicates.load(Ordering::Relaxed)
    }

    /// Waits until the service is to end.
    pub async fn ending(&self) {
        let mut shutdown = self.shutdown.subscribe();
        // The sender lives as long as this.
        let _ = shutdown.wait_for(|ends| *ends).await;
    }
}
