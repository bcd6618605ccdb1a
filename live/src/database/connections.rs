//! Connections to the database: a pool for clients, one connection of the service's own, so that what
//! the service asks never waits for clients, some for what is the same for all and may take longer,
//! and some for operators, whose orders wait for nobody else.
//!
//! The two have logins of their own if the operator gave them: what runs as a subscriber, row-level
//! security policies and triggers included, can leave the role of subscribers again and act with
//! the rights of the login.

use crate::database::hosts::patience_with_each;
use crate::database::lent::Lent;
use crate::database::refusal::Refusal;
use crate::database::tls;
use crate::error::Failure;
use crate::options::{DatabaseAddress, Source};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connections for reads and writes of clients.
const CONNECTIONS: usize = 8;
/// Connections for the track record, the ways of prices and the numbers for monitoring.
const FOR_REPORTS: usize = 3;
/// Connections for operators.
const FOR_OPERATORS: usize = 3;
/// Longest wait for a connection, and longest statement.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for a lock. It is short because a statement that waits keeps its connection.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// Settings of every session: the form of times, that no object of another schema can take the place
/// of one of pg_catalog, that row-level security applies instead of failing, and that transactions
/// may write and sessions may wait. Options of the session come before those of the role and the
/// database, which others may have set for other reasons.
pub const SESSION_OPTIONS: &str = "-c TimeZone=UTC -c DateStyle=ISO \
     -c search_path=pg_catalog,pg_temp -c row_security=on \
     -c default_transaction_read_only=off -c default_transaction_deferrable=off \
     -c default_transaction_isolation=read\\ committed \
     -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=10s";
/// How the server shows the search path.
pub const SEARCH_PATH: &str = "pg_catalog,pg_temp";

/// All connections except the one for replication.
pub struct Connections {
    clients: Pool,
    own: Pool,
    record: Pool,
    operators: Pool,
    /// How the connections of the first are made, and those of the others.
    connectors: [MakeRustlsConnect; 2],
    valid: Valid,
    /// The last client that needed a new connection did not get it. The login of subscribers may
    /// be refused while that of the service is not.
    is_refusing_clients: AtomicBool,
}

/// Connections made before this time are not used again.
#[derive(Clone)]
pub struct Valid(Arc<Mutex<Instant>>);

impl Default for Valid {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Valid {
    fn since(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Connects when there is something to ask.
    pub fn new(source: &Source) -> Result<Self, Failure> {
        let valid = Valid::default();
        Ok(Self {
            clients: pool(source.for_subscribers(), CONNECTIONS, &valid)?,
            own: pool(&source.database, 1, &valid)?,
            record: pool(&source.database, FOR_REPORTS, &valid)?,
            operators: pool(&source.database, FOR_OPERATORS, &valid)?,
            connectors: [
                connector(source.for_subscribers())?,
                connector(&source.database)?,
            ],
            valid,
            is_refusing_clients: AtomicBool::new(false),
        })
    }

    /// A connection for what a client asks.
    pub async fn for_client(&self) -> Result<Lent, Refusal> {
        let connection = self.of_clients().await?;
        Ok(Lent::new(connection, self.connectors[0].clone()))
    }

    async fn of_clients(&self) -> Result<Object, Refusal> {
        let connection = self.clients.get().await.map_err(Refusal::from);
        match &connection {
            Ok(_) => self.is_refusing_clients.store(false, Ordering::Relaxed),
            Err(Refusal::Away(_)) => self.is_refusing_clients.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        connection
    }

    /// Whether clients get connections. Asks only after one did not, to notice when they do again.
    pub async fn check_for_clients(&self) -> Result<(), Refusal> {
        if !self.is_refusing_clients() {
            return Ok(());
        }
        match self.of_clients().await {
            Ok(_) | Err(Refusal::Busy) => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// Whether the last client that needed a new connection did not get it.
    pub fn is_refusing_clients(&self) -> bool {
        self.is_refusing_clients.load(Ordering::Relaxed)
    }

    /// The connection for what the service asks.
    pub async fn own(&self) -> Result<Object, Refusal> {
        self.own.get().await.map_err(Refusal::from)
    }

    /// A connection for the track record, the way of a price or the numbers for monitoring.
    pub async fn record(&self) -> Result<Lent, Refusal> {
        let connection = self.record.get().await.map_err(Refusal::from)?;
        Ok(Lent::new(connection, self.connectors[1].clone()))
    }

    /// A connection for what an operator asks.
    pub async fn for_operator(&self) -> Result<Object, Refusal> {
        self.operators.get().await.map_err(Refusal::from)
    }

    /// Uses none of the present connections again, neither idle ones nor those in use: they may
    /// be to a server that is gone.
    pub fn forget(&self) {
        *self.valid.since() = Instant::now();
    }

    /// Waits for an answer over one of the connections, with a limit: a server that vanished
    /// answers nothing, not even an error.
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

fn connector(database: &DatabaseAddress) -> Result<MakeRustlsConnect, Failure> {
    let config = tls::client_config(&database.encryption)?;
    Ok(MakeRustlsConnect::new(config))
}

/// Waits for an answer, with a limit.
pub async fn in_time<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(2 * PATIENCE, work).await {
        Ok(done) => done.map_err(|error| Refusal::from(&error)),
        Err(_) => Err(Refusal::Away("the node does not answer".to_owned())),
    }
}

/// Connections to one server, at most so many.
///
/// # Errors
/// When TLS cannot be set up.
pub fn pool(database: &DatabaseAddress, size: usize, valid: &Valid) -> Result<Pool, Failure> {
    let mut config = session_config(&database.config);
    config.application_name("signal_hub_live");
    let manager = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let valid = valid.clone();
    Pool::builder(Manager::from_config(config, connector(database)?, manager))
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(PATIENCE),
            create: Some(PATIENCE),
            recycle: Some(PATIENCE),
        })
        .pre_recycle(Hook::sync_fn(move |_, known| {
            match known.created > *valid.since() {
                true => Ok(()),
                false => Err(HookError::message("forgotten")),
            }
        }))
        .build()
        .map_err(|error| Failure::Other(format!("cannot make a pool: {error}")))
}

/// The same server, with the session settings that this service relies on, among them a limit on
/// the time of every statement.
pub fn session_config(database: &Config) -> Config {
    let mut config = database.clone();
    let own = format!(
        "{SESSION_OPTIONS} -c statement_timeout={} -c lock_timeout={}",
        PATIENCE.as_millis(),
        LOCK_PATIENCE.as_millis()
    );
    // The last of several values counts.
    let options = match database.get_options() {
        Some(given) => format!("{given} {own}"),
        None => own,
    };
    config
        .options(options)
        .connect_timeout(patience_with_each(database));
    config
}
