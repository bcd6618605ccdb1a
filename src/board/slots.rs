//! One slot per database that has, or may have, a worker. Launcher and workers write it,
//! `signal_health` reads it. Nothing in it is needed after a restart of the server.

use super::short_text::ShortText;
use super::trouble::Troubles;
use crate::postgres::process;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Databases that can have a worker at the same time.
pub const SLOTS: usize = 64;

/// Microseconds of the system's monotonic clock, which all processes share and nobody sets.
pub type Micros = i64;

/// How far a slot's worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    #[default]
    Free,
    /// To be started by the launcher as soon as it can.
    Wanted,
    /// Handed to the postmaster.
    Starting,
    Running,
    /// Ended in a way it should not; to be started again at `retry_at`.
    Dead,
    /// Ended because the database does not have the extension.
    NotInstalled,
    /// Ended to make way for somebody who needs the database without sessions; to be started
    /// again a moment later.
    Parked,
}

/// One database's worker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    pub database: u32,
    pub phase: Phase,
    /// When the phase began.
    pub phase_since: Micros,
    pub pid: i32,
    /// By the wall clock, to show.
    pub started_at: pg_sys::TimestampTz,
    pub last_heartbeat: Micros,
    pub next_run: Micros,
    pub stage: Stage,
    /// Whether this worker ended a cycle, or delivered rows, since it started.
    pub has_worked: bool,
    /// Starts after a death.
    pub restarts: i64,
    /// Deaths in a row of workers that had got nothing done.
    pub early_deaths: u32,
    pub retry_at: Micros,
    /// What the last worker that died said, and when.
    pub last_words: ShortText,
    pub died_at: pg_sys::TimestampTz,
    /// Whether this worker has said anything yet.
    spoke: bool,
    /// What the worker could not do, until it can.
    pub troubles: Troubles,
    /// Times a worker was asked for; one that finds no extension looks again when this moved
    /// meanwhile.
    pub requests: u32,
    pub restorer: Restorer,
    /// The process that the first run waits for, as it restores a dump; 0 for none.
    pub waits_for_restore_by: i32,
}

/// The session that created the extension while it restored a dump; its process is 0 for none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Restorer {
    pub pid: i32,
    pub role: u32,
}

/// What a worker is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    #[default]
    Waiting,
    Fetching,
    Recording,
    Delivering,
    Settling,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Fetching => "fetching",
            Stage::Recording => "recording",
            Stage::Delivering => "delivering",
            Stage::Settling => "settling",
        }
    }
}

#[derive(Clone, Copy)]
struct Board {
    launcher_pid: i32,
    /// Times the server reset itself after a crash, and all workers with it.
    resets: i64,
    /// Whether workers wait for a process, as max_worker_processes is reached.
    out_of_processes: bool,
    slots: [Slot; SLOTS],
}

impl Default for Board {
    fn default() -> Self {
        Self {
            launcher_pid: 0,
            resets: 0,
            out_of_processes: false,
            slots: [Slot::default(); SLOTS],
        }
    }
}

impl Board {
    /// Called by the postmaster at its start and after each crash of a process.
    fn at_server_start() -> Self {
        // The postmaster's own memory, which a reset leaves alone.
        static RESETS: AtomicI64 = AtomicI64::new(0);
        Self {
            resets: RESETS.fetch_add(1, Ordering::Relaxed),
            ..Self::default()
        }
    }

    /// Where the slot of `database` is, if it has one.
    fn position(&self, database: u32) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.phase != Phase::Free && slot.database == database)
    }
}

// SAFETY: plain values without pointers, only ever touched under the lock.
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: the name is the extension's own.
static BOARD: PgLwLock<Board> = unsafe { PgLwLock::new(c"signal_hub") };
static RESERVED: AtomicBool = AtomicBool::new(false);

/// Called from `_PG_init` while preloading.
pub fn reserve_shared_memory() {
    pg_shmem_init!(BOARD = Board::at_server_start());
    RESERVED.store(true, Ordering::Relaxed);
}

/// Whether the board exists: false when the library was not preloaded.
pub fn available() -> bool {
    RESERVED.load(Ordering::Relaxed)
}

/// The time now.
pub fn now() -> Micros {
    process::monotonic_micros()
}

