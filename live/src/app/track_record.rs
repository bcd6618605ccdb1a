//! The last track record: it is the same for everybody, and takes a while to make.

use crate::database::{Database, Refusal};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A record is made again when somebody asks after this time.
const KEPT: Duration = Duration::from_secs(60);
/// After a failure nothing is asked for this long.
const PAUSE: Duration = Duration::from_secs(5);

/// See the head of this file.
#[derive(Default)]
pub struct TrackRecord(Mutex<Option<Last>>);

struct Last {
    made: Instant,
    /// `None` after a failure.
    record: Option<Bytes>,
}

impl TrackRecord {
    /// The record, a JSON object. Whoever asks while it is made waits for it, instead of having
    /// another made.
    ///
    /// # Errors
    /// What the database says; for a moment after that only that it is busy.
    pub async fn get(&self, database: &Database) -> Result<Bytes, Refusal> {
        let mut last = self.0.lock().await;
        match &*last {
            Some(Last {
                made,
                record: Some(record),
            }) if made.elapsed() < KEPT => return Ok(record.clone()),
            Some(Last { made, record: None }) if made.elapsed() < PAUSE => {
                return Err(Refusal::Busy);
            }
            _ => {}
        }
        let record = database.track_record().await.map(Bytes::from);
        *last = Some(Last {
            made: Instant::now(),
            record: record.as_ref().ok().cloned(),
        });
        record
    }
}
