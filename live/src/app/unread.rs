//! Clients that the database refuses what they missed.

use crate::app::App;
use crate::database::Refusal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::{info, warn};

/// How many there are.
#[derive(Default)]
pub struct Unread(AtomicUsize);

/// One of them, for as long as the value lives.
pub struct Refused(Arc<App>);

impl Refused {
    /// Counts a client, and logs the first: all others get the same answer, again and again. `None`
    /// when that is not for an operator to repair, or reported by the monitor.
    pub fn new(app: &Arc<App>, why: &Refusal) -> Option<Self> {
        if matches!(why, Refusal::Away(_) | Refusal::Busy) {
            return None;
        }
        if app.unread.0.fetch_add(1, Ordering::Relaxed) == 0 {
            warn!("the database refuses to read what clients missed, who are told and wait: {why}");
        }
        Some(Self(Arc::clone(app)))
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        if self.0.unread.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            info!("no client waits any more for what it missed");
        }
    }
}
