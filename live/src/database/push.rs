//! Push subscriptions: the subscriber's own, and what the service reads and records of all.

use super::{Database, Parameters, Refusal, reports};
use crate::auth::Subscriber;
use std::collections::HashSet;
use tokio_postgres::Row;
use uuid::Uuid;

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
        let text = &self.texts.drop_push;
        self.own_value(subscriber, text, &[&endpoint], "deleted")
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
        let own = self.connections.own().await?;
        let moved = self.ask(&own, &self.texts.move_push, parameters).await?;
        reports::value(&moved, "moved")
    }

    /// Who has push subscriptions.
    pub async fn push_subscribers(&self) -> Result<HashSet<Uuid>, Refusal> {
        let rows = self.ask_all(&self.texts.push_subscribers, &[]).await?;
        rows.iter().map(user).collect()
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
