//! The fan-out: one `user_signals` row per entitled subscriber and signal.
//!
//! A signal is delivered tier by tier, highest priority first, and within a
//! tier in the order of `user_id`. A second round over the tiers then looks at
//! subscribers whose row changed meanwhile: one who moved to a tier that had
//! been served would get nothing otherwise. Each batch is one set-based
//! statement, joined on `user_id` alone; the cursor in `signals` moves in the
//! same transaction as the rows are written, so whatever interrupts the fan-out,
//! the next one goes on exactly behind the last row. The primary key is the
//! second line of defence, never the first.

use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::ledger::{self, text};
use crate::lock;
use crate::settings;
use crate::transaction::Scope;
use pgrx::datum::Uuid;
use std::time::Instant;

/// Batch of a fan-out inside a caller's transaction: nothing shows before that
/// commits, so there is no reason for small ones.
const CALLER_BATCH: i64 = 100_000;

/// What a fan-out did.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Rows written.
    pub rows: i64,
    /// Why a subscriber was not given a row, or why the fan-out stopped.
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
        let next = as_owner(scope, next_signal);
        let delivered = match next {
            Ok(None) => return done,
            Ok(Some(signal_id)) => deliver(scope, signal_id, &mut done),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = delivered {
            done.incomplete = true;
            // A worker waits for a lock that somebody else has.
            if scope == Scope::Caller || !failure.is_lock_not_available() {
                done.error = Some(failure);
            }
            return done;
        }
    }
}

