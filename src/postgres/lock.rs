//! Heavyweight locks that are taken at once or not at all, and given back at the end of the
//! transaction.
//!
//! Every one that a cycle depends on has a tag that no SQL statement uses: statements that
//! PostgreSQL refuses for want of rights take locks on objects before they are refused, and any
//! role can take an advisory lock.

use pgrx::prelude::*;
use std::time::Duration;

/// Takes the lock that makes the cycles of this database exclude each other. SQL statements lock
/// an object as a whole, with a 0 for its part: a part of the extension's entry is ours alone.
pub fn try_lock_cycle(extension: pg_sys::Oid) -> bool {
    const CYCLE: u16 = 1;
    let mode = pg_sys::ExclusiveLock;
    try_lock(
        our_object(pg_sys::ExtensionRelationId, extension, CYCLE),
        mode,
    )
}

/// Keeps the extension from being dropped, by a weak lock on it: DROP EXTENSION waits for that
/// before it locks any table, so the two can never wait for each other. False when somebody holds,
/// or waits for, a lock that conflicts: whoever drops the extension, but it can be anybody.
pub fn try_lock_extension(extension: pg_sys::Oid) -> bool {
    const WHOLE: u16 = 0;
    let tag = our_object(pg_sys::ExtensionRelationId, extension, WHOLE);
    try_lock(tag, pg_sys::AccessShareLock)
}

/// Keeps the tables from being dropped or altered. False when somebody is about to, for which it
/// takes the rights.
pub fn try_lock_tables(tables: &[pg_sys::Oid]) -> bool {
    let mode = pg_sys::AccessShareLock as i32;
    // SAFETY: inside a transaction, whose end releases.
    let try_lock_table = |table| unsafe { pg_sys::ConditionalLockRelationOid(table, mode) };
    tables.iter().copied().all(try_lock_table)
}

/// Locks a table or an index, as a statement is about to do anyway. As long as others are first,
/// `send_away` is called, and says whether it sent somebody away; if not, this waits for its turn.
pub fn lock_relation(relation: pg_sys::Oid, mode: u32, mut send_away: impl FnMut() -> bool) {
    /// Whoever was sent away may come again, which takes longer than a few of these.
    const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(50);
    const LOOKS: usize = 40;
    const TIMES: usize = 20;
    let mode = mode as i32;
    // SAFETY: inside a transaction, whose end releases.
    let taken = || unsafe { pg_sys::ConditionalLockRelationOid(relation, mode) };
    if taken() {
        return;
    }
    for _ in 0..TIMES {
        if !send_away() {
            break;
        }
        for _ in 0..LOOKS {
            if taken() {
                return;
            }
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
    }
    // SAFETY: as above.
    unsafe { pg_sys::LockRelationOid(relation, mode) }
}

/// Whether somebody holds, or waits for, a lock on this database as a whole: DROP DATABASE,
/// RENAME, CREATE DATABASE with it as the template, or one of these that will be refused.
pub fn database_is_locked() -> bool {
    // The mode a session takes for a moment when it connects.
    let mode = pg_sys::RowExclusiveLock;
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    !try_lock(database_tag(database), mode)
}

/// What a statement locks that is about a database as a whole, and each session when it connects.
pub fn database_tag(database: pg_sys::Oid) -> pg_sys::LOCKTAG {
    object(pg_sys::InvalidOid, pg_sys::DatabaseRelationId, database, 0)
}

/// What a statement locks that is about a table or an index of this database. It is what the macro
/// SET_LOCKTAG_RELATION makes.
pub fn relation_tag(relation: pg_sys::Oid) -> pg_sys::LOCKTAG {
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    pg_sys::LOCKTAG {
        locktag_field1: database.to_u32(),
        locktag_field2: relation.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// The tag of an object of this database.
fn our_object(class: pg_sys::Oid, object_id: pg_sys::Oid, part: u16) -> pg_sys::LOCKTAG {
    // SAFETY: reads a global that is set once per process.
    let database = unsafe { pg_sys::MyDatabaseId };
    object(database, class, object_id, part)
}

/// What the macro SET_LOCKTAG_OBJECT makes.
fn object(
    database: pg_sys::Oid,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: u16,
) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: database.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object.to_u32(),
        locktag_field4: part,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

fn try_lock(tag: pg_sys::LOCKTAG, mode: u32) -> bool {
    // SAFETY: the tag is copied; inside a transaction, whose end releases.
    let taken = unsafe { pg_sys::LockAcquire(&tag, mode as i32, false, true) };
    taken != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
