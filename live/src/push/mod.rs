//! Web Push: notifications of signals to browsers in which no page is in view (RFC 8030).
//!
//! ```text
//! replication -> pending -> (what the database says of each) -> one lane per push service -> post
//! ```
//!
//! A row only leaves a note in `pending`; nothing of what follows is waited for by streams.

mod encryption;
mod known;
mod lane;
mod moves;
mod pending;
mod post;
mod services;
mod trouble;
mod vapid;

pub use lane::AT_ONCE;
pub use pending::News;
pub use vapid::generate as generate_key;

use crate::database::PushTarget;
use crate::error::Failure;
use crate::options::PushOptions;
use crate::signal::Row;
use encryption::{MOST_BYTES, Recipient};
use hyper::Uri;
use known::Known;
use lane::{Job, Lane};
use moves::Moves;
use pending::Pending;
use post::Post;
use ring::rand::{SecureRandom, SystemRandom};
use services::Services;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;
use vapid::Vapid;

/// Results that wait for the database.
const REPORTS: usize = 20_000;
/// Subscriptions that are left alone for a while.
const MOST_RESTING: usize = 10_000;
/// The longest address of a browser, as in `user_push_subscriptions`.
const MOST_ADDRESS: usize = 2000;
/// Between two looks whether anything is under way.
const IDLE_LOOK: Duration = Duration::from_millis(10);
/// Between two warnings of the same kind.
const WARN_EVERY: Duration = Duration::from_secs(600);

/// What became of a message to a subscription, in the words of `signal_hub_push_results()`.
pub struct Report {
    pub user: Uuid,
    pub endpoint: String,
    pub result: String,
}

/// What sends notifications, and what is to be recorded of them.
pub type Started = (Arc<Push>, mpsc::Receiver<Report>);

/// Numbers since the start.
#[derive(Default)]
pub struct Numbers {
    /// Messages that push services accepted.
    pub sent: AtomicU64,
    /// Messages that they did not.
    pub failed: AtomicU64,
    /// Subscriptions that they no longer know.
    pub forgotten: AtomicU64,
}

