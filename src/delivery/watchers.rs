//! Watchers first: who holds a stream of the live service is served before all others.
//!
//! They are a small part, spread over all of `user_id`, and would wait for the whole fan-out. So
//! their rows are written beforehand, and the row of each is looked for. This needs no cursor: what
//! an end cuts short is done again. The walk through all subscribers then looks for the rows of
//! those, too, and of nobody else. Whoever is served first and is not known any more when their
//! turn comes, as another process has taken over and they have left meanwhile, has their row
//! already: their batch is refused by the primary key, and tried again with care.

use super::batch::{self, Which};
use super::fan_out::FanOut;
use super::pacing::Pace;
use super::range::{self, Range};
use super::{Delivered, Role, delivering};
use crate::postgres::{Db, Failure};
use crate::settings;
use pgrx::datum::Uuid;

/// Who watches, in the order of `user_id`.
#[derive(Default)]
pub struct Watchers(Vec<Uuid>);

impl Watchers {
    /// Those of services that read their slot.
    pub fn read(db: &Db) -> Result<Self, Failure> {
        let watchers = db.read(
            "SELECT DISTINCT w.user_id FROM @extschema@.signal_watchers w
              WHERE w.slot IN (SELECT s.slot_name FROM pg_replication_slots s WHERE s.active)
              ORDER BY w.user_id",
            &[],
            |row| Ok(row.get(1)?.unwrap_or(range::least())),
        )?;
        Ok(Self(watchers))
    }

    /// Those from `first` to `last`, both included.
    pub fn between(&self, first: Uuid, last: Uuid) -> &[Uuid] {
        let place = |of: Uuid| {
            self.0
                .partition_point(|user| user.as_bytes() < of.as_bytes())
        };
        let begin = place(first);
        let end = place(last);
        let last_too = self.0.get(end).is_some_and(|user| *user == last);
        &self.0[begin..end + usize::from(last_too)]
    }
}

impl FanOut {
    /// Serves the watchers, tier by tier. A refused row ends it: the walk through all subscribers
    /// deals with that.
    ///
    /// # Errors
    /// What is about neither a row nor the table.
    pub fn serve_watchers(
        &self,
        role: Role,
        pace: &mut Pace,
        done: &mut Delivered,
    ) -> Result<(), Failure> {
        // A caller commits all at once, and helpers come later.
        if role != Role::Worker || self.watchers.0.is_empty() {
            return Ok(());
        }
        let tiers = delivering(role, &self.activity, |db| {
            range::of_enabled_tiers(db, self.signal_id)
        })?;
        let batch = usize::try_from(settings::delivery_batch())
            .unwrap_or(1)
            .max(1);
        for tier in tiers {
            if done.is_held_back_from(&tier.tier) {
                continue;
            }
            for some in self.watchers.0.chunks(batch) {
                let written = delivering(role, &self.activity, |db| {
                    let written = self.write_for(db, &tier, some)?;
                    // Followers are sent what is on disk.
                    db.commit_waiting_for_own_disk();
                    Ok(written)
                });
                match written {
                    Ok(written) => done.rows += written,
                    Err(refusal) if refusal.is_of_the_row() || refusal.is_of_the_table() => {
                        return Ok(());
                    }
                    Err(failure) => return Err(failure),
                }
                pace.keep()?;
            }
        }
        // Rows of all others would take the processors from those who pass these on.
        pace.let_catch_up()
    }

    fn write_for(&self, db: &Db, tier: &Range, some: &[Uuid]) -> Result<i64, Failure> {
        let which = Which::Named(some);
        let written = batch::write(db, self.signal_id, &self.day, tier, tier.last, &which)?;
        if written > 0 {
            db.run(
                "UPDATE @extschema@.signals
                    SET deliveries = deliveries + $2,
                        delivery_started_at = coalesce(delivery_started_at, clock_timestamp())
                  WHERE signal_id = $1",
                &[self.signal_id.into(), written.into()],
            )?;
        }
        Ok(written)
    }
}
