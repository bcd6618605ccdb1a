//! The loop of one client.

use super::Refused;
use super::progress::{Progress, Step};
use super::turn::Turn;
use crate::app::health::{self, Health};
use crate::app::{App, unread};
use crate::auth::Subscriber;
use crate::database::{Ended, Page, Prices};
use crate::fan_out::{CommitTime, Message, Signal, Subscription};
use crate::signal::{Column, OutcomeColumn, Watermark, event, server_of};
use bytes::Bytes;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// Longest time without an event.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Missed rows that are read at a time.
const ROWS_PER_PAGE: i32 = 200;
/// Queued events are sent in pieces of about this size.
const PIECE: usize = 64 * 1024;
/// A century is as good as never, and does not overflow.
const NEVER: Duration = Duration::from_secs(3_000_000_000);
/// Reports of health and resume points, which nobody waits for, are spread over half a second:
/// a thousand clients at once would delay a signal that comes at that time.
const SPREAD: u64 = 64;
const SPREAD_STEP: Duration = Duration::from_millis(8);

pub struct Client {
    app: Arc<App>,
    subscriber: Subscriber,
    subscription: Subscription,
    /// The last resume point that is safe.
    resume: String,
    progress: Progress,
    /// When to read from there.
    turn: Turn,
    /// While the database refuses that.
    refused: Option<unread::Refused>,
    /// The last reading ended within its rows.
    is_half_read: bool,
    /// By signal: the fingerprint of the outcome last read, while it is not final.
    outcomes_read: HashMap<i64, u64>,
    prices: watch::Receiver<Arc<Prices>>,
    /// Those that were sent last.
    prices_sent: Prices,
    /// When to send those that changed.
    prices_at: Option<Instant>,
    health: watch::Receiver<Arc<Health>>,
    health_at: Instant,
    /// When to send a resume point that the client does not have yet.
    watermark_at: Option<Instant>,
    expires: Instant,
    shutdown: watch::Receiver<bool>,
    timer: Pin<Box<Sleep>>,
    /// What is sent next.
    out: Vec<u8>,
    /// When the signals in it were committed.
    committed: Vec<CommitTime>,
    is_finished: bool,
}

impl Client {
    /// Adds a client and reads the first page of what it missed.
    pub async fn new(
        app: Arc<App>,
        subscriber: Subscriber,
        since: Option<String>,
        open: Vec<i64>,
    ) -> Result<Self, Refused> {
        let subscription = app.fan_out.subscribe(subscriber.user_id)?;
        if app.fan_out.clients() == 1 {
            // Without clients the monitor asks rarely, so the report on the generator may be old.
            app.ask_now.notify_one();
        }
        let began = std::time::Instant::now();
        // A stream that starts now reads one row, for the resume point that comes with it.
        let limit = if since.is_some() { ROWS_PER_PAGE } else { 1 };
        let page = app
            .database
            .signals_since(&subscriber, since.as_deref(), limit, &open)
            .await?;
        let left = subscriber.expires.duration_since(SystemTime::now());
        let left = left.unwrap_or_default().min(NEVER);
        let now = Instant::now();
        let turn = Turn::new(&app.fan_out, &app.database_is, subscription.number());
        let mut client = Self {
            prices: app.prices.subscribe(),
            prices_sent: Prices::new(),
            prices_at: None,
            health: app.health.subscribe(),
            shutdown: app.shutdown.subscribe(),
            resume: since.clone().unwrap_or_else(|| page.watermark.clone()),
            progress: Progress::Reading,
            turn,
            refused: None,
            is_half_read: false,
            outcomes_read: HashMap::new(),
            health_at: now + HEARTBEAT,
            watermark_at: None,
            expires: now + left,
            timer: Box::pin(tokio::time::sleep(HEARTBEAT)),
            out: Vec::new(),
            committed: Vec::new(),
            is_finished: false,
            app,
            subscriber,
            subscription,
        };
        client.write_hello();
        client.write_health();
        if since.is_some() {
            client.write_page(&page);
        }
        client.write_outcomes(&page);
        client.after_reading(&page, began);
        client.prices.mark_changed();
        if *client.shutdown.borrow() {
            client.shutdown.mark_changed();
        }
        Ok(client)
    }

