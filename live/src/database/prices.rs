//! The latest prices, as the runs of the generator saw them.

use super::{Database, Refusal, reports};
use crate::auth::Subscriber;
use postgres_protocol::escape::escape_identifier;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;

/// By symbol.
pub type Prices = HashMap<String, Price>;

/// What was paid last for one of the base asset.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// In the quote asset, with all digits.
    pub price: String,
    /// By the exchange's clock, as in ISO 8601.
    pub at: String,
}

/// The latest price of every symbol that is watched, with its time as in ISO 8601.
pub fn latest(schema: &str) -> String {
    format!(
        "SELECT p.symbol::pg_catalog.text AS symbol, p.last_price::pg_catalog.text AS price,
                pg_catalog.to_char(p.priced_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS at
           FROM {schema}.signal_prices p",
        schema = escape_identifier(schema),
    )
}

/// The time of a signal of a subscriber, who has its prices.
pub fn priced_signal(schema: &str) -> String {
    format!(
        "SELECT s.symbol::pg_catalog.text AS symbol, s.created_at::pg_catalog.text AS since,
                s.expires_at::pg_catalog.text AS until
           FROM {schema}.user_signals s
          WHERE s.signal_id = $1::bigint AND s.full_details AND s.entry_price IS NOT NULL",
        schema = escape_identifier(schema),
    )
}

/// The way of a price from half an hour before a time to another one.
pub fn path(schema: &str) -> String {
    format!(
        "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
                    extract(epoch FROM p.began_at)::bigint, p.open, p.high, p.low, p.close) ORDER BY p.began_at),
                    '[]')::pg_catalog.text AS path
           FROM (SELECT * FROM {schema}.signal_price_path p
                  WHERE p.symbol = $1::pg_catalog.text
                    AND p.began_at BETWEEN $2::pg_catalog.text::pg_catalog.timestamptz - interval '30 minutes'
                                       AND $3::pg_catalog.text::pg_catalog.timestamptz
                  ORDER BY p.began_at DESC LIMIT 2000) p",
        schema = escape_identifier(schema),
    )
}

impl Database {
    /// The latest prices of all symbols that are watched. They are written while somebody holds a
    /// stream; otherwise they are old.
    pub async fn prices(&self) -> Result<Prices, Refusal> {
        let own = self.connections.own().await?;
        let work = async {
            let statement = own.prepare_cached(&self.texts.prices).await?;
            own.query(&statement, &[]).await
        };
        let rows = self.connections.in_time(work).await?;
        let price = |row: &tokio_postgres::Row| {
            let price = Price {
                price: reports::value(row, "price")?,
                at: reports::value(row, "at")?,
            };
            Ok((reports::value(row, "symbol")?, price))
        };
        rows.iter().map(price).collect()
    }

    /// The way of the price while a signal of the subscriber was open, a list of lists. It tells
    /// the entry, so it is for signals whose prices the subscriber has.
    ///
    /// # Errors
    /// `Missing` for any other signal.
    pub async fn price_path(
        &self,
        subscriber: &Subscriber,
        signal: i64,
    ) -> Result<String, Refusal> {
        // Held to the end: the connections for the second question are few.
        let _turn = self.turn(subscriber).await?;
        let priced = {
            let mut connection = self.connections.for_client().await?;
            let work = async {
                let transaction = connection.transaction().await?;
                self.become_subscriber(&transaction, subscriber).await?;
                let statement = transaction
                    .prepare_cached(&self.texts.priced_signal)
                    .await?;
                let row = transaction.query_opt(&statement, &[&signal]).await?;
                transaction.commit().await?;
                Ok(row)
            };
            let row = self.connections.in_time(work).await?;
            connection.done();
            row.ok_or(Refusal::Missing)?
        };
        let text = |name| reports::value::<String>(&priced, name);
        let (symbol, since, until) = (text("symbol")?, text("since")?, text("until")?);
        let connection = self.connections.record().await?;
        let parameters: [&(dyn ToSql + Sync); 3] = [&symbol, &since, &until];
        let path = self.ask(&connection, &self.texts.price_path, &parameters);
        let path = path.await?;
        connection.done();
        reports::value(&path, "path")
    }
}
