//! Push subscriptions: the subscriber's own, and what the service reads and records of all.

use super::{Database, Parameters, Refusal, reports};
use crate::auth::Subscriber;
use postgres_protocol::escape::escape_identifier;
use std::collections::HashSet;
use tokio_postgres::Row;
use uuid::Uuid;

/// Adds a browser of a subscriber, or gives it other keys.
pub fn store_text(schema: &str) -> String {
    format!(
        "INSERT INTO {schema}.user_push_subscriptions (user_id, endpoint, p256dh, auth)
         VALUES ($1::pg_catalog.text::pg_catalog.uuid, $2::pg_catalog.text, $3::pg_catalog.text, $4::pg_catalog.text)
             ON CONFLICT (user_id, endpoint) DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth
      RETURNING '{{\"stored\": true}}'::pg_catalog.text AS stored",
        schema = escape_identifier(schema),
    )
}

/// Takes a browser of a subscriber away.
pub fn drop_text(schema: &str) -> String {
    format!(
        "WITH gone AS (DELETE FROM {schema}.user_push_subscriptions
                        WHERE user_id = $1::pg_catalog.text::pg_catalog.uuid
                          AND endpoint = $2::pg_catalog.text RETURNING 1)
         SELECT pg_catalog.jsonb_build_object('deleted', EXISTS (SELECT FROM gone))::pg_catalog.text AS deleted",
        schema = escape_identifier(schema),
    )
}

/// Puts a browser's subscription in the place of its old one.
pub fn move_to_text(schema: &str) -> String {
    format!(
        "SELECT {schema}.signal_hub_move_push(
                    $1::pg_catalog.text::pg_catalog.uuid, $2::pg_catalog.text, $3::pg_catalog.text,
                    $4::pg_catalog.text, $5::pg_catalog.text, $6::pg_catalog.text) AS moved",
        schema = escape_identifier(schema),
    )
}

/// Which notifications are this service's to send.
pub fn claim_text(schema: &str) -> String {
    format!(
        "SELECT c.user_id::pg_catalog.text AS user_id, c.signal_id
           FROM {schema}.signal_hub_claim_push(
                    $1::pg_catalog.text::pg_catalog.uuid, $2::pg_catalog.name,
                    $3::pg_catalog.text[]::pg_catalog.uuid[], $4::bigint[]) c",
        schema = escape_identifier(schema),
    )
}

/// Where subscribers are to be notified now.
pub fn targets_text(schema: &str) -> String {
    format!(
        "SELECT t.user_id::pg_catalog.text AS user_id, t.endpoint, t.p256dh, t.auth, t.is_noted
           FROM {schema}.signal_hub_push_targets($1::pg_catalog.text[]::pg_catalog.uuid[]) t",
        schema = escape_identifier(schema),
    )
}

/// Records what became of messages.
pub fn results_text(schema: &str) -> String {
    format!(
        "SELECT true AS recorded
           FROM {schema}.signal_hub_push_results(
                    $1::pg_catalog.text[]::pg_catalog.uuid[], $2::pg_catalog.text[], $3::pg_catalog.text[])",
        schema = escape_identifier(schema),
    )
}

/// Where a browser of a subscriber is reached.
pub struct PushTarget {
    pub user: Uuid,
    pub endpoint: String,
    /// Its public key.
    pub p256dh: String,
    /// The secret that it shares.
    pub auth: String,
    /// It is on record that messages were accepted lately.
    pub is_noted: bool,
}

impl PushTarget {
    fn new(row: &Row) -> Result<Self, Refusal> {
        Ok(Self {
            user: user(row)?,
            endpoint: reports::value(row, "endpoint")?,
            p256dh: reports::value(row, "p256dh")?,
            auth: reports::value(row, "auth")?,
            is_noted: reports::value(row, "is_noted")?,
        })
    }
}

fn user(row: &Row) -> Result<Uuid, Refusal> {
    let text: &str = reports::value(row, "user_id")?;
    Uuid::try_parse(text).map_err(|error| Refusal::Failed(format!("column user_id: {error}")))
}

