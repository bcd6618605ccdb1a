//! What one replication stream has brought so far, and what may be confirmed of it.

use super::Server;
use super::broken::Broken;
use super::pgoutput::{Change, Malformed, Tables};
use crate::app::{App, STREAMING};
use crate::database::{Ended, LogReport, publication};
use crate::fan_out::{CommitTime, Signal};
use crate::signal::{Column, OutcomeColumn, Row, event};
use pgwire_replication::{Lsn, ReplicationEvent};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tracing::info;

/// Rows that are counted together.
pub const ROWS_AT_ONCE: u32 = 1024;

/// The server counts from 2000, this service from 1970; in microseconds.
const SINCE_1970: i64 = 946_684_800_000_000;

/// Reads one stream.
pub struct Reader<'a> {
    app: &'a App,
    /// The number of a node, or 0.
    server: i32,
    tables: Tables,
    reports: watch::Receiver<Option<LogReport>>,
    /// The fingerprint of what is published, once it is known.
    publication: Option<i64>,
    /// In the last report, no process read the slot.
    was_unheld: bool,
    /// The newest resume point whose place in the log the stream has not reached yet.
    waiting: Option<Ended>,
    /// Between the begin and the commit of a transaction.
    is_inside: bool,
    /// When the present or last transaction committed.
    committed: CommitTime,
    /// Everything that committed before this place has been queued.
    position: Lsn,
    /// Rows that are not counted yet.
    rows: u32,
    /// By signal: the fingerprint of the event last made of its outcome, while it is not final.
    shown: HashMap<i64, u64>,
}

impl<'a> Reader<'a> {
    /// For a stream of this server that starts now.
    pub fn new(app: &'a App, server: &Server) -> Self {
        let mut reports = server.reports.subscribe();
        // The present report is about an earlier stream.
        reports.mark_unchanged();
        Self {
            app,
            server: server.number,
            tables: Tables::new(&app.schema),
            reports,
            publication: None,
            was_unheld: false,
            waiting: None,
            is_inside: false,
            committed: 0,
            position: Lsn::ZERO,
            rows: 0,
            shown: HashMap::new(),
        }
    }

    /// Queues what came. Returns the position that may be confirmed, if it moved.
    pub fn take_event(&mut self, event: ReplicationEvent) -> Result<Option<Lsn>, Malformed> {
        match event {
            ReplicationEvent::XLogData { data, .. } => {
                self.queue(&data)?;
                Ok(None)
            }
            ReplicationEvent::Begin {
                commit_time_micros, ..
            } => {
                self.is_inside = true;
                self.committed = commit_time_micros.saturating_add(SINCE_1970);
                Ok(None)
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                self.is_inside = false;
                self.count_rows();
                self.position = end_lsn;
                Ok(Some(end_lsn))
            }
            // Other tables and databases write as well: the server need not keep their log.
            ReplicationEvent::KeepAlive { wal_end, .. } if !self.is_inside => {
                self.position = self.position.max(wal_end);
                Ok(Some(self.position))
            }
            _ => Ok(None),
        }
    }

    fn queue(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let Some(change) = self.tables.read(message)? else {
            return Ok(());
        };
        let fan_out = &self.app.fan_out;
        match change {
            Change::Inserted(tuple) => {
                let user = tuple.user()?;
                let sent = fan_out.send_signal(&user, self.committed, || {
                    let row = tuple.row()?;
                    let number = row.get(Column::SignalId).and_then(|id| id.parse().ok());
                    let signal = Signal {
                        number: number.ok_or(Malformed)?,
                        symbol: row.get(Column::Symbol).map(str::to_owned),
                    };
                    Ok((event::signal(&row), signal))
                })?;
                // After it, because what is noted there is made of the row, which takes time.
                if let Some(push) = &self.app.push {
                    push.offer(user, || tuple.row())?;
                }
                sent
            }
            Change::Updated(tuple) => {
                fan_out.send(&tuple.user()?, || tuple.row().map(|row| event::mark(&row)))?
            }
            Change::Outcome(tuple) => {
                return queue_outcome(self.app, &mut self.shown, &tuple.row()?);
            }
        };
        self.rows += 1;
        if self.rows >= ROWS_AT_ONCE {
            self.count_rows();
        }
        Ok(())
    }

    fn count_rows(&mut self) {
        if self.rows > 0 {
            let rows = std::mem::take(&mut self.rows);
            self.app.metrics.count_rows(u64::from(rows));
        }
    }

    /// Passes a resume point on once everything before it was queued.
    pub fn pass_resume_point_on(&mut self) -> Result<(), Broken> {
        // While rows keep coming, nobody waits for a report.
        if self.reports.has_changed().unwrap_or(false) {
            self.take_report()?;
        }
        let position = self.position.as_u64();
        if let Some(ended) = self.waiting.take_if(|ended| ended.position <= position) {
            self.app.fan_out.ended(ended);
        }
        Ok(())
    }

    /// Waits for a new report on the log.
    pub async fn report_changed(&mut self) {
        // It fails only without a sender, which lives as long as the app.
        let _ = self.reports.changed().await;
    }

    /// Checks the newest report on the log, and notes its resume point.
    pub fn take_report(&mut self) -> Result<(), Broken> {
        let report = *self.reports.borrow_and_update();
        if let Some(report) = report {
            self.check(&report)?;
            self.waiting = Some(report.ended);
        }
        Ok(())
    }

    /// Whether this stream brings everything.
    fn check(&mut self, report: &LogReport) -> Result<(), Broken> {
        // The first of two may be from before this stream had the slot.
        if std::mem::replace(&mut self.was_unheld, !report.is_held) && !report.is_held {
            return Err(Broken::Silence);
        }
        let publication = report.publication.ok_or_else(|| {
            let app = self.app;
            Broken::Unpublished(publication::remedy(&app.schema, &app.options.publication))
        })?;
        match self.publication.replace(publication) {
            None => self.mark_streaming(),
            Some(before) if before != publication => return Err(Broken::Republished),
            Some(_) => {}
        }
        Ok(())
    }

    /// From now on every row comes.
    fn mark_streaming(&self) {
        if self.app.metrics.connections.fetch_add(1, Ordering::Relaxed) > 0 {
            info!("replication goes on");
        }
        self.app.note_stream(self.server, Some(STREAMING));
        // The slot may be a new one, or the server one that was promoted.
        self.app.fan_out.announce_gap();
    }
}

/// Queues an outcome for the clients that await it. Where prices are watched, the row changes with
/// each of them, and mostly in nothing that clients are sent.
fn queue_outcome(
    app: &App,
    shown: &mut HashMap<i64, u64>,
    row: &Row<OutcomeColumn>,
) -> Result<(), Malformed> {
    app.metrics.outcomes.fetch_add(1, Ordering::Relaxed);
    if app.fan_out.clients() == 0 {
        shown.clear();
        return Ok(());
    }
    let signal = row.signal_id().ok_or(Malformed)?;
    let event = event::outcome(row);
    let fingerprint = event::fingerprint(&event);
    let before = match row.is_final() {
        true => shown.remove(&signal),
        false => shown.insert(signal, fingerprint),
    };
    if before != Some(fingerprint) {
        app.fan_out.send_outcome(signal, &event, row.is_final());
    }
    Ok(())
}
