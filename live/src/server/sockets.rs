//! The connections of clients: how many the system allows, and how a vanished client is noticed.

use crate::error::Failure;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_io_timeout::TimeoutStream;
use tracing::warn;

/// A client that reads nothing for this long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A machine that acknowledges nothing for this long is gone.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(30);
/// The head of a request must be complete within this time.
const HEADER_LIMIT: Duration = Duration::from_secs(15);
/// What hyper buffers for a client, in addition to its queue.
const BUFFER: usize = 64 * 1024;
/// Open files that are not of clients: connections to the database, the process itself.
const OWN_FILES: u64 = 32;
/// Open files for requests beside the streams.
const REQUEST_FILES: u64 = 32;

/// Serves what comes over a connection. Its place is free again when it ends.
pub fn serve_connection(
    socket: TcpStream,
    routes: TowerToHyperService<axum::Router>,
    connections: &GracefulShutdown,
    place: Option<OwnedSemaphorePermit>,
) {
    // Otherwise an event would wait until more data fills a packet.
    let _ = socket.set_nodelay(true);
    limit_unacknowledged(&socket);
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_LIMIT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Box::pin(socket)), routes);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // How it ends is of no interest: clients come back by themselves.
        let _ = connection.await;
        drop(place);
    });
}

/// Without this, the system keeps trying for a quarter of an hour. Heartbeats make sure that there
/// is always something to acknowledge.
fn limit_unacknowledged(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let limit = u32::try_from(ACKNOWLEDGE_LIMIT.as_millis()).unwrap_or(u32::MAX);
        let _ = sockopt::set_tcp_user_timeout(socket, limit);
    }
}

/// How many clients there is room for. Each is an open file.
pub struct Room {
    /// Streams at the same time.
    pub streams: usize,
    /// Connections at the same time, those of streams included.
    pub connections: usize,
}

/// How many of the wanted streams there is room for. The usual limit of 1024 open files is too low
/// for them, so it is raised as far as the system allows. `more_files` are for other things.
///
/// # Errors
/// When there is no room for any.
pub fn room_for(wanted: usize, more_files: u64) -> Result<Room, Failure> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        let error = io::Error::from(error);
        warn!("cannot raise the limit of open files: {error}");
    }
    // `None` means that there is no limit.
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return Ok(Room {
            streams: wanted,
            connections: usize::MAX,
        });
    };
    let own_files = OWN_FILES + more_files;
    let other_files = own_files + REQUEST_FILES;
    let less = |other| usize::try_from(files.saturating_sub(other)).unwrap_or(usize::MAX);
    let room = less(other_files);
    if room == 0 {
        return Err(Failure::refused(
            format!("{files} open files are too few"),
            format!("Raise the limit (ulimit -n): {other_files}, and one more for each client."),
        ));
    }
    if room < wanted {
        warn!("{files} open files make room for {room} clients, not {wanted}");
    }
    Ok(Room {
        streams: room.min(wanted),
        connections: less(own_files),
    })
}
