//! The one statement that turns a signal into rows of `user_signals`.
//!
//! It joins on `user_id` alone and takes everything else as a value: an engine that shards the
//! tables by `user_id` can hand it down to the shards. Rows are written in the order of
//! `user_id`, which is the order of the primary key, so that neighbours in the index are written
//! together however large it is.

use super::layout::{self, Values};
use super::range::Range;
use crate::postgres::{Db, Failure};
use pgrx::datum::Uuid;

/// Whether the preferences of a subscriber (`p`) let a signal (`g`) through.
const PREFERENCES_ALLOW: &str = include_str!("../../sql/queries/preferences_allow.sql");

/// Whether a row of `user_preferences` leaves out signals by what they are.
pub const HAS_FILTERS: &str = include_str!("../../sql/queries/has_filters.sql");

/// Whether a row of `user_preferences` has a limit.
pub const HAS_LIMIT: &str = "max_per_day IS NOT NULL";

/// The signals of a signal's UTC day, by which quotas are counted.
pub struct Day {
    /// How many signals the day has seen, this one included.
    signals: i64,
    /// Number of the first.
    first: i64,
    /// Number of the last.
    last: i64,
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
              day AS (SELECT count(*) AS signals, coalesce(min(s.signal_id), $1) AS first,
                             coalesce(max(s.signal_id), $1) AS last, array_agg(s.signal_id) AS all
                        FROM this t JOIN @extschema@.signals s
                          ON s.created_at >= t.midnight AT TIME ZONE 'UTC'
                         AND s.created_at < (t.midnight + interval '1 day') AT TIME ZONE 'UTC')
         SELECT d.signals, d.first, d.last,
                CASE WHEN d.signals < d.last - d.first + 1 THEN d.all END
           FROM day d",
        &[signal_id.into()],
        |row| {
            Ok(Day {
                signals: row.get(1)?.unwrap_or_default(),
                first: row.get(2)?.unwrap_or(signal_id),
                last: row.get(3)?.unwrap_or(signal_id),
                only: row.get(4)?,
            })
        },
    )?;
    days.into_iter()
        .next()
        .ok_or_else(|| Failure::internal("the day of a signal is empty"))
}

/// Which of a range's subscribers, and how.
pub enum Which<'a> {
    /// All, who are expected to have no row of the signal unless they changed, or are among
    /// these, who may have been served first.
    All(&'a [Uuid]),
    /// All, and the row of each is looked for beforehand.
    WithCare,
    /// These, likewise.
    Named(&'a [Uuid]),
    /// Late joiners: these, likewise, and what they get is marked.
    Late(&'a [Uuid]),
}

/// Writes the rows of a range's subscribers up to `last`: active, within their period, below
/// their quota of the UTC day, not too soon after another, with preferences that have nothing
/// against it, and without a row of this signal. Returns how many.
pub fn write(
    db: &Db,
    signal_id: i64,
    day: &Day,
    range: &Range,
    last: Uuid,
    which: &Which,
) -> Result<i64, Failure> {
    if range.daily_quota == Some(0) {
        return Ok(0);
    }
    let mut values = Values(vec![
        range.tier.clone().into(),
        range.next.into(),
        last.into(),
        range.full_details.into(),
        signal_id.into(),
    ]);
    let layout = layout::of(db);
    let mark = match which {
        Which::Late(_) => {
            "|| jsonb_build_object('late', true, 'openSince',
                    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))"
        }
        _ => "",
    };
    let signal = layout.signal(db, &mut values, signal_id, range.full_details, mark)?;
    let from = layout.subscribers(db, &mut values, signal_id, range.changed_only)?;
    let below_quota = below_quota(&mut values, day, range);
    let not_too_soon = not_too_soon(&mut values, range);
    let (created_at, changed_since) = (signal.column("created_at"), signal.column("changed_since"));
    let metadata = signal.column("metadata");
    // Asked as a value, not by EXISTS: the planner would make that a hash of the whole signal for
    // each batch while it believes that the table is small.
    // A row of an earlier signal that had the same number is not taken for it.
    let row = format!(
        "(SELECT e.signal_id FROM @extschema@.user_signals e
           WHERE e.user_id = u.user_id AND e.signal_id = $5
             AND (e.created_at >= {created_at}
                  OR e.metadata ->> 'timestamp' = {metadata} ->> 'timestamp'))"
    );
    // One that did not change had no other tier to get its row from. Where that turns out not to
    // be true, the batch is refused, and tried again with care.
    let without_row = match which {
        Which::All(watchers) if !range.changed_only => {
            let served_first = match watchers {
                [] => String::new(),
                watchers => format!(
                    "AND (u.user_id NOT IN (SELECT unnest({}::uuid[])) OR {row} IS NULL)",
                    values.add(watchers.to_vec())
                ),
            };
            format!(
                "AND NOT (u.updated_at <> u.created_at AND u.updated_at > {changed_since}
                          AND {row} IS NOT NULL)
                 {served_first}"
            )
        }
        _ => format!("AND {row} IS NULL"),
    };
    // A period is to last until the signal is made, and for late joiners until now.
    let (named, lasts_until) = match which {
        Which::Late(users) => (Some(users), signal.now.as_str()),
        Which::Named(users) => (Some(users), created_at),
        Which::All(_) | Which::WithCare => (None, created_at),
    };
    let who = named.map_or(String::new(), |users| {
        format!("AND u.user_id = ANY ({})", values.add(users.to_vec()))
    });
    // Each of the two is read from an index that has no other rows.
    let preferences = |alias: &str, condition: &str| {
        format!(
            "LEFT JOIN (SELECT * FROM @extschema@.user_preferences WHERE {condition}) {alias}
                    ON {alias}.user_id = u.user_id AND {alias}.user_id BETWEEN $2 AND $3"
        )
    };
    let (filters, as_they_prefer) = match range.filters {
        true => (
            preferences("p", HAS_FILTERS),
            format!(
                "AND (p.user_id IS NULL OR ({}))",
                signal.columns_in(PREFERENCES_ALLOW)
            ),
        ),
        false => Default::default(),
    };
    let own_limits = match range.own_limits {
        true => preferences("l", HAS_LIMIT),
        false => String::new(),
    };
    let [further_columns, further_values] = &signal.further;
    let statement = format!(
        "{with}
             INSERT INTO @extschema@.user_signals
                    (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                     entry_price, take_profit, stop_loss, expires_at, full_details, metadata {further_columns})
             SELECT u.user_id, $5, $1, {symbol}, {signal_type}, {confidence}, {quality_score},
                    {entry_price}, {take_profit}, {stop_loss}, {expires_at}, $4, {metadata} {further_values}
               FROM {subscribers} u {filters} {own_limits}
              WHERE u.status = 'active' AND u.tier = $1 AND u.user_id BETWEEN $2 AND $3
                AND (u.current_period_end IS NULL OR u.current_period_end > {lasts_until})
                {changed}
                {who}
                {without_row}
                {as_they_prefer}
                {not_too_soon}
                {below_quota}",
        with = with_clause(&[from.with, &signal.with]),
        subscribers = from.table,
        changed = from.condition,
        symbol = signal.column("symbol"),
        signal_type = signal.column("signal_type"),
        confidence = signal.column("confidence"),
        quality_score = signal.column("quality_score"),
        entry_price = signal.column("entry_price"),
        take_profit = signal.column("take_profit"),
        stop_loss = signal.column("stop_loss"),
        expires_at = signal.column("expires_at"),
    );
    // Both sides are in the order of user_id, where all of a tier are looked at.
    let in_order = !range.changed_only && matches!(which, Which::All(_) | Which::WithCare);
    let written = match (range.filters || range.own_limits) && in_order {
        true => db.merging(|db| db.run(&statement, &values.0)),
        false => db.run(&statement, &values.0),
    }?;
    Ok(i64::try_from(written).unwrap_or(i64::MAX))
}

