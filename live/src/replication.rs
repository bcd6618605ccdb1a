//! Follows the slot: rows of `user_signals` to the fan-out, confirmed once they are queued there.
//!
//! What is confirmed is lost to this service, but not to clients: each has a resume point of its
//! own, which moves only behind what it was sent.

use crate::app::{App, STREAMING};
use crate::broken::Broken;
use crate::connections::TEXT_OPTIONS;
use crate::database::{Ended, Look};
use crate::error::say;
use crate::event;
use crate::pgoutput::{Change, Malformed, Table};
use crate::publication;
use crate::quoting::identifier;
use pgwire_replication::{Lsn, ReplicationClient, ReplicationConfig, ReplicationEvent, TlsConfig};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_postgres::config::Host;

/// Between two attempts, doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A stream that held so long was a good one: the next pause is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// Longest time to connect.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rows between two looks at what else there is to do.
const ROWS_AT_ONCE: u32 = 1024;

/// Follows until the service ends, and begins again whenever the stream breaks.
pub async fn follow(app: Arc<App>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let broken = stream(&app).await.err();
        if *app.shutdown.borrow() {
            return;
        }
        let word = broken.as_ref().map_or("reconnecting", Broken::word);
        if app.replication_is.send_replace(word) == STREAMING {
            if began.elapsed() >= GOOD_AFTER {
                pause = FIRST_PAUSE;
            }
            // They may be to a server that is gone, too.
            app.database.forget_connections();
        }
        if let Some(why) = broken {
            say(format!("replication: {why}; again in {pause:?}"));
        }
        // Nothing comes, so clients read.
        app.fan_out.gap();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.ending() => return,
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One stream, from its begin to its end.
async fn stream(app: &App) -> Result<(), Broken> {
    let mut client = ReplicationClient::connect(config(app)).await?;
    let ended = read(app, &mut client).await;
    // One that hangs would keep its connection.
    client.abort();
    ended
}

async fn read(app: &App, client: &mut ReplicationClient) -> Result<(), Broken> {
    let ending = app.ending();
    tokio::pin!(ending);
    tokio::select! {
        started = tokio::time::timeout(PATIENCE, client.wait_started()) => {
            started.map_err(|_| Broken::Silence)??;
        }
        () = &mut ending => return Ok(()),
    }
    let mut reader = Reader::new(app);
    // From its first answer on, rows are known to come.
    app.look_now.notify_one();
    loop {
        let event = tokio::select! {
            biased;
            event = client.recv() => event?,
            _ = reader.looks.changed() => {
                reader.see()?;
                reader.pass_on()?;
                continue;
            }
            () = &mut ending => return Ok(client.shutdown().await?),
        };
        match event {
            Some(event) => {
                if let Some(position) = reader.take(event)? {
                    client.update_applied_lsn(position);
                    reader.pass_on()?;
                }
            }
            None => return Ok(()),
        }
    }
}

struct Reader<'a> {
    app: &'a App,
    table: Table,
    looks: watch::Receiver<Option<Look>>,
    /// What is published, once that is known.
    publication: Option<i64>,
    /// Nobody had the slot when the database was asked last.
    was_unheld: bool,
    /// The newest resume point whose place in the log is still to be reached.
    waiting: Option<Ended>,
    /// Between the begin and the commit of a transaction.
    inside: bool,
    /// All that committed before has been queued.
    position: Lsn,
    /// Not counted yet.
    rows: u32,
}

impl<'a> Reader<'a> {
    fn new(app: &'a App) -> Self {
        let mut looks = app.look.subscribe();
        // An older one is of another stream.
        looks.mark_unchanged();
        Self {
            app,
            table: Table::new(&app.schema),
            looks,
            publication: None,
            was_unheld: false,
            waiting: None,
            inside: false,
            position: Lsn::ZERO,
            rows: 0,
        }
    }

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
                count(self.app, &mut self.rows);
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

    /// Passes a resume point on once everything before it was queued.
    fn pass_on(&mut self) -> Result<(), Broken> {
        // Seen here or by the wait for it, whichever is first.
        if self.looks.has_changed().unwrap_or(false) {
            self.see()?;
        }
        let position = self.position.as_u64();
        if let Some(ended) = self.waiting.take_if(|ended| ended.position <= position) {
            self.app.fan_out.ended(ended);
        }
        Ok(())
    }

    /// Takes in what the database said.
    fn see(&mut self) -> Result<(), Broken> {
        let look = *self.looks.borrow_and_update();
        if let Some(look) = look {
            self.check(&look)?;
            self.waiting = Some(look.ended);
        }
        Ok(())
    }

    /// Whether what is followed is whole.
    fn check(&mut self, look: &Look) -> Result<(), Broken> {
        // The first may have been on its way before this stream had the slot.
        if std::mem::replace(&mut self.was_unheld, !look.is_held) && !look.is_held {
            return Err(Broken::Silence);
        }
        let publication = look.publication.ok_or_else(|| {
            let app = self.app;
            Broken::Unpublished(publication::remedy(&app.schema, &app.options.publication))
        })?;
        match self.publication.replace(publication) {
            None => self.begin(),
            Some(before) if before != publication => return Err(Broken::Republished),
            Some(_) => {}
        }
        Ok(())
    }

    /// Rows come from now on.
    fn begin(&self) {
        if self.app.metrics.connections.fetch_add(1, Ordering::Relaxed) > 0 {
            say("replication goes on");
        }
        self.app.replication_is.send_replace(STREAMING);
        // The slot may be a new one, or the server one that was promoted.
        self.app.fan_out.gap();
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
        None => String::new(),
    };
    // Neither is missing, see config.rs.
    let user = database.get_user().unwrap_or_default();
    let password = String::from_utf8_lossy(database.get_password().unwrap_or_default());
    // pgoutput folds a name to lower case that is not quoted.
    let publication = identifier(&app.options.publication);
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
    .with_options(TEXT_OPTIONS)
    .with_application_name("signal_hub_live")
}
