//! From rows to the clients whose rows they are: one bounded queue per client.
//!
//! A slow client is not waited for: when its queue is full it is removed, and comes back from its
//! last resume point.

mod awaited;
mod in_view;
mod message;
mod state;

use crate::database::Ended;
use awaited::Awaited;
use bytes::Bytes;
pub use message::{CommitTime, Message, Signal};
use state::State;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, error::TryRecvError};
use uuid::Uuid;

/// Most messages that wait for one client.
pub const QUEUE_MESSAGES: usize = 1024;
/// Most bytes that wait for one client; a single message may be larger.
pub const QUEUE_BYTES: usize = 512 * 1024;
/// Most streams of one subscriber, who may have several browsers and devices.
const PER_USER: usize = 32;

/// All clients, by subscriber.
pub struct FanOut {
    clients: Mutex<HashMap<Uuid, Vec<Queue>>>,
    count: AtomicUsize,
    limit: usize,
    next: AtomicU64,
    dropped: AtomicU64,
    queued: AtomicU64,
    changed: Notify,
}

/// The service has as many clients as it may have.
#[derive(Debug, Error, PartialEq)]
#[error("there are too many clients")]
pub struct Full;

struct Queue {
    number: u64,
    // The only sender: when it is dropped, the client knows that it was removed.
    sender: mpsc::Sender<Message>,
    state: Arc<State>,
    awaited: Awaited,
    /// Until when the page that reads it counts as in view; `None` when it does not.
    in_view_until: Option<Instant>,
}

/// A client's end of its queue. Dropping it removes the client.
pub struct Subscription {
    user: Uuid,
    number: u64,
    state: Arc<State>,
    receiver: mpsc::Receiver<Message>,
    fan_out: Arc<FanOut>,
}

