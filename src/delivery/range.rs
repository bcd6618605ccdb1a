//! Ranges: stretches of a tier's subscribers, in the order of `user_id`, that a signal is yet to
//! reach.
//!
//! The row of the signal says how far its tiers are given out in ranges, and the row of a range
//! who in it is next. A range's row moves in the transaction that writes the rows of
//! `user_signals`, so whatever interrupts a fan-out, the next process that takes the range goes
//! on exactly behind the last row. Who works on a range holds the lock of its row, no more: any
//! number of processes can share a fan-out, and what one leaves behind another takes.

use super::batch::{HAS_FILTERS, HAS_LIMIT, with_clause};
use super::layout::{self, Values};
use super::second_round;
use crate::postgres::statements::Row;
use crate::postgres::{Db, Failure};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone, Uuid};

/// The least user_id there can be.
pub fn least() -> Uuid {
    Uuid::from_bytes([0; 16])
}

/// The greatest user_id there can be.
fn greatest() -> Uuid {
    Uuid::from_bytes([0xff; 16])
}

/// Some of a tier's subscribers, `next` to `last`, both included.
pub struct Range {
    pub range_id: i64,
    pub tier: String,
    /// Whether only subscribers who changed since the signal are looked at.
    pub changed_only: bool,
    pub next: Uuid,
    pub last: Uuid,
    /// Most signals of a UTC day for each; `None` is unlimited.
    pub daily_quota: Option<i32>,
    /// Whether prices are delivered.
    pub full_details: bool,
    /// Which signals a subscriber must not have, where the tier has a least time between two;
    /// `None` when there are no such signals.
    pub gap: Option<Gap>,
    /// Whether somebody leaves out signals by what they are.
    pub filters: bool,
    /// Whether somebody has a daily limit of their own.
    pub own_limits: bool,
    /// Whether there still is a tier of that name.
    pub tier_exists: bool,
}

/// The other signals that are closer to a signal than the least time between two.
#[derive(Clone, Copy)]
pub struct Gap {
    /// Number of the first of them.
    pub first: i64,
    /// Number of the last of them.
    pub last: i64,
    /// Rows from before are of other signals that had the same numbers.
    pub since: TimestampWithTimeZone,
}

/// Columns of a range that say what its tier and its subscribers ask for, of a tier `t` and the
/// signal $1.
fn terms(db: &Db) -> Result<String, Failure> {
    let layout = layout::of(db);
    let filters = layout.somebody_prefers(db, HAS_FILTERS)?;
    let own_limits = layout.somebody_prefers(db, HAS_LIMIT)?;
    Ok(format!(
        "{filters} AS filters, {own_limits} AS own_limits, n.gap_first, n.gap_last, n.gap_since"
    ))
}

/// Where these are from.
const NEAR: &str = "
    LEFT JOIN LATERAL (
        SELECT min(o.signal_id) AS gap_first, max(o.signal_id) AS gap_last,
               min(g.created_at) - t.min_gap AS gap_since
          FROM @extschema@.signals g
          JOIN @extschema@.signals o
            ON o.created_at > g.created_at - t.min_gap AND o.created_at < g.created_at + t.min_gap
           AND o.signal_id <> g.signal_id
         WHERE g.signal_id = s.signal_id AND t.min_gap IS NOT NULL) n ON t.min_gap IS NOT NULL";

/// What there is to do for a signal.
pub enum Claim {
    Range(Range),
    /// All is given out, and others are still at work on some of it.
    OthersAtWork,
    /// What is left is of tiers that are held back.
    HeldBack,
    /// Every subscriber was looked at.
    NothingLeft,
    /// Somebody else was here first.
    Delivered,
}

/// Takes a range that was given out and nobody works on, of a tier that is not held back, and
/// locks it.
pub fn take(db: &Db, signal_id: i64, held_back: &[String]) -> Result<Option<Range>, Failure> {
    find(
        db,
        "r.signal_id = $1 AND r.tier <> ALL ($2) ORDER BY r.range_id LIMIT 1 FOR UPDATE OF r SKIP LOCKED",
        &[signal_id.into(), held_back.to_vec().into()],
    )
}

