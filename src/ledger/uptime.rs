//! How many runs were due and made, by UTC day: what `signal_uptime` shows.

use crate::postgres::{Db, Failure};
use crate::settings;
use market::UnixMillis;
use std::time::Duration;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    GoodRun,
    FailedRun,
    /// A run was due while signals were paused.
    Paused,
    /// A run was due while `signal_hub.enabled` was off.
    Disabled,
    /// A pause ended, whether a worker runs or not.
    Resumed,
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::GoodRun => "good",
            Self::FailedRun => "failed",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Resumed => "resumed",
        }
    }
}

/// Accounts for the time since the last event, and for this one, which was at `at`. Another event
/// of a pause that is known already writes nothing, nor does the end of one that is not known.
///
/// The days in between get a row each, so that the days of a worker that was down are missed.
/// More than 1000 such days are left out: rather the clock was wrong.
///
/// # Errors
/// What the statement raises.
pub fn account(db: &Db, event: Event, at: UnixMillis) -> Result<(), Failure> {
    db.run(
        "WITH last AS MATERIALIZED (
             SELECT * FROM @extschema@.signal_run_days
              WHERE day <= (to_timestamp($2 / 1000.0) AT TIME ZONE 'UTC')::date ORDER BY day DESC LIMIT 1
         ), event AS MATERIALIZED (
             -- A pause began when it was asked for.
             SELECT greatest(CASE $1 WHEN 'paused' THEN coalesce((SELECT paused_at FROM @extschema@.signal_pause), at)
                                     ELSE at END,
                             (SELECT accounted_until FROM last)) AS at,
                    $1 IN ('good', 'failed') AS is_run, $3 * interval '1 second' AS run_interval
               FROM to_timestamp($2 / 1000.0) AS at
              WHERE CASE $1 WHEN 'resumed' THEN EXISTS (SELECT FROM last WHERE state = 'paused')
                            ELSE $1 IN ('good', 'failed') OR NOT EXISTS (SELECT FROM last WHERE state = $1) END
         ), days AS MATERIALIZED (
             SELECT d.day::date AS day, e.is_run, e.run_interval, e.at, l.state AS before,
                    d.day = date_trunc('day', e.at AT TIME ZONE 'UTC') AS is_last,
                    greatest(least(e.at, (d.day + interval '1 day') AT TIME ZONE 'UTC')
                                 - greatest(l.accounted_until, d.day AT TIME ZONE 'UTC'), '0') AS elapsed,
                    CASE WHEN l.state = 'running'
                         THEN greatest(least(e.at, (d.day + interval '1 day') AT TIME ZONE 'UTC')
                                           - greatest(l.last_good_at, d.day AT TIME ZONE 'UTC'), '0') END AS gap,
                    CASE WHEN $1 = 'failed' AND l.state = 'running' THEN l.last_good_at ELSE e.at END AS last_good_at
               FROM event e LEFT JOIN last l ON true
              CROSS JOIN LATERAL generate_series(
                        greatest(date_trunc('day', coalesce(l.accounted_until, e.at) AT TIME ZONE 'UTC'),
                                 date_trunc('day', e.at AT TIME ZONE 'UTC') - interval '1000 days'),
                        date_trunc('day', e.at AT TIME ZONE 'UTC'), interval '1 day') AS d (day)
         )
         INSERT INTO @extschema@.signal_run_days AS r
                (day, due, made, failed, paused, disabled, longest_gap, state, accounted_until, last_good_at, run_interval)
         SELECT day,
                CASE WHEN before = 'running' THEN extract(epoch FROM elapsed) / extract(epoch FROM run_interval)
                     WHEN is_run AND is_last THEN 1 ELSE 0 END,
                (is_run AND is_last)::integer,
                ($1 = 'failed' AND is_last)::integer,
                CASE WHEN before = 'paused' THEN elapsed ELSE '0' END,
                CASE WHEN before = 'disabled' THEN elapsed ELSE '0' END,
                coalesce(gap, '0'),
                CASE WHEN $1 IN ('paused', 'disabled') THEN $1 ELSE 'running' END, at, last_good_at, run_interval
           FROM days
         ON CONFLICT (day) DO UPDATE
            SET due = r.due + excluded.due, made = r.made + excluded.made, failed = r.failed + excluded.failed,
                paused = r.paused + excluded.paused, disabled = r.disabled + excluded.disabled,
                longest_gap = greatest(r.longest_gap, excluded.longest_gap), state = excluded.state,
                accounted_until = excluded.accounted_until, last_good_at = excluded.last_good_at,
                run_interval = excluded.run_interval",
        &[
            event.as_str().into(),
            (at as f64).into(),
            settings::interval().as_secs_f64().into(),
        ],
    )?;
    Ok(())
}

/// Removes the days whose signals are purged, too. The last one stays, by which the next is
/// accounted for.
///
/// # Errors
/// What the statement raises.
pub fn purge(db: &Db, age: Duration) -> Result<usize, Failure> {
    db.run(
        "DELETE FROM @extschema@.signal_run_days
          WHERE day < (least(clock_timestamp(), (SELECT max(last_seen_at) FROM @extschema@.signal_symbols))
                       AT TIME ZONE 'UTC' - $1 * interval '1 second')::date
            AND day < (SELECT max(day) FROM @extschema@.signal_run_days)",
        &[age.as_secs_f64().into()],
    )
}
