//! Stopping and resuming signals in a database, and delivering once more what was refused.

use super::or_raise;
use crate::ledger;
use crate::postgres::server_values::ServerBytes;
use crate::postgres::{Scope, as_owner, transaction};
use pgrx::prelude::*;

/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 1000;
/// Bytes that hold as many characters in every encoding.
const LONGEST_REASON_BYTES: usize = 4 * LONGEST_REASON;

/// As the owner of the tables, so that a caller needs no rights on them, and in the operation in
/// which no trigger gets more than the owner has.
#[pg_extern(sql = false)]
fn pause_signals(reason: Option<ServerBytes<'_>>) -> bool {
    let reason = reason.map(|reason| {
        let beginning = reason.beginning(LONGEST_REASON_BYTES);
        beginning.chars().take(LONGEST_REASON).collect::<String>()
    });
    or_raise(|| {
        as_owner(Scope::Caller, c"", |db| {
            ledger::pause(db, reason.as_deref())
        })
    });
    true
}

#[pg_extern(sql = false)]
fn resume_signals() -> bool {
    or_raise(|| as_owner(Scope::Caller, c"", ledger::resume))
}

#[pg_extern(sql = false)]
fn retry_refused_deliveries() -> i64 {
    transaction::set_constraints_immediate();
    or_raise(|| as_owner(Scope::Caller, c"", ledger::reopen_refused))
}
