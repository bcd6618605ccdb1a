//! Who was in the way when a lock was waited for in vain. PostgreSQL's message names nobody.

use super::statements::read_catalogs;
use super::{Failure, Scope};

/// Adds to a failure who holds locks on tables of the extension that others have to wait for, or
/// waits for such a lock ahead of others.
pub fn name_lock_holders(scope: Scope, failure: Failure) -> Failure {
    let holders = scope.atomically(c"signal_hub: looking for a lock", || {
        read_catalogs::<String>(
            "SELECT string_agg(format('process %s (%s) %s %s on %s', l.pid, coalesce(a.usename, a.backend_type),
                                      CASE WHEN l.granted THEN 'holds' ELSE 'waits for' END, l.mode,
                                      l.relation::regclass), ', ' ORDER BY l.granted DESC, l.pid, l.relation)
               FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
              WHERE l.locktype = 'relation' AND l.pid <> pg_backend_pid()
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
                AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e
                                ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                             WHERE e.extname = 'signal_hub' AND d.classid = 'pg_class'::regclass
                               AND d.objid = l.relation AND d.deptype = 'e')",
        )
    });
    let holders = match holders {
        Ok(Some(holders)) => holders,
        // Rows are locked by transactions, which pg_locks shows without their rows.
        _ => "another transaction has locked a row, see pg_locks".to_owned(),
    };
    Failure {
        message: format!("{}: {holders}", failure.message),
        ..failure
    }
}
