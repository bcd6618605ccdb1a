//! What is read and written in the database: as a subscriber, in transactions where row-level
//! security sees their claims, and as the service itself.

use crate::config::Serve;
use crate::connections::{Connections, PATIENCE};
use crate::publication;
use crate::quoting::identifier;
use crate::refusal::Refusal;
use crate::row::{NAMES, Row};
use crate::token::Subscriber;
use crate::turns::{Turn, Turns};
use deadpool_postgres::BuildError;
use std::time::Instant;
use tokio_postgres::types::ToSql;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Connections, and what is asked over them.
pub struct Database {
    connections: Connections,
    turns: Turns,
    role: String,
    slot: String,
    publication: String,
    statements: Statements,
}

struct Statements {
    signals_since: String,
    mark: String,
    marked: String,
    health: String,
    look: String,
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

/// What the database says of the log and of what is followed there.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub ended: Ended,
    /// Of what is published, see [`publication::fingerprint`]; `None` when rows would be missing.
    pub publication: Option<i64>,
    /// Whether somebody reads the slot.
    pub is_held: bool,
    /// Bytes of the log that the slot's reader has not confirmed. `None` when there is no slot.
    pub lag: Option<i64>,
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
        let fingerprint = publication::fingerprint(schema);
        let schema = identifier(schema);
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
            marked: format!("SELECT {marks} FROM {schema}.user_signals WHERE signal_id = $1"),
            health: format!(
                "SELECT jsonb_build_object('state', state, 'healthy', healthy, 'message', message,
                            'last_run', last_run, 'next_run', next_run,
                            'last_signal_at', (SELECT r.finished_at FROM {schema}.signal_runs r
                                                WHERE r.signals_generated > 0 ORDER BY r.run_id DESC LIMIT 1))::text,
                        extract(epoch FROM clock_timestamp())::float8
                   FROM {schema}.signal_health"
            ),
            // The function flushes the log before its end is looked at; the snapshot is older.
            look: format!(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                        pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                        (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint,
                        {fingerprint}, s.active_pid IS NOT NULL,
                        pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                        s.confirmed_flush_lsn)::bigint
                   FROM {schema}.signal_hub_transactions() LEFT JOIN pg_replication_slots s ON s.slot_name = $2"
            ),
        }
    }
}

impl Database {
    /// `schema` is the extension's. Connects when there is something to ask.
    pub fn new(options: &Serve, schema: &str) -> Result<Self, BuildError> {
        Ok(Self {
            connections: Connections::new(&options.source.database)?,
            turns: Turns::default(),
            role: options.role.clone(),
            slot: options.source.slot.clone(),
            publication: options.publication.clone(),
            statements: Statements::new(schema),
        })
    }

    /// A page of the subscriber's rows, see `signals_since()`.
    pub async fn signals_since(
        &self,
        subscriber: &Subscriber,
        watermark: Option<&str>,
        limit: i32,
    ) -> Result<Page, Refusal> {
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
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
        let rows = self.connections.in_time(work).await?;
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
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let update = transaction.prepare_cached(&self.statements.mark).await?;
            let mut row = transaction
                .query_opt(&update, &[&signal_id, &viewed, &clicked])
                .await?;
            if row.is_none() {
                let marked = transaction.prepare_cached(&self.statements.marked).await?;
                row = transaction.query_opt(&marked, &[&signal_id]).await?;
            }
            transaction.commit().await?;
            Ok(row)
        };
        let row = self
            .connections
            .in_time(work)
            .await?
            .ok_or(Refusal::Missing)?;
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

    /// How far the log is, and whether what is followed is whole.
    pub async fn look(&self) -> Result<Look, Refusal> {
        let asked = Instant::now();
        let parameters: Parameters = &[&self.publication, &self.slot];
        let row = self.ask(&self.statements.look, parameters).await?;
        let row = row.ok_or(Refusal::Missing)?;
        let number = |place| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0);
        Ok(Look {
            ended: Ended {
                asked,
                number: number(0),
                next: number(1),
                position: number(2),
            },
            publication: row.get(3),
            is_held: row.get(4),
            lag: row.get(5),
        })
    }

    /// Forgets connections, which may be to a server that is gone.
    pub fn forget_connections(&self) {
        self.connections.forget();
    }

    async fn ask(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<tokio_postgres::Row>, Refusal> {
        let connection = self.connections.own().await?;
        let work = async {
            let statement = connection.prepare_cached(sql).await?;
            connection.query_opt(&statement, parameters).await
        };
        self.connections.in_time(work).await
    }

    async fn turn(&self, subscriber: &Subscriber) -> Result<Turn<'_>, Refusal> {
        let turn = self.turns.take(subscriber.user_id);
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        turn.map_err(|_| Refusal::Busy)
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
}
