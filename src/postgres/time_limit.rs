//! A time limit for what others have prepared. The worker has no statement_timeout of its own.

use super::transaction::catch;
use super::{Failure, process};
use std::ffi::c_int;
use std::time::{Duration, Instant};

/// STATEMENT_TIMEOUT in PostgreSQL's `TimeoutId`, the same from 15 to 18. Its handler has the
/// statement under way end with an error, as statement_timeout does.
const STATEMENT_TIMEOUT: c_int = 3;

unsafe extern "C-unwind" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
}

/// The timeout that is under way, until this is dropped.
struct Alarm;

impl Alarm {
    fn after(limit: Duration) -> Self {
        let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: every process with a database has registered this timeout.
        unsafe { enable_timeout_after(STATEMENT_TIMEOUT, limit) };
        Self
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: as above; it may have gone off already.
        unsafe { disable_timeout(STATEMENT_TIMEOUT, false) };
    }
}

/// Does `work` within `limit`, in the worker. A session has a statement_timeout of its own.
///
/// # Errors
/// Those of `work`. When it took too long that it did, as an error of the row that is written: fewer
/// rows may fare better.
pub fn keeping<T>(
    limit: Duration,
    role: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !process::is_background_worker() {
        return work();
    }
    let began = Instant::now();
    let alarm = Alarm::after(limit);
    let done = catch(work);
    drop(alarm);
    match done {
        Err(failure) if failure.is_canceled() && began.elapsed() >= limit => {
            Err(Failure::slow_code(role, limit.as_secs()))
        }
        done => done,
    }
}
