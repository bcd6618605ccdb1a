//! One signal on its way to everybody: range by range, batch by batch, a transaction each.
//!
//! ```text
//!                     +--------------------------------------------------------------+
//!                     v                                                              |
//!   take a range nobody works on  --none-->  claim the next range of the signal      |
//!          | one                               |-- a range, alone in the fan-out     |
//!          |<----------------------------------+                                     |
//!          |                                   |-- a range, shared or with care: commit, more to do
//!          |                                   |-- others work on the rest: commit, wait
//!          |                                   `-- nothing left: delivered
//!          v
//!   write the rows of a batch  --refused-->  roll back; again with care and half the batch,
//!          |                                 down to one subscriber. Then: can a row of another
//!          |                                 subscriber of the tier be written?
//!          |                                   |-- yes, and theirs is refused again: passed over
//!          |                                   `-- no: the tier is held back, also from later
//!          |                                       signals of this pass; other tiers go on
//!          |-- more of the range: move its cursor, commit, more to do
//!          `-- end of the range: close it; shared: commit, more to do; alone: ---------+
//! ```
//!
//! "With care" looks for the row of each subscriber first, and commits a range before it is worked
//! on, so that it is there when a subscriber of it is passed over. Nobody is passed over unless
//! somebody else's row could be written after theirs was refused, see `refusal`. A tier that is
//! held back keeps its place in its ranges, and the signal stays undelivered: the next pass tries
//! again.

use super::batch::{self, Day, Which};
use super::helpers::Helpers;
use super::layout::{self, Layout};
use super::pacing::Pace;
use super::range::{self, Claim, Range};
use super::refusal::Trials;
use super::sizes::{Care, LARGE_BATCH, Sizes};
use super::watchers::Watchers;
use super::{Delivered, Role, delivering};
use crate::board::slots::{self, Stage};
use crate::ledger;
use crate::postgres::encoding::prose;
use crate::postgres::statements::text;
use crate::postgres::transaction::idle;
use crate::postgres::{Db, Failure, process};
use pgrx::datum::Uuid;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Time between two checks whether another process has finished its range. A check only reads.
const CHECK_OTHERS_EVERY: Duration = Duration::from_millis(2);
/// Time between two attempts to take over a range that a process left in the middle. An attempt
/// locks rows, which is a write, so it is made less often.
const TAKE_OVER_EVERY: Duration = Duration::from_millis(100);
/// Longest wait for the others in all, before the rest is left for later.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two lines on the progress in pg_stat_activity.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// One signal on its way to everybody, as far as this process is concerned.
pub struct FanOut {
    pub signal_id: i64,
    pub day: Day,
    /// Who is served first.
    pub watchers: Watchers,
    layout: &'static dyn Layout,
    began: Instant,
    /// When the activity was last updated.
    reported: Instant,
    pub activity: CString,
}

