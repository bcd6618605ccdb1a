//! What functions for followers must know of the server. `signals_since()`, so that a watermark made
//! of a transaction number holds: in which history such numbers can be compared, and that no crash
//! uses one twice. Those for the live service: whether it is the session that asks.

use super::{claims, or_raise};
use crate::postgres::{citus, process, server_starts};
use pgrx::datum::Uuid;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn signal_hub_transactions()
-> TableIterator<'static, (name!(history, Option<String>), name!(next_xid, i64))> {
    let are_of_others = or_raise(citus::numbers_are_of_others);
    let next = next_number();
    flush_wal();
    let history = (!are_of_others).then(|| histories(&Reader::of_this_session()));
    TableIterator::once((history, next))
}

/// The same on a node of Citus, where the reader is not the session's role, but this subscriber.
#[pg_extern(sql = false)]
fn signal_hub_transactions_for(
    subscriber: Option<Uuid>,
) -> TableIterator<
    'static,
    (
        name!(node, i32),
        name!(history, String),
        name!(next_xid, i64),
    ),
> {
    let node = or_raise(citus::number_of_this_server);
    let next = next_number();
    flush_wal();
    let reader = Reader {
        role: pg_sys::InvalidOid,
        subscriber: subscriber.map(|id| *id.as_bytes()),
    };
    TableIterator::once((node, histories(&reader), next))
}

fn next_number() -> i64 {
    // SAFETY: a plain read of shared memory.
    let next = unsafe { pg_sys::ReadNextFullTransactionId() }.value;
    i64::try_from(next).unwrap_or(i64::MAX)
}

/// Whether PostgreSQL runs this for somebody else than the session: the code of an index or a
/// materialized view, while another role maintains it. The session's role says nothing then.
#[pg_extern(sql = false)]
fn signal_hub_in_restricted_operation() -> bool {
    // SAFETY: a plain read of the process's own.
    unsafe { pg_sys::InSecurityRestrictedOperation() }
}

/// The name of the history that goes on, and behind it those in which numbers up to an end are the
/// same as in this one: `NAME NAME:END NAME:END`. A name is what [`history`] says, in short, and
/// the start of the server.
///
/// A standby does not know the starts of its primary, and a history that was thrown away with a
/// disk has no standby. So there a name is known by its first half, and goes on.
fn histories(reader: &Reader) -> String {
    let history = history(reader);
    let short = (history ^ (history >> 32)) as u32;
    // SAFETY: a read of shared memory.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return format!("{short:08x}{:08x}", 0);
    }
    let starts = server_starts::starts();
    let Some((this, earlier)) = starts.split_last() else {
        return format!("{short:08x}{:08x}", 0);
    };
    let mut names = format!("{short:08x}{:08x}", this.id);
    // Of a standby, and of releases before 0.3.0, which named no start.
    names += &format!(" {short:08x}{:08x}:{}", 0, this.first);
    names += &format!(" {history:016x}:{}", this.first);
    let mut end = this.first;
    for start in earlier.iter().rev() {
        names += &format!(" {short:08x}{:08x}:{end}", start.id);
        end = end.min(start.first);
    }
    names
}

/// Who reads: what one may see, another one may not, so that their watermarks are no use to each
/// other.
struct Reader {
    role: pg_sys::Oid,
    subscriber: Option<[u8; 16]>,
}

impl Reader {
    fn of_this_session() -> Self {
        Self {
            // SAFETY: a plain read of the process's own.
            role: unsafe { pg_sys::GetUserId() },
            subscriber: process::setting(c"request.jwt.claims")
                .and_then(|claims| claims::subject(&claims)),
        }
    }
}

/// Names the server, its timeline, the database, the role and the subscriber who reads. A failover begins a
/// timeline, since the new primary may not have received the last transactions of the old one and
/// gives their numbers away again.
fn history(reader: &Reader) -> u64 {
    // SAFETY: constants of the process.
    let (system, database) = unsafe { (pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId) };
    let parts: [&[u8]; 5] = [
        &system.to_le_bytes(),
        &timeline().to_le_bytes(),
        &database.to_u32().to_le_bytes(),
        &reader.role.to_u32().to_le_bytes(),
        reader.subscriber.as_ref().map_or(&[], <[u8; 16]>::as_slice),
    ];
    fnv1a(parts.concat())
}

fn timeline() -> u32 {
    let mut timeline = 0;
    // SAFETY: the one is for a server in recovery, the other for one that is not.
    unsafe {
        if pg_sys::RecoveryInProgress() {
            pg_sys::GetXLogReplayRecPtr(&mut timeline);
        } else {
            timeline = pg_sys::GetWALInsertionTimeLine();
        }
    }
    timeline
}

/// Makes durable that the transactions which have ended did so. Without it a crash could forget
/// one, and its number would be given to another transaction, below a watermark that is out
/// already. A standby has on disk what it shows.
fn flush_wal() {
    // SAFETY: plain calls; a failure to write raises.
    unsafe {
        if !pg_sys::RecoveryInProgress() {
            let segment = pg_sys::wal_segment_size as u64;
            let insert = pg_sys::GetXLogInsertRecPtr();
            pg_sys::XLogFlush(end_of_last_record(insert, segment));
        }
    }
}

/// The insert position at the begin of a page lies behind the page's header, which is not there
/// to be flushed before a record follows it.
fn end_of_last_record(insert: pg_sys::XLogRecPtr, segment: u64) -> pg_sys::XLogRecPtr {
    let in_page = insert % u64::from(pg_sys::XLOG_BLCKSZ);
    let header = if insert % segment == in_page {
        size_of::<pg_sys::XLogLongPageHeaderData>()
    } else {
        size_of::<pg_sys::XLogPageHeaderData>()
    };
    if in_page == header as u64 {
        insert - in_page
    } else {
        insert
    }
}

/// The hash of Fowler, Noll and Vo: the same on every machine and release.
fn fnv1a(bytes: Vec<u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"".to_vec()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar".to_vec()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_position_behind_a_page_header_is_the_end_of_the_page_before() {
        const SEGMENT: u64 = 0x0100_0000;
        for (insert, end) in [
            // The first page of a segment has a longer header.
            (0x0300_0000 + 40, 0x0300_0000),
            (0x0300_2000 + 24, 0x0300_2000),
            // The end of a record that began on the page before.
            (0x0300_2000 + 40, 0x0300_2000 + 40),
            (0x0300_0000 + 48, 0x0300_0000 + 48),
            (0x0300_2000, 0x0300_2000),
            (0x0300_4000 - 8, 0x0300_4000 - 8),
        ] {
            assert_eq!(end_of_last_record(insert, SEGMENT), end);
        }
    }
}
