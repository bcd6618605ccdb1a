//! What this process asks of malloc. PostgreSQL's own memory contexts take their blocks from it, too.

use std::sync::Once;

/// Has helper threads take their memory from the heap of this thread. By default, glibc gives threads
/// heaps of their own, which it keeps when the thread has ended: a session that starts one thread
/// after the other would need more and more.
pub fn share_with_helpers() {
    static ONCE: Once = Once::new();
    // SAFETY: sets an option of malloc, before the process has a second thread.
    ONCE.call_once(|| unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    });
}

/// Gives memory that is free back to the system, wherever in the heap it is. By itself, malloc gives
/// back only what is free at its end. Takes some tenths of a millisecond: for after work that is
/// rare and needs much more than what is done all the time.
pub fn give_back_what_is_free() {
    // SAFETY: a call without conditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
