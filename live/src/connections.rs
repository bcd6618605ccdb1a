//! Connections to the database: a pool for clients, and one connection of the service's own, so
//! that what it asks never waits behind what they ask.

use crate::refusal::Refusal;
use deadpool_postgres::{
    BuildError, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
    Timeouts,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::{Config, NoTls};

/// Connections for reads and writes of clients.
const CONNECTIONS: usize = 8;
/// Longest wait for one of them, and longest statement.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for a lock: whoever waits keeps a connection from others.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How times are written, wherever texts of the database are passed on.
pub const TEXT_OPTIONS: &str = "-c TimeZone=UTC -c DateStyle=ISO";

/// All connections but the one that is replicated over.
pub struct Connections {
    clients: Pool,
    own: Pool,
    good: Good,
}

/// When the last of the connections that are not to be used any more was made.
#[derive(Clone)]
struct Good(Arc<Mutex<Instant>>);

impl Good {
    fn since(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Connects when there is something to ask.
    pub fn new(database: &Config) -> Result<Self, BuildError> {
        let good = Good(Arc::new(Mutex::new(Instant::now())));
        Ok(Self {
            clients: pool(database, CONNECTIONS, &good)?,
            own: pool(database, 1, &good)?,
            good,
        })
    }

    /// One for what a client asks.
    pub async fn for_client(&self) -> Result<Object, Refusal> {
        self.clients.get().await.map_err(Refusal::from)
    }

    /// The one for what the service asks.
    pub async fn own(&self) -> Result<Object, Refusal> {
        self.own.get().await.map_err(Refusal::from)
    }

    /// Connections there are may be to a server that is gone: none of them is used again, neither
    /// those that wait nor those in use.
    pub fn forget(&self) {
        *self.good.since() = Instant::now();
    }

    /// Waits for what is asked over one of them, but not for ever: a server that vanished answers
    /// nothing, not even an error.
    pub async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Refusal> {
        match tokio::time::timeout(2 * PATIENCE, work).await {
            Ok(done) => done.map_err(|error| Refusal::from(&error)),
            Err(_) => {
                self.forget();
                Err(Refusal::Away("the database does not answer".to_owned()))
            }
        }
    }
}

fn pool(database: &Config, size: usize, good: &Good) -> Result<Pool, BuildError> {
    let mut config = session_config(database);
    config.application_name("signal_hub_live");
    let manager = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let good = good.clone();
    Pool::builder(Manager::from_config(config, NoTls, manager))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(PATIENCE),
            create: Some(PATIENCE),
            recycle: Some(PATIENCE),
        })
        .pre_recycle(Hook::sync_fn(move |_, known| {
            match known.created > *good.since() {
                true => Ok(()),
                false => Err(HookError::message("forgotten")),
            }
        }))
        .build()
}

/// The same server, with what this service relies on: how texts are written, and that no
/// statement takes for ever.
pub fn session_config(database: &Config) -> Config {
    let mut config = database.clone();
    let own = format!(
        "{TEXT_OPTIONS} -c statement_timeout={} -c lock_timeout={}",
        PATIENCE.as_millis(),
        LOCK_PATIENCE.as_millis()
    );
    let options = match database.get_options() {
        Some(given) => format!("{given} {own}"),
        None => own,
    };
    config.options(options).connect_timeout(PATIENCE);
    config
}
