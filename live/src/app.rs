//! What the parts of the service share.

use crate::config::Serve;
use crate::database::{Database, Look};
use crate::fan_out::FanOut;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::token::Keys;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

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
    /// What the database said last of what is followed.
    pub look: watch::Sender<Option<Look>>,
    /// Has it asked at once.
    pub look_now: Notify,
    /// True once the service is to end.
    pub shutdown: watch::Sender<bool>,
    /// In a word for `/healthz`: [`UP`], "away", or "failing" when it answers with errors.
    pub database_is: watch::Sender<&'static str>,
    /// In a word for `/healthz`: [`STREAMING`], or why not.
    pub replication_is: watch::Sender<&'static str>,
}

/// Replication is up, and nothing is missing in it.
pub const STREAMING: &str = "streaming";
/// The database answers.
pub const UP: &str = "up";

impl App {
    /// Whether the replication stream is up.
    pub fn is_replicating(&self) -> bool {
        *self.replication_is.borrow() == STREAMING
    }

    /// Whether nothing is to be mended.
    pub fn is_well(&self) -> bool {
        self.is_replicating() && *self.database_is.borrow() == UP
    }

    /// Waits until the service is to end.
    pub async fn ending(&self) {
        let mut shutdown = self.shutdown.subscribe();
        // The sender lives as long as this.
        let _ = shutdown.wait_for(|ends| *ends).await;
    }
}
