//! Reads the latest prices while somebody is connected, for all clients at once.
//!
//! They are read and not followed: a run changes hundreds of prices at once, and as changes of a
//! published table they would stand between the run's signals and everybody who follows those, be
//! it this service or another program. Of what is read here, a client gets at most one event each
//! time, with what changed for its own signals.

use crate::app::App;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Between two readings. Runs are further apart.
const READ_EVERY: Duration = Duration::from_secs(2);

/// Reads until the service ends.
pub async fn watch(app: Arc<App>) {
    let mut last_failure = String::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(READ_EVERY) => {}
            () = app.ending() => return,
        }
        let read = match app.fan_out.clients() {
            // What was read last is old when somebody comes.
            0 => Ok(Arc::default()),
            _ => app.database.prices().await.map(Arc::new),
        };
        let failure = match read {
            Ok(prices) => {
                app.prices.send_if_modified(|known| {
                    let changed = *known != prices;
                    *known = prices;
                    changed
                });
                String::new()
            }
            Err(why) => why.to_string(),
        };
        if failure != last_failure && !failure.is_empty() {
            warn!("prices cannot be read: {failure}");
        }
        last_failure = failure;
    }
}
