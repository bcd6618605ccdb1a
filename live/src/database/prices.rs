//! The latest prices, as the runs of the generator saw them.

use super::{Database, Refusal, reports};
use crate::auth::Subscriber;
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
        let priced = {
            let _turn = self.turn(subscriber).await?;
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
            row.ok_or(Refusal::Missing)?
        };
        let text = |name| reports::value::<String>(&priced, name);
        let (symbol, since, until) = (text("symbol")?, text("since")?, text("until")?);
        let connection = self.connections.record().await?;
        let parameters: [&(dyn ToSql + Sync); 3] = [&symbol, &since, &until];
        let path = self.ask(&connection, &self.texts.price_path, &parameters);
        reports::value(&path.await?, "path")
    }
}
