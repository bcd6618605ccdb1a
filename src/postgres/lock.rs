//! Heavyweight locks that are taken at once or not at all, and given back at the end of the
//! transaction.
//!
//! Locks on catalog objects rather than advisory locks: those any role could take.

use pgrx::prelude::*;

/// Takes the lock that makes the cycles of this database exclude each other: on the extension
/// itself, so that DROP EXTENSION waits for the end of a batch.
pub fn try_lock_cycle(extension: pg_sys::Oid) -> bool {
    // Conflicts with itself and with DROP EXTENSION, with nothing that reads.
    let mode = pg_sys::ShareUpdateExclusiveLock;
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    try_lock(database, pg_sys::ExtensionRelationId, extension, mode)
}

/// Takes a lock that only DROP EXTENSION conflicts with, not a cycle.
pub fn try_lock_in_place(extension: pg_sys::Oid) -> bool {
    let mode = pg_sys::RowShareLock;
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    try_lock(database, pg_sys::ExtensionRelationId, extension, mode)
}

/// Whether somebody waits for all sessions to leave this database: DROP DATABASE, RENAME, or
/// CREATE DATABASE with it as the template.
pub fn database_is_wanted() -> bool {
    // The mode a session takes for a moment when it connects.
    let mode = pg_sys::RowExclusiveLock;
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    !try_lock(
        pg_sys::InvalidOid,
        pg_sys::DatabaseRelationId,
        database,
        mode,
    )
}

fn try_lock(database: pg_sys::Oid, class: pg_sys::Oid, object: pg_sys::Oid, mode: u32) -> bool {
    // What the macro SET_LOCKTAG_OBJECT makes.
    let tag = pg_sys::LOCKTAG {
        locktag_field1: database.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: the tag is copied; inside a transaction, whose end releases.
    let taken = unsafe { pg_sys::LockAcquire(&tag, mode as i32, false, true) };
    taken != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