fn next_signal(db: &Installation) -> Result<Option<i64>, Failure> {
    let next = db.read(
        "SELECT signal_id FROM @extschema@.signals WHERE delivered_at IS NULL ORDER BY signal_id LIMIT 1",
        &[],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    Ok(next.into_iter().next())
}

/// Delivers one signal to the end. When a batch is refused it is tried again in
/// halves, down to the one subscriber at fault, who is passed over.
fn deliver(scope: Scope, signal_id: i64, done: &mut Delivered) -> Result<(), Failure> {
    let full = match scope {
        Scope::Worker => settings::delivery_batch(),
        Scope::Caller => CALLER_BATCH,
    };
    let started = Instant::now();
    let mut limit = full;
    loop {
        heartbeat::beat(Stage::Delivering);
        match as_owner(scope, |db| deliver_batch(db, signal_id, limit, started)) {
            Ok(batch) => {
                done.rows += batch.rows;
                heartbeat::note_work();
                if batch.complete {
                    return Ok(());
                }
                limit = (limit * 2).min(full);
            }
            Err(failure) if failure.is_of_the_row() && limit > 1 => limit /= 2,
            Err(failure) if failure.is_of_the_row() => {
                done.error = Some(as_owner(scope, |db| {
                    pass_over_one(db, signal_id, &failure)
                })?);
            }
            Err(failure) => {
                if failure.is_lock_not_available() {
                    return Err(failure);
                }
                // On record where that is possible; the caller has it anyway.
                let _ = as_owner(scope, |db| {
                    ledger::record_delivery_error(db, signal_id, &failure.line(), &failure.sqlstate)
                });
                return Err(failure);
            }
        }
    }
}

fn as_owner<T>(
    scope: Scope,
    work: impl FnOnce(&Installation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    scope.atomically(c"signal_hub: delivering", || {
        Installation::current()?.as_owner(scope, |db| {
            if !db.try_lock_cycle() {
                return Err(Failure::another_cycle());
            }
            if scope == Scope::Worker && lock::database_is_wanted() {
                return Err(Failure::database_is_wanted());
            }
            work(db)
        })
    })
}

struct Batch {
    /// Rows written.
    rows: i64,
    /// Whether the signal is delivered.
    complete: bool,
}

/// Serves up to `limit` subscribers behind the cursor, across as many tiers as
/// that takes, and ends the signal when none is left.
fn deliver_batch(
    db: &Installation,
    signal_id: i64,
    limit: i64,
    started: Instant,
) -> Result<Batch, Failure> {
    let mut room = limit;
    let mut rows = 0;
    while room > 0 {
        let Some(cursor) = cursor(db, signal_id)? else {
            db.run(
                "UPDATE @extschema@.signals SET delivered_at = clock_timestamp() WHERE signal_id = $1",
                &[signal_id.into()],
            )?;
            ledger::record_delivery(db, signal_id, started.elapsed().as_secs_f64() * 1000.0)?;
            return Ok(Batch {
                rows,
                complete: true,
            });
        };
        let (served, written) = serve(db, signal_id, &cursor, room)?;
        room -= served;
        rows += written;
    }
    Ok(Batch {
        rows,
        complete: false,
    })
}

/// Where the fan-out of a signal stands.
struct Cursor {
    /// Whether this is the round over changed subscribers.
    changed_only: bool,
    tier: String,
    daily_quota: Option<i32>,
    full_details: bool,
    /// Last subscriber served in the tier, in this round.
    user_id: Option<Uuid>,
}

/// The tier being served, or the next one that was not served in this round, or
/// the first of the second round; `None` when all is done. Locks the signal's
/// row, so that the cursor has one owner.
fn cursor(db: &Installation, signal_id: i64) -> Result<Option<Cursor>, Failure> {
    let next_tier = |db: &Installation| {
        let found = db.write(
            "SELECT s.delivery_changed_only, t.tier, t.daily_quota, t.full_details,
                    CASE WHEN t.tier = s.delivery_tier THEN s.delivery_user_id END
               FROM @extschema@.signals s
               JOIN @extschema@.signal_tiers t ON t.enabled AND t.tier <> ALL (s.delivered_tiers)
              WHERE s.signal_id = $1
              ORDER BY t.tier IS NOT DISTINCT FROM s.delivery_tier DESC, t.priority DESC, t.tier
              LIMIT 1
                FOR UPDATE OF s",
            &[signal_id.into()],
            |row| {
                Ok(Cursor {
                    changed_only: row.get(1)?.unwrap_or(false),
                    tier: text(row, 2)?,
                    daily_quota: row.get(3)?,
                    full_details: row.get(4)?.unwrap_or(false),
                    user_id: row.get(5)?,
                })
            },
        )?;
        Ok::<_, Failure>(found.into_iter().next())
    };
    if let Some(cursor) = next_tier(db)? {
        return Ok(Some(cursor));
    }
    let second_round = db.run(
        "UPDATE @extschema@.signals SET delivery_changed_only = true, delivered_tiers = '{}'
          WHERE signal_id = $1 AND NOT delivery_changed_only",
        &[signal_id.into()],
    )?;
    if second_round > 0 {
        next_tier(db)
    } else {
        Ok(None)
    }
}

/// Who of a tier is considered in either round; $1 to $3 as in `serve`.
fn candidates(cursor: &Cursor) -> &'static str {
    if cursor.changed_only {
        // Rows are stamped before they become visible; the margin covers
        // transactions that are long in committing.
        "SELECT u.user_id, u.updated_at
           FROM @extschema@.user_subscriptions u CROSS JOIN signal s
          WHERE u.status = 'active' AND u.tier = $2
            AND (u.current_period_end IS NULL OR u.current_period_end > s.created_at)
            AND ($3::uuid IS NULL OR u.user_id > $3)
            AND u.updated_at <> u.created_at AND u.updated_at > s.created_at - interval '5 minutes'
          ORDER BY u.user_id
          LIMIT $4"
    } else {
        "SELECT u.user_id, u.updated_at
           FROM @extschema@.user_subscriptions u CROSS JOIN signal s
          WHERE u.status = 'active' AND u.tier = $2
            AND (u.current_period_end IS NULL OR u.current_period_end > s.created_at)
            AND ($3::uuid IS NULL OR u.user_id > $3)
          ORDER BY u.user_id
          LIMIT $4"
    }
}

/// The one statement that turns a signal into rows. Returns how many subscribers
/// were considered and how many got a row: those who have theirs already, or
/// have used up their quota of the UTC day, get none.
fn serve(
    db: &Installation,
    signal_id: i64,
    cursor: &Cursor,
    limit: i64,
) -> Result<(i64, i64), Failure> {
    let candidates = candidates(cursor);
    let served = db.write(
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
                  FROM @extschema@.signals WHERE signal_id = $1
            ), candidates AS MATERIALIZED (
                {candidates}
            ), charged AS (
                INSERT INTO @extschema@.user_signal_quotas AS q (user_id, day, received)
                SELECT c.user_id, s.day, 1
                  FROM candidates c CROSS JOIN signal s
                 WHERE coalesce($5, 1) > 0
                   AND NOT EXISTS (SELECT FROM @extschema@.user_signals e
                                    WHERE e.user_id = c.user_id AND e.signal_id = $1)
                ON CONFLICT (user_id, day) DO UPDATE SET received = q.received + 1
                 WHERE $5 IS NULL OR q.received < $5
                RETURNING q.user_id
            ), delivered AS (
                INSERT INTO @extschema@.user_signals
                       (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                        entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
                SELECT c.user_id, s.signal_id, $2, s.symbol, s.signal_type, s.confidence, s.quality_score,
                       s.entry_price, s.take_profit, s.stop_loss, s.expires_at, $6, s.metadata
                  FROM charged c CROSS JOIN signal s
                RETURNING 1
            ), outcome AS MATERIALIZED (
                SELECT (SELECT count(*) FROM candidates) AS served,
                       (SELECT count(*) FROM delivered) AS written,
                       (SELECT user_id FROM candidates ORDER BY user_id DESC LIMIT 1) AS last_user_id
            )
            UPDATE @extschema@.signals s
               SET delivery_tier = CASE WHEN o.served = $4 THEN $2 END,
                   delivery_user_id = CASE WHEN o.served = $4 THEN o.last_user_id END,
                   delivered_tiers = CASE WHEN o.served = $4 THEN s.delivered_tiers ELSE s.delivered_tiers || $2 END,
                   deliveries = s.deliveries + o.written
              FROM outcome o
             WHERE s.signal_id = $1
            RETURNING o.served, o.written"
        ),
        &[
            signal_id.into(),
            cursor.tier.clone().into(),
            cursor.user_id.into(),
            limit.into(),
            cursor.daily_quota.into(),
            cursor.full_details.into(),
        ],
        |row| Ok((row.get(1)?.unwrap_or(0), row.get(2)?.unwrap_or(0))),
    )?;
    served
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("the signal being delivered is gone"))
}

