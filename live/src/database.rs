//! What is read and written in the database: as a subscriber, in transactions where row-level
//! security sees their claims, and as the service itself.

use crate::config::Serve;
use crate::error::database_error;
use crate::row::{NAMES, Row};
use crate::token::Subscriber;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

/// Connections for reads and writes of clients.
const CONNECTIONS: usize = 8;
/// Longest wait for one of them, and longest statement.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the database did not do it.
#[derive(Debug)]
pub enum Refusal {
    /// What the client sent is wrong, in the database's words.
    Invalid(String),
    /// There is no such row for this subscriber.
    Missing,
    /// The role of subscribers lacks rights: the operator's to mend.
    Denied(String),
    /// The database cannot be reached, or failed.
    Away(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(words) | Self::Denied(words) | Self::Away(words) => f.write_str(words),
            Self::Missing => f.write_str("there is no such row"),
        }
    }
}

/// Connections, and what is asked over them.
pub struct Database {
    pool: Pool,
    role: String,
    statements: Statements,
}

struct Statements {
    signals_since: String,
    mark: String,
    look: String,
    health: String,
    lag: String,
    ended: String,
}

/// A page of `signals_since()`.
pub struct Page {
    /// Where to go on.
    pub watermark: String,
    /// Whether another page waits there.
    pub more: bool,
    rows: Vec<tokio_postgres::Row>,
}

/// What `signal_health` says.
pub struct Report {
    /// A JSON object.
    pub json: String,
    /// The database's clock, in seconds since 1970.
    pub clock: f64,
}

/// Which transactions had ended when the log ended at `position`.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Before the database was asked.
    pub asked: Instant,
    /// All below this number.
    pub number: u64,
    /// No transaction had this number yet, nor one above.
    pub next: u64,
    /// A place in the log, in bytes.
    pub position: u64,
}

impl Page {
    /// The rows as texts, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().filter_map(|row| {
            let mut texts = Row::default();
            for (place, text) in texts.0.iter_mut().enumerate() {
                *text = row.get(FIXED + place);
            }
            // A page without rows still has its watermark.
            texts.0[0].is_some().then_some(texts)
        })
    }
}

/// Columns of the query in front of those of the row.
const FIXED: usize = 2;

impl Statements {
    fn new(schema: &str) -> Self {
        let columns = NAMES.map(|name| format!("s.{name}::text")).join(", ");
        let marks =
            "signal_id::text, viewed::text, viewed_at::text, clicked::text, clicked_at::text";
        Self {
            signals_since: format!(
                "SELECT p.watermark, p.more, {columns} FROM {schema}.signals_since($1, $2) p
                   LEFT JOIN LATERAL unnest(p.signals) s ON true"
            ),
            // Without a change there is nothing to write, and nothing for others to receive.
            mark: format!(
                "UPDATE {schema}.user_signals SET viewed = coalesce($2, viewed), clicked = coalesce($3, clicked)
                  WHERE signal_id = $1 AND (viewed <> $2 OR clicked <> $3) RETURNING {marks}"
            ),
            look: format!("SELECT {marks} FROM {schema}.user_signals WHERE signal_id = $1"),
            health: format!(
                "SELECT jsonb_build_object('state', state, 'healthy', healthy, 'message', message,
                            'last_run', last_run, 'next_run', next_run,
                            'last_signal_at', (SELECT r.finished_at FROM {schema}.signal_runs r
                                                WHERE r.signals_generated > 0 ORDER BY r.run_id DESC LIMIT 1))::text,
                        extract(epoch FROM clock_timestamp())::float8
                   FROM {schema}.signal_health"
            ),
            lag: "SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                         confirmed_flush_lsn)::bigint
                    FROM pg_replication_slots WHERE slot_name = $1"
                .to_owned(),
            // The function flushes the log before its end is looked at; the snapshot is older.
            ended: format!(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                        pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                        (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint
                   FROM {schema}.signal_hub_transactions()"
            ),
        }
    }
}

