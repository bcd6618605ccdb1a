//! The fan-out: one `user_signals` row per entitled subscriber and signal.
//!
//! A signal is delivered tier by tier, highest priority first, and within a
//! tier in the order of `user_id`. Each batch is one set-based statement, joined
//! on `user_id` alone; the cursor in `signals` moves in the same transaction as
//! the rows are written, so whatever interrupts the fan-out, the next one goes
//! on exactly behind the last row. The primary key is the second line of
//! defence, never the first.

use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::ledger::{self, run, select, text};
use crate::settings;
use crate::transaction::Scope;
use pgrx::datum::{DatumWithOid, Uuid};

/// Batch of a fan-out inside a caller's transaction: nothing shows before that
/// commits, so there is no reason for small ones.
const CALLER_BATCH: i64 = 100_000;

/// What a fan-out did.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Rows written.
    pub rows: i64,
    /// Signals worked on.
    pub signal_ids: Vec<i64>,
    /// Why a subscriber could not be given a row, or why the fan-out stopped.
    pub error: Option<Failure>,
    /// Whether signals are left undelivered.
    pub incomplete: bool,
}

/// Delivers every undelivered signal, oldest first. A subscriber whose row is
/// refused by a constraint or trigger costs only themselves; any other error
/// stops the fan-out where it stands, to be resumed by the next.
pub fn deliver_all(scope: Scope) -> Delivered {
    let mut done = Delivered::default();
    loop {
        match next_signal(scope) {
            Ok(None) => return done,
            Ok(Some(signal_id)) => {
                done.signal_ids.push(signal_id);
                if let Err(failure) = deliver(scope, signal_id, &mut done) {
                    return done.stopped_by(failure);
                }
            }
            Err(failure) => return done.stopped_by(failure),
        }
    }
}

impl Delivered {
    /// A lock somebody else has is waited for, and is no error.
    fn stopped_by(mut self, failure: Failure) -> Self {
        self.incomplete = true;
        if !failure.is_lock_not_available() {
            self.error = Some(failure);
        }
        self
    }
}

fn next_signal(scope: Scope) -> Result<Option<i64>, Failure> {
    as_owner(scope, || {
        Ok(select(
            "SELECT signal_id FROM signals WHERE delivered_at IS NULL ORDER BY signal_id LIMIT 1",
            &[],
            |row| Ok(row.get(1)?.unwrap_or_default()),
        )?
        .pop())
    })
}

/// Delivers one signal to the end. When a batch is refused it is tried again in
/// halves, down to the one subscriber at fault, who is passed over.
fn deliver(scope: Scope, signal_id: i64, done: &mut Delivered) -> Result<(), Failure> {
    let mut limit = full_batch(scope);
    loop {
        heartbeat::beat(Stage::Delivering);
        match as_owner(scope, || deliver_batch(signal_id, limit)) {
            Ok(Batch::Rows(rows)) => {
                done.rows += rows;
                limit = (limit * 2).min(full_batch(scope));
            }
            Ok(Batch::Complete(rows)) => {
                done.rows += rows;
                return Ok(());
            }
            Err(failure) if failure.is_of_the_row() && limit > 1 => limit /= 2,
            Err(failure) if failure.is_of_the_row() => {
                let passed = as_owner(scope, || pass_over_one(signal_id))?;
                done.error = Some(Failure {
                    message: format!("{passed}: {}", failure.message),
                    ..failure
                });
            }
            Err(failure) => return Err(failure),
        }
    }
}

fn full_batch(scope: Scope) -> i64 {
    match scope {
        Scope::Worker => settings::delivery_batch(),
        Scope::Caller => CALLER_BATCH,
    }
}

fn as_owner<T>(scope: Scope, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    scope.atomically(c"signal_hub: delivering", || {
        Installation::current()?.as_owner(scope, || {
            if !ledger::try_lock_cycle()? {
                return Err(Failure::another_cycle());
            }
            if scope == Scope::Worker {
                // A deferred constraint or trigger would fire at commit, after
                // we have stepped back from the owner's privileges.
                run("SET CONSTRAINTS ALL IMMEDIATE", &[])?;
            }
            work()
        })
    })
}

