//! Follows the slot of each server: rows of `user_signals` to the fan-out, confirmed once they are queued there.
//!
//! The server does not send confirmed rows again. No client loses any by that: each has a resume
//! point of its own, which moves only after the rows that the client was sent.

mod broken;
mod pgoutput;
mod reader;
mod relay;
mod servers;

use crate::app::{App, STREAMING};
use crate::database::{self, LogReport, SESSION_OPTIONS, host_and_port};
use crate::options::DatabaseAddress;
use broken::Broken;
use pgwire_replication::{ReplicationClient, ReplicationConfig, TlsConfig};
use postgres_protocol::escape::escape_identifier;
use reader::{ROWS_AT_ONCE, Reader};
use relay::Relay;
pub use servers::follow;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stringprep::saslprep;
use tokio::sync::{Notify, watch};
use tracing::warn;

/// The first and the longest pause between two attempts; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// After a stream that lasted this long, pauses start with the first again.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// Longest time to connect.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that is followed.
struct Server {
    /// The number of a node, or 0.
    number: i32,
    /// Where a node is. The other one may be one of several hosts, which has to be found.
    address: Option<DatabaseAddress>,
    /// The reports on its log.
    reports: Arc<watch::Sender<Option<LogReport>>>,
    /// Makes one come at once.
    ask_now: Arc<Notify>,
}

impl Server {
    /// The one that the service asks.
    fn own(app: &App) -> Self {
        Self {
            number: 0,
            address: None,
            reports: Arc::clone(&app.log_report),
            ask_now: Arc::clone(&app.ask_now),
        }
    }
}

/// Follows a server until the service ends, and starts again whenever the stream breaks.
async fn follow_one(app: Arc<App>, server: Server) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let broken = stream(&app, &server).await.err();
        if *app.shutdown.borrow() {
            return;
        }
        let word = broken.as_ref().map_or("reconnecting", Broken::word);
        if app.note_stream(server.number, Some(word)) == Some(STREAMING) {
            if began.elapsed() >= GOOD_AFTER {
                pause = FIRST_PAUSE;
            }
            // They may be to a server that is gone, too.
            app.database.forget_connections();
        }
        if let Some(why) = broken {
            match server.number {
                0 => warn!("replication: {why}; again in {pause:?}"),
                node => warn!("replication from node {node}: {why}; again in {pause:?}"),
            }
        }
        // Until rows come again, clients read them.
        app.fan_out.announce_gap();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.ending() => return,
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One stream, from its start to its end.
async fn stream(app: &App, server: &Server) -> Result<(), Broken> {
    let address = match &server.address {
        Some(address) => Ok(address.clone()),
        None => database::primary(&app.options.source.database).await,
    };
    let address = address.map_err(|why| Broken::Unreached(why.to_string()))?;
    let relay = relay(&address).await?;
    let mut client = ReplicationClient::connect(config(app, &address, relay.as_ref())).await?;
    let ended = read(app, server, &mut client).await;
    // A stream that hangs would otherwise keep its connection.
    client.abort();
    ended
}

/// The way by TLS, if there is one.
async fn relay(address: &DatabaseAddress) -> Result<Option<Relay>, Broken> {
    if !address.encryption.is_wanted() {
        return Ok(None);
    }
    let opened = tokio::time::timeout(PATIENCE, Relay::open(address)).await;
    let opened = opened.map_err(|_| Broken::Silence)?;
    opened.map_err(|error| Broken::Unreached(format!("cannot connect: {error}")))
}

async fn read(app: &App, server: &Server, client: &mut ReplicationClient) -> Result<(), Broken> {
    let ending = app.ending();
    tokio::pin!(ending);
    tokio::select! {
        started = tokio::time::timeout(PATIENCE, client.wait_started()) => {
            started.map_err(|_| Broken::Silence)??;
        }
        () = &mut ending => return Ok(()),
    }
    let mut reader = Reader::new(app, server);
    // The stream counts as up after the first answer to this.
    server.ask_now.notify_one();
    loop {
        let event = tokio::select! {
            biased;
            event = client.recv() => event?,
            () = reader.report_changed() => {
                reader.take_report()?;
                reader.pass_resume_point_on()?;
                continue;
            }
            () = &mut ending => return Ok(client.shutdown().await?),
        };
        match event {
            Some(event) => {
                if let Some(position) = reader.take_event(event)? {
                    client.update_applied_lsn(position);
                    reader.pass_resume_point_on()?;
                }
            }
            None => return Ok(()),
        }
    }
}

fn config(app: &App, address: &DatabaseAddress, relay: Option<&Relay>) -> ReplicationConfig {
    let database = &address.config;
    let (host, port) = match relay.map(Relay::place) {
        Some((folder, port)) => (folder.to_string_lossy().into_owned(), port),
        None => host_and_port(database),
    };
    // The options made sure that there is a host and a user.
    let user = database.get_user().unwrap_or_default();
    let password = String::from_utf8_lossy(database.get_password().unwrap_or_default());
    // The server keeps the normal form of a password, and the library for replication does not make
    // it. Where there is none, the password counts as it is.
    let password = saslprep(&password).unwrap_or(Cow::Borrowed(&password));
    // Without quotes, pgoutput folds the name to lower case.
    let publication = escape_identifier(&app.options.publication);
    ReplicationConfig::new(
        host,
        user,
        password,
        database.get_dbname().unwrap_or(user),
        &app.options.source.slot,
        publication,
    )
    .with_port(port)
    .with_tls(TlsConfig::disabled())
    .with_status_interval(Duration::from_secs(1))
    .with_buffer_size(ROWS_AT_ONCE as usize)
    .with_options(SESSION_OPTIONS)
    .with_application_name("signal_hub_live")
}
