//! Statements that wait for a lock, and sending them away without hitting any other statement.

use pgrx::prelude::*;

/// A process that waits for a lock.
pub struct Waiter {
    pub pid: i32,
    /// The role that its session was opened as.
    pub role: pg_sys::Oid,
    pub mode: pg_sys::LOCKMODE,
}

/// Who waits for the lock with this tag.
pub fn of(tag: &pg_sys::LOCKTAG) -> Vec<Waiter> {
    // SAFETY: a copy in this process's own memory, as long as it says.
    let locks = unsafe {
        let status = pg_sys::GetLockStatusData();
        let length = usize::try_from((*status).nelements).unwrap_or(0);
        std::slice::from_raw_parts((*status).locks, length)
    };
    let waiting = locks
        .iter()
        .filter(|lock| lock.waitLockMode != pg_sys::NoLock as i32 && is_same(&lock.locktag, tag));
    waiting
        .filter_map(|lock| {
            // SAFETY: an entry in shared memory, which stays mapped.
            let role = unsafe {
                let process = pg_sys::BackendPidGetProc(lock.pid);
                (!process.is_null()).then(|| (*process).roleId)
            };
            Some(Waiter {
                pid: lock.pid,
                role: role?,
                mode: lock.waitLockMode,
            })
        })
        .collect()
}

/// Cancels the statement of a process if it waits for the lock with this tag, in a session of this
/// role. Returns whether it did.
///
/// It cannot be another statement, nor another process with the same number: a wait for a lock
/// begins and ends under the lock on its part of PostgreSQL's table of locks, which is held here
/// from the look to the signal. A process that is given its lock right afterwards is still in the
/// same statement when it sees that it was canceled.
pub fn cancel_if_waiting(pid: i32, role: pg_sys::Oid, tag: &pg_sys::LOCKTAG) -> bool {
    // SAFETY: entries of processes and locks are in shared memory, which stays mapped. Whatever
    // `waitLock` points to, it has the tag of that lock as long as the part of the table is locked
    // that the tag belongs to. Nothing between locking and unlocking raises an error.
    unsafe {
        let process = pg_sys::BackendPidGetProc(pid);
        if process.is_null() {
            return false;
        }
        let part = pg_sys::LockTagHashCode(tag) % pg_sys::NUM_LOCK_PARTITIONS;
        let place = (pg_sys::LOCK_MANAGER_LWLOCK_OFFSET + part) as usize;
        let part_lock = &raw mut (*pg_sys::MainLWLockArray.add(place)).lock;
        pg_sys::LWLockAcquire(part_lock, pg_sys::LWLockMode::LW_SHARED);
        let awaited = (&raw const (*process).waitLock).read_volatile();
        let waits = (*process).pid == pid
            && (*process).roleId == role
            && !awaited.is_null()
            && is_same(&(*awaited).tag, tag);
        if waits {
            libc::kill(pid, libc::SIGINT);
        }
        pg_sys::LWLockRelease(part_lock);
        waits
    }
}

fn is_same(a: &pg_sys::LOCKTAG, b: &pg_sys::LOCKTAG) -> bool {
    let fields = |tag: &pg_sys::LOCKTAG| {
        (
            [tag.locktag_field1, tag.locktag_field2, tag.locktag_field3],
            tag.locktag_field4,
            [tag.locktag_type, tag.locktag_lockmethodid],
        )
    };
    fields(a) == fields(b)
}
