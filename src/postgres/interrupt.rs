//! Blocking work that PostgreSQL can interrupt.
//!
//! Nothing interrupts a blocking HTTP call, so it runs on a helper thread while this process
//! waits on its latch and serves interrupts. The helper never touches PostgreSQL and never
//! receives a signal; when the wait is interrupted it is left to end by its own deadline.

use super::{Failure, memory, process};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// How often the wait looks up although nothing happened.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Runs `work` on a helper thread and returns what it returns. `while_waiting` is called about
/// every second meanwhile, on this thread; an error of it ends the wait.
///
/// # Errors
/// The thread could not be started, it panicked, or `while_waiting` had enough.
/// Interrupts raise through.
pub fn run_on_helper<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    mut while_waiting: impl FnMut() -> Result<(), Failure>,
) -> Result<T, Failure> {
    let (wake_up, mut woken) = UnixStream::pair().map_err(|e| Failure::io("socket pair", &e))?;
    let (result_in, result_out) = channel();
    let helper = move || {
        // Nobody listens any more when the wait was interrupted.
        let _ = result_in.send(work());
        let _ = woken.write_all(b"x");
    };
    memory::share_with_helpers();
    let blocked = SignalsBlocked::begin();
    let spawned = thread::Builder::new()
        .name("signal_hub fetch".into())
        .spawn(helper);
    drop(blocked);
    let helper = spawned.map_err(|e| Failure::io("helper thread", &e))?;
    loop {
        match result_out.try_recv() {
            Ok(result) => {
                // It has nothing left to do but to end. The next one then finds its memory free;
                // beside one that is still ending it would get memory of its own, which stays.
                let _ = helper.join();
                return Ok(result);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                return Err(Failure::internal(
                    "the helper thread ended without a result",
                ));
            }
        }
        process::wait(LOOK_UP, Some(wake_up.as_raw_fd()));
        while_waiting()?;
    }
}

/// All signals stay blocked in this thread while the value lives; threads spawned meanwhile
/// inherit that for good. PostgreSQL's handlers must only ever run on the main thread.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn begin() -> Self {
        // SAFETY: plain calls on sets that live on this stack.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: restores the mask that was in force in this same thread.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut());
        }
    }
}
