//! Clients: a single stream, and one that comes back whenever its stream ends.

use crate::scene::SOON;
use crate::service::{Service, agent};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// Opens a stream, and calls `each` for each event until it returns false or the stream ends.
fn read_stream(
    url: &str,
    token: &str,
    mut each: impl FnMut(Event) -> bool,
) -> Result<(), ureq::Error> {
    let request = agent().get(url);
    let response = request
        .header("Authorization", format!("Bearer {token}"))
        .call()?;
    if response.status() != 200 {
        return Err(ureq::Error::StatusCode(response.status().as_u16()));
    }
    let mut event = Event {
        name: String::new(),
        id: None,
        data: Value::Null,
    };
    for line in BufReader::new(response.into_body().into_reader()).lines() {
        let line = line?;
        match line.split_once(": ") {
            Some(("event", name)) => event.name = name.to_owned(),
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
            _ => {
                assert_eq!(line, "", "only known fields");
                if !each(event.clone()) {
                    break;
                }
                event.id = None;
            }
        }
    }
    Ok(())
}

/// One stream.
pub struct Stream {
    events: Receiver<Event>,
    /// The last resume point.
    pub watermark: String,
    /// By which a page says whether it is in view; 0 where nobody wants to know.
    pub number: u64,
}

impl Stream {
    /// Opens a stream for subscriber `number`, and reads its hello.
    #[track_caller]
    pub fn open(service: &Service, number: u32, since: Option<&str>) -> Self {
        let mut url = service.url("/api/stream");
        if let Some(since) = since {
            url += &format!("?since={since}");
        }
        let token = service.token(number);
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            // The end of the stream closes the channel.
            let _ = read_stream(&url, &token, |event| sender.send(event).is_ok());
        });
        let mut stream = Self {
            events,
            watermark: String::new(),
            number: 0,
        };
        let hello = stream.next().expect("a first event");
        assert_eq!(hello.name, "hello");
        assert_eq!(hello.data["heartbeat_seconds"], 15);
        assert_eq!(hello.data["watermark"], stream.watermark);
        stream.number = hello.data["stream"].as_u64().unwrap_or_default();
        stream
    }

    /// The next event that is not about health or prices; `None` when the stream has ended.
    #[track_caller]
    pub fn next(&mut self) -> Option<Event> {
        let end = Instant::now() + SOON;
        loop {
            let event = self.next_of_any(end)?;
            if event.name != "health" && event.name != "price" {
                return Some(event);
            }
        }
    }

    #[track_caller]
    fn next_of_any(&mut self, end: Instant) -> Option<Event> {
        let left = end.saturating_duration_since(Instant::now());
        let event = match self.events.recv_timeout(left) {
            Ok(event) => event,
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no event within {SOON:?}"),
        };
        if let Some(id) = &event.id {
            self.watermark.clone_from(id);
        }
        Some(event)
    }

    /// Reads until a report on the generator passes.
    #[track_caller]
    pub fn expect_health(&mut self, passes: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + SOON;
        loop {
            let event = self.next_of_any(end).expect("the stream goes on");
            if event.name == "health" && passes(&event.data) {
                return event.data;
            }
        }
    }

    /// The next prices.
    #[track_caller]
    pub fn expect_prices(&mut self) -> Value {
        let end = Instant::now() + SOON;
        loop {
            let event = self.next_of_any(end).expect("the stream goes on");
            if event.name == "price" {
                return event.data;
            }
        }
    }

    /// The next event of this name; others are skipped.
    #[track_caller]
    pub fn expect(&mut self, name: &str) -> Event {
        loop {
            let event = self.next();
            let event = event.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if event.name == name {
                return event;
            }
        }
    }

    /// Reads until this signal has come.
    #[track_caller]
    pub fn expect_signal(&mut self, signal_id: i64) -> Event {
        loop {
            let event = self.expect("signal");
            if event.data["signal_id"] == signal_id {
                return event;
            }
        }
    }

    /// Reads until the resume point has moved, which covers everything before it.
    #[track_caller]
    pub fn settle(&mut self) {
        let before = self.watermark.clone();
        while self.watermark == before {
            self.expect("watermark");
        }
    }
}

/// A client that comes back from its last resume point until it is stopped.
pub struct Follower {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeSet<i64>>>,
    streams: Arc<Mutex<u32>>,
}

impl Follower {
    pub fn start(service: &Service, number: u32) -> Self {
        let (url, token) = (service.url("/api/stream"), service.token(number));
        let follower = Self {
            stop: Arc::default(),
            seen: Arc::default(),
            streams: Arc::default(),
        };
        let stop = Arc::clone(&follower.stop);
        let seen = Arc::clone(&follower.seen);
        let streams = Arc::clone(&follower.streams);
        // The thread ends with the next event after the stop, or with the service.
        thread::spawn(move || {
            let mut watermark: Option<String> = None;
            while !stop.load(Ordering::Relaxed) {
                let url = match &watermark {
                    Some(watermark) => format!("{url}?since={watermark}"),
                    None => url.clone(),
                };
                // It fails while the service is down, and when the service is killed.
                let _ = read_stream(&url, &token, |event| {
                    match event.name.as_str() {
                        "hello" => *streams.lock().expect("no panic") += 1,
                        "signal" => {
                            let signal = event.data["signal_id"].as_i64().expect("a number");
                            seen.lock().expect("no panic").insert(signal);
                        }
                        _ => {}
                    }
                    if event.id.is_some() {
                        watermark = event.id;
                    }
                    !stop.load(Ordering::Relaxed)
                });
                thread::sleep(Duration::from_millis(20));
            }
        });
        follower
    }

    /// How many signals have come.
    pub fn count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// How many streams were opened.
    pub fn streams(&self) -> u32 {
        *self.streams.lock().expect("no panic")
    }

    pub fn seen(&self) -> BTreeSet<i64> {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
