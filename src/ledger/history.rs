//! The history of runs.

use super::numbers;
use super::recordset::{self, Column, Kind, column};
use super::uptime;
use crate::postgres::encoding::prose;
use crate::postgres::{Db, Failure};
use crate::settings::{self, Configured};
use market::UnixMillis;

/// What starts a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Worker,
    Manual,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Trigger::Worker => "worker",
            Trigger::Manual => "manual",
        }
    }
}

/// A run as it is entered into the history.
#[derive(Debug, Default)]
pub struct Run {
    pub started_at: UnixMillis,
    /// `None` is now.
    pub finished_at: Option<UnixMillis>,
    pub symbols_evaluated: usize,
    /// Symbols that the run had to judge, and those of them that it could; `None` without any.
    pub symbols_watched: Option<usize>,
    pub symbols_judged: Option<usize>,
    pub signals_generated: usize,
    pub fetch_ms: Option<f64>,
    pub judge_ms: Option<f64>,
    pub message: Option<String>,
    pub retry_at: Option<UnixMillis>,
    /// The exchange that most of its tickers are from; `None` stands for the preferred one.
    pub exchange: Option<Configured>,
}

/// How a run that is entered into the history went.
pub enum Status<'a> {
    /// `finished` is false while its signals are yet to be delivered.
    Ok {
        finished: bool,
    },
    Failed(&'a Failure),
    Skipped,
}

/// A run with how it went: all that its row is made of.
struct NewRun<'a> {
    trigger: Trigger,
    run: &'a Run,
    status: &'a Status<'a>,
}

impl NewRun<'_> {
    fn status(&self) -> &'static str {
        match self.status {
            Status::Ok { .. } => "ok",
            Status::Failed(_) => "failed",
            Status::Skipped => "skipped",
        }
    }

    fn is_finished(&self) -> bool {
        !matches!(self.status, Status::Ok { finished: false })
    }

    fn exchange(&self) -> Option<Configured> {
        let preferred = || settings::exchanges().ok()?.into_iter().next();
        self.run.exchange.clone().or_else(preferred)
    }

    fn failure(&self) -> Option<&Failure> {
        match self.status {
            Status::Failed(failure) => Some(failure),
            Status::Ok { .. } | Status::Skipped => None,
        }
    }
}

/// What is written of a run when it is entered; `finished_at` is written beside it.
fn run_columns<'a>() -> [Column<NewRun<'a>>; 15] {
    use Kind::{Double, Integer, Prose, Text, Time};
    [
        column("trigger", Text, |r| r.trigger.as_str().into()),
        column("status", Text, |r| r.status().into()),
        column("started_at", Time, |r| r.run.started_at.into()),
        column("symbols_evaluated", Integer, |r| {
            count(r.run.symbols_evaluated).into()
        }),
        column("symbols_watched", Integer, |r| {
            r.run.symbols_watched.map(count).into()
        }),
        column("symbols_judged", Integer, |r| {
            r.run.symbols_judged.map(count).into()
        }),
        column("signals_generated", Integer, |r| {
            count(r.run.signals_generated).into()
        }),
        column("fetch_ms", Double, |r| r.run.fetch_ms.into()),
        column("judge_ms", Double, |r| r.run.judge_ms.into()),
        column("message", Prose, |r| r.run.message.clone().into()),
        column("retry_at", Time, |r| r.run.retry_at.into()),
        column("error", Prose, |r| r.failure().map(Failure::line).into()),
        column("sqlstate", Text, |r| {
            r.failure().map(|f| f.sqlstate.to_string()).into()
        }),
        column("exchange", Text, |r| r.exchange().map(|e| e.name()).into()),
        // One that was refused may hold a password.
        column("exchange_url", Text, |r| {
            let url = r.exchange().map(|exchange| exchange.endpoint.base_url);
            url.filter(|url| market::check_url(url).is_ok()).into()
        }),
    ]
}

/// Enters a run and returns its number.
///
/// # Errors
/// What the statement raises.
pub fn record_run(db: &Db, trigger: Trigger, run: &Run, status: &Status) -> Result<i64, Failure> {
    numbers::catch_up(db)?;
    let columns = run_columns();
    let new = NewRun {
        trigger,
        run,
        status,
    };
    let is_finished = new.is_finished();
    let run_ids = db.write(
        &format!(
            "INSERT INTO @extschema@.signal_runs ({}, finished_at)
             SELECT {}, CASE WHEN $2 THEN coalesce(to_timestamp($3::double precision / 1000), clock_timestamp()) END
               FROM {}
             RETURNING run_id",
            recordset::names(&columns),
            recordset::values(&columns),
            recordset::source(&columns)
        ),
        &[
            recordset::rows(&columns, [new]).into(),
            is_finished.into(),
            run.finished_at.into(),
        ],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    match (trigger, status) {
        (Trigger::Worker, Status::Ok { .. }) => {
            uptime::account(db, uptime::Event::GoodRun, run.started_at)?;
        }
        (Trigger::Worker, Status::Failed(_)) => {
            uptime::account(db, uptime::Event::FailedRun, run.started_at)?;
        }
        (Trigger::Manual, _) | (_, Status::Skipped) => {}
    }
    run_ids
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("no run_id"))
}

/// Enters how long recording took, which is known only at its end.
pub fn record_times(db: &Db, run_id: i64, record_ms: f64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET record_ms = $2 WHERE run_id = $1",
        &[run_id.into(), record_ms.into()],
    )?;
    Ok(())
}

/// Updates the record of a signal's run when the signal is delivered: the rows of all its signals,
/// the time spent, and the end of the run when this was its last signal.
pub fn record_delivery(db: &Db, signal_id: i64, spent_ms: f64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs r
            SET deliveries = d.deliveries, delivery_failures = d.failures,
                deliver_ms = coalesce(r.deliver_ms, 0) + $2,
                finished_at = CASE WHEN d.complete THEN clock_timestamp() END
           FROM (SELECT run_id, sum(deliveries) AS deliveries, sum(delivery_failures) AS failures,
                        bool_and(delivered_at IS NOT NULL) AS complete
                   FROM @extschema@.signals
                  WHERE run_id = (SELECT run_id FROM @extschema@.signals WHERE signal_id = $1)
                  GROUP BY run_id) AS d
          WHERE r.run_id = d.run_id",
        &[signal_id.into(), spent_ms.into()],
    )?;
    Ok(())
}

/// Enters what went wrong in delivering a signal into the record of its run.
pub fn record_delivery_error(
    db: &Db,
    signal_id: i64,
    error: &str,
    sqlstate: &str,
) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET error = $2, sqlstate = $3
          WHERE run_id = (SELECT run_id FROM @extschema@.signals WHERE signal_id = $1)
            AND (error, sqlstate) IS DISTINCT FROM ($2, $3)",
        &[signal_id.into(), prose(error).into(), sqlstate.into()],
    )?;
    Ok(())
}

/// Enters into the record of a run that the exchange said stop when it was asked for candles, and
/// until when it is left alone.
pub fn record_leave_alone(
    db: &Db,
    run_id: i64,
    failure: &Failure,
    retry_at: UnixMillis,
) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs
            SET error = $2, sqlstate = $3, retry_at = to_timestamp($4::double precision / 1000)
          WHERE run_id = $1",
        &[
            run_id.into(),
            prose(&failure.line()).into(),
            failure.sqlstate.as_ref().into(),
            retry_at.into(),
        ],
    )?;
    Ok(())
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
