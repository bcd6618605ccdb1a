//! Hooks that refuse a text that cannot be used where somebody sets it.

use super::retention::{DAY, MINUTE, parse_retention};
use super::{DEFINING, exchanges};
use crate::postgres::process;
use pgrx::prelude::*;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Refuses a URL that the fetch would refuse.
#[pg_guard]
pub unsafe extern "C-unwind" fn check_exchange_url(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: as PostgreSQL calls it.
    unsafe {
        is_accepted(new_value, |url| {
            market::check_url(url).map_err(|error| error.detail())
        })
    }
}

/// Refuses what is no proxy.
#[pg_guard]
pub unsafe extern "C-unwind" fn check_http_proxy(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: as PostgreSQL calls it.
    unsafe {
        is_accepted(new_value, |url| match url {
            "" => Ok(()),
            url => market::check_proxy(url).map_err(|error| error.detail()),
        })
    }
}

/// Refuses what is no list of exchanges.
#[pg_guard]
pub unsafe extern "C-unwind" fn check_exchanges(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: as PostgreSQL calls it.
    unsafe {
        is_accepted(new_value, |list| {
            let parsed = exchanges::parse(list).map(drop);
            parsed.map_err(|reason| format!("It was refused because {reason}."))
        })
    }
}

/// Refuses what is no age.
#[pg_guard]
pub unsafe extern "C-unwind" fn check_run_retention(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: as PostgreSQL calls it.
    unsafe { is_accepted(new_value, |value| check_retention(value, MINUTE)) }
}

/// Refuses what is no age of a day at least.
#[pg_guard]
pub unsafe extern "C-unwind" fn check_signal_retention(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: as PostgreSQL calls it.
    unsafe { is_accepted(new_value, |value| check_retention(value, DAY)) }
}

fn check_retention(value: &str, least: Duration) -> Result<(), String> {
    parse_retention(value, least).map(drop).map_err(|reason| {
        format!("It was refused because {reason}. Write a number with its unit, such as '90d', or 0 to keep everything.")
    })
}

/// Whether a new value is taken: any in a file, a good one where somebody sets it.
///
/// # Safety
/// `new_value` is what a check hook gets: a pointer to a string or to NULL.
unsafe fn is_accepted(
    new_value: *mut *mut c_char,
    check: impl FnOnce(&str) -> Result<(), String>,
) -> bool {
    // SAFETY: as the caller promises.
    let value = unsafe {
        let value = *new_value;
        if value.is_null() {
            return true;
        }
        CStr::from_ptr(value).to_string_lossy()
    };
    match check(&value) {
        Err(detail) if process::runs_a_command() && !DEFINING.load(Ordering::Relaxed) => {
            set_setting_error_detail(&detail);
            false
        }
        _ => true,
    }
}

/// DETAIL of the error that PostgreSQL raises when a setting's check fails.
fn set_setting_error_detail(detail: &str) {
    let detail = CString::new(detail.replace('\0', "")).unwrap_or_default();
    // SAFETY: the string is copied into PostgreSQL's memory, where the setting machinery expects
    // it.
    unsafe { pg_sys::GUC_check_errdetail_string = pg_sys::pstrdup(detail.as_ptr()) }
}
