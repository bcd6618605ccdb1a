//! The latest prices, as the runs of the generator saw them.

use super::{Database, Refusal, reports};
use std::collections::HashMap;

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
}
