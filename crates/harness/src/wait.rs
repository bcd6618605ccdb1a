//! Waiting for something to become true: with a deadline, never for a fixed time.

use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What a look found: nothing yet, or what was waited for.
pub trait Found {
    type Value;
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

/// Looks again and again until something is found; fails when the time is over.
#[track_caller]
pub fn eventually<F: Found>(limit: Duration, what: &str, look: impl FnMut() -> F) -> F::Value {
    match within(limit, look) {
        Some(value) => value,
        None => panic!("not within {limit:?}: {what}"),
    }
}

/// The same, for something that may not come.
pub fn within<F: Found>(limit: Duration, mut look: impl FnMut() -> F) -> Option<F::Value> {
    let end = Instant::now() + limit;
    loop {
        // The last look comes after the end, however slow the ones before were.
        let last = Instant::now() >= end;
        match look().found() {
            None if last => return None,
            None => std::thread::sleep(LOOK_EVERY),
            value => return value,
        }
    }
}

/// Looks again and again for some time, during which something must stay true.
#[track_caller]
pub fn meanwhile(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(holds(), "did not stay true for {time:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