enum Batch {
    /// So many rows were written and there may be more to write.
    Rows(i64),
    /// The same, and the signal is delivered.
    Complete(i64),
}

/// Where the fan-out of a signal stands.
struct Cursor {
    tier: String,
    daily_quota: Option<i32>,
    full_details: bool,
    /// Last subscriber served in the tier.
    user_id: Option<Uuid>,
}

/// The cursor's `user_id` behind the last subscriber of a tier.
const TIER_SERVED: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Writes the rows of up to `limit` subscribers behind the cursor and moves it.
fn deliver_batch(signal_id: i64, limit: i64) -> Result<Batch, Failure> {
    match cursor(signal_id)? {
        Some(cursor) => Ok(Batch::Rows(write_rows(
            signal_id,
            &cursor,
            Walk::Behind(limit),
        )?)),
        None => {
            let rows = deliver_to_changed(signal_id)?;
            mark_delivered(signal_id)?;
            Ok(Batch::Complete(rows))
        }
    }
}

/// The tier the cursor is in, or the next one behind it; `None` behind the last.
/// The signal's row is locked, so that the cursor has one owner.
fn cursor(signal_id: i64) -> Result<Option<Cursor>, Failure> {
    run(
        "SELECT FROM signals WHERE signal_id = $1 FOR UPDATE",
        &[signal_id.into()],
    )?;
    let found = tiers(
        "SELECT t.tier, t.daily_quota, t.full_details,
                CASE WHEN t.tier = s.delivery_tier THEN s.delivery_user_id END
           FROM signals s
           LEFT JOIN signal_tiers c ON c.tier = s.delivery_tier
           JOIN signal_tiers t ON t.enabled AND (
                s.delivery_tier IS NULL
                OR t.tier = s.delivery_tier AND s.delivery_user_id IS DISTINCT FROM $2::uuid
                OR (-t.priority, t.tier) > (-c.priority, c.tier))
          WHERE s.signal_id = $1 AND s.delivered_at IS NULL
          ORDER BY t.priority DESC, t.tier LIMIT 1",
        &[signal_id.into(), TIER_SERVED.into()],
    )?;
    Ok(found.into_iter().next())
}

/// Gives their row to subscribers who changed tier while the fan-out ran: one
/// who moved up to a tier that was served already would get none otherwise.
fn deliver_to_changed(signal_id: i64) -> Result<i64, Failure> {
    let tiers = tiers(
        "SELECT tier, daily_quota, full_details, NULL::uuid FROM signal_tiers WHERE enabled AND $1 > 0
          ORDER BY priority DESC, tier",
        &[signal_id.into()],
    )?;
    if tiers.len() < 2 {
        return Ok(0);
    }
    tiers
        .iter()
        .map(|tier| write_rows(signal_id, tier, Walk::Changed))
        .sum()
}

fn tiers(query: &str, args: &[DatumWithOid]) -> Result<Vec<Cursor>, Failure> {
    select(query, args, |row| {
        Ok(Cursor {
            tier: text(row, 1)?,
            daily_quota: row.get(2)?,
            full_details: row.get(3)?.unwrap_or(false),
            user_id: row.get(4)?,
        })
    })
}

/// Whom a statement of the fan-out considers.
#[derive(Clone, Copy)]
enum Walk {
    /// So many subscribers of the tier, in order, behind the cursor.
    Behind(i64),
    /// Subscribers of the tier whose row changed since the signal was recorded.
    Changed,
}

