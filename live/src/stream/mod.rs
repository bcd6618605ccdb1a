//! One client's stream of events: what it missed, then what comes, without a gap between.
//!
//! A client is added to the fan-out first and reads what it missed afterwards, so a row that
//! commits meanwhile comes twice rather than never. One hole is left: a transaction is in the log
//! a moment before others can see it, and with synchronous replication that moment is long. Its
//! row may have passed before the client came, and be invisible to the client's first reading. So
//! the client reads a second time, from the same resume point, once every transaction that ran at
//! its first reading has ended; only then does its resume point move:
//!
//! ```text
//! Reading -> Read -> Until -> ReadingAgain -> Certain
//!    ^----------------- a gap -------------------'
//! ```

mod client;
mod progress;
mod turn;

use crate::app::App;
use crate::auth::Subscriber;
use crate::database::Refusal;
use crate::fan_out::Full;
use bytes::Bytes;
use client::Client;
use futures_util::Stream;
use std::convert::Infallible;
use std::sync::Arc;
use thiserror::Error;

/// Why a stream is not opened.
#[derive(Debug, Error)]
pub enum Refused {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Database(#[from] Refusal),
}

/// Opens a stream from a resume point, or from now. Its first piece is ready then. The outcomes of
/// the signals named in `open` are sent, too, as those of all that the stream brings.
///
/// # Errors
/// When there are too many clients, or the database does not answer.
pub async fn open(
    app: Arc<App>,
    subscriber: Subscriber,
    since: Option<String>,
    open: Vec<i64>,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>>, Refused> {
    let client = Client::new(app, subscriber, since, open).await?;
    Ok(futures_util::stream::unfold(client, |mut client| async {
        let piece = client.next().await?;
        Some((Ok(piece), client))
    }))
}
