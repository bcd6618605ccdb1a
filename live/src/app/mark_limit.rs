//! Limits how fast a subscriber may mark signals: each mark is a write, and is sent to every device
//! of the subscriber.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;
use uuid::Uuid;

/// Marks at once, enough for a page full of signals that were all looked at.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(300).expect("not zero");
/// Marks per second after that.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// What each subscriber may still mark.
pub struct MarkLimit(DefaultKeyedRateLimiter<Uuid>);

impl Default for MarkLimit {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND).allow_burst(AT_ONCE);
        Self(RateLimiter::keyed(quota))
    }
}

impl MarkLimit {
    /// Counts a mark.
    ///
    /// # Errors
    /// How long to wait before the next one.
    pub fn take(&self, user: Uuid) -> Result<(), Duration> {
        let limited = self.0.check_key(&user);
        limited.map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets subscribers who marked nothing for a while.
    pub fn forget_idle(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_who_marks_too_fast_waits_and_others_do_not() {
        let limit = MarkLimit::default();
        let (greedy, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let taken = (0..1000).filter(|_| limit.take(greedy).is_ok()).count();
        assert!((300..320).contains(&taken), "{taken}");
        let wait = limit.take(greedy).expect_err("too many");
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        assert!(limit.take(other).is_ok());
    }
}
