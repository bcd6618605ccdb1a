//! Whether somebody needs this database without sessions: DROP DATABASE, RENAME, or CREATE
//! DATABASE with it as the template.

use super::{Failure, lock, process, statements};
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
       AND pg_has_role(a.usesysid, d.datdba, 'MEMBER')";
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