impl Database {
    /// Adds a browser of a subscriber, or gives it other keys; returns a JSON object.
    pub async fn store_push(
        &self,
        subscriber: &Subscriber,
        endpoint: &str,
        p256dh: &str,
        auth: &str,
    ) -> Result<String, Refusal> {
        let user_id = subscriber.user_id.to_string();
        let parameters: Parameters = &[&user_id, &endpoint, &p256dh, &auth];
        let text = &self.texts.store_push;
        self.own_value(subscriber, text, parameters, "stored").await
    }

    /// Takes a browser of a subscriber away; returns a JSON object that says whether it was there.
    pub async fn drop_push(
        &self,
        subscriber: &Subscriber,
        endpoint: &str,
    ) -> Result<String, Refusal> {
        let user_id = subscriber.user_id.to_string();
        let parameters: Parameters = &[&user_id, &endpoint];
        let text = &self.texts.drop_push;
        self.own_value(subscriber, text, parameters, "deleted")
            .await
    }

    /// Puts a browser's subscription in the place of one of the same browser, which knows the
    /// secret of the old one. False when there is no such one.
    pub async fn move_push(
        &self,
        user: Uuid,
        old: (&str, &str),
        new: (&str, &str, &str),
    ) -> Result<bool, Refusal> {
        let user = user.to_string();
        let parameters: Parameters = &[&user, &old.0, &old.1, &new.0, &new.1, &new.2];
        // Anybody may ask for it, so it is not asked over the service's own connection.
        let connection = self.connections.record().await?;
        let moved = self.ask(&connection, &self.texts.move_push, parameters);
        let moved = moved.await?;
        connection.done();
        reports::value(&moved, "moved")
    }

    /// Who has push subscriptions.
    pub async fn push_subscribers(&self) -> Result<HashSet<Uuid>, Refusal> {
        let rows = self.ask_all(&self.texts.push_subscribers, &[]).await?;
        rows.iter().map(user).collect()
    }

    /// Claims notifications, and returns those that are this service's to send. A claim may be made
    /// again, when there was no answer.
    pub async fn claim_push(
        &self,
        claim: Uuid,
        notices: &[(Uuid, i64)],
    ) -> Result<HashSet<(Uuid, i64)>, Refusal> {
        let users: Vec<String> = notices.iter().map(|(user, _)| user.to_string()).collect();
        let signals: Vec<i64> = notices.iter().map(|(_, signal)| *signal).collect();
        let parameters: Parameters = &[&claim.to_string(), &self.slot, &users, &signals];
        let rows = self.ask_all(&self.texts.claim_push, parameters).await?;
        let own = |row: &Row| -> Result<_, Refusal> {
            Ok((user(row)?, reports::value(row, "signal_id")?))
        };
        rows.iter().map(own).collect()
    }

    /// Where these subscribers are to be notified now: nowhere in their quiet hours.
    pub async fn push_targets(&self, users: &[Uuid]) -> Result<Vec<PushTarget>, Refusal> {
        let users: Vec<String> = users.iter().map(Uuid::to_string).collect();
        let rows = self.ask_all(&self.texts.push_targets, &[&users]).await?;
        rows.iter().map(PushTarget::new).collect()
    }

    /// Records what became of messages; of the three lists, what is at the same place belongs
    /// together.
    pub async fn record_push(
        &self,
        users: &[String],
        endpoints: &[String],
        results: &[String],
    ) -> Result<(), Refusal> {
        let parameters: Parameters = &[&users, &endpoints, &results];
        let own = self.connections.own().await?;
        self.ask(&own, &self.texts.push_results, parameters).await?;
        Ok(())
    }

    /// Asks for rows as the service itself.
    async fn ask_all(&self, text: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Refusal> {
        let own = self.connections.own().await?;
        let work = async {
            let statement = own.prepare_cached(text).await?;
            own.query(&statement, parameters).await
        };
        self.connections.in_time(work).await
    }
}
