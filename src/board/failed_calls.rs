//! Failed calls of `generate_signals_now()` on their way to the record.
//!
//! Such a call takes its record back with the caller's transaction. So it leaves a note in shared
//! memory, which the database's worker turns into a row of `signal_runs`. Without a worker it
//! stays a note, and is lost with the server.

use super::short_text::ShortText;
use super::slots;
use crate::postgres::{Failure, process};
use market::UnixMillis;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Notes that wait at the same time, of all databases; of more, the oldest go.
const PLACES: usize = 128;

/// A call that failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note {
    /// Notes are numbered from 1; 0 marks a free place.
    number: u64,
    database: u32,
    pub started_at: UnixMillis,
    pub finished_at: UnixMillis,
    /// Until when the exchange asked to be left alone.
    pub retry_at: Option<UnixMillis>,
    sqlstate: [u8; 5],
    message: ShortText,
}

impl Note {
    /// What the call failed with, as far as a note holds it.
    pub fn failure(&self) -> Failure {
        Failure {
            sqlstate: String::from_utf8_lossy(&self.sqlstate).into_owned().into(),
            message: self.message.get().unwrap_or_default(),
            detail: None,
            hint: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Notes {
    written: u64,
    places: [Note; PLACES],
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            written: 0,
            places: [Note::default(); PLACES],
        }
    }
}

// SAFETY: plain values without pointers, only ever touched under the lock.
unsafe impl PGRXSharedMemory for Notes {}

// SAFETY: the name is the extension's own.
static NOTES: PgLwLock<Notes> = unsafe { PgLwLock::new(c"signal_hub failed calls") };

/// Called from `_PG_init` while preloading.
pub fn reserve_shared_memory() {
    pg_shmem_init!(NOTES);
}

/// When the call that this process is in the middle of began; 0 for none.
static CALL_STARTED_AT: AtomicI64 = AtomicI64::new(0);

/// Runs a call that began at `started_at`, and leaves a note when it fails. `work` catches what
/// it raises, and says with a failure until when the exchange is to be left alone.
pub fn with_note_on_failure<T>(
    started_at: UnixMillis,
    work: impl FnOnce() -> Result<T, (Failure, Option<UnixMillis>)>,
) -> Result<T, Failure> {
    if !slots::available() {
        return work().map_err(|(failure, _)| failure);
    }
    leave_note_if_terminated();
    CALL_STARTED_AT.store(started_at, Ordering::Relaxed);
    let result = work();
    CALL_STARTED_AT.store(0, Ordering::Relaxed);
    result.map_err(|(failure, retry_at)| {
        let sqlstate = failure.sqlstate.as_bytes().try_into();
        leave_note(
            started_at,
            retry_at,
            sqlstate.unwrap_or(*b"XX000"),
            &failure.line(),
        );
        failure
    })
}

/// Makes this process leave a note should it be terminated during a call: that ends the process
/// where it stands.
fn leave_note_if_terminated() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    extern "C-unwind" fn leave_if_in_a_call(_code: i32, _arg: pg_sys::Datum) {
        let started_at = CALL_STARTED_AT.load(Ordering::Relaxed);
        if started_at != 0 {
            leave_note(started_at, None, *b"57P01", "the session was terminated");
        }
    }
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        process::at_exit(leave_if_in_a_call);
    }
}

fn leave_note(
    started_at: UnixMillis,
    retry_at: Option<UnixMillis>,
    sqlstate: [u8; 5],
    message: &str,
) {
    let database = slots::this_database();
    let note = Note {
        number: 0,
        database,
        started_at,
        finished_at: process::unix_millis(),
        retry_at,
        sqlstate,
        message: ShortText::new(message),
    };
    {
        let mut notes = NOTES.exclusive();
        notes.written += 1;
        let number = notes.written;
        // A free place, else the oldest note's.
        if let Some(place) = notes.places.iter_mut().min_by_key(|place| place.number) {
            *place = Note { number, ..note };
        }
    }
    slots::wake_worker(database);
}

/// The notes of `database`, oldest first.
pub fn notes_of(database: u32) -> Vec<Note> {
    let mut found: Vec<Note> = NOTES
        .share()
        .places
        .iter()
        .filter(|note| note.number != 0 && note.database == database)
        .copied()
        .collect();
    found.sort_by_key(|note| note.number);
    found
}

/// Removes notes, once they are on record or of no use any more.
pub fn remove_notes(done: &[Note]) {
    let mut notes = NOTES.exclusive();
    for place in &mut notes.places {
        if done.iter().any(|note| note.number == place.number) {
            *place = Note::default();
        }
    }
}
