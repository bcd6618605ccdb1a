//! Many clients, each with its own connection, on one thread that uses as little processor
//! time as possible: the service is measured, not its clients.

use crate::PATIENCE;
use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use signal_hub_harness::service::Service;
use signal_hub_harness::wait::eventually;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// What a signal looks like in the stream, before its number.
const MARK: &[u8] = b"data: {\"signal_id\":";

type Seen = Arc<Mutex<HashMap<i64, Vec<Instant>>>>;

pub struct Audience {
    seen: Seen,
}

impl Audience {
    /// Opens a stream for each of the first `count` subscribers. The streams last as long as the service.
    pub fn gather(service: &Service, count: u32) -> Self {
        let tokens: Vec<String> = (1..=count).map(|number| service.token(number)).collect();
        Self::with_tokens(service, &tokens)
    }

    /// Opens a stream for each of these tokens.
    pub fn with_tokens(service: &Service, tokens: &[String]) -> Self {
        let clients = tokens.iter().map(|token| Client::open(service, token));
        let clients: Vec<Client> = clients.collect();
        let seen = Seen::default();
        let noted = Arc::clone(&seen);
        thread::spawn(move || listen(clients, &noted));
        Self { seen }
    }

    /// Milliseconds from each commit to each of its `clients`, once all of them have it.
    pub fn delays(&self, committed: &[(i64, Instant)], clients: usize) -> Vec<f64> {
        eventually(PATIENCE, "all clients have all signals", || {
            let seen = self.seen.lock().expect("no panic");
            committed
                .iter()
                .all(|(signal, _)| seen.get(signal).is_some_and(|at| at.len() >= clients))
        });
        let seen = self.seen.lock().expect("no panic");
        committed
            .iter()
            .flat_map(|(signal, began)| {
                let at = seen[signal].iter();
                at.map(move |at| at.saturating_duration_since(*began).as_secs_f64() * 1000.0)
            })
            .collect()
    }
}

struct Client {
    stream: TcpStream,
    /// The end of what was read; a mark may begin in it.
    rest: Vec<u8>,
}

impl Client {
    fn open(service: &Service, token: &str) -> Self {
        let mut stream = TcpStream::connect(service.address()).expect("it listens");
        let request =
            format!("GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    /// Reads what has come, and calls `found` for each signal in it.
    fn read(&mut self, buffer: &mut [u8], mut found: impl FnMut(i64)) {
        // A client that the service dropped shows by its missing rows.
        let count = self.stream.read(buffer).unwrap_or(0);
        self.rest.extend_from_slice(&buffer[..count]);
        let mut read = 0;
        while let Some((signal, end)) = next_signal(&self.rest[read..]) {
            read += end;
            found(signal);
        }
        // A mark may lie across two reads.
        let kept = (self.rest.len() - read).min(MARK.len() + 20);
        self.rest.drain(..self.rest.len() - kept);
    }
}

fn listen(mut clients: Vec<Client>, seen: &Mutex<HashMap<i64, Vec<Instant>>>) {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll(7)");
    for (number, client) in clients.iter().enumerate() {
        let number = epoll::EventData::new_u64(number as u64);
        epoll::add(&poll, &client.stream, number, epoll::EventFlags::IN).expect("epoll(7)");
    }
    let mut buffer = vec![0; 64 * 1024];
    let mut ready = Vec::with_capacity(clients.len());
    loop {
        ready.clear();
        epoll::wait(&poll, spare_capacity(&mut ready), None).expect("epoll(7)");
        let mut came = Vec::new();
        for event in &ready {
            let client = &mut clients[event.data.u64() as usize];
            client.read(&mut buffer, |signal| came.push((signal, Instant::now())));
        }
        let mut seen = seen.lock().expect("no panic");
        for (signal, at) in came {
            seen.entry(signal).or_default().push(at);
        }
    }
}

/// The number of the first signal, and where it ends.
fn next_signal(bytes: &[u8]) -> Option<(i64, usize)> {
    let place = memmem::find(bytes, MARK)?;
    let digits = &bytes[place + MARK.len()..];
    let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
    Some((number, place + MARK.len() + length))
}
