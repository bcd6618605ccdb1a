//! The starts of this server, oldest first, in a file of its data folder.
//!
//! When a snapshot of the disk is put back, the server begins in the past and gives transaction
//! numbers away again, on the same timeline. The file is put back, too. So a start that is not in
//! it belongs to a history that was thrown away; and of one that is in it, only the numbers below
//! the first of the next start are of this history.
//!
//! The file holds the last hundred starts, a line each: a random number, the time, and the first
//! transaction number, 0 when that is not known. A lost line or file makes a history unknown, and
//! then clients read from the beginning.

use super::process;
use pgrx::prelude::*;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Seek, Write};
use std::sync::OnceLock;

const FILE: &str = "signal_hub.starts";
const KEPT: usize = 100;

/// One start of the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// Drawn at random, never 0.
    pub id: u32,
    /// When the postmaster started.
    time: i64,
    /// Numbers below this one were given away before it; 0 when it is not known how many.
    pub first: i64,
}

/// The starts up to this one, which is last. Recorded when it is not in the file yet; when it
/// cannot be recorded it has a name that nobody will know again.
pub fn starts() -> &'static [Start] {
    static STARTS: OnceLock<Vec<Start>> = OnceLock::new();
    STARTS.get_or_init(|| {
        read_and_record().unwrap_or_else(|_| {
            vec![Start {
                id: random_id(),
                time: this_start(),
                first: 0,
            }]
        })
    })
}

fn read_and_record() -> std::io::Result<Vec<Start>> {
    // The working directory of every process of the server is its data folder.
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(FILE)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut starts: Vec<Start> = text.lines().filter_map(parse).collect();
    let time = this_start();
    if starts.last().is_none_or(|last| last.time != time) {
        starts.push(Start {
            id: random_id(),
            time,
            first: first_number_of_this_start(),
        });
        let kept = starts.split_off(starts.len().saturating_sub(KEPT));
        starts = kept;
        write(&mut file, &starts)?;
    }
    Ok(starts)
}

fn write(file: &mut File, starts: &[Start]) -> std::io::Result<()> {
    let lines: String = starts
        .iter()
        .map(|start| format!("{:08x} {} {}\n", start.id, start.time, start.first))
        .collect();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(lines.as_bytes())
}

fn parse(line: &str) -> Option<Start> {
    let mut words = line.split(' ');
    let start = Start {
        id: u32::from_str_radix(words.next()?, 16).ok()?,
        time: words.next()?.parse().ok()?,
        first: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(start)
}

fn random_id() -> u32 {
    // Seeded by the system for each process.
    let number = RandomState::new().hash_one(process::pid());
    (number as u32).max(1)
}

fn this_start() -> i64 {
    // SAFETY: written by the postmaster before it starts any process.
    unsafe { pg_sys::PgStartTime }
}

/// Read by the postmaster while preloading, before anything is written.
static FIRST_NUMBER: OnceLock<i64> = OnceLock::new();

/// Keeps in the postmaster, and so in all its processes, at which transaction number this start
/// begins, or a lower one after a crash.
pub fn remember_first_number() {
    if let Some((next, _)) = last_checkpoint() {
        let _ = FIRST_NUMBER.set(next);
    }
}

/// Without preloading, the last checkpoint says it as long as it is of before the start.
fn first_number_of_this_start() -> i64 {
    const SECONDS_TO_2000: i64 = 946_684_800;
    if let Some(first) = FIRST_NUMBER.get() {
        return *first;
    }
    let started_s = this_start() / 1_000_000 + SECONDS_TO_2000;
    match last_checkpoint() {
        Some((next, time_s)) if time_s < started_s => next,
        _ => 0,
    }
}

/// The next transaction number at the last checkpoint, and its time in seconds since 1970.
fn last_checkpoint() -> Option<(i64, i64)> {
    let mut is_intact = false;
    // SAFETY: the folder is set at the start of every process; the result is copied and given back.
    unsafe {
        let control = pg_sys::get_controlfile(pg_sys::DataDir, &mut is_intact);
        if control.is_null() {
            return None;
        }
        let next = (*control).checkPointCopy.nextXid.value;
        let time = (*control).checkPointCopy.time;
        pg_sys::pfree(control.cast());
        let next = i64::try_from(next).ok()?;
        is_intact.then_some((next, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_a_torn_one_is_left_out() {
        let start = Start {
            id: 0x0102_abcd,
            time: 817_000_000_000_000,
            first: 4_294_967_296,
        };
        let line = format!("{:08x} {} {}", start.id, start.time, start.first);
        assert_eq!(parse(&line), Some(start));
        for torn in ["", "0102abcd", "0102abcd 8170", "x 1 2", "1 2 3 4"] {
            assert_eq!(parse(torn), None, "{torn}");
        }
    }
}