/// Locks a range; `None` when it has been closed.
pub fn lock(db: &Db, range_id: i64) -> Result<Option<Range>, Failure> {
    find(db, "r.range_id = $1 FOR UPDATE OF r", &[range_id.into()])
}

fn find(db: &Db, which: &str, args: &[DatumWithOid]) -> Result<Option<Range>, Failure> {
    let terms = terms(db)?;
    let found = db.write(
        &format!(
            "SELECT r.range_id, r.tier, r.changed_only, r.next_user_id, r.last_user_id,
                    t.daily_quota, coalesce(t.full_details, false) AS full_details,
                    t.tier IS NOT NULL AS tier_exists, {terms}
               FROM @extschema@.signal_delivery_ranges r
               LEFT JOIN @extschema@.signal_tiers t ON t.tier = r.tier
               LEFT JOIN @extschema@.signals s ON s.signal_id = r.signal_id
               {NEAR}
              WHERE {which}"
        ),
        args,
        range,
    )?;
    Ok(found.into_iter().next())
}

/// Gives out the next range, of at most `size` subscribers when that is given, else the rest of a
/// tier: tiers by priority, in two rounds. A subscriber who moved to a tier that had been served
/// would get nothing without the second round, which serves those who changed. Tiers that are `held_back`
/// are left out, and the second round waits for them.
pub fn claim(
    db: &Db,
    signal_id: i64,
    size: Option<i64>,
    held_back: &[String],
) -> Result<Claim, Failure> {
    // Who holds this row gives out ranges.
    let locked = db.write(
        "SELECT true FROM @extschema@.signals WHERE signal_id = $1 AND delivered_at IS NULL FOR UPDATE",
        &[signal_id.into()],
        |_| Ok(()),
    )?;
    if locked.is_empty() {
        return Ok(Claim::Delivered);
    }
    while let Some(rest) = next_tier(db, signal_id, held_back)? {
        if held_back.contains(&rest.tier) {
            // Given out in part: the rest becomes one range that waits, so that the cursor is free
            // for other tiers.
            give_out(db, signal_id, rest, None)?;
            continue;
        }
        return give_out(db, signal_id, rest, size).map(Claim::Range);
    }
    if count_of_others(db, signal_id, held_back)? > 0 {
        return Ok(Claim::OthersAtWork);
    }
    if !held_back.is_empty()
        && (count(db, signal_id)? > 0 || next_tier(db, signal_id, &[])?.is_some())
    {
        return Ok(Claim::HeldBack);
    }
    // Asked before it is written, as subscribers may be elsewhere than the signal.
    let second_round = match second_round::is_due(db, signal_id)? {
        true => db.run(
            "UPDATE @extschema@.signals SET delivery_changed_only = true, delivered_tiers = '{}' WHERE signal_id = $1",
            &[signal_id.into()],
        )?,
        false => 0,
    };
    if second_round > 0 {
        if let Some(rest) = next_tier(db, signal_id, held_back)? {
            return give_out(db, signal_id, rest, None).map(Claim::Range);
        }
        if !held_back.is_empty() && next_tier(db, signal_id, &[])?.is_some() {
            return Ok(Claim::HeldBack);
        }
    }
    Ok(Claim::NothingLeft)
}

