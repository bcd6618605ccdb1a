//! The messages for one push service: a bounded number that wait, a bounded number of requests at
//! once, and pauses after failures. Each push service has its own, so that one that is slow delays no
//! other. Of a push service with many hosts, each host has its own pauses: subscribers choose the
//! host, and one that does not exist must not be in the way of the others.

use super::encryption::Recipient;
use super::post::{Answer, Letter};
use super::trouble::{Trouble, pause};
use super::{Shared, UnderWay};
use hyper::Uri;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

/// Requests at once.
pub const AT_ONCE: usize = 64;
/// Of them to the same host, where there are many.
const AT_ONCE_EACH: usize = 32;
/// Messages that wait for their turn.
const WAITING: usize = 20_000;
/// Messages that wait to be sent again.
const WAITING_AGAIN: usize = 5_000;
/// While none of those that wait gets its turn for so long, further ones are lost.
const FOR_ROOM: Duration = Duration::from_secs(5);
/// Why messages to a subscription wait.
const TOO_MANY: &str = "status 429";
/// Hosts of a push service that are known one by one; all others together are one.
const MOST_HOSTS: usize = 256;

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
    /// Why it was not accepted the last time.
    pub why: Option<String>,
}

/// See the head of this file.
pub struct Lane {
    has_many_hosts: bool,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    /// All hosts for which there is no room.
    others: Arc<Host>,
    room: Semaphore,
    waiting: Arc<Semaphore>,
    again: Arc<Semaphore>,
    /// Room was waited for in vain, and there was none since.
    is_stuck: AtomicBool,
}

struct Host {
    room: Semaphore,
    /// One that was left alone is asked one question at a time until it works.
    probe: Semaphore,
    trouble: Mutex<Trouble>,
    /// What failed last.
    why: Mutex<String>,
}

impl Host {
    fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Semaphore::new(at_once),
            probe: Semaphore::new(1),
            trouble: Mutex::new(Trouble::new(Instant::now())),
            why: Mutex::default(),
        })
    }

    fn with_trouble<T>(&self, work: impl FnOnce(&mut Trouble) -> T) -> T {
        // No code that holds the lock panics half way.
        work(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_success(&self) {
        self.with_trouble(Trouble::end);
    }

    fn note_failure(&self, wait: Option<Duration>, why: &str, address: &Uri) {
        why.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        if self.with_trouble(|trouble| trouble.grow(Instant::now(), wait)) {
            let host = address.host().unwrap_or_default();
            warn!("push service {host} does not work, and is left alone for a while: {why}");
        }
    }

    /// Waits while it is left alone.
    async fn rest(&self) {
        loop {
            let until = self.with_trouble(|trouble| trouble.rests_until());
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    fn is_in_trouble(&self) -> bool {
        self.with_trouble(|trouble| trouble.is_there())
    }

    /// Why it was left alone, while nothing was accepted since.
    fn why(&self) -> Option<String> {
        let why = || self.why.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_in_trouble().then(|| why().clone())
    }
}

impl Lane {
    /// A push service that works; `has_many_hosts` if subscribers choose among them.
    pub fn new(has_many_hosts: bool) -> Arc<Self> {
        let others = match has_many_hosts {
            true => AT_ONCE_EACH,
            false => AT_ONCE,
        };
        Arc::new(Self {
            has_many_hosts,
            hosts: Mutex::default(),
            others: Host::new(others),
            room: Semaphore::new(AT_ONCE),
            waiting: Arc::new(Semaphore::new(WAITING)),
            again: Arc::new(Semaphore::new(WAITING_AGAIN)),
            is_stuck: AtomicBool::new(false),
        })
    }

    /// Sends a message once it is its turn. Waits for a place among those that wait; a message that
    /// finds none for long is lost, and counted.
    pub async fn add(self: &Arc<Self>, mut job: Job, shared: &Arc<Shared>) {
        if let Some(until) = shared.rests(&job.endpoint) {
            job.why = Some(TOO_MANY.to_owned());
            return self.add_later(job, until, shared);
        }
        match self.place().await {
            Some(place) => self.start(job, place, None, shared),
            None => {
                job.why = self.host(&job.address).why();
                give_up(job, shared);
            }
        }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = match Arc::clone(&self.waiting).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) if self.is_stuck.load(Ordering::Relaxed) => None,
            Err(_) => {
                let room = Arc::clone(&self.waiting).acquire_owned();
                // It fails for a closed semaphore only, and this one is never closed.
                let room = tokio::time::timeout(FOR_ROOM, room).await.ok();
                room.and_then(Result::ok)
            }
        };
        self.is_stuck.store(place.is_none(), Ordering::Relaxed);
        place
    }

    /// Sends a message at a later time, if it is not too late then, nor too many are.
    fn add_later(self: &Arc<Self>, job: Job, at: Instant, shared: &Arc<Shared>) {
        let in_time = job.expires.duration_since(SystemTime::now());
        let wait = at.saturating_duration_since(Instant::now());
        let place = Arc::clone(&self.again).try_acquire_owned();
        match (place, in_time.is_ok_and(|left| wait < left)) {
            (Ok(place), true) => self.start(job, place, Some(at), shared),
            _ => give_up(job, shared),
        }
    }

    fn start(
        self: &Arc<Self>,
        job: Job,
        place: OwnedSemaphorePermit,
        at: Option<Instant>,
        shared: &Arc<Shared>,
    ) {
        let (lane, shared) = (Arc::clone(self), Arc::clone(shared));
        // What is to be sent later is not waited for at the end.
        let now = at.is_none().then(|| UnderWay::new(&shared));
        tokio::spawn(async move {
            if let Some(at) = at {
                tokio::time::sleep_until(at).await;
            }
            let _under_way = now.unwrap_or_else(|| UnderWay::new(&shared));
            lane.take_turn(job, &shared).await;
            drop(place);
        });
    }

    async fn take_turn(self: &Arc<Self>, job: Job, shared: &Arc<Shared>) {
        let host = self.host(&job.address);
        // None of these semaphores is ever closed.
        let _place = host.room.acquire().await;
        host.rest().await;
        let mut probe = None;
        while host.is_in_trouble() && probe.is_none() {
            probe = host.probe.acquire().await.ok();
            host.rest().await;
        }
        if !host.is_in_trouble() {
            probe = None;
        }
        let room = self.room.acquire().await;
        // Boxed, so that those that wait for their turn are small.
        Box::pin(self.deliver(job, &host, shared)).await;
        drop((room, probe));
    }

    /// The pauses and the room of a host.
    fn host(&self, address: &Uri) -> Arc<Host> {
        if !self.has_many_hosts {
            return Arc::clone(&self.others);
        }
        let name = address.host().unwrap_or_default().to_ascii_lowercase();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&name) {
            return Arc::clone(host);
        }
        if hosts.len() >= MOST_HOSTS {
            let now = Instant::now();
            hosts.retain(|_, host| {
                let rests = host.with_trouble(|trouble| trouble.rests_until() > now);
                rests || Arc::strong_count(host) > 1
            });
        }
        if hosts.len() >= MOST_HOSTS {
            return Arc::clone(&self.others);
        }
        let host = Host::new(AT_ONCE_EACH);
        hosts.insert(name, Arc::clone(&host));
        host
    }

    async fn deliver(self: &Arc<Self>, mut job: Job, host: &Host, shared: &Arc<Shared>) {
        if job.expires <= SystemTime::now() {
            job.why = job.why.or_else(|| host.why());
            return give_up(job, shared);
        }
        job.attempts += 1;
        let letter = Letter {
            address: &job.address,
            to: &job.to,
            message: &job.message,
            topic: &job.topic,
            expires: job.expires,
            has_many_hosts: self.has_many_hosts,
        };
        match shared.post.send(letter).await {
            Answer::Accepted => {
                host.note_success();
                shared.numbers.count(&shared.numbers.sent);
                if !job.is_noted {
                    shared.report(job.user, job.endpoint, "sent".to_owned());
                }
            }
            Answer::Gone => {
                host.note_success();
                shared.numbers.count(&shared.numbers.forgotten);
                shared.report(job.user, job.endpoint, "gone".to_owned());
            }
            // It is about this subscription alone: others are not to wait for it.
            Answer::TooMany(wait) => {
                let until = Instant::now() + pause(job.attempts, wait);
                shared.rest(&job.endpoint, until);
                job.why = Some(TOO_MANY.to_owned());
                self.add_later(job, until, shared);
            }
            Answer::Broken(why, wait) => {
                let until = Instant::now() + pause(job.attempts, wait);
                host.note_failure(wait, &why, &job.address);
                job.why = Some(why);
                self.add_later(job, until, shared);
            }
            Answer::Refused(why) => {
                host.note_success();
                shared.warn_refused(&why, &job.address);
                shared.numbers.count(&shared.numbers.failed);
                shared.report(job.user, job.endpoint, why);
            }
            // Nothing was sent: it says nothing about the push service.
            Answer::Unsent(why) => {
                shared.numbers.count(&shared.numbers.failed);
                shared.report(job.user, job.endpoint, why);
            }
        }
    }
}

