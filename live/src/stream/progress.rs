//! How far it is certain that nothing is missing in a client's stream.

use crate::database::Ended;
use std::time::Instant;

/// See the picture at the head of the room.
#[derive(Clone, Copy)]
pub enum Progress {
    /// Reading what was missed.
    Reading,
    /// That reading ended at this time.
    Read(Instant),
    /// Transactions below this number may have been invisible to it.
    Until(u64),
    /// They have ended; reading again.
    ReadingAgain,
    /// The resume point moves with the stream.
    Certain,
}

/// What a report of ended transactions asks of the client.
pub enum Step {
    /// Wait for a report.
    Wait,
    /// Read again from the resume point.
    Read,
    /// Move the resume point to this transaction.
    Move(u64),
    /// A reading is under way.
    Nothing,
}

impl Progress {
    /// A reading has ended that began at this time.
    pub fn after_reading(self, began: Instant) -> Self {
        match self {
            Self::ReadingAgain => Self::Certain,
            _ => Self::Read(began),
        }
    }

    /// Takes a report of ended transactions in.
    pub fn take(&mut self, ended: Ended) -> Step {
        if let Self::Read(at) = *self
            && ended.asked >= at
        {
            *self = Self::Until(ended.next);
        }
        match *self {
            Self::Certain => Step::Move(ended.number),
            Self::Until(number) if ended.number >= number => {
                *self = Self::ReadingAgain;
                Step::Read
            }
            Self::Reading | Self::ReadingAgain => Step::Nothing,
            Self::Read(_) | Self::Until(_) => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ended(asked: Instant, number: u64, next: u64) -> Ended {
        Ended {
            server: 0,
            asked,
            number,
            next,
            position: 0,
        }
    }

    #[test]
    fn the_resume_point_moves_only_after_a_second_reading() {
        let began = Instant::now();
        let (before, after) = (
            began - Duration::from_secs(1),
            began + Duration::from_secs(1),
        );
        let mut progress = Progress::Reading.after_reading(began);
        // Asked before the reading: it knows nothing of what ran then.
        assert!(matches!(progress.take(ended(before, 90, 90)), Step::Wait));
        assert!(matches!(progress.take(ended(after, 10, 20)), Step::Wait));
        assert!(matches!(progress.take(ended(after, 19, 30)), Step::Wait));
        assert!(matches!(progress.take(ended(after, 20, 30)), Step::Read));
        assert!(matches!(progress.take(ended(after, 25, 30)), Step::Nothing));
        progress = progress.after_reading(after);
        assert!(matches!(
            progress.take(ended(after, 26, 30)),
            Step::Move(26)
        ));
    }
}