/// The undelivered signal of the oldest run that is not one of `done`, of that run the one with
/// the best quality, and what a fan-out of it must know.
pub fn next_signal(db: &Db, role: Role, done: &[i64]) -> Result<Option<FanOut>, Failure> {
    let next = db.read(
        "SELECT signal_id FROM @extschema@.signals
          WHERE delivered_at IS NULL AND signal_id <> ALL ($1)
          ORDER BY run_id, quality_score DESC, signal_id LIMIT 1",
        &[done.to_vec().into()],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    let Some(signal_id) = next.into_iter().next() else {
        return Ok(None);
    };
    let layout = layout::of(db);
    layout.take_up(role)?;
    // Whoever is not seen would be passed over without a word.
    if let Some(tables) = db.hidden_tables()? {
        return Err(Failure::hidden_rows(&tables));
    }
    Ok(Some(FanOut {
        signal_id,
        day: batch::day(db, signal_id)?,
        watchers: Watchers::read(db)?,
        layout,
        began: Instant::now(),
        reported: Instant::now(),
        activity: CString::from(c"signal_hub: delivering"),
    }))
}

/// What one transaction of a fan-out did, and what comes next.
struct Written {
    rows: i64,
    next: Next,
}

enum Next {
    MoreToDo,
    OthersAtWork,
    HeldBack,
    Delivered,
}

/// How this process left a fan-out.
pub enum End {
    Delivered,
    /// What is left is of tiers whose rows are all refused.
    HeldBack,
    /// Others were at work on the rest of it for longer than this process waits.
    OthersAtWork,
}

/// The batch that is being written, and so the subscribers that a refusal can be about.
pub struct Batch {
    pub range_id: i64,
    pub tier: String,
    /// First subscriber of the batch.
    pub first: Uuid,
    subscribers: i64,
}

impl FanOut {
    /// Delivers as far as possible. When a batch is refused it is tried again in halves, down to
    /// one subscriber; then `refusal` tells whether they are passed over, or the tier held back.
    ///
    /// # Errors
    /// What is not about a row of one subscriber; the fan-out can be resumed from where it is.
    pub fn deliver(
        mut self,
        role: Role,
        helpers: &mut Helpers,
        done: &mut Delivered,
    ) -> Result<End, Failure> {
        let mut care = Care::default();
        // Whose row was refused before that of the witness could be written.
        let mut suspect = None;
        let mut witness = None;
        let mut pace = Pace::new();
        let mut waited = Duration::ZERO;
        self.serve_watchers(role, &mut pace, done)?;
        loop {
            process::exit_if_postmaster_is_gone();
            if role != Role::Caller {
                process::reload_settings_if_asked();
            }
            slots::record_heartbeat(Stage::Delivering);
            // Left behind by a transaction that an error ended.
            let mut in_hand = None;
            let activity = self.activity.clone();
            let began = Instant::now();
            let written = delivering(role, &activity, |db| {
                let written = self.write_batch(db, role, care, &done.held_back, &mut in_hand)?;
                self.report(db, role)?;
                // Rows and cursor travel together; the last batch takes all before it along to
                // disk.
                if role != Role::Caller && !matches!(written.next, Next::Delivered) {
                    db.commit_without_waiting_for_disk();
                }
                Ok(written)
            });
            match (written, in_hand) {
                (Ok(written), _) => {
                    done.rows += written.rows;
                    self.layout.took(written.rows, began.elapsed());
                    slots::mark_worked();
                    match written.next {
                        Next::Delivered => return Ok(End::Delivered),
                        Next::HeldBack => return Ok(End::HeldBack),
                        Next::OthersAtWork if role == Role::Caller || waited > PATIENCE => {
                            return Ok(End::OthersAtWork);
                        }
                        Next::OthersAtWork => waited += self.wait_for_others(role)?,
                        Next::MoreToDo if role == Role::Caller => {}
                        Next::MoreToDo => {
                            helpers.call_when_worth_it()?;
                            pace.keep()?;
                        }
                    }
                    care.take_less();
                }
                (Err(refusal), Some(batch)) if refusal.is_of_the_row() => {
                    if batch.subscribers > 1 || !care.is_taken() {
                        match refusal.is_of_slow_code() {
                            true => care.take_much_more(),
                            false => care.take_more(),
                        }
                        continue;
                    }
                    let accused = delivering(role, &self.activity, |db| self.accused(db, &batch))?;
                    let Some(accused) = accused else {
                        // Another process has worked on the range meanwhile.
                        continue;
                    };
                    if suspect.take() == Some(accused) {
                        let passed_over = delivering(role, &self.activity, |db| {
                            self.pass_over(db, accused, &refusal)
                        })?;
                        done.pass_over(passed_over);
                        continue;
                    }
                    let trials = Trials {
                        role,
                        activity: &self.activity,
                        signal_id: self.signal_id,
                        day: &self.day,
                    };
                    witness = trials.find_witness(accused, witness)?;
                    match witness {
                        Some(_) => suspect = Some(accused),
                        None => self.hold_back(role, &batch, Some(accused), &refusal, done)?,
                    }
                }
                (Err(refusal), Some(batch))
                    if role != Role::Caller && refusal.is_of_the_table() =>
                {
                    self.hold_back(role, &batch, None, &refusal, done)?;
                }
                (Err(failure), _) => {
                    self.record_error(role, &failure);
                    return Err(failure);
                }
            }
        }
    }

    /// Enters what stopped the fan-out into the record of its run, where that is possible; the
    /// caller has it anyway. A lock that somebody holds is not an error.
    pub fn record_error(&self, role: Role, failure: &Failure) {
        if failure.is_lock_not_available() {
            return;
        }
        let _ = delivering(role, &self.activity, |db| {
            ledger::record_delivery_error(db, self.signal_id, &failure.line(), &failure.sqlstate)
        });
    }

    /// Waits until others have finished a range, or it is time to try and take one over. Returns
    /// how long it waited.
    fn wait_for_others(&self, role: Role) -> Result<Duration, Failure> {
        let began = Instant::now();
        let left = || delivering(role, &self.activity, |db| range::count(db, self.signal_id));
        let before = left()?;
        while before > 0 && began.elapsed() < TAKE_OVER_EVERY {
            idle(CHECK_OTHERS_EVERY);
            if left()? != before {
                break;
            }
        }
        Ok(began.elapsed())
    }

    /// One transaction: a batch, across as many ranges as it takes to fill it, and the end of the
    /// signal when nothing is left of it. `in_hand` is what is being written when it raises.
    fn write_batch(
        &self,
        db: &Db,
        role: Role,
        care: Care,
        held_back: &[String],
        in_hand: &mut Option<Batch>,
    ) -> Result<Written, Failure> {
        let layout = layout::of(db);
        let sizes = Sizes::of(role, layout);
        let mut rows = 0;
        loop {
            let range = match self.next_range(db, role, rows, &sizes, care, held_back)? {
                ControlFlow::Continue(range) => range,
                ControlFlow::Break(next) => return Ok(Written { rows, next }),
            };
            let more_to_do = |rows| {
                Ok(Written {
                    rows,
                    next: Next::MoreToDo,
                })
            };
            if rows >= sizes.batch {
                return more_to_do(rows);
            }
            // Renamed or deleted: its subscribers are found under the new name.
            if !range.tier_exists {
                range::close(db, &range, 0)?;
                continue;
            }
            let full_batch = match range.changed_only {
                true => LARGE_BATCH,
                false => sizes.batch,
            };
            let subscribers = care.size_of(full_batch);
            // Nearly all who changed have their row, and each search for some of them reads all
            // of them: one is enough.
            let (last, next) = match range.changed_only && !care.is_taken() {
                true => (range.last, None),
                false => layout.bounds(db, self.signal_id, &range, subscribers)?,
            };
            *in_hand = Some(Batch {
                range_id: range.range_id,
                tier: range.tier.clone(),
                first: range.next,
                subscribers,
            });
            let day = &self.day;
            let which = match care.is_taken() {
                true => Which::WithCare,
                false => Which::All(self.watchers.between(range.next, last)),
            };
            let written = batch::write(db, self.signal_id, day, &range, last, &which)?;
            *in_hand = None;
            rows += written;
            if let Some(next) = next {
                range::advance(db, &range, next, written)?;
                return more_to_do(rows);
            }
            range::close(db, &range, written)?;
            // The signal's row is locked now, and others wait for it.
            if sizes.shared_range.is_some() {
                return more_to_do(rows);
            }
        }
    }

    /// The range to work on in this transaction, which has written `rows`, or else what comes next.
    fn next_range(
        &self,
        db: &Db,
        role: Role,
        rows: i64,
        sizes: &Sizes,
        care: Care,
        held_back: &[String],
    ) -> Result<ControlFlow<Next, Range>, Failure> {
        if let Some(range) = range::take(db, self.signal_id, held_back)? {
            return Ok(ControlFlow::Continue(range));
        }
        Ok(
            match range::claim(db, self.signal_id, sizes.shared_range, held_back)? {
                // Committed at once, so that others can have the next one, and so that it is there
                // when a subscriber is passed over.
                Claim::Range(_) if sizes.shared_range.is_some() || care.is_taken() => {
                    ControlFlow::Break(Next::MoreToDo)
                }
                Claim::Range(range) => ControlFlow::Continue(range),
                Claim::OthersAtWork => ControlFlow::Break(Next::OthersAtWork),
                Claim::HeldBack => ControlFlow::Break(Next::HeldBack),
                Claim::NothingLeft if !layout::of(db).may_finish(role, rows)? => {
                    ControlFlow::Break(Next::MoreToDo)
                }
                Claim::NothingLeft => {
                    self.finish(db)?;
                    ControlFlow::Break(Next::Delivered)
                }
                Claim::Delivered => ControlFlow::Break(Next::Delivered),
            },
        )
    }

    fn finish(&self, db: &Db) -> Result<(), Failure> {
        db.run(
            "UPDATE @extschema@.signals SET delivered_at = clock_timestamp() WHERE signal_id = $1",
            &[self.signal_id.into()],
        )?;
        let spent_ms = self.began.elapsed().as_secs_f64() * 1000.0;
        ledger::record_delivery(db, self.signal_id, spent_ms)
    }

    /// Updates what pg_stat_activity shows, about once a second.
    fn report(&mut self, db: &Db, role: Role) -> Result<(), Failure> {
        if role == Role::Caller || self.reported.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        self.reported = Instant::now();
        let lines = db.read(
            "SELECT 'signal_hub: ' || progress FROM @extschema@.signal_delivery_progress WHERE signal_id = $1",
            &[self.signal_id.into()],
            |row| text(row, 1),
        )?;
        if let Some(line) = lines
            .into_iter()
            .find_map(|line| CString::new(prose(&line)).ok())
        {
            self.activity = line;
        }
        Ok(())
    }
}
