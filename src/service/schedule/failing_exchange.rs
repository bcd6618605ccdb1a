//! An exchange that fails for an hour, or now and then, in driven time: what the schedule and the
//! backoff make of it together, joined as the worker joins them.

use super::Schedule;
use market::{MarketError, backoff};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// What the exchange answers to one request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Good,
    Broken,
    /// 429, with this number of seconds in Retry-After.
    Stop(u64),
}

impl Answer {
    fn error(self) -> Option<MarketError> {
        match self {
            Answer::Good => None,
            Answer::Broken => Some(MarketError::HttpStatus {
                status: 500,
                body: String::new(),
            }),
            Answer::Stop(seconds) => Some(MarketError::LeftAlone {
                status: 429,
                code: None,
                retry_after: Some(Duration::from_secs(seconds)),
                body: String::new(),
            }),
        }
    }
}

/// A worker without anything but its clock.
struct Worker {
    interval: Duration,
    schedule: Schedule,
    began: Instant,
    failures: u32,
}

impl Worker {
    fn new(interval: Duration) -> Self {
        let began = Instant::now();
        Self {
            interval,
            schedule: Schedule::new(interval, began),
            began,
            failures: 0,
        }
    }

    /// Sleeps until the next beat and asks. Returns when that was, from the begin.
    fn ask(&mut self, answer: Answer, jitter: f64) -> Duration {
        let beat = self.schedule.next();
        assert!(self.schedule.take_beat(beat));
        match answer.error() {
            None => self.failures = 0,
            Some(error) => {
                self.failures += 1;
                let delay = backoff::delay(&error, self.failures, self.interval, jitter);
                self.schedule.postpone(beat + delay);
            }
        }
        beat - self.began
    }
}

/// The times of the requests of an hour in which every answer is the same.
fn an_hour_of(
    answer: Answer,
    interval: Duration,
    mut jitter: impl FnMut() -> f64,
) -> Vec<Duration> {
    let mut worker = Worker::new(interval);
    std::iter::from_fn(|| Some(worker.ask(answer, jitter())))
        .take_while(|at| *at < HOUR)
        .collect()
}

#[test]
fn an_hour_of_failures_at_the_default_interval_is_fifteen_requests() {
    let asked = an_hour_of(Answer::Broken, Duration::from_secs(30), || 0.5);
    let seconds: Vec<u64> = asked.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds[..7], [0, 30, 90, 210, 450, 750, 1050]);
    assert_eq!(seconds.len(), 15);
}

#[test]
fn an_hour_without_failures_keeps_the_fixed_rate() {
    let asked = an_hour_of(Answer::Good, Duration::from_secs(30), || 0.5);
    assert_eq!(asked.len(), 120);
}

fn any_interval() -> impl Strategy<Value = Duration> {
    (1_000u64..600_000).prop_map(Duration::from_millis)
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Good),
        3 => Just(Answer::Broken),
        1 => (0u64..1000).prop_map(Answer::Stop),
    ]
}

proptest! {
    #[test]
    fn an_hour_of_failures_is_asked_less_and_less_and_recovers_at_the_first_success(
        interval in any_interval(),
        jitters in proptest::collection::vec(0.0f64..=1.0, 200),
    ) {
        let mut drawn = jitters.iter().cycle().copied();
        let asked = an_hour_of(Answer::Broken, interval, || drawn.next().unwrap_or(0.5));
        let cap = FIVE_MINUTES.max(interval);
        for (n, pair) in asked.windows(2).enumerate() {
            let gap = pair[1] - pair[0];
            let steady = interval.saturating_mul(1 << n.min(20)).min(cap);
            prop_assert!(gap >= interval.max(steady.mul_f64(0.8999)), "gap {n}: {gap:?}");
            prop_assert!(gap <= steady.mul_f64(1.1001), "gap {n}: {gap:?}");
        }
        let fewest = HOUR.as_secs_f64() / (cap.as_secs_f64() * 1.1001);
        prop_assert!(asked.len() as f64 >= fewest, "{} requests", asked.len());

        let mut worker = Worker::new(interval);
        for jitter in &jitters[..20] {
            worker.ask(Answer::Broken, *jitter);
        }
        let good = worker.ask(Answer::Good, 0.5);
        prop_assert_eq!(worker.ask(Answer::Good, 0.5) - good, interval);
        let again = worker.ask(Answer::Broken, 0.5);
        let next = worker.ask(Answer::Good, 0.5);
        prop_assert_eq!(next - again, interval, "the backoff begins again");
    }

    #[test]
    fn an_exchange_that_flaps_is_asked_once_per_interval_at_most(
        interval in any_interval(),
        answers in proptest::collection::vec((any_answer(), 0.0f64..=1.0), 2..200),
    ) {
        let mut worker = Worker::new(interval);
        let mut last: Option<(Duration, Answer)> = None;
        for (answer, jitter) in answers {
            let at = worker.ask(answer, jitter);
            if let Some((before, said)) = last {
                prop_assert!(at - before >= interval, "{:?} after {said:?}", at - before);
                if let Answer::Stop(seconds) = said {
                    prop_assert!(at - before >= Duration::from_secs(seconds));
                }
                if let Answer::Good = said {
                    prop_assert_eq!(at - before, interval);
                }
            }
            last = Some((at, answer));
        }
    }
}
