//! One client's stream of events: what it missed, then what comes, without a gap between.
//!
//! A client is taken into the fan-out first and reads what it missed afterwards, so a row that
//! commits meanwhile comes twice rather than never. One hole is left: a transaction is in the log
//! a moment before others can see it, and with synchronous replication a long one. Its row may
//! have passed by before the client came, and be invisible to what the client reads. So the client
//! reads a second time, from the same resume point, once every transaction that ran at its first
//! reading has ended; only then does its resume point move.

use crate::app::App;
use crate::database::{Ended, Page};
use crate::event;
use crate::fan_out::{Full, Message, Subscription};
use crate::health::Health;
use crate::refusal::Refusal;
use crate::token::Subscriber;
use crate::watermark::Watermark;
use bytes::Bytes;
use futures_util::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// A client hears something at least so often.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// Rows read at once of what was missed.
const ROWS_PER_PAGE: i32 = 200;
/// What is queued is sent in pieces of about this size.
const PIECE: usize = 64 * 1024;
/// After the database failed.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// News that nobody waits for are spread over half a second, lest a thousand clients be written
/// to just when a signal comes.
const SPREAD: u64 = 64;
const SPREAD_STEP: Duration = Duration::from_millis(8);

/// Why a stream is not opened.
pub enum Refused {
    Full,
    Database(Refusal),
}

/// How far it is certain that nothing is missing.
enum Progress {
    /// Reading what was missed.
    Reading,
    /// Done, at that time.
    Read(std::time::Instant),
    /// Transactions below this number may have been invisible to it.
    Until(u64),
    /// They have ended; reading again.
    ReadingAgain,
    /// The resume point moves with the stream.
    Certain,
}

struct Client {
    app: Arc<App>,
    subscriber: Subscriber,
    subscription: Subscription,
    /// The last resume point that is safe.
    resume: String,
    progress: Progress,
    /// When to read from there.
    read_at: Option<Instant>,
    health: watch::Receiver<Arc<Health>>,
    health_at: Instant,
    /// When to tell it of a resume point that it does not know yet.
    tell_resume_at: Option<Instant>,
    expires: Instant,
    shutdown: watch::Receiver<bool>,
    timer: Pin<Box<Sleep>>,
    /// What goes out next.
    out: Vec<u8>,
    over: bool,
}

