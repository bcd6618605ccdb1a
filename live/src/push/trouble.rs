//! When a host that does not work is tried again, and when a message is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The pause before the second time; each is four times the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// No message waits longer for its next time, whatever a push service asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A host is tried again after this time, unless it asks for more.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// So many failures, one after the other, are of the host and not of a message.
const IN_A_ROW: u32 = 3;

/// Failures since the last message that a host accepted.
pub struct Trouble {
    in_a_row: u32,
    rests: u32,
    rests_until: Instant,
}

impl Trouble {
    /// None yet.
    pub fn new(now: Instant) -> Self {
        Self {
            in_a_row: 0,
            rests: 0,
            rests_until: now,
        }
    }

    /// It works.
    pub fn end(&mut self) {
        self.in_a_row = 0;
        self.rests = 0;
    }

    /// Returns whether it is left alone for the first time. What was under way when that began
    /// fails as well, and says nothing more.
    pub fn grow(&mut self, now: Instant, asked: Option<Duration>) -> bool {
        if now < self.rests_until {
            return false;
        }
        self.in_a_row += 1;
        if self.in_a_row < IN_A_ROW {
            return false;
        }
        self.rests += 1;
        let rest = pause(self.rests, None).min(LONGEST_REST);
        let asked = asked.unwrap_or_default().min(LONGEST_PAUSE);
        self.rests_until = now + rest.max(asked);
        self.rests == 1
    }

    /// Until when it is left alone.
    pub fn rests_until(&self) -> Instant {
        self.rests_until
    }

    /// It was left alone, and nothing was accepted since.
    pub fn is_there(&self) -> bool {
        self.rests > 0
    }
}

/// After so many failures; what the push service asks for counts if it is longer. A fifth of it is
/// random, so that not all come back at once.
pub fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let grown = FIRST_PAUSE * 4_u32.saturating_pow(failures.saturating_sub(1).min(6));
    let base = grown.max(asked.unwrap_or_default()).min(LONGEST_PAUSE);
    // Spread evenly: the golden ratio's multiples never come close to each other.
    let turn = TURN.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    let part = (turn >> 32) as f64 / f64::from(u32::MAX);
    base + base.mul_f64(part / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_service_that_does_not_work_is_left_alone_for_longer_each_time() {
        let mut now = Instant::now();
        let mut trouble = Trouble::new(now);
        assert!(!trouble.grow(now, None) && !trouble.grow(now, None));
        assert!(trouble.grow(now, None));
        // All that was under way.
        assert!((0..64).all(|_| !trouble.grow(now, None)));
        for (least, most) in [(2.0, 2.4), (8.0, 9.6), (32.0, 38.4), (60.0, 60.0)] {
            let rest = (trouble.rests_until - now).as_secs_f64();
            assert!((least..=most).contains(&rest), "{rest}");
            now = trouble.rests_until;
            assert!(!trouble.grow(now, None), "it was said already");
        }
        now = trouble.rests_until;
        trouble.grow(now, Some(Duration::from_secs(600)));
        assert_eq!(trouble.rests_until - now, Duration::from_secs(600));
        trouble.end();
        now = trouble.rests_until;
        trouble.grow(now, None);
        assert!(trouble.rests_until <= now, "one failure is none");
    }

    #[test]
    fn pauses_grow_and_are_never_shorter_than_what_is_asked_for() {
        let seconds = |failures, asked: Option<u64>| {
            pause(failures, asked.map(Duration::from_secs)).as_secs_f64()
        };
        for (failures, asked, least) in [
            (1, None, 2.0),
            (2, None, 8.0),
            (3, None, 32.0),
            (1, Some(120), 120.0),
            (100, None, 3600.0),
            (1, Some(u64::MAX), 3600.0),
        ] {
            let got = seconds(failures, asked);
            assert!((least..=least * 1.2).contains(&got), "{failures}: {got}");
        }
        assert!((0..9).any(|_| seconds(1, None) != seconds(1, None)));
    }
}