impl Database {
    /// `schema` is the extension's. Connects when there is something to ask.
    pub fn new(options: &Serve, schema: &str) -> Result<Self, deadpool_postgres::BuildError> {
        let mut config = session_config(&options.source.database);
        config.application_name("signal_hub_live");
        let manager = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(PATIENCE),
                create: Some(PATIENCE),
                recycle: Some(PATIENCE),
            })
            .build()?;
        Ok(Self {
            pool,
            role: options.role.clone(),
            statements: Statements::new(&quoted(schema)),
        })
    }

    /// A page of the subscriber's rows, see `signals_since()`.
    pub async fn signals_since(
        &self,
        subscriber: &Subscriber,
        watermark: Option<&str>,
        limit: i32,
    ) -> Result<Page, Refusal> {
        let mut connection = self.connection().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let statement = transaction
                .prepare_cached(&self.statements.signals_since)
                .await?;
            let rows = transaction.query(&statement, &[&watermark, &limit]).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        let rows = in_time(work).await?;
        let first = rows.first().ok_or(Refusal::Missing)?;
        Ok(Page {
            watermark: first.get(0),
            more: first.get(1),
            rows,
        })
    }

    /// Marks a signal as viewed or clicked, or not; `None` leaves it. Returns what is marked then,
    /// as a JSON object.
    pub async fn mark(
        &self,
        subscriber: &Subscriber,
        signal_id: i64,
        viewed: Option<bool>,
        clicked: Option<bool>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut connection = self.connection().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let update = transaction.prepare_cached(&self.statements.mark).await?;
            let mut row = transaction
                .query_opt(&update, &[&signal_id, &viewed, &clicked])
                .await?;
            if row.is_none() {
                let look = transaction.prepare_cached(&self.statements.look).await?;
                row = transaction.query_opt(&look, &[&signal_id]).await?;
            }
            transaction.commit().await?;
            Ok(row)
        };
        let row = in_time(work).await?.ok_or(Refusal::Missing)?;
        let mut out = Vec::new();
        Row::of_mark(|place| row.get(place)).write_mark(&mut out);
        Ok(out)
    }

    /// What the generator says of itself.
    pub async fn health(&self) -> Result<Report, Refusal> {
        let row = self.ask(&self.statements.health, &[]).await?;
        let row = row.ok_or(Refusal::Missing)?;
        Ok(Report {
            json: row.get(0),
            clock: row.get(1),
        })
    }

    /// Bytes of the log that the slot's reader has not confirmed. `None` when there is no slot.
    pub async fn lag(&self, slot: &str) -> Result<Option<i64>, Refusal> {
        let row = self.ask(&self.statements.lag, &[&slot]).await?;
        Ok(row.and_then(|row| row.get(0)))
    }

    /// Which transactions have ended by now.
    pub async fn ended(&self) -> Result<Ended, Refusal> {
        let asked = Instant::now();
        let row = self.ask(&self.statements.ended, &[]).await?;
        let row = row.ok_or(Refusal::Missing)?;
        let number = |place| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0);
        Ok(Ended {
            asked,
            number: number(0),
            next: number(1),
            position: number(2),
        })
    }

    /// Forgets connections, which may be to a server that is gone.
    pub fn forget_connections(&self) {
        self.pool.retain(|_, _| false);
    }

    async fn ask(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Option<tokio_postgres::Row>, Refusal> {
        let connection = self.connection().await?;
        let work = async {
            let statement = connection.prepare_cached(sql).await?;
            connection.query_opt(&statement, parameters).await
        };
        in_time(work).await
    }

    async fn become_subscriber(
        &self,
        transaction: &deadpool_postgres::Transaction<'_>,
        subscriber: &Subscriber,
    ) -> Result<(), tokio_postgres::Error> {
        let statement = transaction
            .prepare_cached(
                "SELECT set_config('request.jwt.claims', $1, true), set_config('role', $2, true)",
            )
            .await?;
        transaction
            .execute(&statement, &[&subscriber.claims, &self.role])
            .await?;
        Ok(())
    }

    async fn connection(&self) -> Result<Object, Refusal> {
        self.pool.get().await.map_err(|error| {
            Refusal::Away(match error {
                deadpool_postgres::PoolError::Backend(error) => database_error(&error),
                other => other.to_string(),
            })
        })
    }
}

/// The same server, with what this service relies on: how texts are written, and that no
/// statement takes for ever.
pub fn session_config(database: &tokio_postgres::Config) -> tokio_postgres::Config {
    let mut config = database.clone();
    let own = format!(
        "-c TimeZone=UTC -c DateStyle=ISO -c statement_timeout={}",
        PATIENCE.as_millis()
    );
    let options = match database.get_options() {
        Some(given) => format!("{given} {own}"),
        None => own,
    };
    config.options(options).connect_timeout(PATIENCE);
    config
}

/// A server that vanished answers nothing, not even an error.
async fn in_time<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(2 * PATIENCE, work).await {
        Ok(done) => done.map_err(|error| Refusal::from(&error)),
        Err(_) => Err(Refusal::Away("the database does not answer".to_owned())),
    }
}

impl From<&tokio_postgres::Error> for Refusal {
    fn from(error: &tokio_postgres::Error) -> Self {
        let words = database_error(error);
        let own_words = error
            .as_db_error()
            .map(|report| report.message().to_owned());
        match error.code() {
            Some(&SqlState::INVALID_TEXT_REPRESENTATION | &SqlState::INVALID_PARAMETER_VALUE) => {
                Self::Invalid(own_words.unwrap_or(words))
            }
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::Denied(words),
            _ => Self::Away(words),
        }
    }
}

/// An identifier as SQL has it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