/// Opens a stream from a resume point on, or from now on. The first piece is ready then.
pub async fn open(
    app: Arc<App>,
    subscriber: Subscriber,
    since: Option<String>,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>>, Refused> {
    let subscription = app
        .fan_out
        .subscribe(subscriber.user_id)
        .map_err(|Full| Refused::Full)?;
    if app.fan_out.clients() == 1 {
        // Nobody was there, so what is known of the generator may be old.
        app.look_now.notify_one();
    }
    let read = std::time::Instant::now();
    // From now on: one row, for the resume point that comes with it.
    let limit = if since.is_some() { ROWS_PER_PAGE } else { 1 };
    let page = app
        .database
        .signals_since(&subscriber, since.as_deref(), limit)
        .await
        .map_err(Refused::Database)?;
    let left = subscriber.expires.duration_since(SystemTime::now());
    let now = Instant::now();
    let mut client = Client {
        health: app.health.subscribe(),
        shutdown: app.shutdown.subscribe(),
        resume: since.clone().unwrap_or_else(|| page.watermark.clone()),
        progress: Progress::Reading,
        read_at: None,
        health_at: now + HEARTBEAT,
        tell_resume_at: None,
        // A century is as good as never, and does not overflow.
        expires: now
            + left
                .unwrap_or_default()
                .min(Duration::from_secs(3_000_000_000)),
        timer: Box::pin(tokio::time::sleep(HEARTBEAT)),
        out: Vec::new(),
        over: false,
        app,
        subscriber,
        subscription,
    };
    client.write_hello();
    client.write_health();
    if since.is_some() {
        client.write_page(&page);
    }
    client.was_read(&page, read);
    if *client.shutdown.borrow() {
        client.shutdown.mark_changed();
    }
    Ok(futures_util::stream::unfold(client, |mut client| async {
        let piece = client.next().await?;
        Some((Ok(piece), client))
    }))
}

impl Client {
    /// The next piece of the stream; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            if self.over {
                return None;
            }
            self.wait().await;
        }
        Some(std::mem::take(&mut self.out).into())
    }

    /// Waits until something happens, and writes what is to be said of it.
    async fn wait(&mut self) {
        let due = self.read_at.unwrap_or(self.expires);
        let due = due.min(self.health_at).min(self.expires);
        let due = due.min(self.tell_resume_at.unwrap_or(due));
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        tokio::select! {
            _ = self.shutdown.changed() => self.end("shutdown"),
            message = self.subscription.receive() => match message {
                Some(message) => self.take_all(message),
                None => self.end(self.subscription.why()),
            },
            () = self.timer.as_mut() => self.act().await,
            changed = self.health.changed() => {
                if changed.is_ok() {
                    self.health_at = self.health_at.min(self.in_its_turn());
                }
            }
        }
    }

    /// When this client is told of what all are told.
    fn in_its_turn(&self) -> Instant {
        let place = u32::try_from(self.subscription.number() % SPREAD).unwrap_or(0);
        Instant::now() + SPREAD_STEP * place
    }

    fn take_all(&mut self, first: Message) {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Event(event) => self.out.extend_from_slice(&event),
                Message::Ended(ended) => self.ended(ended),
                Message::Gap => self.read_from_resume(Progress::Reading),
            }
            next = (self.out.len() < PIECE)
                .then(|| self.subscription.receive_now())
                .flatten();
        }
    }

    /// Does what is due.
    async fn act(&mut self) {
        let now = Instant::now();
        if self.expires <= now {
            return self.end("expired");
        }
        if self.health_at <= now {
            self.write_health();
        }
        if self.tell_resume_at.take_if(|due| *due <= now).is_some() {
            event::write_watermark(&mut self.out, &self.resume);
        }
        if self.read_at.is_some_and(|due| due <= now) {
            self.read().await;
        }
    }

    fn read_from_resume(&mut self, progress: Progress) {
        self.progress = progress;
        self.read_at = Some(Instant::now());
    }

    async fn read(&mut self) {
        let began = std::time::Instant::now();
        let asked = self
            .app
            .database
            .signals_since(&self.subscriber, Some(&self.resume), ROWS_PER_PAGE)
            .await;
        match asked {
            Ok(page) => {
                self.write_page(&page);
                self.was_read(&page, began);
            }
            // The stream stays: rows that come meanwhile are sent, the resume point does not move.
            Err(_) => self.read_at = Some(Instant::now() + READ_AGAIN),
        }
    }

    fn was_read(&mut self, page: &Page, began: std::time::Instant) {
        self.read_at = page.more.then(Instant::now);
        if page.more {
            return;
        }
        self.progress = match self.progress {
            Progress::ReadingAgain => Progress::Certain,
            _ => {
                self.subscription.wait_for_end();
                Progress::Read(began)
            }
        };
    }

    fn ended(&mut self, ended: Ended) {
        if let Progress::Read(at) = self.progress
            && ended.asked >= at
        {
            self.progress = Progress::Until(ended.next);
        }
        match self.progress {
            Progress::Certain => {
                let moved = Watermark::parse(&self.resume).and_then(|mut mark| {
                    let moved = mark.advance(ended.number);
                    moved.then(|| mark.to_string())
                });
                if let Some(resume) = moved {
                    self.resume = resume;
                    let turn = self.in_its_turn();
                    self.tell_resume_at.get_or_insert(turn);
                }
            }
            Progress::Until(number) if ended.number >= number => {
                self.read_from_resume(Progress::ReadingAgain);
            }
            Progress::Reading | Progress::ReadingAgain => {}
            Progress::Read(_) | Progress::Until(_) => self.subscription.wait_for_end(),
        }
    }

    fn end(&mut self, reason: &str) {
        event::write_bye(&mut self.out, Some(&self.resume), reason);
        self.over = true;
    }

    fn write_hello(&mut self) {
        let time = self.health.borrow().server_time();
        let hello = format!(
            "{{\"server_time\":\"{time}\",\"watermark\":\"{}\",\"heartbeat_seconds\":{}}}",
            self.resume,
            HEARTBEAT.as_secs()
        );
        event::write(&mut self.out, "hello", Some(&self.resume), |out| {
            out.extend_from_slice(hello.as_bytes());
        });
    }

    fn write_health(&mut self) {
        let health = Arc::clone(&self.health.borrow_and_update());
        event::write(&mut self.out, "health", None, |out| {
            out.extend_from_slice(health.json().as_bytes());
        });
        self.health_at = Instant::now() + HEARTBEAT;
    }

    fn write_page(&mut self, page: &Page) {
        for row in page.rows() {
            event::write(&mut self.out, "signal", None, |out| row.write_signal(out));
        }
        self.resume.clone_from(&page.watermark);
        event::write_watermark(&mut self.out, &page.watermark);
    }
}