/// The current database.
pub fn this_database() -> u32 {
    // SAFETY: set before a connected backend runs any of our code.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

/// A copy of the slot of `database`.
pub fn slot(database: u32) -> Option<Slot> {
    let board = BOARD.share();
    board.position(database).map(|at| board.slots[at])
}

/// Whether a worker runs in `database`. False without a board, where none can.
pub fn runs_worker(database: u32) -> bool {
    available() && slot(database).is_some_and(|slot| slot.phase == Phase::Running)
}

/// Times the server reset itself since it started.
pub fn resets() -> i64 {
    BOARD.share().resets
}

/// Copies of all slots in use.
pub fn in_use() -> Vec<Slot> {
    BOARD
        .share()
        .slots
        .iter()
        .filter(|slot| slot.phase != Phase::Free)
        .copied()
        .collect()
}

/// Requests a worker in `database`; one that runs, or is about to, checks the database again.
/// `restorer` is the session, if it restores a dump. False when every slot is taken.
pub fn request_worker(database: u32, restorer: Restorer) -> bool {
    let now = now();
    let mut board = BOARD.exclusive();
    let free = || {
        board
            .slots
            .iter()
            .position(|slot| slot.phase == Phase::Free)
    };
    let Some(at) = board.position(database).or_else(free) else {
        return false;
    };
    let slot = &mut board.slots[at];
    if !matches!(slot.phase, Phase::Starting | Phase::Running) {
        *slot = Slot {
            database,
            phase: Phase::Wanted,
            phase_since: now,
            requests: slot.requests,
            last_words: slot.last_words,
            died_at: slot.died_at,
            ..Slot::default()
        };
    }
    slot.requests = slot.requests.wrapping_add(1);
    slot.restorer = restorer;
    true
}

/// Changes the slot of `database`, if it has one.
pub fn update(database: u32, change: impl FnOnce(&mut Slot)) {
    let mut board = BOARD.exclusive();
    if let Some(at) = board.position(database) {
        change(&mut board.slots[at]);
    }
}

/// Gives the slot of `database` back if it is still in `phase`.
pub fn release(database: u32, phase: Phase) {
    update(database, |slot| {
        if slot.phase == phase {
            *slot = Slot::default();
        }
    });
}

/// The worker's sign of life. Does nothing in a process without a board.
pub fn record_heartbeat(stage: Stage) {
    if available() {
        let now = now();
        update(this_database(), |slot| {
            if slot.pid == process::pid() {
                slot.last_heartbeat = now;
                slot.stage = stage;
            }
        });
    }
}

/// Marks that this worker got something done: should it die, it was no early death. Does nothing
/// in a process that is not a worker.
pub fn mark_worked() {
    if available() {
        update(this_database(), |slot| {
            slot.has_worked |= slot.pid == process::pid();
        });
    }
}

/// Registers this process as the launcher, until it exits.
pub fn enter_launcher() {
    BOARD.exclusive().launcher_pid = process::pid();
    process::at_exit(leave_launcher);
}

extern "C-unwind" fn leave_launcher(_code: i32, _arg: pg_sys::Datum) {
    let mut board = BOARD.exclusive();
    if board.launcher_pid == process::pid() {
        board.launcher_pid = 0;
    }
}

/// Wakes the worker of `database`, or the launcher when none runs.
pub fn wake_worker(database: u32) {
    match slot(database) {
        Some(slot) if slot.phase == Phase::Running => process::wake(slot.pid),
        _ => wake_launcher(),
    }
}

/// Wakes the launcher, which then reads the board.
fn wake_launcher() {
    let pid = BOARD.share().launcher_pid;
    if pid != 0 {
        process::wake(pid);
    }
}

/// Takes the slot of this worker's database, until the process exits. False when another live
/// worker has it, or the launcher no longer wants one.
pub fn enter_worker(database: u32) -> bool {
    let now = now();
    let mut entered = false;
    update(database, |slot| {
        if slot.phase == Phase::Starting {
            slot.phase = Phase::Running;
            slot.phase_since = now;
            slot.pid = process::pid();
            slot.started_at = process::wall_clock();
            slot.last_heartbeat = now;
            slot.has_worked = false;
            slot.spoke = false;
            slot.troubles = Troubles::default();
            entered = true;
        }
    });
    if entered {
        process::on_fatal(note_last_words);
        process::at_exit(leave_worker);
        // It may start the next one.
        wake_launcher();
    }
    entered
}

/// Keeps what this worker says as it dies. Found by its process, which may have no database yet.
fn note_last_words(message: &str) {
    let pid = process::pid();
    let died_at = process::wall_clock();
    let mut board = BOARD.exclusive();
    if let Some(slot) = board.slots.iter_mut().find(|slot| slot.pid == pid) {
        slot.last_words = ShortText::new(message);
        slot.died_at = died_at;
        slot.spoke = true;
    }
}

/// What keeps a worker of `database` from being started.
pub fn waits_for(database: u32) -> Option<&'static str> {
    let board = BOARD.share();
    let has_slot = board.position(database).is_some();
    if !has_slot && board.slots.iter().all(|slot| slot.phase != Phase::Free) {
        return Some("slot");
    }
    board.out_of_processes.then_some("process")
}

/// Says whether workers wait for a process.
pub fn set_out_of_processes(out: bool) {
    BOARD.exclusive().out_of_processes = out;
}

extern "C-unwind" fn leave_worker(code: i32, _arg: pg_sys::Datum) {
    let now = now();
    let pid = process::pid();
    // The database is not known to a process whose connection failed, so the slot is found by its
    // process.
    if let Some(slot) = BOARD
        .exclusive()
        .slots
        .iter_mut()
        .find(|slot| slot.pid == pid)
    {
        slot.pid = 0;
        slot.phase_since = now;
        if slot.phase == Phase::Running {
            slot.phase = Phase::Dead;
            if !slot.spoke {
                slot.last_words = ShortText::new(&format!("it ended with exit code {code}"));
                slot.died_at = process::wall_clock();
            }
            slot.early_deaths = if slot.has_worked {
                0
            } else {
                slot.early_deaths.saturating_add(1)
            };
        }
    }
    wake_launcher();
}
