//! Whether somebody needs this database without sessions: DROP DATABASE, RENAME, or CREATE
//! DATABASE with it as the template.

use super::{Failure, Scope, lock, process, statements, waiters};
use pgrx::prelude::*;
use std::time::Duration;

/// Those who hold, or wait for, a lock that keeps sessions out, and may do what they are about to.
/// PostgreSQL refuses the others only once they have the lock.
const WHO_MAY: &str = "
    SELECT array_agg(l.pid)
      FROM pg_locks l
      JOIN pg_stat_activity a ON a.pid = l.pid
      JOIN pg_database d ON d.oid = l.objid
     WHERE l.locktype = 'object' AND l.database = 0 AND l.classid = 'pg_database'::regclass
       AND d.datname = current_database()
       AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       AND pg_has_role(a.usesysid, d.datdba, 'USAGE')";
/// Whoever needs the database waits for sessions to leave it; a statement that is refused for
/// another reason is gone by then.
const STAYS_FOR: Duration = Duration::from_millis(20);

/// Whether somebody waits for all sessions to leave this database, who has the right to.
///
/// # Errors
/// What reading the catalogs raises.
pub fn database_is_wanted() -> Result<bool, Failure> {
    if !lock::database_is_locked() {
        return Ok(false);
    }
    let first = who_may()?;
    if first.is_empty() {
        return Ok(false);
    }
    process::wait(STAYS_FOR, None);
    let second = who_may()?;
    Ok(first.iter().any(|pid| second.contains(pid)))
}

fn who_may() -> Result<Vec<i32>, Failure> {
    Ok(statements::read_catalogs(WHO_MAY)?.unwrap_or_default())
}

/// Cancels statements that wait for a lock which keeps sessions out of a database, in sessions whose
/// role may not do what takes such a lock. A worker that is being started waits behind them before
/// it can do anything itself, and they wait for as long as somebody holds a weak lock on the
/// database, which anybody can. The launcher calls this: it needs no session in the database.
///
/// # Errors
/// What reading the catalogs raises.
pub fn send_away_from(database: u32) -> Result<(), Failure> {
    Scope::Worker.atomically(c"signal_hub: looking who is in a worker's way", || {
        let Some(owner) = process::owner_of_database(database) else {
            return Ok(());
        };
        let tag = lock::database_tag(database.into());
        for waiter in waiters::of(&tag) {
            // SAFETY: reads the shared catalogs, in a transaction.
            let may = unsafe { pg_sys::is_member_of_role(waiter.role, owner) };
            if waiter.mode >= pg_sys::ShareLock as i32
                && !may
                && waiters::cancel_if_waiting(waiter.pid, waiter.role, &tag)
            {
                log!(
                    "signal_hub: canceled a statement of process {} ({}), which waited for a database that it has no \
                     right to drop or change, and kept a worker from starting",
                    waiter.pid,
                    process::role_name(waiter.role)
                );
            }
        }
        Ok(())
    })
}
