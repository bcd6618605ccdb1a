//! What becomes of a subscriber whose row was refused, and of a tier whose rows all are.

use super::fan_out::{Batch, FanOut};
use super::range::{self, Range};
use super::refusal::{self, Suspect};
use super::{Delivered, Role, delivering};
use crate::ledger;
use crate::postgres::{Db, Failure};
use pgrx::datum::Uuid;

impl FanOut {
    /// The one subscriber of a batch; `None` when their range has moved meanwhile.
    pub fn accused(&self, db: &Db, batch: &Batch) -> Result<Option<Suspect>, Failure> {
        let range = range::lock(db, batch.range_id)?.filter(|range| range.next == batch.first);
        let Some(range) = range else {
            return Ok(None);
        };
        let heads = range::heads(db, self.signal_id, &range, 1)?;
        Ok(heads.first().map(|user_id| Suspect {
            range_id: batch.range_id,
            user_id: *user_id,
        }))
    }

    /// Moves a range behind the one subscriber whose row was refused, and puts that on record.
    /// The refusal's detail is left out: it may hold the row itself. `None` when another process
    /// has worked on the range meanwhile.
    pub fn pass_over(
        &self,
        db: &Db,
        accused: Suspect,
        refusal: &Failure,
    ) -> Result<Option<Failure>, Failure> {
        let Some(range) = range::lock(db, accused.range_id)? else {
            return Ok(None);
        };
        let (refused, next) = match range::heads(db, self.signal_id, &range, 1)?[..] {
            [refused, next] => (refused, Some(next)),
            [refused] => (refused, None),
            _ => return Ok(None),
        };
        if refused != accused.user_id {
            return Ok(None);
        }
        match next {
            Some(next) => range::advance(db, &range, next, 0)?,
            None => range::close(db, &range, 0)?,
        }
        self.count_failure(db, &range, refused)?;
        let message = format!(
            "could not deliver signal {} to subscriber {refused}: {}",
            self.signal_id, refusal.message
        );
        ledger::record_delivery_error(db, self.signal_id, &message, &refusal.sqlstate)?;
        Ok(Some(Failure {
            message,
            detail: None,
            hint: None,
            ..refusal.clone()
        }))
    }

    /// Leaves a tier out of the rest of this pass.
    pub fn hold_back(
        &self,
        role: Role,
        batch: &Batch,
        example: Option<Suspect>,
        refusal: &Failure,
        done: &mut Delivered,
    ) -> Result<(), Failure> {
        let example = example.map(|suspect| suspect.user_id);
        let failure = delivering(role, &self.activity, |db| {
            let waiting = refusal::count_waiting(db, &batch.tier, batch.first)?;
            Ok(refusal::held_back(
                self.signal_id,
                &batch.tier,
                waiting,
                example,
                refusal,
            ))
        })?;
        self.record_error(role, &failure);
        done.hold_back(batch.tier.clone(), failure);
        Ok(())
    }

    /// Those who changed before the signal were counted in the first round.
    fn count_failure(&self, db: &Db, range: &Range, refused: Uuid) -> Result<(), Failure> {
        db.run(
            "UPDATE @extschema@.signals s SET delivery_failures = delivery_failures + 1
               FROM @extschema@.user_subscriptions u
              WHERE s.signal_id = $1 AND u.user_id = $2 AND (NOT $3 OR u.updated_at > s.created_at)",
            &[self.signal_id.into(), refused.into(), range.changed_only.into()],
        )?;
        Ok(())
    }
}