/// What was never tried, nor waited for a host that fails, says nothing about its browser.
fn give_up(job: Job, shared: &Shared) {
    shared.numbers.count(&shared.numbers.failed);
    if let Some(why) = job.why {
        shared.report(job.user, job.endpoint, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_does_not_work_leaves_the_others_of_its_push_service_alone() {
        let address = |name: &str| -> Uri { format!("https://{name}/x").parse().expect("one") };
        let lane = Lane::new(true);
        let bad = lane.host(&address("bad.push.example"));
        for _ in 0..3 {
            bad.note_failure(None, "no such host", &address("bad.push.example"));
        }
        assert!(lane.host(&address("BAD.push.example")).is_in_trouble());
        assert!(!lane.host(&address("good.push.example")).is_in_trouble());
        // However many there are, what is known of them is bounded, and what rests stays known.
        for number in 0..2 * MOST_HOSTS {
            lane.host(&address(&format!("h{number}.push.example")));
        }
        assert!(lane.hosts.lock().expect("no panic").len() <= MOST_HOSTS);
        assert!(lane.host(&address("bad.push.example")).is_in_trouble());
        // They are one where subscribers do not choose.
        let lane = Lane::new(false);
        let host = lane.host(&address("push.example"));
        assert!(Arc::ptr_eq(&host, &lane.host(&address("push.example"))));
    }

    #[tokio::test]
    async fn a_message_waits_for_room_unless_nothing_moves() {
        let lane = Lane::new(false);
        let held = Arc::clone(&lane.waiting).acquire_many_owned(WAITING as u32);
        let held = held.await.expect("all");
        let waits = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.place().await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert!(waits.await.expect("no panic"), "room came in time");
        let held = Arc::clone(&lane.waiting).acquire_many_owned(WAITING as u32);
        let held = held.await.expect("all");
        lane.is_stuck.store(true, Ordering::Relaxed);
        assert!(lane.place().await.is_none(), "it was waited for in vain");
        drop(held);
        assert!(lane.place().await.is_some());
        assert!(!lane.is_stuck.load(Ordering::Relaxed));
    }
}
