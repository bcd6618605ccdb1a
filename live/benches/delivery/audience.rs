//! A thousand clients, each with its own connection, on one thread.

use crate::PATIENCE;
use crate::service::Service;
use crate::wait::eventually;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a signal looks like in the stream, before its number.
const MARK: &[u8] = b"data: {\"signal_id\":";

type Seen = Arc<Mutex<HashMap<i64, Vec<Instant>>>>;

pub struct Audience {
    seen: Seen,
}

impl Audience {
    /// Opens a stream for each of the first `count` subscribers. They stay as long as the service.
    pub fn gather(service: &Service, count: u32) -> Self {
        let seen = Seen::default();
        let tokens: Vec<String> = (1..=count).map(|number| service.token(number)).collect();
        let address = service.address().to_owned();
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("threads");
            runtime.block_on(async {
                let mut all = Vec::new();
                for token in tokens {
                    let mut stream = TcpStream::connect(&address).await.expect("it listens");
                    let request = format!(
                        "GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
                    );
                    stream.write_all(request.as_bytes()).await.expect("it listens");
                    all.push(tokio::spawn(listen(stream, Arc::clone(&noted))));
                }
                for one in all {
                    let _ = one.await;
                }
            });
        });
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

async fn listen(mut stream: TcpStream, seen: Seen) {
    let mut buffer = Vec::with_capacity(16 * 1024);
    while stream
        .read_buf(&mut buffer)
        .await
        .is_ok_and(|count| count > 0)
    {
        let now = Instant::now();
        let mut read = 0;
        while let Some((signal, end)) = next_signal(&buffer[read..]) {
            read += end;
            seen.lock()
                .expect("no panic")
                .entry(signal)
                .or_default()
                .push(now);
        }
        // A mark may lie across two reads.
        let kept = (buffer.len() - read).min(MARK.len() + 20);
        let from = buffer.len() - kept;
        buffer.drain(..from);
    }
}

/// The number of the first signal, and where it ends.
fn next_signal(bytes: &[u8]) -> Option<(i64, usize)> {
    let place = bytes
        .windows(MARK.len())
        .position(|window| window == MARK)?;
    let digits = &bytes[place + MARK.len()..];
    let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let number = std::str::from_utf8(&digits[..length]).ok()?.parse().ok()?;
    Some((number, place + MARK.len() + length))
}
