//! The exchange's clock: the system's, or driven by a test.

use super::UnixMillis;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the simulated exchange takes its time from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Clock {
    /// The system clock.
    #[default]
    System,
    /// Stands still at this time.
    Driven(UnixMillis),
}

impl Clock {
    pub fn now(self) -> UnixMillis {
        match self {
            // Tests need not work with a system clock before 1970: it counts as 0.
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis),
            Self::Driven(time) => time,
        }
    }

    /// A clock that stands still, this much later than now.
    pub fn advanced(self, by: Duration) -> Self {
        Self::Driven(self.now().saturating_add(millis(by)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
