//! Accepts connections of clients, at most as many as leave files for everything else.

use super::sockets::serve_connection;
use crate::app::App;
use crate::error::Failure;
use crate::http;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tracing::warn;

/// Time between two messages about connections that cannot be accepted.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
/// Pause after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Accepts until the service is ending. With `limit` connections open, further ones wait until one
/// ends; those that send no request end by themselves after some seconds.
pub async fn accept(
    app: &Arc<App>,
    listener: TcpListener,
    limit: usize,
) -> Result<GracefulShutdown, Failure> {
    let failed = |error| Failure::Other(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    // Sent by a terminal that is closed, and by some programs that rotate logs.
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let routes = TowerToHyperService::new(http::routes(Arc::clone(app)));
    let connections = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    let mut report = Report(None);
    loop {
        if room.available_permits() == 0 {
            report.warn(|| format!("{limit} connections are open; further ones wait"));
        }
        let next = async {
            // It fails for a closed semaphore only, and this one is never closed.
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            _ = terminate.recv() => return Ok(connections),
            _ = interrupt.recv() => return Ok(connections),
            _ = hangup.recv() => return Ok(connections),
        };
        match accepted {
            Ok((socket, _)) => serve_connection(socket, routes.clone(), &connections, place.ok()),
            Err(error) => {
                report.warn(|| format!("cannot accept connections: {error}"));
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Does not repeat a warning too often.
struct Report(Option<Instant>);

impl Report {
    fn warn(&mut self, message: impl FnOnce() -> String) {
        if self.0.is_none_or(|at| at.elapsed() >= REPEAT_AFTER) {
            self.0 = Some(Instant::now());
            warn!("{}", message());
        }
    }
}