/// How many ranges of a signal are given out and not done, of tiers that are not held back.
fn count_of_others(db: &Db, signal_id: i64, held_back: &[String]) -> Result<i64, Failure> {
    let counted = db.read(
        "SELECT count(*) FROM @extschema@.signal_delivery_ranges WHERE signal_id = $1 AND tier <> ALL ($2)",
        &[signal_id.into(), held_back.to_vec().into()],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    Ok(counted.into_iter().sum())
}

/// How many ranges of a signal are given out and not done.
pub fn count(db: &Db, signal_id: i64) -> Result<i64, Failure> {
    let counted = db.read(
        "SELECT count(*) FROM @extschema@.signal_delivery_ranges WHERE signal_id = $1",
        &[signal_id.into()],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    Ok(counted.into_iter().sum())
}

/// What is not given out of the tier being given out, or else of the next that receives; as a
/// range that has no row. A tier that is switched off meanwhile was entitled when its turn came,
/// and is served to the end. A tier that is held back is only found when it is being given out.
fn next_tier(db: &Db, signal_id: i64, held_back: &[String]) -> Result<Option<Range>, Failure> {
    let terms = terms(db)?;
    let found = db.read(
        &format!("SELECT 0::bigint AS range_id, t.tier, s.delivery_changed_only AS changed_only,
                coalesce(CASE WHEN t.tier = s.delivery_tier THEN s.delivery_next_user_id END, $2) AS next_user_id,
                $3 AS last_user_id, t.daily_quota, t.full_details, true AS tier_exists, {terms}
           FROM @extschema@.signals s
           JOIN @extschema@.signal_tiers t ON (t.enabled OR t.tier = s.delivery_tier) AND t.tier <> ALL (s.delivered_tiers)
           {NEAR}
          WHERE s.signal_id = $1 AND (t.tier <> ALL ($4) OR t.tier = s.delivery_tier)
          ORDER BY t.tier IS NOT DISTINCT FROM s.delivery_tier DESC, t.priority DESC, t.tier
          LIMIT 1"),
        &[
            signal_id.into(),
            least().into(),
            greatest().into(),
            held_back.to_vec().into(),
        ],
        range,
    )?;
    Ok(found.into_iter().next())
}

/// The tiers whose late joiners receive a signal, by priority, each as a range of all subscribers.
pub fn of_late_joiners(db: &Db, signal_id: i64) -> Result<Vec<Range>, Failure> {
    of_tiers(db, signal_id, "t.enabled AND t.late_joiners")
}

/// The tiers that receive a signal, likewise.
pub fn of_enabled_tiers(db: &Db, signal_id: i64) -> Result<Vec<Range>, Failure> {
    of_tiers(db, signal_id, "t.enabled")
}

fn of_tiers(db: &Db, signal_id: i64, which: &str) -> Result<Vec<Range>, Failure> {
    let terms = terms(db)?;
    db.read(
        &format!(
            "SELECT 0::bigint AS range_id, t.tier, false AS changed_only, $2 AS next_user_id, $3 AS last_user_id,
                    t.daily_quota, t.full_details, true AS tier_exists, {terms}
               FROM @extschema@.signals s
               JOIN @extschema@.signal_tiers t ON {which}
               {NEAR}
              WHERE s.signal_id = $1
              ORDER BY t.priority DESC, t.tier"
        ),
        &[signal_id.into(), least().into(), greatest().into()],
        range,
    )
}

/// Makes the first `size` subscribers of `rest` a range.
fn give_out(db: &Db, signal_id: i64, rest: Range, size: Option<i64>) -> Result<Range, Failure> {
    let (last, next) = match size {
        Some(size) if !rest.changed_only => layout::of(db).bounds(db, signal_id, &rest, size)?,
        _ => (greatest(), None),
    };
    db.run(
        "UPDATE @extschema@.signals
            SET delivery_started_at = coalesce(delivery_started_at, clock_timestamp()),
                delivery_tier = CASE WHEN $3::uuid IS NOT NULL THEN $2 END,
                delivery_next_user_id = $3,
                delivered_tiers = CASE WHEN $3::uuid IS NULL THEN delivered_tiers || $2 ELSE delivered_tiers END
          WHERE signal_id = $1",
        &[signal_id.into(), rest.tier.clone().into(), next.into()],
    )?;
    let range_ids = db.write(
        "INSERT INTO @extschema@.signal_delivery_ranges (signal_id, tier, changed_only, next_user_id, last_user_id)
         VALUES ($1, $2, $3, $4, $5) RETURNING range_id",
        &[
            signal_id.into(),
            rest.tier.clone().into(),
            rest.changed_only.into(),
            rest.next.into(),
            last.into(),
        ],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    Ok(Range {
        range_id: range_ids.into_iter().next().unwrap_or_default(),
        last,
        ..rest
    })
}

/// Where the first `size` active subscribers of a range end, and who comes after them: `None`
/// when there are no more, and the range's end is the end.
pub fn exact_bounds(
    db: &Db,
    signal_id: i64,
    range: &Range,
    size: i64,
) -> Result<(Uuid, Option<Uuid>), Failure> {
    match heads(db, signal_id, range, size)?[..] {
        [last, next] => Ok((last, Some(next))),
        _ => Ok((range.last, None)),
    }
}

/// The active subscriber who is number `size` of a range, and the one behind, as far as there are
/// such.
pub fn heads(db: &Db, signal_id: i64, range: &Range, size: i64) -> Result<Vec<Uuid>, Failure> {
    let mut values = Values(vec![
        range.tier.clone().into(),
        range.next.into(),
        range.last.into(),
        size.into(),
    ]);
    if range.changed_only {
        values.add(signal_id);
    }
    let from = layout::of(db).subscribers(db, &mut values, signal_id, range.changed_only)?;
    db.read(
        &format!(
            "{with} SELECT u.user_id FROM {subscribers} u
              WHERE u.status = 'active' AND u.tier = $1 AND u.user_id BETWEEN $2 AND $3 {changed}
              ORDER BY u.user_id
             OFFSET $4 - 1 LIMIT 2",
            with = with_clause(&[from.with]),
            subscribers = from.table,
            changed = from.condition,
        ),
        &values.0,
        |row| Ok(row.get(1)?.unwrap_or(greatest())),
    )
}

/// Moves a range to the subscriber who is next, `rows` rows later.
pub fn advance(db: &Db, range: &Range, next: Uuid, rows: i64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_delivery_ranges SET next_user_id = $2, deliveries = deliveries + $3 WHERE range_id = $1",
        &[range.range_id.into(), next.into(), rows.into()],
    )?;
    Ok(())
}

/// Ends a range, `rows` rows later, and adds what it came to to its signal.
pub fn close(db: &Db, range: &Range, rows: i64) -> Result<(), Failure> {
    db.run(
        "WITH closed AS (DELETE FROM @extschema@.signal_delivery_ranges WHERE range_id = $1 RETURNING signal_id, deliveries)
         UPDATE @extschema@.signals s SET deliveries = s.deliveries + c.deliveries + $2
           FROM closed c WHERE s.signal_id = c.signal_id",
        &[range.range_id.into(), rows.into()],
    )?;
    Ok(())
}

/// A range from a row with columns of these names.
fn range(row: &Row) -> Result<Range, Failure> {
    let tier = row.get_by_name("tier")?;
    Ok(Range {
        range_id: row.get_by_name("range_id")?.unwrap_or_default(),
        tier: tier.ok_or_else(|| Failure::internal("a range has no tier"))?,
        changed_only: row.get_by_name("changed_only")?.unwrap_or(false),
        next: row.get_by_name("next_user_id")?.unwrap_or(least()),
        last: row.get_by_name("last_user_id")?.unwrap_or(greatest()),
        daily_quota: row.get_by_name("daily_quota")?,
        full_details: row.get_by_name("full_details")?.unwrap_or(false),
        tier_exists: row.get_by_name("tier_exists")?.unwrap_or(false),
        filters: row.get_by_name("filters")?.unwrap_or(false),
        own_limits: row.get_by_name("own_limits")?.unwrap_or(false),
        gap: gap(row)?,
    })
}

fn gap(row: &Row) -> Result<Option<Gap>, Failure> {
    let first = row.get_by_name("gap_first")?;
    let last = row.get_by_name("gap_last")?;
    let since = row.get_by_name("gap_since")?;
    Ok(match (first, last, since) {
        (Some(first), Some(last), Some(since)) => Some(Gap { first, last, since }),
        _ => None,
    })
}