/// The one statement that turns a signal into rows; returns how many. Those who
/// have their row already, or have used up their quota of the UTC day, get none.
fn write_rows(signal_id: i64, cursor: &Cursor, walk: Walk) -> Result<i64, Failure> {
    let (whom, limit) = match walk {
        Walk::Behind(limit) => ("($3::uuid IS NULL OR u.user_id > $3)", limit),
        // Rows are stamped before they become visible; the margin covers
        // transactions that were long in committing.
        Walk::Changed => (
            "$3::uuid IS NULL AND u.updated_at > s.created_at - interval '15 minutes' AND u.updated_at <> u.created_at",
            i64::MAX,
        ),
    };
    let written = select(
        &format!(
            "WITH signal AS MATERIALIZED (
                SELECT signal_id, symbol, signal_type, confidence, quality_score, expires_at, created_at,
                       (created_at AT TIME ZONE 'UTC')::date AS day,
                       CASE WHEN $6 THEN entry_price END AS entry_price,
                       CASE WHEN $6 THEN take_profit END AS take_profit,
                       CASE WHEN $6 THEN stop_loss END AS stop_loss,
                       jsonb_build_object(
                           'generatedBy', 'signal_hub',
                           'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
                           'strategy', strategy, 'reason', reason, 'why', why,
                           'changePercent', price_change_percent) AS metadata
                  FROM signals WHERE signal_id = $1
            ), candidates AS MATERIALIZED (
                SELECT u.user_id
                  FROM user_subscriptions u CROSS JOIN signal s
                 WHERE u.status = 'active' AND u.tier = $2
                   AND (u.current_period_end IS NULL OR u.current_period_end > s.created_at)
                   AND {whom}
                 ORDER BY u.user_id
                 LIMIT $4
            ), charged AS (
                INSERT INTO user_signal_quotas AS q (user_id, day, received)
                SELECT c.user_id, s.day, 1
                  FROM candidates c CROSS JOIN signal s
                 WHERE coalesce($5, 1) > 0
                   AND NOT EXISTS (SELECT FROM user_signals e WHERE e.user_id = c.user_id AND e.signal_id = $1)
                ON CONFLICT (user_id, day) DO UPDATE SET received = q.received + 1
                 WHERE $5 IS NULL OR q.received < $5
                RETURNING q.user_id
            ), delivered AS (
                INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                          entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
                SELECT c.user_id, s.signal_id, $2, s.symbol, s.signal_type, s.confidence, s.quality_score,
                       s.entry_price, s.take_profit, s.stop_loss, s.expires_at, $6, s.metadata
                  FROM charged c CROSS JOIN signal s
                RETURNING 1
            )
            UPDATE signals
               SET delivery_tier = $2,
                   delivery_user_id = CASE WHEN (SELECT count(*) FROM candidates) < $4 THEN $7::uuid
                                           ELSE (SELECT user_id FROM candidates ORDER BY user_id DESC LIMIT 1) END,
                   deliveries = deliveries + (SELECT count(*) FROM delivered)
             WHERE signal_id = $1
            RETURNING (SELECT count(*) FROM delivered)"
        ),
        &[
            signal_id.into(),
            cursor.tier.clone().into(),
            cursor.user_id.into(),
            limit.into(),
            cursor.daily_quota.into(),
            cursor.full_details.into(),
            TIER_SERVED.into(),
        ],
        |row| Ok(row.get(1)?.unwrap_or(0)),
    )?;
    written
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("the signal being delivered is gone"))
}

/// Moves the cursor over one subscriber whose row is refused, and says whom.
fn pass_over_one(signal_id: i64) -> Result<String, Failure> {
    let Some(cursor) = cursor(signal_id)? else {
        // Refused behind the last tier, where only subscribers are left who
        // changed tier meanwhile.
        mark_delivered(signal_id)?;
        return Ok(format!(
            "could not deliver signal {signal_id} to subscribers who changed tier"
        ));
    };
    let passed = select(
        "UPDATE signals
            SET delivery_tier = $2, delivery_user_id = u.user_id, delivery_failures = delivery_failures + 1
           FROM (SELECT user_id FROM user_subscriptions
                  WHERE status = 'active' AND tier = $2 AND ($3::uuid IS NULL OR user_id > $3)
                    AND (current_period_end IS NULL OR current_period_end >
                         (SELECT created_at FROM signals WHERE signal_id = $1))
                  ORDER BY user_id LIMIT 1) AS u
          WHERE signal_id = $1
         RETURNING u.user_id::text",
        &[signal_id.into(), cursor.tier.into(), cursor.user_id.into()],
        |row| text(row, 1),
    )?;
    let whom = passed.into_iter().next().unwrap_or_default();
    Ok(format!(
        "could not deliver signal {signal_id} to subscriber {whom}"
    ))
}

fn mark_delivered(signal_id: i64) -> Result<(), Failure> {
    run(
        "UPDATE signals SET delivered_at = clock_timestamp() WHERE signal_id = $1",
        &[signal_id.into()],
    )
}
