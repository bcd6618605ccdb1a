//! Follows the slot: rows of `user_signals` to the fan-out, confirmed once they are queued there.
//!
//! What is confirmed is lost to this service, but not to clients: each has a resume point of its
//! own, which moves only behind what it was sent.

use crate::app::App;
use crate::database::Ended;
use crate::error::say;
use crate::event;
use crate::pgoutput::{Change, Malformed, Table};
use pgwire_replication::{
    Lsn, PgWireError, ReplicationClient, ReplicationConfig, ReplicationEvent, TlsConfig,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::config::Host;

/// Between two attempts, doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(8);
/// Longest time to connect.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows between two looks at what else there is to do.
const ROWS_AT_ONCE: u32 = 1024;

/// Why a stream ended.
enum Broken {
    Connection(PgWireError),
    Message(Malformed),
    Silence,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
            Self::Silence => f.write_str("the server does not answer"),
        }
    }
}

impl From<PgWireError> for Broken {
    fn from(error: PgWireError) -> Self {
        Self::Connection(error)
    }
}

impl From<Malformed> for Broken {
    fn from(error: Malformed) -> Self {
        Self::Message(error)
    }
}

/// Follows until the service ends, and begins again whenever the stream breaks.
pub async fn follow(app: Arc<App>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let ended = stream(&app).await;
        if *app.shutdown.borrow() {
            return;
        }
        if app.replicates.swap(false, Ordering::Relaxed) {
            pause = FIRST_PAUSE;
            // They may be to a server that is gone, too.
            app.database.forget_connections();
        }
        if let Err(why) = ended {
            say(format!("replication: {why}; again in {pause:?}"));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.ending() => return,
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One stream, from its begin to its end.
async fn stream(app: &App) -> Result<(), Broken> {
    let ending = app.ending();
    tokio::pin!(ending);
    let mut client = ReplicationClient::connect(config(app)).await?;
    tokio::select! {
        started = tokio::time::timeout(PATIENCE, client.wait_started()) => {
            started.map_err(|_| Broken::Silence)??;
        }
        () = &mut ending => return Ok(()),
    }
    let again = app.metrics.connections.fetch_add(1, Ordering::Relaxed) > 0;
    app.replicates.store(true, Ordering::Relaxed);
    if again {
        say("replication goes on");
        // The slot may be a new one, or the server one that was promoted.
        app.fan_out.gap();
    }
    let mut reader = Reader {
        app,
        table: Table::new(&app.schema),
        ended: app.ended.subscribe(),
        inside: false,
        position: Lsn::ZERO,
        rows: 0,
    };
    // An older one is of another stream.
    reader.ended.mark_unchanged();
    let mut waiting = None;
    loop {
        let event = tokio::select! {
            biased;
            event = client.recv() => event?,
            changed = reader.ended.changed() => {
                if changed.is_ok() {
                    waiting = *reader.ended.borrow();
                }
                reader.pass_on(&mut waiting);
                continue;
            }
            () = &mut ending => return Ok(client.shutdown().await?),
        };
        match event {
            Some(event) => {
                if let Some(position) = reader.take(event)? {
                    client.update_applied_lsn(position);
                    reader.pass_on(&mut waiting);
                }
            }
            None => return Ok(()),
        }
    }
}

struct Reader<'a> {
    app: &'a App,
    table: Table,
    ended: watch::Receiver<Option<Ended>>,
    /// Between the begin and the commit of a transaction.
    inside: bool,
    /// All that committed before has been queued.
    position: Lsn,
    /// Not counted yet.
    rows: u32,
}

impl Reader<'_> {
    /// Queues what came. Returns the position that may be confirmed when it moved.
    fn take(&mut self, event: ReplicationEvent) -> Result<Option<Lsn>, Malformed> {
        match event {
            ReplicationEvent::XLogData { data, .. } => {
                self.queue(&data)?;
                Ok(None)
            }
            ReplicationEvent::Begin { .. } => {
                self.inside = true;
                Ok(None)
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                self.inside = false;
                self.count();
                self.position = end_lsn;
                Ok(Some(end_lsn))
            }
            // Other tables and databases write, too: their log is not to be kept for us.
            ReplicationEvent::KeepAlive { wal_end, .. } if !self.inside => {
                self.position = self.position.max(wal_end);
                Ok(Some(self.position))
            }
            _ => Ok(None),
        }
    }

    fn queue(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let Some(change) = self.table.read(message)? else {
            return Ok(());
        };
        self.rows += 1;
        if self.rows >= ROWS_AT_ONCE {
            count(self.app, &mut self.rows);
        }
        let fan_out = &self.app.fan_out;
        match change {
            Change::Inserted(tuple) => fan_out.send(&tuple.user()?, || {
                tuple.row().map(|row| event::signal(&row))
            })?,
            Change::Updated(tuple) => {
                fan_out.send(&tuple.user()?, || tuple.row().map(|row| event::mark(&row)))?
            }
        };
        Ok(())
    }

    fn count(&mut self) {
        count(self.app, &mut self.rows);
    }

    /// Passes a resume point on once everything before it was queued.
    fn pass_on(&mut self, waiting: &mut Option<Ended>) {
        // Seen here or by the wait for it, whichever is first.
        if self.ended.has_changed().unwrap_or(false) {
            *waiting = *self.ended.borrow_and_update();
        }
        if let Some(ended) = waiting.take_if(|ended| ended.position <= self.position.as_u64()) {
            self.app.fan_out.ended(ended);
        }
    }
}

fn count(app: &App, rows: &mut u32) {
    if *rows > 0 {
        app.metrics.rows_came(u64::from(std::mem::take(rows)));
    }
}

fn config(app: &App) -> ReplicationConfig {
    let source = &app.options.source;
    let database = &source.database;
    let host = match database.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => folder.to_string_lossy().into_owned(),
        None => "localhost".to_owned(),
    };
    let user = database.get_user().unwrap_or("postgres");
    let password = String::from_utf8_lossy(database.get_password().unwrap_or_default());
    // pgoutput folds a name to lower case that is not quoted.
    let publication = crate::database::quoted(&app.options.publication);
    ReplicationConfig::new(
        host,
        user,
        password,
        database.get_dbname().unwrap_or(user),
        &source.slot,
        publication,
    )
    .with_port(database.get_ports().first().copied().unwrap_or(5432))
    .with_tls(TlsConfig::disabled())
    .with_status_interval(Duration::from_secs(1))
    .with_buffer_size(ROWS_AT_ONCE as usize)
    .with_options("-c TimeZone=UTC -c DateStyle=ISO")
    .with_application_name("signal_hub_live")
}
