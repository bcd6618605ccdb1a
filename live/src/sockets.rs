//! What the system gives for clients: open files, and sockets that notice when a client is gone.

use crate::error::{Failure, say};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

/// A client that takes nothing for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A machine that acknowledges nothing for so long is gone.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(30);
/// A request must be complete by then.
const HEADER_LIMIT: Duration = Duration::from_secs(15);
/// What hyper keeps for a client, beside its queue.
const BUFFER: usize = 64 * 1024;
/// Open files that are not streams: the database, other requests, the process itself.
const OTHER_FILES: u64 = 64;

/// Serves what comes over a connection.
pub fn serve_connection(
    socket: TcpStream,
    routes: TowerToHyperService<axum::Router>,
    connections: &GracefulShutdown,
) {
    // An event that waits for others is late.
    let _ = socket.set_nodelay(true);
    give_up_on_the_dead(&socket);
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_LIMIT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Box::pin(socket)), routes);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // Its end is the client's affair, whatever it is.
        let _ = connection.await;
    });
}

/// The system itself tries for a quarter of an hour. Heartbeats are what is not acknowledged.
fn give_up_on_the_dead(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let limit = u32::try_from(ACKNOWLEDGE_LIMIT.as_millis()).unwrap_or(u32::MAX);
        let _ = sockopt::set_tcp_user_timeout(socket, limit);
    }
}

/// How many clients of those wanted there is room for. Each is an open file; the usual limit of
/// 1024 is meant for other programs, so it is raised as far as it may be.
///
/// # Errors
/// When there is room for none.
pub fn room_for(wanted: usize) -> Result<usize, Failure> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        let error = io::Error::from(error);
        say(format!("cannot open more files: {error}"));
    }
    // Unlimited is none.
    let Some(files) = getrlimit(Resource::Nofile).current else {
        return Ok(wanted);
    };
    let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    if room == 0 {
        return Err(Failure::refused(
            format!("{files} open files are too few"),
            format!("Raise the limit (ulimit -n): {OTHER_FILES}, and one for each client."),
        ));
    }
    if room < wanted {
        say(format!(
            "{files} open files make room for {room} clients, not {wanted}"
        ));
    }
    Ok(room.min(wanted))
}
