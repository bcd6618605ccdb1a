//! One way to run a piece of database work: all of it, or none of it and an error.

use crate::failure::Failure;
use crate::process;
use pgrx::PgTryBuilder;
use pgrx::prelude::*;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// In what kind of transaction a cycle runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The background worker: each piece is a transaction of its own.
    Worker,
    /// A SQL function: each piece is a subtransaction of the caller's.
    Caller,
}

impl Scope {
    /// Runs `work` and commits it. When it returns an error or raises one, everything it wrote is
    /// rolled back and the error is returned. `activity` shows in pg_stat_activity while the
    /// worker is at it.
    pub fn atomically<T>(
        self,
        activity: &CStr,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self {
            Scope::Worker => in_transaction(activity, work),
            Scope::Caller => in_subtransaction(work),
        }
    }
}

/// Whether the transaction under way sees one state of the database throughout.
pub fn has_one_snapshot() -> bool {
    // SAFETY: a plain read of the process's own.
    unsafe { pg_sys::XactIsoLevel > pg_sys::XACT_READ_COMMITTED as i32 }
}

/// Lets the transaction under way end without waiting for its commit to be on disk; one that
/// commits after it takes it along. A crash may undo it, whole.
pub fn commit_without_waiting() {
    // SAFETY: SET LOCAL of a setting that everybody may set; the end of the transaction puts it
    // back.
    unsafe {
        pg_sys::set_config_option(
            c"synchronous_commit".as_ptr(),
            c"off".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// Turns anything `work` raises into an error. What it did to the database is for the caller to
/// roll back.
pub fn catch<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    PgTryBuilder::new(AssertUnwindSafe(work))
        .catch_others(|cause| Err(cause.into()))
        .catch_rust_panic(|cause| Err(cause.into()))
        .execute()
}

/// Waits between two pieces of work, where a cancel has nothing to cancel.
pub fn idle(timeout: Duration) {
    let _ = catch(|| {
        process::wait(timeout, None);
        Ok(())
    });
}

fn in_transaction<T>(
    activity: &CStr,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    process::report_activity(Some(activity));
    let result = catch(|| {
        // SAFETY: the sequence every background worker of PostgreSQL follows; the abort below
        // covers each way out of it.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            // Whatever the database's default: each statement is to see what others committed
            // before it.
            pg_sys::XactIsoLevel = pg_sys::XACT_READ_COMMITTED as i32;
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let value = work()?;
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            Ok(value)
        }
    });
    // SAFETY: outside any catch block; aborting is a no-op when nothing is open, and flushing
    // statistics needs no transaction.
    unsafe {
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        // Nobody else does it for a background worker; without it autovacuum never learns of our
        // rows.
        pg_sys::pgstat_report_stat(true);
    }
    process::report_activity(None);
    result
}

fn in_subtransaction<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // SAFETY: the sequence PL/pgSQL follows for a block with an exception handler: context and
    // resource owner are put back on both ways out.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = catch(work);
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}
