//! What PostgreSQL's process model asks of us: small wrappers around its C interface, shared by
//! launcher, worker and `_PG_init`.

use super::encoding;
use pgrx::prelude::*;
use std::ffi::CStr;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// Whether `_PG_init` runs because of `shared_preload_libraries`.
pub fn preloading() -> bool {
    // SAFETY: reading a flag that only the postmaster writes, at start.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Whether pg_upgrade started this server; nothing may run then.
pub fn binary_upgrade() -> bool {
    // SAFETY: reading a flag that is set once, at start.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// The value of a setting in this session; `None` when nobody set it.
pub fn setting(name: &CStr) -> Option<String> {
    // SAFETY: the value is copied before anything can change it.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| encoding::from_server_c(CStr::from_ptr(value)))
    }
}

/// Whether PostgreSQL reads this text as a boolean.
pub fn is_boolean(text: &str) -> bool {
    let text = encoding::to_server_c(text);
    let mut value = false;
    // SAFETY: the string is read during the call.
    unsafe { pg_sys::parse_bool(text.as_ptr(), &mut value) }
}

/// Whether this process runs a command of a client, rather than to read the configuration again.
pub fn runs_a_command() -> bool {
    // SAFETY: a plain read of the process's own.
    unsafe { !pg_sys::debug_query_string.is_null() }
}

/// Whether this session restores a dump: told by two settings that pg_dump puts at the head of
/// every dump and that few others use together.
pub fn restores_a_dump() -> bool {
    let off = |name| setting(name).as_deref() == Some("off");
    off(c"row_security") && off(c"check_function_bodies")
}

/// The name of a role; its number when it is gone. Needs a transaction.
pub fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: the name is copied; with `noerr` a missing role is null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            role.to_u32().to_string()
        } else {
            encoding::from_server_c(CStr::from_ptr(name))
        }
    }
}

/// Calls `note` with the message of a FATAL error of this process, before it ends.
pub fn on_fatal(note: fn(&str)) {
    static NOTE: OnceLock<fn(&str)> = OnceLock::new();
    static BEFORE: OnceLock<pg_sys::emit_log_hook_type> = OnceLock::new();
    #[pg_guard]
    extern "C-unwind" fn hook(report: *mut pg_sys::ErrorData) {
        // SAFETY: PostgreSQL passes a report that lives as long as the call.
        let fatal =
            unsafe { (*report).elevel >= pg_sys::FATAL as i32 && !(*report).message.is_null() };
        if let (true, Some(note)) = (fatal, NOTE.get()) {
            // SAFETY: the message ends with a zero.
            note(&encoding::from_server_c(unsafe {
                CStr::from_ptr((*report).message)
            }));
        }
        if let Some(Some(before)) = BEFORE.get() {
            // SAFETY: the hook that was there, called as PostgreSQL calls it.
            unsafe { before(report) }
        }
    }
    if NOTE.set(note).is_ok() {
        // SAFETY: hooks are the process's own, and it has one thread here.
        unsafe {
            let _ = BEFORE.set(pg_sys::emit_log_hook);
            pg_sys::emit_log_hook = Some(hook);
        }
    }
}

/// The process id of this process.
pub fn pid() -> i32 {
    // SAFETY: set before any of our code runs.
    unsafe { pg_sys::MyProcPid }
}

/// The role that this session was opened as.
pub fn session_role() -> u32 {
    // SAFETY: a plain read of the process's own.
    unsafe { pg_sys::GetSessionUserId() }.to_u32()
}

