//! The last track record: it is the same for everybody, and takes a while to make.

use crate::app::App;
use crate::database::Refusal;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A record is made again when somebody asks after this time.
const KEPT: Duration = Duration::from_secs(60);
/// After a failure nothing is asked for this long.
const PAUSE: Duration = Duration::from_secs(5);

/// See the head of this file.
#[derive(Default)]
pub struct TrackRecord(Arc<Mutex<Option<Last>>>);

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
    pub async fn get(&self, app: &Arc<App>) -> Result<Bytes, Refusal> {
        let mut last = Arc::clone(&self.0).lock_owned().await;
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
        // Whoever asks may leave: the record is made and kept all the same.
        let app = Arc::clone(app);
        let making = tokio::spawn(async move {
            let record = app.database.track_record().await.map(Bytes::from);
            *last = Some(Last {
                made: Instant::now(),
                record: record.as_ref().ok().cloned(),
            });
            record
        });
        making.await.unwrap_or(Err(Refusal::Busy))
    }
}
