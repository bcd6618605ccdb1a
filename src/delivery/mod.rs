//! The fan-out: one `user_signals` row per entitled subscriber and signal.
//!
//! One signal at a time, oldest first, in batches that commit as they go: see
//! `range` for who is next, `batch` for the statement, `helpers` for the
//! processes that may share it, `pacing` for those who follow it.

mod batch;
mod helpers;
mod pacing;
mod range;

use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::ledger::{self, text};
use crate::lock;
use crate::settings;
use crate::transaction::{self, Scope, idle};
use batch::Day;
use helpers::Helpers;
use pacing::Pace;
use pgrx::datum::Uuid;
use range::{Claim, Range};
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

/// Subscribers per batch of a fan-out inside a caller's transaction: nothing
/// shows before that commits, so there is no reason for small ones. The same for
/// subscribers who changed: nearly all of them have their row.
const LARGE_BATCH: i64 = 100_000;
/// Batches in a range, when ranges are shared among processes.
const BATCHES_PER_RANGE: i64 = 5;
/// Time between two looks whether another process is done with its range.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Longest wait for the others in all, before the rest is left for later.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two lines on the progress in pg_stat_activity.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Who delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A session, in its own transaction.
    Caller,
    /// The worker of the database.
    Worker,
    /// A process that helps the worker.
    Helper,
}

impl Role {
    fn scope(self) -> Scope {
        match self {
            Role::Caller => Scope::Caller,
            Role::Worker | Role::Helper => Scope::Worker,
        }
    }
}

/// What a fan-out did.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Rows written.
    pub rows: i64,
    /// Why a subscriber was not given a row, or why the fan-out stopped.
    pub error: Option<Failure>,
    /// Whether signals are left undelivered.
    pub incomplete: bool,
    /// The lock that the worker waits for, when that is why.
    pub waits_for: Option<Failure>,
}

/// Delivers every undelivered signal, oldest first. A subscriber whose row is
/// refused by a constraint or trigger costs only themselves; any other error
/// stops the fan-out where it stands, to be resumed by the next.
pub fn deliver_all(role: Role) -> Delivered {
    let mut done = Delivered::default();
    let mut helpers = Helpers::of(role);
    loop {
        let next = as_owner(role, c"signal_hub: delivering", next_signal);
        let delivered = match next {
            Ok(None) => return done,
            Ok(Some(fan_out)) => fan_out.deliver(role, &mut helpers, &mut done),
            Err(failure) => Err(failure),
        };
        match delivered {
            Ok(true) => {}
            Ok(false) => {
                done.incomplete = true;
                return done;
            }
            Err(failure) => {
                done.incomplete = true;
                if role == Role::Caller || !failure.is_lock_not_available() {
                    done.error = Some(failure);
                } else {
                    done.waits_for = Some(failure);
                }
                return done;
            }
        }
    }
}

/// The oldest undelivered signal, and what a fan-out of it must know.
fn next_signal(db: &Installation) -> Result<Option<FanOut>, Failure> {
    let next = db.read(
        "SELECT signal_id FROM @extschema@.signals WHERE delivered_at IS NULL ORDER BY signal_id LIMIT 1",
        &[],
        |row| Ok(row.get::<i64>(1)?.unwrap_or_default()),
    )?;
    let Some(signal_id) = next.into_iter().next() else {
        return Ok(None);
    };
    Ok(Some(FanOut {
        signal_id,
        day: batch::day(db, signal_id)?,
        began: Instant::now(),
        reported: Instant::now(),
        activity: CString::from(c"signal_hub: delivering"),
    }))
}

/// One signal on its way to everybody, as far as this process is concerned.
struct FanOut {
    signal_id: i64,
    day: Day,
    began: Instant,
    /// When the activity was last renewed.
    reported: Instant,
    activity: CString,
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
    /// Delivers to the end; false when others are at work on the rest of it for
    /// longer than this process waits. When a batch is refused it is tried again
    /// in halves, down to the one subscriber at fault, who is passed over.
    fn deliver(
        mut self,
        role: Role,
        helpers: &mut Helpers,
        done: &mut Delivered,
    ) -> Result<bool, Failure> {
        let mut halvings = 0;
        let mut pace = Pace::new();
        let mut waited = Duration::ZERO;
        loop {
            heartbeat::beat(Stage::Delivering);
            let mut attempt = None;
            let activity = self.activity.clone();
            let step = role.scope().atomically(&activity, || {
                let step = owned(role, |db| {
                    let step = self.step(db, role, halvings, &mut attempt)?;
                    self.report(db, role)?;
                    Ok(step)
                })?;
                // Rows and cursor travel together; the last batch takes all
                // before it along to disk.
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
                        State::OthersAtWork => {
                            idle(LOOK_AGAIN);
                            waited += LOOK_AGAIN;
                        }
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

    /// One transaction: a batch, across as many ranges as it takes to fill it,
    /// and the end of the signal when there is nothing left of it.
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
            if rows >= batch {
                break State::MoreToDo;
            }
            let (range, just_claimed) = match range::take(db, self.signal_id)? {
                Some(range) => (range, false),
                None => match range::claim(db, self.signal_id, range_size)? {
                    // Committed at once, so that others can have the next, and
                    // that it is there when a subscriber is to be passed over.
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
            let (last, next) = range::bounds(db, self.signal_id, &range, subscribers)?;
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

    /// Moves a range behind the one subscriber whose row was refused, and puts
    /// that on record. The refusal's detail is left out: it may hold the row
    /// itself.
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

fn as_owner<T>(
    role: Role,
    activity: &CStr,
    work: impl FnOnce(&Installation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    role.scope().atomically(activity, || owned(role, work))
}

/// Runs `work` as the owner of the tables, under the lock that is due to `role`.
fn owned<T>(
    role: Role,
    work: impl FnOnce(&Installation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    Installation::current()?.as_owner(role.scope(), |db| {
        let locked = match role {
            Role::Helper => db.try_lock_in_place(),
            Role::Caller | Role::Worker => db.try_lock_cycle(),
        };
        if !locked {
            return Err(Failure::another_cycle());
        }
        if role != Role::Caller && lock::database_is_wanted() {
            return Err(Failure::database_is_wanted());
        }
        db.walking(work)
    })
}