impl FanOut {
    /// Without clients yet; there is room for `limit` of them.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            clients: Mutex::default(),
            count: AtomicUsize::new(0),
            limit,
            next: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            changed: Notify::new(),
        })
    }

    /// Adds a client: from now on it misses nothing. Of a subscriber who has too many, the oldest
    /// is removed: it may be on a machine that vanished, and must not lock the subscriber out.
    pub fn subscribe(self: &Arc<Self>, user: Uuid) -> Result<Subscription, Full> {
        let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES);
        let state = State::new();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut clients = self.lock();
        let of_user = clients.get(&user).map_or(0, Vec::len);
        if of_user < PER_USER && self.count.load(Ordering::Relaxed) >= self.limit {
            return Err(Full);
        }
        let queues = clients.entry(user).or_default();
        if of_user >= PER_USER {
            let oldest = queues.remove(0);
            oldest.state.replaced.store(true, Ordering::Relaxed);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        queues.push(Queue {
            number,
            sender,
            state: Arc::clone(&state),
            awaited: Awaited::default(),
            in_view_until: None,
        });
        self.count.fetch_add(1, Ordering::Relaxed);
        drop(clients);
        self.changed.notify_one();
        Ok(Subscription {
            user,
            number,
            state,
            receiver,
            fan_out: Arc::clone(self),
        })
    }

    /// Queues an event for the clients of a subscriber, and returns how many got it. The event is
    /// made once, and only if there is a client.
    pub fn send<E>(&self, user: &Uuid, event: impl FnOnce() -> Result<Bytes, E>) -> Result<u64, E> {
        self.send_to(user, None, || event().map(|event| (event, None)))
    }

    /// The same of a signal, whose outcome the clients await from now on.
    pub fn send_signal<E>(
        &self,
        user: &Uuid,
        committed: CommitTime,
        event: impl FnOnce() -> Result<(Bytes, Signal), E>,
    ) -> Result<u64, E> {
        self.send_to(user, Some(committed), || {
            event().map(|(event, signal)| (event, Some(signal)))
        })
    }

    fn send_to<E>(
        &self,
        user: &Uuid,
        committed: Option<CommitTime>,
        event: impl FnOnce() -> Result<(Bytes, Option<Signal>), E>,
    ) -> Result<u64, E> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Ok(0);
        }
        let mut clients = self.lock();
        let Some(queues) = clients.get_mut(user) else {
            return Ok(0);
        };
        let (event, signal) = event()?;
        let before = queues.len();
        queues.retain_mut(|queue| {
            if let Some(signal) = &signal {
                queue.awaited.add(signal.number, signal.symbol.as_deref());
            }
            let message = match committed {
                Some(committed) => Message::Signal(event.clone(), committed),
                None => Message::Event(event.clone()),
            };
            queue.push(message, event.len())
        });
        let sent = queues.len() as u64;
        self.count_dropped(before - queues.len());
        if queues.is_empty() {
            clients.remove(user);
        }
        self.queued.fetch_add(sent, Ordering::Relaxed);
        Ok(sent)
    }

    /// Queues the outcome of a signal for the clients that await it, whoever's they are, and
    /// returns how many got it. After one that is final they do not await another.
    pub fn send_outcome(&self, signal: i64, event: &Bytes, is_final: bool) -> u64 {
        let mut sent = 0;
        self.retain(|queue| {
            if !queue.awaited.has(signal) {
                return true;
            }
            if is_final {
                queue.awaited.remove(signal);
            }
            let has_room = queue.push(Message::Event(event.clone()), event.len());
            sent += u64::from(has_room);
            has_room
        });
        self.queued.fetch_add(sent, Ordering::Relaxed);
        sent
    }

    /// Queues a resume point for the clients that wait for one of its server.
    pub fn ended(&self, ended: Ended) {
        let mut clients = self.lock();
        let queues = clients.values_mut().flatten();
        for queue in queues.filter(|queue| queue.state.is_of(ended.server)) {
            let waits = queue.state.waits.swap(false, Ordering::Relaxed);
            // A full queue gets a later one.
            if waits && queue.sender.try_send(Message::Ended(ended)).is_err() {
                queue.state.waits.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Queues for every client that rows may be missing.
    pub fn announce_gap(&self) {
        self.retain(|queue| queue.push(Message::Gap, 0));
    }

    /// Removes the clients for which it returns false.
    fn retain(&self, mut stays: impl FnMut(&mut Queue) -> bool) {
        self.lock().retain(|_, queues| {
            let before = queues.len();
            queues.retain_mut(&mut stays);
            self.count_dropped(before - queues.len());
            !queues.is_empty()
        });
    }

    /// Waits until a client came, went, or came into view or out of it since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The subscribers who have a client now.
    pub fn subscribers(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// Clients now.
    pub fn clients(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Clients removed because they were too slow, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Events queued since the start, counted once for each client.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    fn count_dropped(&self, slow: usize) {
        self.count.fetch_sub(slow, Ordering::Relaxed);
        self.dropped.fetch_add(slow as u64, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Queue>>> {
        // No code that holds the lock panics half way.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// False when there is no room.
    fn push(&self, message: Message, bytes: usize) -> bool {
        let before = self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.state.waits.store(true, Ordering::Relaxed);
        (before == 0 || before + bytes <= QUEUE_BYTES) && self.sender.try_send(message).is_ok()
    }
}

impl Subscription {
    /// Which of all clients since the start this is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The outcomes of signals are sent from now on, until they are final; not those of `settled`.
    pub fn await_outcomes(&self, signals: impl IntoIterator<Item = Signal>, settled: &[i64]) {
        self.with_awaited(|awaited| {
            for signal in signals {
                awaited.add(signal.number, signal.symbol.as_deref());
            }
            settled.iter().for_each(|s| awaited.remove(*s));
        });
    }

    /// The signals whose outcomes are awaited.
    pub fn awaited(&self) -> Vec<i64> {
        self.with_awaited(|awaited| awaited.all())
            .unwrap_or_default()
    }

    /// The symbols of the signals whose outcomes are awaited, as far as they are known.
    pub fn symbols(&self) -> Arc<BTreeSet<String>> {
        self.with_awaited(|awaited| awaited.symbols())
            .unwrap_or_default()
    }

    /// `None` when the client was removed.
    fn with_awaited<T>(&self, work: impl FnOnce(&mut Awaited) -> T) -> Option<T> {
        let mut clients = self.fan_out.lock();
        let mut queues = clients.get_mut(&self.user)?.iter_mut();
        let queue = queues.find(|queue| queue.number == self.number)?;
        Some(work(&mut queue.awaited))
    }

    /// Asks for a resume point.
    pub fn request_resume_point(&self) {
        self.state.waits.store(true, Ordering::Relaxed);
    }

    /// Its resume point is of this server from now on. Returns whether it was of another.
    pub fn move_to(&self, server: i32) -> bool {
        self.state.move_to(server)
    }

    /// Whether a resume point is of its server; else asks for another.
    pub fn concerns(&self, ended: &Ended) -> bool {
        let is_of_it = self.state.is_of(ended.server);
        if !is_of_it {
            self.request_resume_point();
        }
        is_of_it
    }

    /// Why it was removed, in a word for the client.
    pub fn end_reason(&self) -> &'static str {
        match self.state.replaced.load(Ordering::Relaxed) {
            true => "replaced",
            false => "slow",
        }
    }

    /// Waits for a message; `None` when the client was removed and the queue is empty.
    pub async fn receive(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await;
        self.uncount(message)
    }

    /// The next message that is there already.
    pub fn receive_now(&mut self) -> Option<Message> {
        match self.receiver.try_recv() {
            Ok(message) => self.uncount(Some(message)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    fn uncount(&self, message: Option<Message>) -> Option<Message> {
        if let Some(Message::Event(event) | Message::Signal(event, _)) = &message {
            self.state.bytes.fetch_sub(event.len(), Ordering::Relaxed);
        }
        message
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut clients = self.fan_out.lock();
        if let Some(queues) = clients.get_mut(&self.user) {
            let before = queues.len();
            queues.retain(|queue| queue.number != self.number);
            let left = before - queues.len();
            self.fan_out.count.fetch_sub(left, Ordering::Relaxed);
            if queues.is_empty() {
                clients.remove(&self.user);
            }
        }
        self.fan_out.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
