//! One way to run a piece of database work: all of it, or none of it and an error.

use super::blockers::name_lock_holders;
use super::scoped_settings::{SAFE_SEARCH_PATH, set_for_transaction, with_settings};
use super::{Db, Failure, Installation, encoding, process, report, trust};
use pgrx::PgTryBuilder;
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Time the worker waits for a lock. Below deadlock_timeout's default, so that in a conflict with a
/// user's DDL it is always the worker that gives way.
pub(super) const WORKER_LOCK_TIMEOUT: &CStr = c"500ms";

/// The same for a session that has no lock_timeout of its own. Any role can make it wait: by a
/// statement that is itself waiting to be refused. The worker sends such statements away.
const CALLER_LOCK_TIMEOUT: &CStr = c"5s";

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

/// Runs `work` on the extension's tables as their owner: all of it, or none of it and an error.
/// In [`Scope::Caller`], one that is to write has to call [`set_constraints_immediate`] before.
///
/// It is a security-restricted operation, in which no trigger of the owner can climb back to the
/// privileges underneath; and with nothing but pg_catalog in the search_path no operator or
/// function that somebody planted can stand in for PostgreSQL's own. What the owner may do, no
/// code of others that the tables use gets to do: see [`trust`].
///
/// # Errors
/// What `work` returns or raises, and a failure when the extension is not there or not of this
/// library's release.
pub fn as_owner<T>(
    scope: Scope,
    activity: &CStr,
    work: impl FnOnce(&Db) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _inside = Inside::enter();
    let mut owner = None;
    let result = scope.atomically(activity, || {
        let installation = Installation::current()?;
        owner = Some(installation.owner());
        let db = installation.db();
        let mut settings = vec![SAFE_SEARCH_PATH];
        match scope {
            Scope::Worker => {
                set_constraints_immediate();
                settings.push((c"lock_timeout", WORKER_LOCK_TIMEOUT));
            }
            Scope::Caller if process::setting(c"lock_timeout").as_deref() == Some("0") => {
                settings.push((c"lock_timeout", CALLER_LOCK_TIMEOUT));
            }
            Scope::Caller => {}
        }
        let value = with_settings(&settings, || {
            trust::ensure_trusted(&db)?;
            with_identity(installation.owner(), || work(&db))
        })?;
        if let Some(waits_for) = db.synchronous_commit() {
            set_for_transaction(c"synchronous_commit", waits_for);
        }
        Ok(value)
    });
    match result {
        Err(failure) if failure.is_lock_timeout() => Err(name_lock_holders(scope, failure)),
        Err(failure) if failure.sqlstate == "42501" => {
            let role = owner.and_then(|owner| {
                scope
                    .atomically(activity, || Ok(process::role_name(owner)))
                    .ok()
            });
            Err(failure.refused_to(&role.unwrap_or_default()))
        }
        result => result,
    }
}

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// While one lives, work on the tables is under way, and whatever is called belongs to it.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// Whether this is called by something that work on the tables calls, a trigger say.
pub fn is_called_by_our_own_work() -> bool {
    INSIDE.get() > 0
}

/// Runs `work` as `role`, in a security-restricted operation.
pub(super) fn with_identity<T>(
    role: pg_sys::Oid,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: put back below; when `work` raises, the abort of the (sub)transaction it runs in
    // puts it back.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restricted =
            pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
        pg_sys::SetUserIdAndSecContext(role, context | restricted as i32);
    }
    let result = work();
    // SAFETY: the values were read above.
    unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
    result
}

/// SET CONSTRAINTS ALL IMMEDIATE. Deferred triggers cannot fire in a restricted operation; said
/// before stepping into one, what a caller has pending fires as the caller. It holds for the rest
/// of the transaction: PostgreSQL tells nobody what was deferred before. Not by SPI, which would
/// take a transaction number for it.
pub fn set_constraints_immediate() {
    let mut statement = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: a well-formed node, only read during the call.
    unsafe { pg_sys::AfterTriggerSetState(&mut statement) }
}

/// Whether the transaction under way sees one state of the database throughout.
pub fn has_one_snapshot() -> bool {
    // SAFETY: a plain read of the process's own.
    unsafe { pg_sys::XactIsoLevel > pg_sys::XACT_READ_COMMITTED as i32 }
}

/// Turns anything `work` raises into an error. What it did to the database is for the caller to
/// roll back.
pub fn catch<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    report::keeping_reports(|| {
        PgTryBuilder::new(AssertUnwindSafe(work))
            .catch_others(|cause| Err(cause.into()))
            .catch_rust_panic(|cause| Err(cause.into()))
            .execute()
    })
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
            encoding::get_ready();
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
            // As after each error that reaches a session's main loop. An extension that swallows an
            // error while it aborts leaves the count off, and locks of shared memory that are taken
            // from then on are never released.
            pg_sys::InterruptHoldoffCount = 0;
        }
        // Nobody else does it for a background worker; without it autovacuum never learns of our
        // rows.
        pg_sys::pgstat_report_stat(true);
    }
    process::report_activity(None);
    result
}

/// Does a piece of work that must not cost what was done before it in the same transaction: its
/// error undoes the piece alone.
pub fn in_subtransaction<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Before anything fails: after an error, nothing can be looked up.
    encoding::get_ready();
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
