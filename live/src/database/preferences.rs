//! What a subscriber wants of the signals, and whether signals reach them.

use super::{Database, Refusal, reports};
use crate::auth::Subscriber;
use postgres_protocol::escape::escape_identifier;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// The columns of `user_preferences` that a subscriber sets.
const COLUMNS: [&str; 10] = [
    "only_symbols",
    "not_symbols",
    "sides",
    "strategies",
    "min_confidence",
    "min_quality",
    "max_per_day",
    "quiet_from",
    "quiet_until",
    "time_zone",
];

/// Names and values of the columns, for `jsonb_build_object()`.
fn members(table: &str) -> String {
    let member = |column: &&str| format!("'{column}', {table}.{column}");
    COLUMNS.iter().map(member).collect::<Vec<_>>().join(", ")
}

/// A statement that takes the subscriber and a JSON object. What the object does not have is null
/// from then on.
pub fn write(schema: &str) -> String {
    let schema = escape_identifier(schema);
    let list = |form: &dyn Fn(&str) -> String| {
        let items = COLUMNS.iter().map(|column| form(column));
        items.collect::<Vec<_>>().join(", ")
    };
    format!(
        "WITH written AS (
             INSERT INTO {schema}.user_preferences AS p (user_id, {names})
             VALUES ($1::pg_catalog.text::pg_catalog.uuid, {values})
                 ON CONFLICT (user_id) DO UPDATE SET {changes}
          RETURNING {returned})
         SELECT pg_catalog.jsonb_build_object({members})::pg_catalog.text AS preferences FROM written w",
        names = COLUMNS.join(", "),
        values = list(&|column| format!(
            "(pg_catalog.jsonb_populate_record(NULL::{schema}.user_preferences,
                                               $2::pg_catalog.text::pg_catalog.jsonb)).{column}"
        )),
        changes = list(&|column| format!("{column} = excluded.{column}")),
        returned = list(&|column| format!("p.{column}")),
        members = members("w"),
    )
}

/// A statement for what a subscriber has set, in which all is null before that.
pub fn read(schema: &str) -> String {
    let nothing = COLUMNS.map(|column| format!("'{column}', NULL")).join(", ");
    format!(
        "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object({members})) -> 0,
                         pg_catalog.jsonb_build_object({nothing}))::pg_catalog.text AS preferences
           FROM {schema}.user_preferences p",
        members = members("p"),
        schema = escape_identifier(schema),
    )
}

impl Database {
    /// Whether signals reach the subscriber, and why not, as a JSON object.
    pub async fn subscriber_status(&self, subscriber: &Subscriber) -> Result<String, Refusal> {
        let text = &self.texts.subscriber_status;
        self.own_value(subscriber, text, &[], "status").await
    }

    /// What the subscriber wants of the signals, as a JSON object.
    pub async fn preferences(&self, subscriber: &Subscriber) -> Result<String, Refusal> {
        let text = &self.texts.read_preferences;
        self.own_value(subscriber, text, &[], "preferences").await
    }

    /// Puts a JSON object in the place of the subscriber's preferences; returns them as they are
    /// now.
    pub async fn set_preferences(
        &self,
        subscriber: &Subscriber,
        object: &str,
    ) -> Result<String, Refusal> {
        let user_id = subscriber.user_id.to_string();
        let text = &self.texts.write_preferences;
        let parameters: [&(dyn ToSql + Sync); 2] = [&user_id, &object];
        self.own_value(subscriber, text, &parameters, "preferences")
            .await
    }

    /// A value of the one row of a statement that runs as the subscriber.
    pub(super) async fn own_value(
        &self,
        subscriber: &Subscriber,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
        name: &str,
    ) -> Result<String, Refusal> {
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let statement = transaction.prepare_cached(text).await?;
            let row = match transaction.query_one(&statement, parameters).await {
                Ok(row) => row,
                Err(error) => return broken_rule(&error).map_or(Err(error), |rule| Ok(Err(rule))),
            };
            transaction.commit().await?;
            Ok(Ok(row))
        };
        let row = self.connections.in_time(work).await?;
        connection.done();
        reports::value(&row.map_err(Refusal::Invalid)?, name)
    }
}

/// The rule that a value breaks, in words for the subscriber: constraints of these tables are named
/// so. Texts of other errors may come from triggers, so they are not passed on.
fn broken_rule(error: &tokio_postgres::Error) -> Option<String> {
    let report = error.as_db_error()?;
    let tables = [Some("user_preferences"), Some("user_push_subscriptions")];
    let is_of_these = tables.contains(&report.table());
    match *report.code() {
        SqlState::CHECK_VIOLATION if is_of_these => report.constraint().map(str::to_owned),
        SqlState::INVALID_PARAMETER_VALUE if report.column() == Some("time_zone") => {
            Some("the time zone is not known".to_owned())
        }
        SqlState::INVALID_TEXT_REPRESENTATION
        | SqlState::INVALID_DATETIME_FORMAT
        | SqlState::DATETIME_FIELD_OVERFLOW
        | SqlState::NUMERIC_VALUE_OUT_OF_RANGE => {
            Some("a value is not of the kind that it must be".to_owned())
        }
        _ => None,
    }
}
