//! One signal on its way to everybody: range by range, batch by batch.

use super::batch::{self, Day};
use super::helpers::Helpers;
use super::pacing::Pace;
use super::range::{self, Claim, Range};
use super::{Delivered, Role, as_owner, owned};
use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::ledger::{self, text};
use crate::process;
use crate::settings;
use crate::transaction::{self, idle};
use pgrx::datum::Uuid;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// Subscribers per batch of a fan-out inside a caller's transaction: nothing shows before that
/// commits, so there is no reason for small ones. The same for subscribers who changed, when one
/// of them may be refused.
const LARGE_BATCH: i64 = 100_000;
/// Batches in a range, when ranges are shared among processes.
const BATCHES_PER_RANGE: i64 = 5;
/// Time between two looks whether another process is done with its range.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Time between two tries to take over what a process left behind that ended amid its range. To
/// try is to write; to look is not.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// Longest wait for the others in all, before the rest is left for later.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two lines on the progress in pg_stat_activity.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// One signal on its way to everybody, as far as this process is concerned.
pub struct FanOut {
    signal_id: i64,
    day: Day,
    began: Instant,
    /// When the activity was last renewed.
    reported: Instant,
    activity: CString,
}

/// The oldest undelivered signal, and what a fan-out of it must know.
pub fn next_signal(db: &Installation) -> Result<Option<FanOut>, Failure> {
    let next = db.read(
        "SELECT signal_id FROM @extschema@.signals WHERE delivered_at IS NULL ORDER BY signal_id LIMIT 1",
        &[],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    let Some(signal_id) = next.into_iter().next() else {
        return Ok(None);
    };
    // Whoever is not seen would be passed over without a word.
    if let Some(tables) = db.hidden_tables()? {
        return Err(Failure::hidden_rows(&tables));
    }
    Ok(Some(FanOut {
        signal_id,
        day: batch::day(db, signal_id)?,
        began: Instant::now(),
        reported: Instant::now(),
        activity: CString::from(c"signal_hub: delivering"),
    }))
}

/// What a transaction of a fan-out came to.
struct Step {
    rows: i64,
    state: State,
}

enum State {
    MoreToDo,
    OthersAtWork,
    Delivered,
}

/// The batch being written, to know whom a refusal is about.
struct Attempt {
    range_id: i64,
    /// Where the range stood.
    next: Uuid,
    subscribers: i64,
    /// Whether the range was given out in the same transaction, and is gone with it.
    range_is_gone: bool,
    with_care: bool,
}

impl FanOut {
    /// Delivers to the end; false when others are at work on the rest of it for longer than this
    /// process waits. When a batch is refused it is tried again in halves, down to the one
    /// subscriber at fault, who is passed over.
    pub fn deliver(
        mut self,
        role: Role,
        helpers: &mut Helpers,
        done: &mut Delivered,
    ) -> Result<bool, Failure> {
        let mut halvings = 0;
        let mut pace = Pace::new();
        let mut waited = Duration::ZERO;
        loop {
            if role != Role::Caller {
                process::reload_settings_if_asked();
            }
            heartbeat::beat(Stage::Delivering);
            let mut attempt = None;
            let activity = self.activity.clone();
            let step = role.scope().atomically(&activity, || {
                let step = owned(role, |db| {
                    let step = self.step(db, role, halvings, &mut attempt)?;
                    self.report(db, role)?;
                    Ok(step)
                })?;
                // Rows and cursor travel together; the last batch takes all before it along to
                // disk.
                if role != Role::Caller && !matches!(step.state, State::Delivered) {
                    transaction::commit_without_waiting();
                }
                Ok(step)
            });
            match (step, attempt) {
                (Ok(step), _) => {
                    done.rows += step.rows;
                    heartbeat::note_work();
                    match step.state {
                        State::Delivered => return Ok(true),
                        State::OthersAtWork if role == Role::Caller || waited > PATIENCE => {
                            return Ok(false);
                        }
                        State::OthersAtWork => waited += self.wait_for_others(role)?,
                        State::MoreToDo if role == Role::Caller => {}
                        State::MoreToDo => {
                            helpers.call_when_worth_it()?;
                            pace.keep()?;
                        }
                    }
                    halvings = u32::saturating_sub(halvings, 1);
                }
                (Err(refusal), Some(attempt)) if refusal.is_of_the_row() => {
                    if attempt.subscribers > 1 || attempt.range_is_gone || !attempt.with_care {
                        halvings += 1;
                    } else {
                        done.error = Some(as_owner(role, &self.activity, |db| {
                            self.pass_over(db, &attempt, &refusal)
                        })?);
                    }
                }
                (Err(failure), _) => {
                    if !failure.is_lock_not_available() {
                        // On record where that is possible; the caller has it anyway.
                        let _ = as_owner(role, &self.activity, |db| {
                            ledger::record_delivery_error(
                                db,
                                self.signal_id,
                                &failure.line(),
                                &failure.sqlstate,
                            )
                        });
                    }
                    return Err(failure);
                }
            }
        }
    }

    /// Waits until others are done with a range, or it is time to try and take one. Returns for
    /// how long.
    fn wait_for_others(&self, role: Role) -> Result<Duration, Failure> {
        let began = Instant::now();
        let left = || as_owner(role, &self.activity, |db| range::count(db, self.signal_id));
        let before = left()?;
        while before > 0 && began.elapsed() < TRY_AGAIN {
            idle(LOOK_AGAIN);
            if left()? != before {
                break;
            }
        }
        Ok(began.elapsed())
    }

    /// One transaction: a batch, across as many ranges as it takes to fill it, and the end of the
    /// signal when there is nothing left of it.
    fn step(
        &self,
        db: &Installation,
        role: Role,
        halvings: u32,
        attempt: &mut Option<Attempt>,
    ) -> Result<Step, Failure> {
        let (batch, range_size) = match role {
            Role::Caller => (LARGE_BATCH, None),
            _ => (settings::delivery_batch(), shared_range_size()),
        };
        let with_care = halvings > 0;
        let mut rows = 0;
        let state = loop {
            let (range, just_claimed) = match range::take(db, self.signal_id)? {
                Some(range) => (range, false),
                None => match range::claim(db, self.signal_id, range_size)? {
                    // Committed at once, so that others can have the next, and that it is there
                    // when a subscriber is to be passed over.
                    Claim::Range(_) if range_size.is_some() || with_care => break State::MoreToDo,
                    Claim::Range(range) => (range, true),
                    Claim::OthersAtWork => break State::OthersAtWork,
                    Claim::NothingLeft => {
                        self.finish(db)?;
                        break State::Delivered;
                    }
                    Claim::Delivered => break State::Delivered,
                },
            };
            if rows >= batch {
                break State::MoreToDo;
            }
            // Renamed or gone: whom it had is found under the new name.
            if !range.tier_exists {
                range::close(db, &range, 0)?;
                continue;
            }
            let full = if range.changed_only {
                LARGE_BATCH
            } else {
                batch
            };
            let subscribers = (full >> halvings.min(62)).max(1);
            // Nearly all who changed have their row, and each look at some of them is a look
            // through all of them: one is enough.
            let (last, next) = match range.changed_only && !with_care {
                true => (range.last, None),
                false => range::bounds(db, self.signal_id, &range, subscribers)?,
            };
            *attempt = Some(Attempt {
                range_id: range.range_id,
                next: range.next,
                subscribers,
                range_is_gone: just_claimed,
                with_care,
            });
            let written = batch::write(db, self.signal_id, &self.day, &range, last, with_care)?;
            *attempt = None;
            rows += written;
            match next {
                Some(next) => {
                    range::advance(db, &range, next, written)?;
                    break State::MoreToDo;
                }
                None => {
                    range::close(db, &range, written)?;
                    // The signal's row is locked now, and others wait for it.
                    if range_size.is_some() {
                        break State::MoreToDo;
                    }
                }
            }
        };
        Ok(Step { rows, state })
    }

    fn finish(&self, db: &Installation) -> Result<(), Failure> {
        db.run(
            "UPDATE @extschema@.signals SET delivered_at = clock_timestamp() WHERE signal_id = $1",
            &[self.signal_id.into()],
        )?;
        let spent_ms = self.began.elapsed().as_secs_f64() * 1000.0;
        ledger::record_delivery(db, self.signal_id, spent_ms)
    }

    /// Moves a range behind the one subscriber whose row was refused, and puts that on record.
    /// The refusal's detail is left out: it may hold the row itself.
    fn pass_over(
        &self,
        db: &Installation,
        attempt: &Attempt,
        refusal: &Failure,
    ) -> Result<Failure, Failure> {
        let range = range::lock(db, attempt.range_id)?.filter(|range| range.next == attempt.next);
        let Some(range) = range else {
            // Another process has been at it meanwhile.
            return Ok(refusal.clone());
        };
        let (whom, next) = match range::heads(db, self.signal_id, &range, 1)?[..] {
            [whom, next] => (whom, Some(next)),
            [whom] => (whom, None),
            // The refusal was not about a subscriber after all.
            _ => return Err(refusal.clone()),
        };
        match next {
            Some(next) => range::advance(db, &range, next, 0)?,
            None => range::close(db, &range, 0)?,
        }
        self.count_failure(db, &range, whom)?;
        let message = format!(
            "could not deliver signal {} to subscriber {whom}: {}",
            self.signal_id, refusal.message
        );
        ledger::record_delivery_error(db, self.signal_id, &message, &refusal.sqlstate)?;
        Ok(Failure {
            message,
            detail: None,
            hint: None,
            ..refusal.clone()
        })
    }

    /// Those who changed before the signal were counted in the first round.
    fn count_failure(&self, db: &Installation, range: &Range, whom: Uuid) -> Result<(), Failure> {
        db.run(
            "UPDATE @extschema@.signals s SET delivery_failures = delivery_failures + 1
               FROM @extschema@.user_subscriptions u
              WHERE s.signal_id = $1 AND u.user_id = $2 AND (NOT $3 OR u.updated_at > s.created_at)",
            &[self.signal_id.into(), whom.into(), range.changed_only.into()],
        )?;
        Ok(())
    }

    /// Renews what pg_stat_activity shows, now and then.
    fn report(&mut self, db: &Installation, role: Role) -> Result<(), Failure> {
        if role == Role::Caller || self.reported.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        self.reported = Instant::now();
        let lines = db.read(
            "SELECT 'signal_hub: ' || progress FROM @extschema@.signal_delivery_progress WHERE signal_id = $1",
            &[self.signal_id.into()],
            |row| text(row, 1),
        )?;
        if let Some(line) = lines.into_iter().find_map(|line| CString::new(line).ok()) {
            self.activity = line;
        }
        Ok(())
    }
}

/// Size of a range when processes share a fan-out; a single one takes what there is.
fn shared_range_size() -> Option<i64> {
    (settings::delivery_workers() > 1).then(|| settings::delivery_batch() * BATCHES_PER_RANGE)
}