/// Moves the cursor over the one subscriber whose row was refused, and puts that
/// on record. The refusal's detail is left out: it may hold the row itself.
fn pass_over_one(db: &Installation, signal_id: i64, refusal: &Failure) -> Result<Failure, Failure> {
    let Some(cursor) = cursor(db, signal_id)? else {
        // The refusal was not about a subscriber after all.
        return Err(refusal.clone());
    };
    let candidates = candidates(&cursor);
    let passed = db.write(
        &format!(
            "WITH signal AS (SELECT created_at FROM @extschema@.signals WHERE signal_id = $1),
                  refused AS ({candidates})
             UPDATE @extschema@.signals
                SET delivery_tier = $2, delivery_user_id = r.user_id,
                    -- Those who changed before the signal were counted in the first round.
                    delivery_failures = delivery_failures
                                        + (NOT delivery_changed_only OR r.updated_at > created_at)::integer
               FROM refused r
              WHERE signal_id = $1
             RETURNING r.user_id::text"
        ),
        &[signal_id.into(), cursor.tier.into(), cursor.user_id.into(), 1i64.into()],
        |row| text(row, 1),
    )?;
    let Some(whom) = passed.into_iter().next() else {
        return Err(refusal.clone());
    };
    let message = format!(
        "could not deliver signal {signal_id} to subscriber {whom}: {}",
        refusal.message
    );
    ledger::record_delivery_error(db, signal_id, &message, &refusal.sqlstate)?;
    Ok(Failure {
        message,
        detail: None,
        hint: None,
        ..refusal.clone()
    })
}
