//! The extension as it is installed in the current database.

use super::Failure;
use super::scoped_settings::{SAFE_SEARCH_PATH, with_settings};
use super::statements::{self, Db, Kind};
use crate::settings::VERSION;
use pgrx::prelude::*;

/// What the catalogs say about the extension in this database.
#[derive(Debug, Clone)]
pub struct Installation {
    extension: pg_sys::Oid,
    version: String,
    schema: String,
    owner: pg_sys::Oid,
}

impl Installation {
    /// Looks the extension up by its own catalog entry, never by the name of a schema or table.
    /// `None` when the database does not have it.
    pub fn find() -> Result<Option<Self>, Failure> {
        // Pinned first: a caller's search_path could shadow the operators below and so choose the
        // owner we become.
        with_settings(&[SAFE_SEARCH_PATH], || {
            Spi::connect(|client| {
                let query = statements::kept(
                    client,
                    Kind::Reads,
                    "SELECT e.oid, e.extversion, n.nspname::text, c.relowner
                       FROM pg_extension e
                       JOIN pg_namespace n ON n.oid = e.extnamespace
                       LEFT JOIN (pg_depend d JOIN pg_class c
                                    ON c.oid = d.objid AND c.relname = 'user_signals' AND c.relkind IN ('r', 'p'))
                         ON d.classid = 'pg_class'::regclass AND d.deptype = 'e'
                        AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                      WHERE e.extname = 'signal_hub'",
                    &[],
                )?;
                let rows = client.select(query, None, &[])?;
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

    /// The role as whom the tables are read and written.
    pub fn owner(&self) -> pg_sys::Oid {
        self.owner
    }

    /// What runs statements on the extension's tables.
    pub fn db(&self) -> Db {
        Db::new(self.extension, &self.schema)
    }
}
