//! The extension as it is installed in the current database, and the identity under which its
//! tables are read and written.

use crate::VERSION;
use crate::failure::Failure;
use crate::lock;
use crate::statements::{self, Kind};
use crate::transaction::Scope;
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{SpiError, SpiHeapTupleData, quote_identifier};
use std::ffi::CStr;

/// Time the worker waits for a lock. Below deadlock_timeout's default, so that in a conflict with
/// a user's DDL it is always the worker that gives way.
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

    /// Runs `work` as the owner of `user_signals`; a caller that is to write has to
    /// [`set_constraints_immediate`] before. In a security-restricted operation no trigger of the
    /// owner can climb back to the privileges underneath; with nothing but pg_catalog in the
    /// search_path no operator or function that somebody planted can stand in for PostgreSQL's
    /// own.
    pub fn as_owner<T>(
        &self,
        scope: Scope,
        work: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if scope == Scope::Worker {
            set_constraints_immediate();
        }
        let mut settings = vec![SAFE_SEARCH_PATH];
        if scope == Scope::Worker {
            settings.push((c"lock_timeout", WORKER_LOCK_TIMEOUT));
        }
        with_settings(&settings, || {
            let mut user = pg_sys::InvalidOid;
            let mut context = 0;
            // SAFETY: put back below; when `work` raises, the abort of the (sub)transaction it
            // runs in puts it back.
            unsafe {
                pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
                let restricted =
                    pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
                pg_sys::SetUserIdAndSecContext(self.owner, context | restricted as i32);
            }
            let result = work(self);
            // SAFETY: the values were read above.
            unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
            result
        })
    }

    /// Tables of the extension whose rows row-level security hides from the current user. Asked
    /// as their owner there are none, but for tables that force it on their owner and an owner
    /// who is no superuser.
    pub fn hidden_tables(&self) -> Result<Option<String>, Failure> {
        let hidden = self.read(
            "SELECT string_agg(d.objid::regclass::text, ', ' ORDER BY d.objid)
               FROM pg_depend d
              WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1 AND d.deptype = 'e'
                AND d.classid = 'pg_class'::regclass AND row_security_active(d.objid)",
            &[self.extension.into()],
            |row| Ok(row.get(1)?),
        )?;
        Ok(hidden.into_iter().next().flatten())
    }

    /// Takes the lock that makes cycles exclude each other, until the end of the transaction.
    /// False when another cycle has it.
    pub fn try_lock_cycle(&self) -> bool {
        lock::try_lock_cycle(self.extension)
    }

    /// Takes a lock that keeps the extension in place until the end of the transaction, beside a
    /// cycle of another process. False when it is being dropped.
    pub fn try_lock_in_place(&self) -> bool {
        lock::try_lock_in_place(self.extension)
    }

    /// Runs `work` with plans made for walking tables in the order of `user_id`, a few rows at a
    /// time. What the planner believes about the sizes of tables, right or wrong, has no say in
    /// it: a batch never turns into a scan of everything because statistics are old.
    pub fn walking<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        with_settings(WALK, || work(self))
    }

    /// Runs a query that writes nothing, on what is committed by now, and maps its rows.
    /// `@extschema@` stands for the schema of the extension, as in its scripts.
    pub fn read<T>(
        &self,
        query: &str,
        args: &[DatumWithOid],
        mut row: impl FnMut(&SpiHeapTupleData) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        // SAFETY: popped below; an abort pops what an error leaves.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        let rows = Spi::connect(|client| {
            let query = statements::kept(client, Kind::Reads, &self.with_schema(query), args)?;
            let rows = client.select(query, None, args)?;
            rows.map(|r| row(&r)).collect()
        });
        // SAFETY: pushed above.
        unsafe { pg_sys::PopActiveSnapshot() };
        rows
    }

    /// Runs a statement that writes, and maps the rows it returns.
    pub fn write<T>(
        &self,
        statement: &str,
        args: &[DatumWithOid],
        mut row: impl FnMut(&SpiHeapTupleData) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        Spi::connect_mut(|client| {
            let statement =
                statements::kept(client, Kind::Writes, &self.with_schema(statement), args)?;
            let rows = client.update(statement, None, args)?;
            rows.map(|r| row(&r)).collect()
        })
    }

    /// Runs a statement that writes; returns how many rows it touched.
    pub fn run(&self, statement: &str, args: &[DatumWithOid]) -> Result<usize, Failure> {
        let touched = Spi::connect_mut(|client| {
            let statement =
                statements::kept(client, Kind::Writes, &self.with_schema(statement), args)?;
            let rows = client.update(statement, None, args)?;
            Ok::<usize, SpiError>(rows.len())
        })?;
        Ok(touched)
    }

    fn with_schema(&self, statement: &str) -> String {
        statement.replace("@extschema@", &quote_identifier(&self.schema))
    }
}

/// The one value of a query on PostgreSQL's own catalogs and statistics, as the process itself
/// and not as the owner of our tables.
pub fn read_catalogs<T: FromDatum + IntoDatum>(query: &str) -> Result<Option<T>, Failure> {
    with_settings(&[SAFE_SEARCH_PATH], || {
        Spi::connect(|client| {
            let query = statements::kept(client, Kind::Reads, query, &[])?;
            let rows = client.select(query, None, &[])?;
            Ok(rows
                .into_iter()
                .next()
                .map(|row| row.get(1))
                .transpose()?
                .flatten())
        })
    })
}

/// SET CONSTRAINTS ALL IMMEDIATE. Deferred triggers cannot fire in a restricted operation; said
/// before stepping into one, what a caller has pending fires as the caller. It holds for the rest
/// of the transaction: PostgreSQL tells nobody what was deferred before. Not by SPI, which would
/// take a transaction number for it.
pub fn set_constraints_immediate() {
    let mut statement = pg_sys::ConstraintsSetStmt {
        type_: pg_sys::NodeTag::T_ConstraintsSetStmt,
        constraints: std::ptr::null_mut(),
        deferred: false,
    };
    // SAFETY: a well-formed node, only read during the call.
    unsafe { pg_sys::AfterTriggerSetState(&mut statement) }
}

/// Only PostgreSQL's own operators, functions and types; tables are named with their schema.
const SAFE_SEARCH_PATH: (&CStr, &CStr) = (c"search_path", c"pg_catalog, pg_temp");

/// Nested loops over indexes, planned once.
const WALK: &[(&CStr, &CStr)] = &[
    (c"enable_seqscan", c"off"),
    (c"enable_bitmapscan", c"off"),
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_sort", c"off"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"jit", c"off"),
    (c"plan_cache_mode", c"force_generic_plan"),
];

/// Runs `work` with settings in force that end with it, and with them whatever a trigger of the
/// tables' owner set meanwhile.
fn with_settings<T>(
    settings: &[(&CStr, &CStr)],
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // SAFETY: the nest level is closed below; when `work` raises, the abort of the
    // (sub)transaction it runs in closes it.
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
        pg_sys::AtEOXact_GUC(false, level);
        result
    }
}