/// A WITH clause of these parts, or nothing.
pub fn with_clause(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    match parts[..] {
        [] => String::new(),
        _ => format!("WITH {}", parts.join(", ")),
    }
}

/// The condition that a subscriber is below their quota of the UTC day: the tier's, or their own
/// where that is less.
///
/// A quota is counted in the rows themselves, as `user_signal_quotas` shows them. While the day
/// has not seen more signals than the quota nobody can be above it, and nothing is counted.
fn below_quota(values: &mut Values, day: &Day, range: &Range) -> String {
    let quota = range.daily_quota.map(i64::from);
    let counts = quota.is_some_and(|quota| day.signals > quota);
    if !counts && !range.own_limits {
        return String::new();
    }
    let (first, last) = (values.add(day.first), values.add(day.last));
    let only = values.add(day.only.clone());
    let quota = values.add(quota);
    let received_all_of = |quota: &str| {
        format!(
            "EXISTS (SELECT FROM @extschema@.user_signals e
                      WHERE e.user_id = u.user_id AND e.signal_id BETWEEN {first} AND {last}
                        AND ({only}::bigint[] IS NULL OR e.signal_id = ANY ({only}))
                      ORDER BY e.signal_id OFFSET {quota} - 1 LIMIT 1)"
        )
    };
    if !range.own_limits {
        return format!("AND NOT {}", received_all_of(&quota));
    }
    let signals = values.add(day.signals);
    let least = format!("least({quota}::bigint, l.max_per_day)");
    format!(
        "AND CASE WHEN coalesce({least}, {signals}) >= {signals} THEN true
                  WHEN {least} = 0 THEN false
                  ELSE NOT {} END",
        received_all_of(&least)
    )
}

/// The condition that a subscriber has no row of a signal too close in time to this one, where
/// the tier sets a least time.
fn not_too_soon(values: &mut Values, range: &Range) -> String {
    let Some(gap) = range.gap else {
        return String::new();
    };
    let (first, last) = (values.add(gap.first), values.add(gap.last));
    let since = values.add(gap.since);
    format!(
        "AND (SELECT e.signal_id FROM @extschema@.user_signals e
               WHERE e.user_id = u.user_id AND e.signal_id BETWEEN {first} AND {last} AND e.signal_id <> $5
                 AND e.created_at >= {since} LIMIT 1) IS NULL"
    )
}
