//! The extension as it is installed in the current database.

use super::scoped_settings::{SAFE_SEARCH_PATH, with_settings};
use super::statements::{self, Db, Kind, Row};
use super::{Failure, citus};
use pgrx::prelude::*;

/// Release of this library; the installed SQL objects must be of the same.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What signal_hub_build() returns where the SQL objects are of the same build; see build.rs.
const SQL_BUILD: &str = env!("SIGNAL_HUB_SQL_BUILD");

/// What the catalogs say about the extension in this database.
#[derive(Debug, Clone)]
pub struct Installation {
    extension: pg_sys::Oid,
    version: String,
    /// The number in the body of signal_hub_build(); releases before 0.3.0 have none.
    build: Option<String>,
    schema: String,
    owner: pg_sys::Oid,
    layout: Layout,
}

/// Where the tables of the extension are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All on this server.
    OneServer,
    /// Those of subscribers are sharded over several servers, and this one coordinates.
    Sharded,
    /// This server has shards, and another one coordinates.
    Node,
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
                    "SELECT e.oid, e.extversion, n.nspname::text, c.relowner,
                            (SELECT substring(p.prosrc, '[0-9a-f]{16}')
                               FROM pg_proc p JOIN pg_depend b ON b.classid = 'pg_proc'::regclass AND b.objid = p.oid
                              WHERE p.proname = 'signal_hub_build' AND b.deptype = 'e'
                                AND b.refclassid = 'pg_extension'::regclass AND b.refobjid = e.oid),
                            EXISTS (SELECT FROM pg_extension c WHERE c.extname = 'citus')
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
                let Some(row) = rows.into_iter().next().map(Row) else {
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
                let layout = match row.get(6)?.unwrap_or(false) {
                    true => citus::layout(client, extension)?,
                    false => Layout::OneServer,
                };
                Ok(Some(Self {
                    extension,
                    version,
                    build: row.get(5)?,
                    schema,
                    owner,
                    layout,
                }))
            })
        })
    }

    /// The extension, when it is there and of this library's release, where signals are made.
    ///
    /// # Errors
    /// That it is not, and what to do.
    pub fn current() -> Result<Self, Failure> {
        let found = Self::find()?.ok_or_else(|| {
            Failure::not_in_state("extension signal_hub is not installed in this database")
                .hint("Run CREATE EXTENSION signal_hub.")
        })?;
        if found.is_node() {
            return Err(citus::on_a_node());
        }
        if found.is_of_this_release() {
            return Ok(found);
        }
        let failure = Failure::not_in_state(format!(
            "library signal_hub {} cannot work with the SQL objects of {}",
            match found.version == VERSION {
                true => found.library_version(),
                false => VERSION.to_owned(),
            },
            found.version
        ));
        Err(if found.version.contains('-') {
            failure.hint(
                "Development builds cannot be updated. Install the library of that build, or drop \
                 the extension, which deletes its tables, and create it again.",
            )
        } else {
            failure.hint("Run ALTER EXTENSION signal_hub UPDATE, or install the matching library.")
        })
    }

    /// Identifies this installation: dropped and created again, it is another.
    pub fn id(&self) -> u32 {
        self.extension.to_u32()
    }

    /// Whether the SQL objects match this library.
    pub fn is_of_this_release(&self) -> bool {
        self.version == VERSION && self.build.as_deref() == Some(SQL_BUILD)
    }

    /// This library's version as these SQL objects can read it: they compare it with their own,
    /// and those of other releases take it for numbers with dots between them.
    fn library_version(&self) -> String {
        if self.is_of_this_release() {
            VERSION.to_owned()
        } else if self.version == VERSION {
            format!("{VERSION}+{SQL_BUILD}")
        } else {
            let (numbers, _) = VERSION.split_once('-').unwrap_or((VERSION, ""));
            numbers.to_owned()
        }
    }

    /// Where its tables are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether another server coordinates, so that no signals are made here.
    pub fn is_node(&self) -> bool {
        self.layout == Layout::Node
    }

    /// The role that reads and writes the tables.
    pub fn owner(&self) -> pg_sys::Oid {
        self.owner
    }

    /// What runs statements on the extension's tables.
    pub fn db(&self) -> Db {
        Db::new(self.extension, &self.schema, self.layout)
    }
}

/// The version that signal_worker_status() shows. Other than this library's own where that would
/// hide that the SQL objects do not match it.
pub fn library_version() -> String {
    // Where objects are missing, the version is shown all the same.
    match Installation::find() {
        Ok(Some(found)) => found.library_version(),
        _ => VERSION.to_owned(),
    }
}