/// Takes up the signals of a background worker, the way a backend does: SIGTERM ends any wait at
/// the next interrupt check, statements and lock waits included; SIGHUP asks for a reload; SIGINT
/// keeps cancelling the statement in progress, since its handler is left alone.
pub fn take_up_signals() {
    // PostgreSQL's own functions; the generated bindings are guarded wrappers, which a signal
    // handler must not call.
    unsafe extern "C" {
        fn die(signal: i32);
        #[link_name = "SetLatch"]
        fn set_latch(latch: *mut pg_sys::Latch);
    }
    extern "C-unwind" fn terminate(signal: i32) {
        // SAFETY: written to be called from a signal handler.
        unsafe { die(signal) }
    }
    extern "C-unwind" fn reload(_signal: i32) {
        // SAFETY: what SignalHandlerForConfigReload does; both are safe in a signal handler.
        unsafe {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(1);
            set_latch(pg_sys::MyLatch);
        }
    }
    // SAFETY: installs handlers that live as long as the process.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        use pg_sys::pqsignal;
        #[cfg(feature = "pg18")]
        use pg_sys::pqsignal_be as pqsignal;
        pqsignal(pg_sys::SIGTERM as i32, Some(terminate));
        pqsignal(pg_sys::SIGHUP as i32, Some(reload));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Re-reads the configuration files when SIGHUP asked for it.
pub fn reload_settings_if_asked() {
    // SAFETY: the flag is written by our signal handler; the call happens outside a transaction,
    // where PostgreSQL's own workers make it.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() == 0 {
            return;
        }
        (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
}

/// Sleeps until the latch is set, `readable` has bytes, or the time has passed, then serves
/// interrupts. Ends the process when the postmaster is gone.
///
/// # Errors
/// Raises what interrupts raise: query canceled, or termination.
pub fn wait(timeout: Duration, readable: Option<i32>) {
    let mut events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    if readable.is_some() {
        events |= pg_sys::WL_SOCKET_READABLE;
    }
    let millis = timeout.as_millis().clamp(1, i32::MAX as u128) as i64;
    check_for_interrupts!();
    // SAFETY: MyLatch is this process's own; the descriptor, if any, is kept open by the caller
    // for the length of the call.
    unsafe {
        pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            events as i32,
            readable.unwrap_or(pg_sys::PGINVALID_SOCKET),
            millis,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}

/// Ends the process when the postmaster is gone, as waits do. Work that never waits has to look.
pub fn exit_if_postmaster_is_gone() {
    unsafe extern "C" {
        // Not among pgrx's bindings. Reads the pipe that the postmaster holds open.
        #[link_name = "PostmasterIsAliveInternal"]
        fn postmaster_is_alive() -> bool;
    }
    // SAFETY: a call without arguments that changes nothing; proc_exit does not return, and is what
    // PostgreSQL calls when it finds this in a wait.
    unsafe {
        if !postmaster_is_alive() {
            pg_sys::proc_exit(1);
        }
    }
}

/// Shows what this process does in pg_stat_activity; `None` is idle.
pub fn report_activity(activity: Option<&CStr>) {
    let converted = activity.map(|text| encoding::to_server_c(&text.to_string_lossy()));
    let (state, text) = match &converted {
        Some(text) => (pg_sys::BackendState::STATE_RUNNING, text.as_ptr()),
        None => (pg_sys::BackendState::STATE_IDLE, std::ptr::null()),
    };
    // SAFETY: the string is copied.
    unsafe { pg_sys::pgstat_report_activity(state, text) }
}

/// Shows how far the statement of a session is, in its place in pg_stat_activity.
pub fn show_progress(progress: &str) {
    let text = encoding::to_server_c(progress);
    // SAFETY: the string is copied.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr()) }
}

/// Shows the statement of a session again.
pub fn show_statement() {
    // SAFETY: the text of the statement, or null; it is copied.
    unsafe {
        pg_sys::pgstat_report_activity(
            pg_sys::BackendState::STATE_RUNNING,
            pg_sys::debug_query_string,
        );
    }
}

/// The time of the system's clock.
pub fn wall_clock() -> pg_sys::TimestampTz {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// The same as a value of SQL; null only where the clock is beyond all times of PostgreSQL.
pub fn now() -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(wall_clock()).ok()
}

/// Milliseconds since the Unix epoch, UTC, as the exchange counts.
pub fn unix_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

/// Microseconds of the system's monotonic clock.
pub fn monotonic_micros() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes into a value on this stack; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Raises PostgreSQL's own error when the transaction, or the server, is read-only.
pub fn refuse_if_read_only(command: &CStr) {
    // SAFETY: the string is read during the call.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) }
}

/// Calls `callback` when this process exits in an orderly way, errors included.
pub fn at_exit(callback: extern "C-unwind" fn(i32, pg_sys::Datum)) {
    // SAFETY: the function lives as long as the process.
    unsafe { pg_sys::on_shmem_exit(Some(callback), pg_sys::Datum::from(0)) }
}

/// Whether this is a background worker, as the worker of a database and its helpers are.
pub fn is_background_worker() -> bool {
    // SAFETY: set before any of our code runs.
    unsafe { !pg_sys::MyBgworkerEntry.is_null() }
}

/// Sets the latch of another process of this server.
pub fn wake(pid: i32) {
    // SAFETY: PostgreSQL's processes take SIGUSR1 as a wake-up. A process that has just gone
    // makes the call fail, which is as good.
    unsafe {
        libc::kill(pid, libc::SIGUSR1);
    }
}

/// Connects a background worker to the shared catalogs only.
pub fn connect_to_no_database() {
    // SAFETY: called once, at the start of a process registered for it.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0) }
}

/// Connects a background worker to a database, as the bootstrap superuser. Ends the process when
/// the database is gone or refuses.
pub fn connect_to_database(database: u32) {
    // SAFETY: called once, at the start of a process registered for it.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database.into(), pg_sys::InvalidOid, 0);
    }
}

/// The role that owns a database; `None` when that is gone. Needs a transaction but no database.
pub fn owner_of_database(database: u32) -> Option<pg_sys::Oid> {
    let key = pg_sys::Oid::from(database).into();
    // SAFETY: the row is read before it is given back.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::DATABASEOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, key);
        if tuple.is_null() {
            return None;
        }
        let owner = (*row_of::<pg_sys::FormData_pg_database>(tuple)).datdba;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// The columns of a row of a catalog, up to the first of variable length.
///
/// # Safety
/// The tuple is one of the catalog that `T` is for.
unsafe fn row_of<T>(tuple: pg_sys::HeapTuple) -> *const T {
    // SAFETY: what the macro GETSTRUCT does.
    unsafe {
        let header = (*tuple).t_data;
        header.cast::<u8>().add((*header).t_hoff.into()).cast()
    }
}

/// Databases that accept connections and are no templates. Needs a transaction but no database,
/// which is why it reads the shared catalog directly.
pub fn connectable_databases() -> std::collections::HashSet<u32> {
    let mut found = std::collections::HashSet::new();
    // SAFETY: the scan follows autovacuum's get_database_list; every row is read before the scan
    // moves on, and the relation stays locked meanwhile.
    unsafe {
        let relation =
            pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = row_of::<pg_sys::FormData_pg_database>(tuple);
            // -2 marks what an interrupted DROP DATABASE left behind.
            let usable = (*row).datallowconn && (*row).datconnlimit != -2;
            if usable && !(*row).datistemplate {
                found.insert((*row).oid.to_u32());
            }
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}
