//! Stopping and resuming signals in a database.

use super::or_raise;
use crate::ledger;
use crate::postgres::{Scope, as_owner};
use pgrx::prelude::*;

/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 1000;

/// As the owner of the tables, so that a caller needs no rights on them, and in the operation in
/// which no trigger gets more than the owner has.
#[pg_extern(sql = false)]
fn pause_signals(reason: Option<&str>) -> bool {
    let reason = reason.map(|reason| match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => &reason[..end],
        None => reason,
    });
    or_raise(|| as_owner(Scope::Caller, c"", |db| ledger::pause(db, reason)));
    true
}

#[pg_extern(sql = false)]
fn resume_signals() -> bool {
    or_raise(|| as_owner(Scope::Caller, c"", ledger::resume))
}
