//! What goes to the log and to clients, in the database's encoding.
//!
//! pgrx reports Rust's strings as they are, which is right where the database is UTF-8. In
//! others, PostgreSQL's own hook for adding to an error's context is used to put the converted
//! text in the place of the other, and to read what PostgreSQL reported before pgrx replaces the
//! bytes that are not UTF-8. In all encodings it carries a SQLSTATE that pgrx does not know.

use super::encoding;
use super::failure::Failure;
use super::sqlstate;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

/// Writes a warning to the log, and to the client of a session.
pub fn warn(message: &str) {
    let converted = encoding::to_server_c(&encoding::prose(message));
    with_texts([Some(converted), None, None], || warning!("{message}"));
}

// pgrx keeps these to itself, since they are of use only while an error is being reported.
unsafe extern "C-unwind" {
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errcode(code: c_int) -> c_int;
    fn geterrcode() -> c_int;
}

/// Message, detail and hint.
type Texts = [Option<CString>; 3];

thread_local! {
    /// What takes the place of the texts of the error that is about to be reported.
    static REPLACEMENT: RefCell<Option<Texts>> = const { RefCell::new(None) };
    /// The texts of the last error that PostgreSQL reported, in the database's encoding.
    static REPORTED: RefCell<Option<Texts>> = const { RefCell::new(None) };
    /// The SQLSTATE that takes the place of that of the error that is about to be reported.
    static SQLSTATE: Cell<Option<c_int>> = const { Cell::new(None) };
    /// The SQLSTATE of the last error that PostgreSQL reported.
    static REPORTED_SQLSTATE: Cell<c_int> = const { Cell::new(0) };
}

/// Reports something by `report`, with these texts instead of those it has.
fn with_texts(texts: Texts, report: impl FnOnce()) {
    if encoding::is_utf8() {
        return report();
    }
    REPLACEMENT.set(Some(texts));
    let mut callback = callback(replace_parts);
    // SAFETY: taken off below; when `report` raises, pgrx puts back what was there.
    unsafe {
        callback.previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = &mut callback;
        report();
        pg_sys::error_context_stack = callback.previous;
    }
    REPLACEMENT.set(None);
}

/// Lets the error that the function called from SQL ends with have the SQLSTATE and the texts of
/// `failure`.
pub fn replace_parts_of_error(failure: &Failure) {
    let code = sqlstate::pack(&failure.sqlstate);
    SQLSTATE.set((!sqlstate::is_known_to_pgrx(code)).then_some(code));
    if encoding::is_utf8() {
        if SQLSTATE.get().is_none() {
            return;
        }
    } else {
        let convert = |text: &str| encoding::to_server_c(&encoding::prose(text));
        REPLACEMENT.set(Some([
            Some(convert(&failure.message)),
            failure.detail.as_deref().map(convert),
            failure.hint.as_deref().map(convert),
        ]));
    }
    let mut callback = callback(replace_parts);
    // SAFETY: the copy lives until the error is handled; whoever catches the error puts back what
    // was there before the function was called.
    unsafe {
        callback.previous = pg_sys::error_context_stack;
        let kept = pg_sys::palloc(size_of_val(&callback)).cast();
        std::ptr::write(kept, callback);
        pg_sys::error_context_stack = kept;
    }
}

/// Runs `work`; what PostgreSQL reports meanwhile can be read by [`texts_of_caught`] and
/// [`unknown_sqlstate`].
pub fn keeping_reports<T>(work: impl FnOnce() -> T) -> T {
    let mut callback = callback(match encoding::is_utf8() {
        true => keep_sqlstate,
        false => keep_texts,
    });
    // SAFETY: taken off below. Nothing raises through here: `work` catches what it raises.
    unsafe {
        callback.previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = &mut callback;
        let result = work();
        pg_sys::error_context_stack = callback.previous;
        result
    }
}

/// Message, detail and hint of an error that was caught, of which pgrx made `message`.
pub fn texts_of_caught(message: &str) -> Option<[Option<String>; 3]> {
    let texts = REPORTED.take()?;
    let same = texts[0]
        .as_deref()
        .is_some_and(|text| text.to_string_lossy() == message);
    let read = |text: Option<CString>| text.map(|text| encoding::from_server_c(&text));
    same.then(|| texts.map(read))
}

/// The SQLSTATE of an error that was caught, if pgrx does not know it.
pub fn unknown_sqlstate() -> Option<String> {
    let code = REPORTED_SQLSTATE.take();
    (code != 0 && !sqlstate::is_known_to_pgrx(code)).then(|| sqlstate::unpack(code))
}

fn callback(function: unsafe extern "C-unwind" fn(*mut c_void)) -> pg_sys::ErrorContextCallback {
    pg_sys::ErrorContextCallback {
        previous: std::ptr::null_mut(),
        callback: Some(function),
        arg: std::ptr::null_mut(),
    }
}

/// Called while an error is being reported, for each that is.
unsafe extern "C-unwind" fn replace_parts(_arg: *mut c_void) {
    if let Some(code) = SQLSTATE.take() {
        // SAFETY: an error is being reported.
        unsafe { errcode(code) };
    }
    let Some([message, detail, hint]) = REPLACEMENT.take() else {
        return;
    };
    // SAFETY: an error is being reported; each call copies its text.
    unsafe {
        if let Some(message) = message {
            errmsg_internal(c"%s".as_ptr(), message.as_ptr());
        }
        if let Some(detail) = detail {
            errdetail_internal(c"%s".as_ptr(), detail.as_ptr());
        }
        if let Some(hint) = hint {
            errhint(c"%s".as_ptr(), hint.as_ptr());
        }
    }
}

/// Called while an error is being reported, for each that is.
unsafe extern "C-unwind" fn keep_sqlstate(_arg: *mut c_void) {
    // SAFETY: an error is being reported.
    REPORTED_SQLSTATE.set(unsafe { geterrcode() });
}

/// Called while an error is being reported, for each that is.
#[pg_guard]
unsafe extern "C-unwind" fn keep_texts(_arg: *mut c_void) {
    // SAFETY: an error is being reported; the copy is made outside of the context that belongs to
    // it, and read before it is freed.
    unsafe {
        keep_sqlstate(_arg);
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = pg_sys::CopyErrorData();
        pg_sys::MemoryContextSwitchTo(context);
        if (*error).elevel >= PgLogLevel::ERROR as i32 {
            let text =
                |text: *mut c_char| (!text.is_null()).then(|| CStr::from_ptr(text).to_owned());
            REPORTED.set(Some([
                text((*error).message),
                text((*error).detail),
                text((*error).hint),
            ]));
        }
        pg_sys::FreeErrorData(error);
    }
}
