//! Waiting for something to become true: up to a deadline, and never for a fixed time.

use std::time::{Duration, Instant};

/// Time between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// What one check returns: `false` or `None` as long as it has to be repeated.
pub trait Found {
    /// What was waited for.
    type Value;
    /// `None` as long as the check has to be repeated.
    fn found(self) -> Option<Self::Value>;
}

impl Found for bool {
    type Value = ();
    fn found(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Found for Option<T> {
    type Value = T;
    fn found(self) -> Option<T> {
        self
    }
}

/// Repeats `check` until it finds something, and returns that. `what` says what is waited for.
///
/// # Panics
/// When nothing was found within `limit`.
#[track_caller]
pub fn eventually<F: Found>(limit: Duration, what: &str, check: impl FnMut() -> F) -> F::Value {
    match within(limit, check) {
        Some(value) => value,
        None => panic!("not within {limit:?}: {what}"),
    }
}

/// Repeats `check` until it finds something, and returns that; `None` when nothing was found
/// within `limit`. The last check begins after the limit.
pub fn within<F: Found>(limit: Duration, mut check: impl FnMut() -> F) -> Option<F::Value> {
    let end = Instant::now() + limit;
    loop {
        // The last check begins after the limit, no matter how slow the ones before it were.
        let last = Instant::now() >= end;
        match check().found() {
            None if last => return None,
            None => std::thread::sleep(POLL_INTERVAL),
            value => return value,
        }
    }
}

/// Checks for some time that something stays true. `what` says what.
///
/// # Panics
/// As soon as it is not true.
#[track_caller]
pub fn meanwhile(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(holds(), "did not stay true for {time:?}: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}