impl Numbers {
    fn count(&self, number: &AtomicU64) {
        number.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the lanes share.
struct Shared {
    post: Post,
    numbers: Numbers,
    reports: mpsc::Sender<Report>,
    /// Messages that are queued or being sent.
    under_way: AtomicUsize,
    /// Subscriptions of which the push service said that there were too many messages.
    resting: Mutex<HashMap<String, Instant>>,
    warned: Mutex<Option<Instant>>,
}

/// Sends notifications.
pub struct Push {
    services: Services,
    lanes: Vec<Arc<Lane>>,
    shared: Arc<Shared>,
    pending: Pending,
    known: Known,
    moves: Moves,
    changed: Notify,
}

impl Push {
    /// Starts the lanes, if the options ask for it.
    ///
    /// # Errors
    /// When the key cannot be read, or the certificates that this system trusts.
    pub fn start(options: &PushOptions) -> Result<Option<Started>, Failure> {
        let (Some(file), Some(contact)) = (&options.vapid_key_file, &options.vapid_contact) else {
            return Ok(None);
        };
        let (reports, reported) = mpsc::channel(REPORTS);
        let shared = Arc::new(Shared {
            post: Post::new(Vapid::read(file, contact)?, AT_ONCE)?,
            numbers: Numbers::default(),
            reports,
            under_way: AtomicUsize::new(0),
            resting: Mutex::default(),
            warned: Mutex::default(),
        });
        let services = Services::new(&options.push_service);
        let lanes = services.have_many_hosts().map(Lane::new).collect();
        let push = Arc::new(Self {
            services,
            lanes,
            shared,
            pending: Pending::default(),
            known: Known::default(),
            moves: Moves::default(),
            changed: Notify::new(),
        });
        Ok(Some((push, reported)))
    }

    /// Requests of all push services at once, each an open file.
    pub fn most_files(options: &PushOptions) -> u64 {
        match options.vapid_key_file {
            Some(_) => (Services::new(&options.push_service).len() * AT_ONCE) as u64,
            None => 0,
        }
    }

    /// The public key, for browsers.
    pub fn public_key(&self) -> &str {
        self.shared.post.public_key()
    }

    /// Whether a push service may be called at this address.
    pub fn may_call(&self, endpoint: &str) -> bool {
        endpoint.len() <= MOST_ADDRESS && self.services.find(endpoint).is_some()
    }

    /// Who has subscriptions, as far as is known.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// How often subscriptions are moved.
    pub fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Numbers since the start.
    pub fn numbers(&self) -> &Numbers {
        &self.shared.numbers
    }

    /// Notes that a signal was delivered to a subscriber who has subscriptions. `row` is read only
    /// then.
    pub fn offer<'a, E>(
        &self,
        user: Uuid,
        row: impl FnOnce() -> Result<Row<'a>, E>,
    ) -> Result<(), E> {
        if !self.known.has(&user) {
            return Ok(());
        }
        match self.pending.add(user, &row()?, SystemTime::now()) {
            true => self.changed.notify_one(),
            false => self.shared.numbers.count(&self.shared.numbers.failed),
        }
        Ok(())
    }

    /// What a claim of notifications is called, see `signal_push_claims`. `None` when the system has no
    /// random numbers.
    pub fn new_claim(&self) -> Option<Uuid> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Uuid::from_bytes(bytes))
    }

    /// Waits until there is something new.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        while self.shared.under_way.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(IDLE_LOOK).await;
        }
    }

    /// Takes what is new.
    pub fn take(&self) -> HashMap<Uuid, News> {
        self.pending.take()
    }

    /// Sends news to one browser of a subscriber, once there is room among what waits for its push
    /// service.
    pub async fn send(&self, news: &News, message: &Arc<Vec<u8>>, target: PushTarget) {
        let found = self.services.find(&target.endpoint);
        let found = found.ok_or("not a push service that may be called");
        let to = Recipient::new(&target.p256dh, &target.auth);
        let ((place, address), to) = match found.and_then(|found| Ok((found, to?))) {
            Ok(both) => both,
            // A row may have been written without this service.
            Err(why) => {
                self.shared.numbers.count(&self.shared.numbers.failed);
                return (self.shared).report(target.user, target.endpoint, why.to_owned());
            }
        };
        let job = Job {
            user: target.user,
            address,
            to,
            message: Arc::clone(message),
            topic: news.topic(),
            expires: news.expires,
            is_noted: target.is_noted,
            attempts: 0,
            why: None,
            endpoint: target.endpoint,
        };
        self.lanes[place].add(job, &self.shared).await;
    }
}

/// Whether these are keys of a browser.
///
/// # Errors
/// Which one is not, and what it must be.
pub fn check_keys(p256dh: &str, auth: &str) -> Result<(), &'static str> {
    Recipient::check(p256dh, auth)
}

/// The message of news, as it is encrypted.
pub fn message_of(news: &News) -> Arc<Vec<u8>> {
    Arc::new(news.message(MOST_BYTES))
}

/// A message that is queued or being sent, as long as this is kept.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn report(&self, user: Uuid, endpoint: String, result: String) {
        // Without room it is lost; what matters comes again with the next message.
        let _ = self.reports.try_send(Report {
            user,
            endpoint,
            result,
        });
    }

    /// Leaves a subscription alone until then.
    fn rest(&self, endpoint: &str, until: Instant) {
        // No code that holds the lock panics half way.
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.len() >= MOST_RESTING {
            let now = Instant::now();
            resting.retain(|_, until| *until > now);
        }
        if resting.len() < MOST_RESTING {
            resting.insert(endpoint.to_owned(), until);
        }
    }

    /// Until when a subscription is left alone.
    fn rests(&self, endpoint: &str) -> Option<Instant> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *resting.get(endpoint)?;
        if until > Instant::now() {
            return Some(until);
        }
        resting.remove(endpoint);
        None
    }

    fn warn_refused(&self, why: &str, address: &Uri) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            *warned = Some(Instant::now());
            let host = address.host().unwrap_or_default();
            warn!(
                "push service {host} refuses messages: {why}; after another key, browsers must subscribe again"
            );
        }
    }
}
