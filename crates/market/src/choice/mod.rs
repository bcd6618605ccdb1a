//! Which of several exchanges to ask, by how each of them stands. No clock: times are given.
//!
//! ```text
//!            fails                        answers                     is good for a while
//!   good  -------->  left alone, longer  -------->  on probation  ------------------------>  good
//!                    with each failure   <--------
//!                                          fails
//! ```
//!
//! The first of the list that is good serves. One before it that is in trouble is only probed,
//! when its time is over and after another has answered, so that a probe holds up no run. It is
//! taken up again when it has been good for a while, which is the longer the oftener it failed
//! soon after that.

use crate::{MarketError, UnixMillis, backoff};
use std::time::Duration;

/// How long an exchange has to be good before it is taken up again, in intervals between runs.
const PROBATION: u32 = 10;
/// Longest probation of an exchange that never failed soon after one.
const LONGEST_PROBATION: Duration = Duration::from_secs(30 * 60);
/// After how long all that was is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// Most doublings of a probation.
const MOST_DOUBLINGS: u32 = 3;
/// How much earlier than its time a run may begin.
const SLACK_MS: i64 = 500;

/// How one exchange stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Failures in a row, up to now or to `good_since`; 0 in good standing.
    pub failures: u32,
    /// Times it failed soon after it had been taken up again.
    pub relapses: u32,
    /// Until when it is left alone.
    pub retry_at: Option<UnixMillis>,
    /// Whether that is because it said stop.
    pub asked_to_wait: bool,
    /// Since when its answers are good again.
    pub good_since: Option<UnixMillis>,
}

impl Standing {
    /// Whether it may serve before those that come after it in the list.
    pub fn is_good(&self, now: UnixMillis, interval: Duration) -> bool {
        self.failures == 0 || self.good_for(now) >= Some(self.probation(interval))
    }

    /// Whether it may be asked at all.
    pub fn may_be_asked(&self, now: UnixMillis) -> bool {
        self.retry_at
            .is_none_or(|at| at.saturating_sub(SLACK_MS) <= now)
    }

    /// How it stands after `error` at `now`. `jitter` as in [`backoff::delay`].
    pub fn after_failure(
        &self,
        error: &MarketError,
        now: UnixMillis,
        interval: Duration,
        jitter: f64,
    ) -> Self {
        let relapses = self.failures > 0 && self.is_good(now, interval);
        let failures = match relapses {
            true => 1,
            false => self.failures.saturating_add(1),
        };
        let delay = backoff::delay(error, failures, interval, jitter);
        Self {
            failures,
            relapses: self.relapses.saturating_add(u32::from(relapses)),
            retry_at: Some(now.saturating_add(millis(delay))),
            asked_to_wait: matches!(error, MarketError::LeftAlone { .. }),
            good_since: None,
        }
    }

    /// How it stands after it said stop to somebody else: not before `until` it is asked again.
    pub fn after_stop(&self, until: UnixMillis) -> Self {
        Self {
            failures: self.failures.saturating_add(1),
            relapses: self.relapses,
            retry_at: Some(self.retry_at.map_or(until, |at| at.max(until))),
            asked_to_wait: true,
            good_since: None,
        }
    }

    /// How it stands after a good answer at `now`.
    pub fn after_success(&self, now: UnixMillis, interval: Duration) -> Self {
        let forgotten_after = FORGOTTEN_AFTER.max(self.probation(interval));
        if self.failures == 0 || self.good_for(now) >= Some(forgotten_after) {
            return Self::default();
        }
        Self {
            retry_at: None,
            asked_to_wait: false,
            // One in the future means that the clock was set back.
            good_since: Some(self.good_since.map_or(now, |since| since.min(now))),
            ..self.clone()
        }
    }

    fn good_for(&self, now: UnixMillis) -> Option<Duration> {
        let since = now.saturating_sub(self.good_since?);
        u64::try_from(since).ok().map(Duration::from_millis)
    }

    fn probation(&self, interval: Duration) -> Duration {
        let once = interval.saturating_mul(PROBATION).min(LONGEST_PROBATION);
        once.saturating_mul(1 << self.relapses.min(MOST_DOUBLINGS))
    }
}

/// What to ask in one run; numbers are places in the list of exchanges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To be asked one after the other, until one answers.
    pub ask: Vec<usize>,
    /// To be asked besides, after one of `ask` has answered, to see whether they are good again.
    pub probe: Vec<usize>,
}

/// What to ask at `now` of exchanges that stand like this, in order of preference. Empty when all
/// are to be left alone.
pub fn choose(standings: &[Standing], now: UnixMillis, interval: Duration) -> Choice {
    let may_be_asked = |place: &usize| standings[*place].may_be_asked(now);
    let (good, others): (Vec<usize>, Vec<usize>) = (0..standings.len())
        .filter(may_be_asked)
        .partition(|place| standings[*place].is_good(now, interval));
    let probe = match good.first() {
        Some(first) => others
            .iter()
            .copied()
            .filter(|place| place < first)
            .collect(),
        None => Vec::new(),
    };
    Choice {
        ask: good.into_iter().chain(others).collect(),
        probe,
    }
}

/// When the first of these may be asked again; `None` when one may be asked at any time.
pub fn next_at(standings: &[Standing]) -> Option<UnixMillis> {
    let mut times = standings.iter().map(|standing| standing.retry_at);
    times
        .try_fold(UnixMillis::MAX, |first, at| Some(first.min(at?)))
        .filter(|_| !standings.is_empty())
}

/// How much of the time that is left the next of so many exchanges gets: half of it while others
/// come after it, so that one that is silent does not use up the time of all.
pub fn share(left: Duration, candidates: usize) -> Duration {
    match candidates {
        0 | 1 => left,
        _ => left / 2,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
