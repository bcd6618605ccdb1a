//! What operators see and do, with the rights of the role that their token names.

use super::{Database, Refusal, reports};
use crate::auth::Claimant;
use crate::error::database_error;
use deadpool_postgres::Transaction;
use postgres_protocol::escape::escape_identifier;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// Longest time of what an operator asks for: a run waits for the exchange, and delivers.
const PATIENCE: Duration = Duration::from_secs(60);
/// Runs in the answer, the last ones.
const RUNS: u32 = 120;
/// Runs with signals in the answer, the last ones.
const DELIVERIES: u32 = 20;
/// Days in the answer.
const DAYS: u32 = 30;

/// What an operator asks for.
pub enum Order {
    /// Nothing but whether the role is one of an operator.
    Allowed,
    /// What there is to know.
    Look,
    /// Why each symbol does not signal; it asks the exchange.
    Preview,
    /// A run.
    Run,
    /// No more runs, for this reason.
    Pause(Option<String>),
    /// Runs again.
    Resume,
}

/// What a call gives, as text.
pub fn answer(schema: &str, call: &str) -> String {
    let schema = escape_identifier(schema);
    format!("SELECT {schema}.{call}::pg_catalog.text AS answer")
}

/// A statement with one text, a JSON object.
pub fn look(schema: &str) -> String {
    let schema = escape_identifier(schema);
    let list = |from: &str, order: &str| {
        format!(
            "(SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(l) ORDER BY {order}), '[]') FROM ({from}) l)"
        )
    };
    let runs = format!(
        "SELECT run_id, trigger, status, started_at, finished_at, fetch_ms, judge_ms, record_ms, deliver_ms,
                symbols_watched, symbols_judged, signals_generated, deliveries, delivery_failures, message, error
           FROM {schema}.signal_runs"
    );
    format!(
        "SELECT pg_catalog.jsonb_build_object(
                    'health', (SELECT pg_catalog.to_jsonb(h) FROM {schema}.signal_health h),
                    'pause', (SELECT pg_catalog.to_jsonb(p) FROM {schema}.signal_pause p),
                    'reach', (SELECT pg_catalog.to_jsonb(r) FROM {schema}.signal_reach r),
                    'runs', {last}, 'deliveries', {delivered}, 'progress', {progress}, 'uptime', {uptime},
                    'symbols', {symbols}, 'now', pg_catalog.clock_timestamp())::pg_catalog.text AS answer",
        last = list(&format!("{runs} ORDER BY run_id DESC LIMIT {RUNS}"), "l.run_id"),
        delivered = list(
            &format!("{runs} WHERE signals_generated > 0 ORDER BY run_id DESC LIMIT {DELIVERIES}"),
            "l.run_id DESC"
        ),
        progress = list(
            &format!("SELECT * FROM {schema}.signal_delivery_progress"),
            "l.signal_id"
        ),
        uptime = list(
            &format!("SELECT * FROM {schema}.signal_uptime ORDER BY day DESC LIMIT {DAYS}"),
            "l.day DESC"
        ),
        symbols = list(
            &format!(
                "SELECT symbol, enabled, status, status_why, last_seen_at
                   FROM {schema}.signal_symbols ORDER BY symbol LIMIT 1000"
            ),
            "l.symbol"
        ),
    )
}

impl Database {
    /// Does what an operator asks for; returns a JSON value.
    ///
    /// # Errors
    /// `Forbidden` where the role is none of an operator, or has no right to it.
    pub async fn operate(&self, operator: &Claimant, order: Order) -> Result<String, Refusal> {
        let texts = &self.texts;
        match order {
            Order::Allowed => self.done(operator, &texts.operator_nothing, &[]).await,
            Order::Look => self.done(operator, &texts.operator_look, &[]).await,
            Order::Preview => self.done(operator, &texts.preview, &[]).await,
            Order::Run => self.done(operator, &texts.run, &[]).await,
            Order::Pause(reason) => self.done(operator, &texts.pause, &[&reason]).await,
            Order::Resume => self.done(operator, &texts.resume, &[]).await,
        }
    }

    async fn done(
        &self,
        operator: &Claimant,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<String, Refusal> {
        let mut connection = self.connections.for_operator().await?;
        let work = async {
            let transaction = connection.transaction().await.map_err(refusal)?;
            self.become_operator(&transaction, operator).await?;
            let statement = transaction.prepare_cached(text).await.map_err(refusal)?;
            let row = transaction.query_one(&statement, parameters).await;
            let row = row.map_err(refusal)?;
            transaction.commit().await.map_err(refusal)?;
            reports::value(&row, "answer")
        };
        let limit = PATIENCE + Duration::from_secs(5);
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_| {
            self.connections.forget();
            Err(Refusal::Away("the database does not answer".to_owned()))
        })
    }

    /// Takes the role of the token for the transaction, if it is one of an operator.
    async fn become_operator(
        &self,
        transaction: &Transaction<'_>,
        operator: &Claimant,
    ) -> Result<(), Refusal> {
        let text = &self.texts.become_operator;
        let statement = transaction.prepare_cached(text).await.map_err(refusal)?;
        let patience = PATIENCE.as_millis().to_string();
        let parameters: [&(dyn ToSql + Sync); 3] = [&operator.claims, &patience, &operator.role];
        let became = transaction.query_one(&statement, &parameters).await;
        // There is no such role, or this login may not take it.
        became.map_err(|error| match refusal(error) {
            Refusal::Undone(words) => Refusal::Forbidden(words),
            other => other,
        })?;
        let text = &self.texts.is_operator;
        let statement = transaction.prepare_cached(text).await.map_err(refusal)?;
        let row = transaction.query_one(&statement, &[&operator.role]).await;
        match reports::value(&row.map_err(refusal)?, "is_operator")? {
            true => Ok(()),
            false => Err(Refusal::Forbidden("it is no operator's".to_owned())),
        }
    }
}

/// An operator may read what the database says.
fn refusal(error: tokio_postgres::Error) -> Refusal {
    let words = database_error(&error);
    match error.code() {
        None => Refusal::Away(words),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Refusal::Forbidden(words),
        Some(_) => Refusal::Undone(words),
    }
}
