//! The messages for one push service: a bounded queue, a bounded number of requests at once, and
//! pauses after failures. Each push service has its own, so that one that is slow delays no other.

use super::Shared;
use super::encryption::Recipient;
use super::post::{Answer, Letter};
use hyper::Uri;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

/// Requests at once.
pub const AT_ONCE: usize = 16;
/// Messages that wait for their turn.
const WAITING: usize = 20_000;
/// Messages that wait to be sent again.
const WAITING_AGAIN: usize = 5_000;
/// How many times a message is sent, while its signal is open.
const ATTEMPTS: u32 = 8;
/// The pause before the second time; each is four times the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// No message waits longer for its next time, whatever a push service asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A push service is tried again after this time, unless it asks for more.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// So many failures, one after the other, are of the push service and not of a message.
const IN_A_ROW: u32 = 3;

/// A message on its way to one browser.
pub struct Job {
    pub user: Uuid,
    pub endpoint: String,
    pub address: Uri,
    pub to: Recipient,
    pub message: Arc<Vec<u8>>,
    pub topic: String,
    pub expires: SystemTime,
    /// That messages are accepted is on record already.
    pub is_noted: bool,
    /// How many times it was sent.
    pub attempts: u32,
}

/// See the head of this file.
pub struct Lane {
    sender: mpsc::Sender<Job>,
    again: Arc<Semaphore>,
    trouble: Mutex<Trouble>,
}

/// Failures since the last message that was accepted.
struct Trouble {
    in_a_row: u32,
    rests: u32,
    rests_until: Instant,
}

impl Trouble {
    fn new(now: Instant) -> Self {
        Self {
            in_a_row: 0,
            rests: 0,
            rests_until: now,
        }
    }

    fn end(&mut self) {
        self.in_a_row = 0;
        self.rests = 0;
    }

    /// Returns whether it is left alone for the first time. What was under way when that began
    /// fails as well, and says nothing more.
    fn grow(&mut self, now: Instant, asked: Option<Duration>) -> bool {
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
}

impl Lane {
    /// A push service that works, and sends as long as the runtime lives.
    pub fn start(shared: &Arc<Shared>) -> Arc<Self> {
        let (sender, mut queue) = mpsc::channel(WAITING);
        let lane = Arc::new(Self {
            sender,
            again: Arc::new(Semaphore::new(WAITING_AGAIN)),
            trouble: Mutex::new(Trouble::new(Instant::now())),
        });
        let (shared, started) = (Arc::clone(shared), Arc::clone(&lane));
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(AT_ONCE));
            while let Some(job) = queue.recv().await {
                // It fails for a closed semaphore only, and this one is never closed.
                let place = Arc::clone(&room).acquire_owned().await;
                tokio::time::sleep_until(started.rests_until()).await;
                let (lane, shared) = (Arc::clone(&started), Arc::clone(&shared));
                tokio::spawn(async move {
                    lane.deliver(job, &shared).await;
                    shared.under_way.fetch_sub(1, Ordering::Relaxed);
                    drop(place);
                });
            }
        });
        lane
    }

    /// Queues a message; one that finds no room is lost, and counted.
    pub fn add(&self, job: Job, shared: &Shared) {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(job).is_err() {
            shared.under_way.fetch_sub(1, Ordering::Relaxed);
            shared.numbers.count(&shared.numbers.failed);
        }
    }

    /// Queues a message at a later time.
    pub fn add_later(self: &Arc<Self>, job: Job, at: Instant, shared: &Arc<Shared>) {
        let in_time = job.expires.duration_since(SystemTime::now());
        let wait = at.saturating_duration_since(Instant::now());
        let place = Arc::clone(&self.again).try_acquire_owned();
        let (Ok(place), true) = (place, in_time.is_ok_and(|left| wait < left)) else {
            shared.numbers.count(&shared.numbers.failed);
            return;
        };
        let (lane, shared) = (Arc::clone(self), Arc::clone(shared));
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            lane.add(job, &shared);
            drop(place);
        });
    }

    async fn deliver(self: &Arc<Self>, mut job: Job, shared: &Arc<Shared>) {
        if job.expires <= SystemTime::now() {
            shared.numbers.count(&shared.numbers.failed);
            return;
        }
        job.attempts += 1;
        let letter = Letter {
            address: &job.address,
            to: &job.to,
            message: &job.message,
            topic: &job.topic,
            expires: job.expires,
        };
        match shared.post.send(letter).await {
            Answer::Accepted => {
                self.note_success();
                shared.numbers.count(&shared.numbers.sent);
                if !job.is_noted {
                    shared.report(job.user, job.endpoint, "sent".to_owned());
                }
            }
            Answer::Gone => {
                self.note_success();
                shared.numbers.count(&shared.numbers.forgotten);
                shared.report(job.user, job.endpoint, "gone".to_owned());
            }
            // It is about this subscription alone: others are not to wait for it.
            Answer::TooMany(wait) => {
                let until = Instant::now() + pause(job.attempts, wait);
                shared.rest(&job.endpoint, until);
                self.again(job, until, "status 429".to_owned(), shared);
            }
            Answer::Broken(why, wait) => {
                let until = Instant::now() + pause(job.attempts, wait);
                self.note_failure(wait, &why, &job.address);
                self.again(job, until, why, shared);
            }
            Answer::Refused(why) => {
                self.note_success();
                shared.warn_refused(&why, &job.address);
                shared.numbers.count(&shared.numbers.failed);
                shared.report(job.user, job.endpoint, why);
            }
        }
    }

    fn again(self: &Arc<Self>, job: Job, at: Instant, why: String, shared: &Arc<Shared>) {
        if job.attempts < ATTEMPTS {
            return self.add_later(job, at, shared);
        }
        shared.numbers.count(&shared.numbers.failed);
        shared.report(job.user, job.endpoint, why);
    }

    fn note_success(&self) {
        self.with_trouble(Trouble::end);
    }

    fn note_failure(&self, wait: Option<Duration>, why: &str, address: &Uri) {
        if self.with_trouble(|trouble| trouble.grow(Instant::now(), wait)) {
            let host = address.host().unwrap_or_default();
            warn!("push service {host} does not work, and is left alone for a while: {why}");
        }
    }

    fn rests_until(&self) -> Instant {
        self.with_trouble(|trouble| trouble.rests_until)
    }

    fn with_trouble<T>(&self, work: impl FnOnce(&mut Trouble) -> T) -> T {
        // No code that holds the lock panics half way.
        work(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// After so many failures; what the push service asks for counts if it is longer. A fifth of it is
/// random, so that not all come back at once.
fn pause(failures: u32, asked: Option<Duration>) -> Duration {
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
        assert!((0..AT_ONCE).all(|_| !trouble.grow(now, None)));
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