    /// The next piece of the stream; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            if self.is_finished {
                return None;
            }
            self.wait().await;
        }
        self.count_sent();
        Some(std::mem::take(&mut self.out).into())
    }

    /// Counts how long signals took, by the clock of the database.
    fn count_sent(&mut self) {
        if self.committed.is_empty() {
            return;
        }
        let now = health::local_clock() + self.health.borrow().offset;
        for committed in self.committed.drain(..) {
            let took = (now - committed as f64 / 1e6).max(0.0);
            let took = Duration::try_from_secs_f64(took).unwrap_or_default();
            self.app.metrics.commit_to_sent.observe(took);
        }
    }

    /// Waits until something happens, and writes the events that follow from it.
    async fn wait(&mut self) {
        let due = self.turn.at().unwrap_or(self.expires);
        let due = due.min(self.health_at).min(self.expires);
        let due = due.min(self.watermark_at.unwrap_or(due));
        let due = due.min(self.prices_at.unwrap_or(due));
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        tokio::select! {
            _ = self.shutdown.changed() => self.finish("shutdown"),
            message = self.subscription.receive() => match message {
                Some(message) => self.take_queued(message),
                None => self.finish(self.subscription.end_reason()),
            },
            () = self.timer.as_mut() => self.do_what_is_due().await,
            () = self.turn.changed() => self.turn.note_change(),
            changed = self.prices.changed() => {
                if changed.is_ok() {
                    self.prices_at.get_or_insert(self.spread_out());
                }
            }
            changed = self.health.changed() => {
                if changed.is_ok() {
                    self.health_at = self.health_at.min(self.spread_out());
                }
            }
        }
    }

    /// A time within the next half second, another one for each client.
    fn spread_out(&self) -> Instant {
        let place = u32::try_from(self.subscription.number() % SPREAD).unwrap_or(0);
        Instant::now() + SPREAD_STEP * place
    }

    fn take_queued(&mut self, first: Message) {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Event(event) => self.out.extend_from_slice(&event),
                Message::Signal(event, committed) => {
                    self.out.extend_from_slice(&event);
                    self.committed.push(committed);
                }
                Message::Ended(ended) if !self.subscription.concerns(&ended) => {}
                Message::Ended(ended) => self.take_ended(ended),
                Message::Gap => {
                    self.progress = Progress::Reading;
                    self.is_half_read = false;
                    self.turn.in_turn();
                }
            }
            next = (self.out.len() < PIECE)
                .then(|| self.subscription.receive_now())
                .flatten();
        }
    }

    async fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.expires <= now {
            return self.finish("expired");
        }
        if self.health_at <= now {
            self.write_health();
        }
        if self.prices_at.take_if(|due| *due <= now).is_some() {
            self.write_prices();
        }
        if self.watermark_at.take_if(|due| *due <= now).is_some() {
            event::write_watermark(&mut self.out, &self.resume);
        }
        if self.turn.has_come() {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let began = std::time::Instant::now();
        // Once for all pages.
        let open = match self.is_half_read {
            true => Vec::new(),
            false => self.subscription.awaited(),
        };
        if !self.is_half_read {
            self.outcomes_read
                .retain(|signal, _| open.binary_search(signal).is_ok());
        }
        let (database, resume) = (&self.app.database, Some(self.resume.as_str()));
        let asked = database.signals_since(&self.subscriber, resume, ROWS_PER_PAGE, &open);
        match asked.await {
            Ok(page) => {
                self.write_page(&page);
                self.write_outcomes(&page);
                if self.refused.take().is_some() {
                    self.write_health();
                }
                self.after_reading(&page, began);
            }
            // The stream stays: rows that come meanwhile are sent, the resume point does not move.
            Err(why) => {
                self.app.note_failure(&why);
                self.turn.note_failure();
                if self.refused.is_none() {
                    self.refused = unread::Refused::new(&self.app, &why);
                    if self.refused.is_some() {
                        self.write_health();
                    }
                }
            }
        }
    }

    fn after_reading(&mut self, page: &Page, began: std::time::Instant) {
        if self.subscription.move_to(server_of(&page.watermark)) {
            self.progress = Progress::Reading;
        }
        self.is_half_read = page.more;
        self.turn.note_success(page.more);
        if page.more {
            return;
        }
        self.progress = self.progress.after_reading(began);
        if !matches!(self.progress, Progress::Certain) {
            self.subscription.request_resume_point();
        }
    }

    fn take_ended(&mut self, ended: Ended) {
        match self.progress.take(ended) {
            Step::Wait => self.subscription.request_resume_point(),
            Step::Read => self.turn.now(),
            Step::Move(number) => self.move_resume_point(number),
            Step::Nothing => {}
        }
    }

    fn move_resume_point(&mut self, number: u64) {
        let Some(mut mark) = Watermark::parse(&self.resume) else {
            return;
        };
        if mark.advance(number) {
            self.resume = mark.to_string();
            let turn = self.spread_out();
            self.watermark_at.get_or_insert(turn);
        }
    }

    fn finish(&mut self, reason: &str) {
        event::write_bye(&mut self.out, Some(&self.resume), reason);
        self.is_finished = true;
    }

    fn write_hello(&mut self) {
        let time = self.health.borrow().server_time();
        // By its number a page says whether it is in view, where somebody wants to know.
        let number = match self.app.push {
            Some(_) => format!(",\"stream\":{}", self.subscription.number()),
            None => String::new(),
        };
        let hello = format!(
            "{{\"server_time\":\"{time}\",\"watermark\":\"{}\",\"heartbeat_seconds\":{}{number}}}",
            self.resume,
            HEARTBEAT.as_secs()
        );
        event::write(&mut self.out, "hello", Some(&self.resume), |out| {
            out.extend_from_slice(hello.as_bytes());
        });
    }

    fn write_health(&mut self) {
        let health = Arc::clone(&self.health.borrow_and_update());
        let json = match self.refused {
            Some(_) => health.json_of_incomplete(),
            None => health.json(),
        };
        event::write(&mut self.out, "health", None, |out| {
            out.extend_from_slice(json.as_bytes());
        });
        self.health_at = Instant::now() + HEARTBEAT;
    }

    /// What changed for the signals of this client.
    fn write_prices(&mut self) {
        let latest = Arc::clone(&self.prices.borrow_and_update());
        let symbols = self.subscription.symbols();
        self.prices_sent
            .retain(|symbol, _| symbols.contains(symbol));
        let mut changed = serde_json::Map::new();
        for symbol in symbols.iter() {
            let Some(price) = latest.get(symbol) else {
                continue;
            };
            if self.prices_sent.get(symbol) != Some(price) {
                let value = serde_json::json!({ "price": price.price, "at": price.at });
                changed.insert(symbol.clone(), value);
                self.prices_sent.insert(symbol.clone(), price.clone());
            }
        }
        if !changed.is_empty() {
            event::write_prices(&mut self.out, &changed);
        }
    }

    fn write_page(&mut self, page: &Page) {
        for row in page.rows() {
            event::write(&mut self.out, "signal", None, |out| row.write_signal(out));
        }
        self.resume.clone_from(&page.watermark);
        event::write_watermark(&mut self.out, &page.watermark);
    }

    /// After the signals, which clients must know first. What is not final yet is awaited: an
    /// outcome that is settled between this reading and that moment comes with the second reading.
    fn write_outcomes(&mut self, page: &Page) {
        let mut settled = Vec::new();
        let mut open: Vec<Signal> = page
            .rows()
            .filter_map(|row| {
                let number = row.get(Column::SignalId)?.parse().ok()?;
                let symbol = row.get(Column::Symbol).map(str::to_owned);
                Some(Signal { number, symbol })
            })
            .collect();
        for row in page.outcomes() {
            let Some(signal) = row.signal_id() else {
                continue;
            };
            let event = event::outcome(&row);
            let fingerprint = event::fingerprint(&event);
            let before = if row.is_final() {
                settled.push(signal);
                self.outcomes_read.remove(&signal)
            } else {
                open.push(Signal {
                    number: signal,
                    symbol: row.get(OutcomeColumn::Symbol).map(str::to_owned),
                });
                self.outcomes_read.insert(signal, fingerprint)
            };
            if before != Some(fingerprint) {
                self.out.extend_from_slice(&event);
            }
        }
        self.subscription.await_outcomes(open, &settled);
    }
}
