//! Exchanges that told a session to stay away, on their way to the record.
//!
//! What a session writes goes with its transaction when that rolls back, and a preview writes
//! nothing. So a stop that the exchange asks for stands in shared memory until its time is over:
//! every process of the database heeds it there, and the worker puts it on record. Without shared
//! memory the session alone knows of it.

use super::short_text::ShortText;
use super::slots;
use crate::postgres::process;
use market::UnixMillis;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Stops that stand at the same time, of all databases; of more, those that end first go.
const PLACES: usize = 64;

/// Milliseconds from when a stop is on record until no process goes by what it read before.
const UNTIL_ALL_HAVE_READ: i64 = 1000;

/// That an exchange is to be left alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stop {
    database: u32,
    /// Which exchange, see [`leave`]; as many exchanges as this tells apart are never configured.
    exchange: u64,
    said_at: UnixMillis,
    /// 0 of a free place.
    until: UnixMillis,
    /// When it was put on record; 0 of one that is not.
    recorded_at: UnixMillis,
    error: ShortText,
}

impl Stop {
    /// Until when, and no longer than was asked for, also when the clock was set back meanwhile.
    pub fn until(&self, now: UnixMillis) -> UnixMillis {
        let longest = self.until.saturating_sub(self.said_at);
        self.until.min(now.saturating_add(longest))
    }

    /// What the exchange answered.
    pub fn error(&self) -> Option<String> {
        self.error.get()
    }

    pub fn is_on_record(&self) -> bool {
        self.recorded_at != 0
    }

    /// Whether the record alone counts from now on, which an administrator may have changed: who read
    /// it before the stop was there has gone on by now.
    fn is_over(&self, now: UnixMillis) -> bool {
        self.is_on_record() && now.saturating_sub(self.recorded_at) >= UNTIL_ALL_HAVE_READ
    }

    fn is_of(&self, database: u32, exchange: u64) -> bool {
        self.until != 0 && self.database == database && self.exchange == exchange
    }
}

#[derive(Clone, Copy)]
struct Stops([Stop; PLACES]);

impl Default for Stops {
    fn default() -> Self {
        Self([Stop::default(); PLACES])
    }
}

// SAFETY: plain values without pointers, only ever touched under the lock.
unsafe impl PGRXSharedMemory for Stops {}

// SAFETY: the name is the extension's own.
static STOPS: PgLwLock<Stops> = unsafe { PgLwLock::new(c"signal_hub stops") };

thread_local! {
    /// Stands in for shared memory where there is none.
    static OF_THIS_SESSION: RefCell<Box<Stops>> = RefCell::default();
}

/// Called from `_PG_init` while preloading.
pub fn reserve_shared_memory() {
    pg_shmem_init!(STOPS);
}

fn read<T>(look: impl FnOnce(&Stops) -> T) -> T {
    match slots::available() {
        true => look(&STOPS.share()),
        false => OF_THIS_SESSION.with_borrow(|stops| look(stops)),
    }
}

fn change(change: impl FnOnce(&mut Stops)) {
    match slots::available() {
        true => change(&mut STOPS.exclusive()),
        false => OF_THIS_SESSION.with_borrow_mut(|stops| change(stops)),
    }
}

/// An exchange at a base URL; at another one it is not the one that said stop.
fn key(exchange: (&str, &str)) -> u64 {
    // Not random: the same in all processes.
    let mut hasher = DefaultHasher::new();
    exchange.hash(&mut hasher);
    hasher.finish()
}

/// Leaves a stop of an exchange, which its name and base URL tell, for this database, and wakes the
/// worker.
pub fn leave(exchange: (&str, &str), until: UnixMillis, error: &str) {
    let (database, exchange) = (slots::this_database(), key(exchange));
    let stop = Stop {
        database,
        exchange,
        said_at: process::unix_millis(),
        until,
        recorded_at: 0,
        error: ShortText::new(error),
    };
    change(|stops| {
        let places = stops.0.iter_mut();
        let place = places.min_by_key(|place| (!place.is_of(database, exchange), place.until));
        if let Some(place) = place {
            *place = stop;
        }
    });
    if slots::available() {
        slots::wake_worker(database);
    }
}

/// The stop of an exchange in this database, while it lasts.
pub fn of(exchange: (&str, &str), now: UnixMillis) -> Option<Stop> {
    let (database, exchange) = (slots::this_database(), key(exchange));
    read(|stops| {
        let mut stops = stops.0.iter();
        let found = stops.find(|stop| stop.is_of(database, exchange)).copied();
        found.filter(|stop| stop.until(now) > now && !stop.is_over(now))
    })
}

/// Notes that the stop of an exchange is on record.
pub fn is_recorded(exchange: (&str, &str)) {
    let (database, exchange) = (slots::this_database(), key(exchange));
    change(|stops| {
        let mut stops = stops.0.iter_mut();
        if let Some(stop) = stops.find(|stop| stop.is_of(database, exchange)) {
            stop.recorded_at = process::unix_millis();
        }
    });
}

/// Forgets the stops of this database, whose extension is gone.
pub fn forget() {
    let database = slots::this_database();
    change(|stops| {
        let of_database = stops.0.iter_mut().filter(|stop| stop.database == database);
        of_database.for_each(|stop| *stop = Stop::default());
    });
}
