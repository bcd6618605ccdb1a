//! HTTP/1.1 on loopback: one thread per connection, all of them ended by dropping the server.

use super::response::{Delivery, Response, reason};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Largest request head that is accepted, in bytes; a list of a thousand symbols fits.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;
/// Pause between two bytes of a dripping body.
const DRIP: Duration = Duration::from_millis(200);
/// Longest wait for connection threads when the server stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// What answers a request: its method and target.
type Handler = dyn Fn(&str, &str) -> Response + Send + Sync;

/// A listening server. Dropping it closes the port and every connection.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    connections: Mutex<Connections>,
    changed: Condvar,
}

#[derive(Default)]
struct Connections {
    stopping: bool,
    next_id: u64,
    open: HashMap<u64, Arc<TcpStream>>,
}

impl Server {
    /// Listens on a port of 127.0.0.1.
    pub fn start(port: u16, handler: Box<Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            handler,
            connections: Mutex::default(),
            changed: Condvar::new(),
        });
        let acceptor = thread::Builder::new()
            .name("market acceptor".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || accept(&listener, &shared)
            })?;
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut connections = self.shared.lock();
        connections.stopping = true;
        for stream in connections.open.values() {
            // Ends any read or write of its thread. An error means that it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(connections);
        self.shared.changed.notify_all();

        // A connection wakes the acceptor. When even that fails, this does not wait for its
        // thread.
        let woken = TcpStream::connect_timeout(&self.address, STOP_DEADLINE).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            // A panic there was already printed.
            let _ = acceptor.join();
        }
        let connections = self.shared.lock();
        let _ = self
            .shared
            .changed
            .wait_timeout_while(connections, STOP_DEADLINE, |connections| {
                !connections.open.is_empty()
            });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        // The table stays usable when a thread that held the lock panicked.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for some time; returns whether the server has to stop.
    fn pause(&self, time: Duration) -> bool {
        let wait = self
            .changed
            .wait_timeout_while(self.lock(), time, |connections| !connections.stopping);
        wait.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// Enters a connection in the table, unless the server is stopping.
    fn admit(&self, stream: &Arc<TcpStream>) -> Option<u64> {
        let mut connections = self.lock();
        if connections.stopping {
            return None;
        }
        connections.next_id += 1;
        let id = connections.next_id;
        connections.open.insert(id, Arc::clone(stream));
        Some(id)
    }

    fn dismiss(&self, id: u64) {
        self.lock().open.remove(&id);
        self.changed.notify_all();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // No descriptor was left, or the peer aborted: goes on, but not in a busy loop.
            if shared.pause(Duration::from_millis(10)) {
                return;
            }
            continue;
        };
        let stream = Arc::new(stream);
        let Some(id) = shared.admit(&stream) else {
            return;
        };
        let connection = {
            let shared = Arc::clone(shared);
            move || {
                // The other side may leave at any time, which only ends this connection.
                let _ = serve(&stream, &shared);
                shared.dismiss(id);
            }
        };
        let thread = thread::Builder::new().name("market connection".to_owned());
        if thread.spawn(connection).is_err() {
            shared.dismiss(id);
        }
    }
}

/// Answers requests until one side closes.
fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    while let Some(request) = next_request(stream, &mut received)? {
        let response = (shared.handler)(&request.method, &request.target);
        let go_on = deliver(stream, shared, &response, request.keep_alive)?;
        if !go_on {
            break;
        }
    }
    Ok(())
}

struct Request {
    method: String,
    target: String,
    keep_alive: bool,
}

/// Reads one request head; `None` when the other side has closed. Bytes after the head stay in
/// `received`.
fn next_request(mut stream: &TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some((request, length)) = parse(received)? {
            received.drain(..length);
            return Ok(Some(request));
        }
        if received.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut chunk = [0; 4_096];
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            length => received.extend_from_slice(&chunk[..length]),
        }
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head
        .parse(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let header = |name: &str| {
        let mut headers = head.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name))
    };
    let closes =
        header("Connection").is_some_and(|header| header.value.eq_ignore_ascii_case(b"close"));
    // No route reads a body, so the connection cannot be used again after a request with one.
    let has_body = header("Content-Length").is_some() || header("Transfer-Encoding").is_some();
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        keep_alive: head.version == Some(1) && !closes && !has_body,
    };
    Ok(Some((request, length)))
}

/// Sends an answer; returns whether the connection can take another request.
fn deliver(
    mut stream: &TcpStream,
    shared: &Shared,
    response: &Response,
    keep_alive: bool,
) -> io::Result<bool> {
    let keep_alive = keep_alive
        && matches!(
            response.delivery,
            Delivery::Whole | Delivery::Drip | Delivery::Late(_)
        );
    let head = head(response, keep_alive);
    let body = &response.body;
    match response.delivery {
        Delivery::Whole => stream.write_all(&[head.as_bytes(), body].concat())?,
        Delivery::Late(time) => {
            if shared.pause(time) {
                return Ok(false);
            }
            stream.write_all(&[head.as_bytes(), body].concat())?;
        }
        Delivery::Truncated => {
            stream.write_all(&[head.as_bytes(), &body[..body.len() / 2]].concat())?;
        }
        Delivery::Endless => {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(body)?;
            }
        }
        Delivery::Drip => {
            stream.write_all(head.as_bytes())?;
            for byte in body {
                stream.write_all(&[*byte])?;
                if shared.pause(DRIP) {
                    return Ok(false);
                }
            }
        }
        Delivery::Silence => {
            // Reads until the other side gives up or the server stops.
            let mut ignored = [0; 256];
            while stream.read(&mut ignored)? > 0 {}
        }
        // With a linger time of zero, closing sends RST instead of FIN.
        Delivery::Reset => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?,
    }
    Ok(keep_alive)
}

fn head(response: &Response, keep_alive: bool) -> String {
    let status = response.status;
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if response.delivery != Delivery::Endless {
        head += &format!("Content-Length: {}\r\n", response.body.len());
    }
    if !keep_alive {
        head += "Connection: close\r\n";
    }
    head + "\r\n"
}
