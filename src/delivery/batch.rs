//! The one statement that turns a signal into rows of `user_signals`.
//!
//! It joins on `user_id` alone and takes everything else as a value: an engine that shards both
//! tables by `user_id` can hand it down to the shards. Rows are written in the order of
//! `user_id`, which is the order of the primary key, so that neighbours in the index are written
//! together however large it is.

use super::range::{Range, subscribers};
use crate::postgres::{Db, Failure};
use pgrx::datum::{DatumWithOid, Uuid};

/// The signals of a signal's UTC day before it, by which quotas are counted.
pub struct Day {
    /// How many signals the day has seen, this one included.
    signals: i64,
    /// Number of the first.
    first: i64,
    /// All their numbers, when others lie between them: the clock was set back over midnight, or
    /// numbers were left out that rows of `user_signals` may have from before.
    only: Option<Vec<i64>>,
}

/// Reads the day of a signal.
pub fn day(db: &Db, signal_id: i64) -> Result<Day, Failure> {
    let days = db.read(
        // A day is added to a time without a zone: to one with a zone, it would be a day of the
        // session's zone, which has 23 or 25 hours when daylight saving starts or ends.
        "WITH this AS (SELECT signal_id, date_trunc('day', created_at AT TIME ZONE 'UTC') AS midnight
                         FROM @extschema@.signals WHERE signal_id = $1),
              day AS (SELECT count(*) AS signals, coalesce(min(s.signal_id), $1) AS first, array_agg(s.signal_id) AS all
                        FROM this t JOIN @extschema@.signals s
                          ON s.created_at >= t.midnight AT TIME ZONE 'UTC'
                         AND s.created_at < (t.midnight + interval '1 day') AT TIME ZONE 'UTC'
                         AND s.signal_id <= t.signal_id)
         SELECT d.signals, d.first,
                CASE WHEN d.signals < $1 - d.first + 1 THEN d.all END
           FROM day d",
        &[signal_id.into()],
        |row| {
            Ok(Day {
                signals: row.get(1)?.unwrap_or_default(),
                first: row.get(2)?.unwrap_or(signal_id),
                only: row.get(3)?,
            })
        },
    )?;
    days.into_iter()
        .next()
        .ok_or_else(|| Failure::internal("the day of a signal is empty"))
}

/// Writes the rows of a range's subscribers up to `last`: active, within their period, below
/// their quota of the UTC day, and without a row of this signal. Returns how many. `with_care`
/// looks for the row of each of them beforehand.
///
/// A quota is counted in the rows themselves, as `user_signal_quotas` shows them. While the day
/// has not seen more signals than the quota nobody can be above it, and nothing is counted.
pub fn write(
    db: &Db,
    signal_id: i64,
    day: &Day,
    range: &Range,
    last: Uuid,
    with_care: bool,
) -> Result<i64, Failure> {
    let quota = range.daily_quota.map(i64::from);
    if quota == Some(0) {
        return Ok(0);
    }
    let mut args: Vec<DatumWithOid> = vec![
        range.tier.clone().into(),
        range.next.into(),
        last.into(),
        range.full_details.into(),
        signal_id.into(),
    ];
    let below_quota = match quota {
        Some(quota) if day.signals > quota => {
            args.extend([
                day.first.into(),
                quota.into(),
                DatumWithOid::from(day.only.clone()),
            ]);
            "AND NOT EXISTS (SELECT FROM @extschema@.user_signals e
                              WHERE e.user_id = u.user_id AND e.signal_id >= $6 AND e.signal_id < $5
                                AND ($8::bigint[] IS NULL OR e.signal_id = ANY ($8))
                              ORDER BY e.signal_id OFFSET $7 - 1 LIMIT 1)"
        }
        _ => "",
    };
    // Asked as a value, not by EXISTS: the planner would make that a hash of the whole signal for
    // each batch while it believes that the table is small.
    // A row of an earlier signal that had the same number is not taken for it.
    let row = "(SELECT e.signal_id FROM @extschema@.user_signals e
                 WHERE e.user_id = u.user_id AND e.signal_id = $5
                   AND (e.created_at >= (SELECT created_at FROM signal)
                        OR e.metadata ->> 'timestamp' = (SELECT metadata ->> 'timestamp' FROM signal)))";
    // One that did not change had no other tier to get its row from. Where that turns out not to
    // be true, the batch is refused, and tried again with care.
    let without_row = match range.changed_only || with_care {
        true => format!("AND {row} IS NULL"),
        false => format!(
            "AND NOT (u.updated_at <> u.created_at AND u.updated_at > (SELECT changed_since FROM signal)
                      AND {row} IS NOT NULL)"
        ),
    };
    let (with, subscribers) = subscribers(range.changed_only);
    let with = match with {
        "" => "WITH".to_owned(),
        changed => format!("{changed},"),
    };
    let written = db.run(
        &format!(
            "{with} signal AS MATERIALIZED (
                SELECT symbol, signal_type, confidence, quality_score, expires_at, created_at,
                       created_at - interval '5 minutes' AS changed_since,
                       CASE WHEN $4 THEN entry_price END AS entry_price,
                       CASE WHEN $4 THEN take_profit END AS take_profit,
                       CASE WHEN $4 THEN stop_loss END AS stop_loss,
                       jsonb_build_object(
                           'generatedBy', 'signal_hub',
                           'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
                           'strategy', strategy, 'reason', reason, 'why', why,
                           'changePercent', price_change_percent)
                           || CASE WHEN forecast IS NULL THEN '{{}}' ELSE jsonb_build_object('forecast', forecast) END
                           AS metadata
                  FROM @extschema@.signals WHERE signal_id = $5)
             INSERT INTO @extschema@.user_signals
                    (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                     entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
             SELECT u.user_id, $5, $1, (SELECT symbol FROM signal), (SELECT signal_type FROM signal),
                    (SELECT confidence FROM signal), (SELECT quality_score FROM signal),
                    (SELECT entry_price FROM signal), (SELECT take_profit FROM signal), (SELECT stop_loss FROM signal),
                    (SELECT expires_at FROM signal), $4, (SELECT metadata FROM signal)
               FROM {subscribers} u
              WHERE u.status = 'active' AND u.tier = $1 AND u.user_id BETWEEN $2 AND $3
                AND (u.current_period_end IS NULL OR u.current_period_end > (SELECT created_at FROM signal))
                {without_row}
                {below_quota}"
        ),
        &args,
    )?;
    Ok(i64::try_from(written).unwrap_or(i64::MAX))
}
