//! The extension as it is installed in the current database, and the identity
//! under which its tables are read and written.

use crate::VERSION;
use crate::failure::Failure;
use crate::transaction::Scope;
use pgrx::prelude::*;
use pgrx::spi::quote_identifier;
use std::ffi::{CStr, CString};

/// Time the worker waits for a lock. Below deadlock_timeout's default, so that
/// in a conflict with a user's DDL it is always the worker that gives way.
const WORKER_LOCK_TIMEOUT: &CStr = c"500ms";

/// What the catalogs say about the extension in this database.
#[derive(Debug, Clone)]
pub struct Installation {
    extension: pg_sys::Oid,
    version: String,
    schema: String,
    owner: pg_sys::Oid,
}

impl Installation {
    /// Looks the extension up by its own catalog entry, never by the name of a
    /// schema or table. `None` when the database does not have it.
    pub fn find() -> Result<Option<Self>, Failure> {
        // Pinned first: a caller's search_path could shadow the operators below
        // and so choose the owner we become.
        with_settings(&[(c"search_path", c"pg_catalog, pg_temp")], || {
            Spi::connect(|client| {
                let rows = client.select(
                    "SELECT e.oid, e.extversion, n.nspname::text, c.relowner
                       FROM pg_extension e
                       JOIN pg_namespace n ON n.oid = e.extnamespace
                       LEFT JOIN (pg_depend d JOIN pg_class c
                                    ON c.oid = d.objid AND c.relname = 'user_signals' AND c.relkind IN ('r', 'p'))
                         ON d.classid = 'pg_class'::regclass AND d.deptype = 'e'
                        AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                      WHERE e.extname = 'signal_hub'",
                    None,
                    &[],
                )?;
                let Some(row) = rows.into_iter().next() else {
                    return Ok(None);
                };
                let (Some(extension), Some(version), Some(schema)) =
                    (row.get(1)?, row.get(2)?, row.get(3)?)
                else {
                    return Err(Failure::internal("pg_extension has a null"));
                };
                let owner = row.get(4)?.ok_or_else(|| {
                    Failure::not_in_state("table user_signals of extension signal_hub is missing")
                        .hint("Drop the extension and create it again.")
                })?;
                Ok(Some(Self {
                    extension,
                    version,
                    schema,
                    owner,
                }))
            })
        })
    }

    /// The extension, when it is there and of this library's release.
    pub fn current() -> Result<Self, Failure> {
        let found = Self::find()?.ok_or_else(|| {
            Failure::not_in_state("extension signal_hub is not installed in this database")
                .hint("Run CREATE EXTENSION signal_hub.")
        })?;
        if found.is_of_this_release() {
            return Ok(found);
        }
        Err(Failure::not_in_state(format!(
            "library signal_hub {VERSION} cannot work with the SQL objects of {}",
            found.version
        ))
        .hint("Run ALTER EXTENSION signal_hub UPDATE, or install the matching library."))
    }

    /// Identifies this installation: dropped and created again, it is another.
    pub fn id(&self) -> u32 {
        self.extension.to_u32()
    }

    /// Whether the SQL objects match this library.
    pub fn is_of_this_release(&self) -> bool {
        self.version == VERSION
    }

    /// Runs `work` as the owner of `user_signals`, with the extension's schema
    /// in a pinned search_path. In a security-restricted operation no trigger
    /// of the owner can climb back to the privileges underneath.
    pub fn as_owner<T>(
        &self,
        scope: Scope,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = format!("pg_catalog, {}, pg_temp", quote_identifier(&self.schema));
        let path =
            CString::new(path).map_err(|_| Failure::internal("schema name with a zero byte"))?;
        let mut settings = vec![(c"search_path", path.as_c_str())];
        if scope == Scope::Worker {
            settings.push((c"lock_timeout", WORKER_LOCK_TIMEOUT));
        }
        with_settings(&settings, || {
            let mut user = pg_sys::InvalidOid;
            let mut context = 0;
            // SAFETY: put back below; when `work` raises, the abort of the
            // (sub)transaction it runs in puts it back.
            unsafe {
                pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
                let restricted =
                    pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
                pg_sys::SetUserIdAndSecContext(self.owner, context | restricted as i32);
            }
            let result = work();
            // SAFETY: the values were read above.
            unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
            result
        })
    }
}

/// Runs `work` with settings in force that end with it.
fn with_settings<T>(
    settings: &[(&CStr, &CStr)],
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // SAFETY: the nest level is closed below; when `work` raises, the abort of
    // the (sub)transaction it runs in closes it.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        result
    }
}
