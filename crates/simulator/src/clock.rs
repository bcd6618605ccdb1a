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
            // A system clock before 1970 is no case a test has to survive: it reads as 0.
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, millis),
            Self::Driven(time) => time,
        }
    }

    /// Driven on from the present time.
    pub fn advanced(self, by: Duration) -> Self {
        Self::Driven(self.now().saturating_add(millis(by)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
