//! When the next run is due. Pure: instants come in, instants go out.

use std::time::{Duration, Instant};

/// Beats at a fixed, monotonic rate. A run that takes longer than the interval skips the beats it
/// missed; it never makes up for them.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    next: Instant,
    /// No beat before this, whatever the interval becomes.
    not_before: Option<Instant>,
}

impl Schedule {
    /// The first beat is at `first`.
    pub fn new(interval: Duration, first: Instant) -> Self {
        Self {
            interval,
            next: first,
            not_before: None,
        }
    }

    /// When the next beat is.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether the next beat has come. Taking it moves on to the first beat after `now` on the
    /// same grid.
    pub fn take_beat(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let missed = (now - self.next).as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX - 1);
        self.next += self.interval * (missed + 1);
        self.not_before = None;
        true
    }

    /// Moves the next beat, and the grid with it, to `to`; a new interval does not bring it
    /// forward.
    pub fn postpone(&mut self, to: Instant) {
        self.next = to;
        self.not_before = Some(to);
    }

    /// No beat before `to`, whatever the interval becomes; a later one stays where it is.
    pub fn hold_until(&mut self, to: Instant) {
        self.next = self.next.max(to);
        self.not_before = self.not_before.max(Some(to));
    }

    /// Moves the next beat to `now`, whatever it was postponed to.
    pub fn beat_now(&mut self, now: Instant) {
        self.next = now;
        self.not_before = None;
    }

    /// Takes up a new interval: the next beat is one of it after the last one, but never before
    /// `now`.
    pub fn set_interval(&mut self, interval: Duration, now: Instant) {
        if interval == self.interval {
            return;
        }
        let last = self.next.checked_sub(self.interval).unwrap_or(now);
        self.interval = interval;
        self.next = (last + interval)
            .max(now)
            .max(self.not_before.unwrap_or(now));
    }
}

#[cfg(test)]
mod failing_exchange;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn keeps_a_fixed_rate_whatever_a_run_takes() {
        let start = Instant::now();
        let mut schedule = Schedule::new(30 * SECOND, start);
        assert!(schedule.take_beat(start + SECOND / 10));
        assert_eq!(
            schedule.next(),
            start + 30 * SECOND,
            "late by a tenth, yet on the grid"
        );
        assert!(!schedule.take_beat(start + 29 * SECOND));
        assert!(schedule.take_beat(start + 30 * SECOND));
    }

    #[test]
    fn an_overrun_skips_beats_and_does_not_make_up_for_them() {
        let start = Instant::now();
        let mut schedule = Schedule::new(10 * SECOND, start);
        assert!(schedule.take_beat(start + 35 * SECOND));
        assert_eq!(schedule.next(), start + 40 * SECOND);
        assert!(!schedule.take_beat(start + 36 * SECOND));
    }

    #[test]
    fn a_shorter_interval_does_not_cut_a_postponement() {
        let start = Instant::now();
        let mut schedule = Schedule::new(3600 * SECOND, start);
        assert!(schedule.take_beat(start));
        schedule.postpone(start + 120 * SECOND);
        schedule.set_interval(2 * SECOND, start + SECOND);
        assert_eq!(schedule.next(), start + 120 * SECOND);
        schedule.beat_now(start + 5 * SECOND);
        assert!(schedule.take_beat(start + 5 * SECOND));
    }

    #[test]
    fn a_beat_that_is_held_back_keeps_its_place_when_that_is_later() {
        let start = Instant::now();
        let mut schedule = Schedule::new(60 * SECOND, start);
        assert!(schedule.take_beat(start));
        schedule.hold_until(start + 20 * SECOND);
        assert_eq!(schedule.next(), start + 60 * SECOND);
        schedule.set_interval(2 * SECOND, start + SECOND);
        assert_eq!(schedule.next(), start + 20 * SECOND);
        schedule.hold_until(start + 30 * SECOND);
        assert_eq!(schedule.next(), start + 30 * SECOND);
    }

    #[test]
    fn a_shorter_interval_counts_from_the_last_beat() {
        let start = Instant::now();
        let mut schedule = Schedule::new(30 * SECOND, start);
        assert!(schedule.take_beat(start));
        schedule.set_interval(5 * SECOND, start + 2 * SECOND);
        assert_eq!(schedule.next(), start + 5 * SECOND);
        schedule.set_interval(SECOND, start + 4 * SECOND);
        assert_eq!(schedule.next(), start + 4 * SECOND, "overdue by then: now");
    }
}
