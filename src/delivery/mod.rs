//! The fan-out: one `user_signals` row per entitled subscriber and signal.
//!
//! One signal at a time, oldest run first, in batches that commit as they go: see `fan_out` for the
//! way of one signal, `range` for who is next, `batch` for the statement, `refusal` and
//! `passing_over` for rows that are refused, `sizes` for how many rows a batch has, `helpers` for
//! the processes that may share it, `pacing` for those who follow it. `late` is for whoever becomes
//! entitled while signals are open, `watchers` for whoever is looking now. What is different over
//! several servers is in `layout`, and the way of these in `sharded`.

mod batch;
mod fan_out;
mod helpers;
mod late;
mod layout;
mod pacing;
mod passing_over;
mod range;
mod refusal;
mod second_round;
mod sharded;
mod sizes;
mod watchers;

use crate::postgres::{Db, Failure, Scope, as_owner, wanted};
use fan_out::{End, next_signal};
use helpers::Helpers;
use std::ffi::CStr;

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
    /// Why tiers are held back, or why the fan-out stopped.
    pub error: Option<Failure>,
    /// Tiers whose rows are all refused: they are left out until the next attempt.
    held_back: Vec<String>,
    /// Subscribers who were passed over, as their row was refused and those of others were not.
    pub passed_over: i64,
    /// Why the last of them was.
    pub refusal: Option<Failure>,
    /// Whether signals are left undelivered.
    pub incomplete: bool,
    /// The lock that the worker waits for, when that is why.
    pub waits_for: Option<Failure>,
}

impl Delivered {
    fn pass_over(&mut self, refusal: Option<Failure>) {
        if refusal.is_some() {
            self.passed_over += 1;
            self.refusal = refusal;
        }
    }

    fn hold_back(&mut self, tier: String, failure: Failure) {
        self.held_back.push(tier);
        self.error.get_or_insert(failure);
    }

    fn is_held_back_from(&self, tier: &str) -> bool {
        self.held_back.iter().any(|held_back| held_back == tier)
    }

    /// Whether tiers are held back, which another attempt at once would not change.
    pub fn is_held_back(&self) -> bool {
        !self.held_back.is_empty()
    }
}

/// Delivers every undelivered signal, the oldest run first and of a run the best signal. A
/// subscriber whose row is refused by a constraint or trigger costs only themselves, and a fault of
/// all rows of a tier only that tier, for which no later signal is tried either; any other error
/// stops the fan-out where it stands. What is left is resumed by the next.
pub fn deliver_all(role: Role) -> Delivered {
    let mut done = Delivered::default();
    let mut helpers = Helpers::of(role);
    let mut tried = Vec::new();
    loop {
        let next = delivering(role, c"signal_hub: delivering", |db| {
            next_signal(db, role, &tried)
        });
        let delivered = match next {
            Ok(None) => return done,
            Ok(Some(fan_out)) => {
                tried.push(fan_out.signal_id);
                fan_out.deliver(role, &mut helpers, &mut done)
            }
            Err(failure) => Err(failure),
        };
        match delivered {
            Ok(End::Delivered) => {}
            Ok(End::HeldBack) => done.incomplete = true,
            Ok(End::OthersAtWork) => {
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

/// Delivers open signals to late joiners, after what there was to deliver to all.
pub fn serve_late_joiners(role: Role, delivered: &mut Delivered) {
    late::serve(role, delivered);
}

/// Runs `work` as the owner of the tables, in a transaction and under the lock that is due to
/// `role`.
///
/// # Errors
/// What `work` returns or raises; that the lock is taken; that somebody needs the database
/// without sessions.
fn delivering<T>(
    role: Role,
    activity: &CStr,
    work: impl FnOnce(&Db) -> Result<T, Failure>,
) -> Result<T, Failure> {
    as_owner(role.scope(), activity, |db| {
        let locked = match role {
            Role::Helper => db.try_keep_in_place()?,
            Role::Caller | Role::Worker => db.try_lock_cycle()?,
        };
        if !locked {
            return Err(Failure::another_cycle());
        }
        if role != Role::Caller && wanted::database_is_wanted()? {
            return Err(Failure::database_is_wanted());
        }
        db.walking_indexes(work)
    })
}
