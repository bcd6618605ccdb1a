//! Whether a refusal is about the row of one subscriber, or about all rows of a tier.
//!
//! A subscriber is passed over only after all of this, in this order:
//!
//! 1. their row was refused, in a batch of nobody else;
//! 2. the row of another subscriber of the same tier could be written, in a trial that is rolled
//!    back;
//! 3. their row was refused again.
//!
//! So whatever refuses all rows of a tier, from whenever on, costs nobody a row: the second step
//! fails, and the tier is held back until a later attempt. A trial is made only after a refusal of
//! one row, so it costs nothing where no row is refused.
//!
//! Tried are the nearest subscribers on both sides, all of a small tier, then some further away,
//! so that a stretch of refused neighbours does not hold the tier back.

use super::batch::{self, Day, Which};
use super::range::{self, Range};
use super::{Role, delivering};
use crate::postgres::{Db, Failure};
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use std::ffi::CStr;

/// Subscribers tried on each side, one after the other.
const NEAR: i64 = 10;
/// Distances of those who are tried after them.
const FAR: [i64; 10] = [20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240];

/// The subscriber of a batch of one that was refused.
#[derive(Clone, Copy, PartialEq)]
pub struct Suspect {
    pub range_id: i64,
    pub user_id: Uuid,
}

/// Makes trials for one signal.
pub struct Trials<'a> {
    pub role: Role,
    pub activity: &'a CStr,
    pub signal_id: i64,
    pub day: &'a Day,
}

/// Which way from the suspect.
#[derive(Clone, Copy)]
enum Side {
    After,
    Before,
}

impl Trials<'_> {
    /// The first subscriber of the suspect's tier whose row can be written now; `None` when that
    /// is nobody who was tried. `last_witness` is tried first.
    ///
    /// # Errors
    /// What is neither about a row nor about a tier.
    pub fn find_witness(
        &self,
        suspect: Suspect,
        last_witness: Option<Uuid>,
    ) -> Result<Option<Uuid>, Failure> {
        let range = delivering(self.role, self.activity, |db| {
            range::lock(db, suspect.range_id)
        })?;
        let Some(range) = range else {
            // Another process has closed it, so rows of it could be written.
            return Ok(Some(suspect.user_id));
        };
        let known = last_witness.filter(|user_id| *user_id != suspect.user_id);
        if let Some(witness) = self.first_to_succeed(&range, known.as_slice())? {
            return Ok(Some(witness));
        }
        let near = [Side::After, Side::Before].map(|side| (side, 0, NEAR));
        let far = FAR
            .into_iter()
            .flat_map(|distance| [Side::After, Side::Before].map(|side| (side, distance - 1, 1)));
        for (side, skip, number) in near.into_iter().chain(far) {
            let candidates = delivering(self.role, self.activity, |db| {
                self.neighbours(db, &range.tier, suspect.user_id, side, skip, number)
            })?;
            if let Some(witness) = self.first_to_succeed(&range, &candidates)? {
                return Ok(Some(witness));
            }
        }
        Ok(None)
    }

    fn first_to_succeed(
        &self,
        range: &Range,
        candidates: &[Uuid],
    ) -> Result<Option<Uuid>, Failure> {
        for candidate in candidates {
            if self.can_be_written(range, *candidate)? {
                return Ok(Some(*candidate));
            }
        }
        Ok(None)
    }

    /// Writes the row of a subscriber, whatever their quota and wishes, and rolls it back.
    fn can_be_written(&self, range: &Range, user_id: Uuid) -> Result<bool, Failure> {
        let alone = Range {
            tier: range.tier.clone(),
            next: user_id,
            last: user_id,
            changed_only: false,
            daily_quota: None,
            gap: None,
            filters: false,
            own_limits: false,
            ..*range
        };
        let mut written = 0;
        let rolled_back: Result<(), Failure> = delivering(self.role, self.activity, |db| {
            // Only where it is there: a table that publishes deletes may refuse any.
            if has_row(db, user_id, self.signal_id)? {
                db.run(
                    "DELETE FROM @extschema@.user_signals WHERE user_id = $1 AND signal_id = $2",
                    &[user_id.into(), self.signal_id.into()],
                )?;
            }
            written = batch::write(
                db,
                self.signal_id,
                self.day,
                &alone,
                user_id,
                &Which::WithCare,
            )?;
            Err(Failure::internal("a trial is rolled back"))
        });
        match rolled_back {
            _ if written > 0 => Ok(true),
            Err(failure) if failure.is_of_the_row() || failure.is_of_the_table() => Ok(false),
            // Nobody who is to get a row: their period has ended, say.
            Err(failure) if failure.is_internal() => Ok(false),
            Err(failure) => Err(failure),
            Ok(()) => Ok(false),
        }
    }

    /// Active subscribers of a tier on one side of a subscriber, the nearest first.
    fn neighbours(
        &self,
        db: &Db,
        tier: &str,
        user_id: Uuid,
        side: Side,
        skip: i64,
        number: i64,
    ) -> Result<Vec<Uuid>, Failure> {
        let (beyond, order) = match side {
            Side::After => (">", "ASC"),
            Side::Before => ("<", "DESC"),
        };
        let created_at = db.read(
            "SELECT created_at FROM @extschema@.signals WHERE signal_id = $1",
            &[self.signal_id.into()],
            |row| row.get::<TimestampWithTimeZone>(1),
        )?;
        db.read(
            &format!(
                "SELECT u.user_id FROM @extschema@.user_subscriptions u
                  WHERE u.status = 'active' AND u.tier = $1 AND u.user_id {beyond} $2
                    AND (u.current_period_end IS NULL OR u.current_period_end > $3)
                  ORDER BY u.user_id {order} OFFSET $4 LIMIT $5"
            ),
            &[
                tier.to_owned().into(),
                user_id.into(),
                created_at.into_iter().next().flatten().into(),
                skip.into(),
                number.into(),
            ],
            |row| Ok(row.get(1)?.unwrap_or(user_id)),
        )
    }
}

fn has_row(db: &Db, user_id: Uuid, signal_id: i64) -> Result<bool, Failure> {
    let found = db.read(
        "SELECT FROM @extschema@.user_signals WHERE user_id = $1 AND signal_id = $2",
        &[user_id.into(), signal_id.into()],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}

/// How many subscribers of a tier there are from `first` on.
pub fn count_waiting(db: &Db, tier: &str, first: Uuid) -> Result<i64, Failure> {
    let waiting = db.read(
        "SELECT count(*) FROM @extschema@.user_subscriptions u
          WHERE u.status = 'active' AND u.tier = $1 AND u.user_id >= $2",
        &[tier.to_owned().into(), first.into()],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    Ok(waiting.into_iter().sum())
}

/// What is told of a tier that is held back. The refusal's detail is left out: it may hold the row
/// itself.
pub fn held_back(
    signal_id: i64,
    tier: &str,
    waiting: i64,
    example: Option<Uuid>,
    refusal: &Failure,
) -> Failure {
    let example = example.map_or(String::new(), |user_id| {
        format!(" (that of {user_id} for example)")
    });
    Failure {
        message: format!(
            "signal {signal_id} is held back from {waiting} subscriber(s) of tier {tier}: every row tried was \
             refused{example}: {}",
            refusal.message
        ),
        detail: Some(
            "No row is given up. Correct what refuses them, and delivery goes on by itself."
                .to_owned(),
        ),
        hint: None,
        ..refusal.clone()
    }
}
