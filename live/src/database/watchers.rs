//! Tells the database who holds a stream, and who looks at the page.

use super::{Database, Parameters, Refusal, reports};
use postgres_protocol::escape::escape_identifier;
use uuid::Uuid;

/// Enters who is watching, and takes out who is gone.
pub fn keep_text(schema: &str) -> String {
    let list = |number: u32| {
        format!("pg_catalog.string_to_array(${number}::pg_catalog.text, ',')::pg_catalog.uuid[]")
    };
    let lists = [2, 3, 4, 5].map(list).join(", ");
    format!(
        "SELECT {schema}.signal_hub_keep_watchers($1::pg_catalog.name, {lists}) AS kept",
        schema = escape_identifier(schema),
    )
}

/// What has changed among those who watch.
#[derive(Debug, PartialEq)]
pub struct WatchersChange {
    /// Who came; without `gone`, all.
    pub watching: Vec<Uuid>,
    /// Who left; `None`: all others.
    pub gone: Option<Vec<Uuid>>,
    /// Whose page came into view.
    pub in_view: Vec<Uuid>,
    /// Whose page is not in view any more.
    pub out_of_view: Vec<Uuid>,
}

impl WatchersChange {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let gone = self.gone.as_ref();
        self.watching.is_empty()
            && gone.is_some_and(Vec::is_empty)
            && self.in_view.is_empty()
            && self.out_of_view.is_empty()
    }
}

impl Database {
    /// Tells what has changed. False when this login may not.
    pub async fn keep_watchers(&self, change: &WatchersChange) -> Result<bool, Refusal> {
        let list = |users: &Vec<Uuid>| {
            let users: Vec<String> = users.iter().map(Uuid::to_string).collect();
            users.join(",")
        };
        let parameters: Parameters = &[
            &self.slot,
            &list(&change.watching),
            &change.gone.as_ref().map(list),
            &list(&change.in_view),
            &list(&change.out_of_view),
        ];
        let own = self.connections.own().await?;
        let text = &self.texts.keep_watchers;
        let kept = self.ask(&own, text, parameters).await?;
        reports::value(&kept, "kept")
    }
}
