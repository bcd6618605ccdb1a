//! Settings that are in force for one piece of work.

use super::Failure;
use pgrx::prelude::*;
use std::ffi::CStr;

/// Only PostgreSQL's own operators, functions and types; tables are named with their schema.
pub const SAFE_SEARCH_PATH: (&CStr, &CStr) = (c"search_path", c"pg_catalog, pg_temp");

/// Nested loops over indexes, planned once.
pub const WALK_INDEXES: &[(&CStr, &CStr)] = &[
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_sort", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"jit", c"off"),
    (c"plan_cache_mode", c"force_generic_plan"),
];

/// Two tables walked side by side, in the order that their indexes have in common.
pub const MERGE_INDEXES: &[(&CStr, &CStr)] = &[
    (c"enable_mergejoin", c"on"),
    (c"enable_hashjoin", c"off"),
    (c"enable_nestloop", c"off"),
];

/// Runs `work` with `settings` in force. They end with it, and so does whatever a trigger of the
/// tables' owner has set meanwhile.
pub fn with_settings<T>(
    settings: &[(&CStr, &CStr)],
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // SAFETY: the nest level is closed below; when `work` raises, the abort of the
    // (sub)transaction it runs in closes it.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            set(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
        }
        let result = work();
        pg_sys::AtEOXact_GUC(false, level);
        result
    }
}

/// Sets a setting that everybody may set, until the end of the transaction.
pub fn set_for_transaction(name: &CStr, value: &CStr) {
    // SAFETY: the end of the transaction puts the setting back.
    unsafe { set(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL) }
}

/// # Safety
/// The caller sees to it that the setting is put back, as `action` demands.
unsafe fn set(name: &CStr, value: &CStr, action: pg_sys::GucAction::Type) {
    // SAFETY: both strings outlive the call, which copies the value.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}
