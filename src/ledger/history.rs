//! The history of runs.

use crate::failure::Failure;
use crate::installation::Installation;
use crate::market::UnixMillis;
use crate::settings;

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
    pub signals_generated: usize,
    pub fetch_ms: Option<f64>,
    pub judge_ms: Option<f64>,
    pub message: Option<String>,
    pub retry_at: Option<UnixMillis>,
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

/// Enters a run and returns its number.
pub fn record_run(
    db: &Installation,
    trigger: Trigger,
    run: &Run,
    status: &Status,
) -> Result<i64, Failure> {
    let (status, finished, failure) = match status {
        Status::Ok { finished } => ("ok", *finished, None),
        Status::Failed(failure) => ("failed", true, Some(failure)),
        Status::Skipped => ("skipped", true, None),
    };
    let run_ids = db.write(
        "INSERT INTO @extschema@.signal_runs (trigger, status, started_at, finished_at, symbols_evaluated, signals_generated,
                                  fetch_ms, judge_ms, message, retry_at, error, sqlstate, exchange_url)
         VALUES ($1, $2, to_timestamp($3::double precision / 1000), CASE WHEN $4 THEN coalesce(to_timestamp($14::double precision / 1000), clock_timestamp()) END, $5, $6,
                 $7, $8, $9, to_timestamp($10::double precision / 1000), $11, $12, $13)
         RETURNING run_id",
        &[
            trigger.as_str().into(),
            status.into(),
            run.started_at.into(),
            finished.into(),
            count(run.symbols_evaluated).into(),
            count(run.signals_generated).into(),
            run.fetch_ms.into(),
            run.judge_ms.into(),
            run.message.clone().into(),
            run.retry_at.into(),
            failure.map(|f| f.line()).into(),
            failure.map(|f| f.sqlstate.to_string()).into(),
            settings::endpoint().base_url.into(),
            run.finished_at.into(),
        ],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    run_ids
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("no run_id"))
}

/// Enters how long recording took; known only once it is done.
pub fn record_times(db: &Installation, run_id: i64, record_ms: f64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET record_ms = $2 WHERE run_id = $1",
        &[run_id.into(), record_ms.into()],
    )?;
    Ok(())
}

/// Enters into its run that a signal is delivered, or that a subscriber was passed over: rows so
/// far, time, and the end when it was the run's last.
pub fn record_delivery(db: &Installation, signal_id: i64, spent_ms: f64) -> Result<(), Failure> {
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

/// Enters into the run of a signal what went wrong in delivering it.
pub fn record_delivery_error(
    db: &Installation,
    signal_id: i64,
    error: &str,
    sqlstate: &str,
) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET error = $2, sqlstate = $3
          WHERE run_id = (SELECT run_id FROM @extschema@.signals WHERE signal_id = $1)",
        &[signal_id.into(), error.into(), sqlstate.into()],
    )?;
    Ok(())
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
