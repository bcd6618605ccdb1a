//! Statements on the extension's tables, each prepared once per process and kept: most of them are
//! short, and planning them for every run would cost more than running them.

use super::encoding;
use super::installation::Layout;
use super::scoped_settings::{MERGE_INDEXES, SAFE_SEARCH_PATH, WALK_INDEXES, with_settings};
use super::server_values::ServerText;
use super::{Failure, citus, lock, trust};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::PgOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiError, SpiHeapTupleData, quote_identifier};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;

thread_local! {
    /// By their text. There are some dozens, and they are never given back: at the end of a
    /// process there is nothing left to give them to.
    static KEPT: RefCell<HashMap<String, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// The extension's tables, inside a transaction and as their owner: see
/// [`as_owner`](super::as_owner), which hands it out.
///
/// In statements `@extschema@` stands for the schema of the extension, as in its scripts. Nothing
/// but pg_catalog is in the search_path.
pub struct Db {
    extension: pg_sys::Oid,
    quoted_schema: String,
    layout: Layout,
    synchronous_commit: Cell<Option<&'static CStr>>,
}

impl Db {
    pub(super) fn new(extension: pg_sys::Oid, schema: &str, layout: Layout) -> Self {
        Self {
            extension,
            quoted_schema: quote_identifier(schema),
            layout,
            synchronous_commit: Cell::new(None),
        }
    }

    /// Runs a query that writes nothing, on what is committed by now, and maps its rows.
    ///
    /// # Errors
    /// What the query raises, and what `row` returns.
    pub fn read<T>(
        &self,
        query: &str,
        args: &[DatumWithOid],
        row: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        if query.contains("@extschema@") {
            trust::hold_indexes(self, query)?;
        }
        // SAFETY: in a transaction.
        let snapshot = unsafe { pg_sys::GetTransactionSnapshot() };
        self.read_with(snapshot, query, args, row)
    }

    /// The same of what is committed by now also where the transaction of a caller sees one state
    /// of the database throughout: code runs as it is now.
    ///
    /// # Errors
    /// The same.
    pub(super) fn read_now<T>(
        &self,
        query: &str,
        args: &[DatumWithOid],
        row: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        // SAFETY: in a transaction.
        let snapshot = unsafe { pg_sys::GetLatestSnapshot() };
        self.read_with(snapshot, query, args, row)
    }

    fn read_with<T>(
        &self,
        snapshot: pg_sys::Snapshot,
        query: &str,
        args: &[DatumWithOid],
        mut row: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        // SAFETY: popped below; an abort pops what an error leaves.
        unsafe { pg_sys::PushActiveSnapshot(snapshot) };
        let rows = Spi::connect(|client| {
            let query = kept(client, Kind::Reads, &self.with_schema(query), args)?;
            let rows = client.select(query, None, &in_server_encoding(args))?;
            rows.map(|r| row(&Row(r))).collect()
        });
        // SAFETY: pushed above.
        unsafe { pg_sys::PopActiveSnapshot() };
        rows
    }

    /// Runs a statement that writes, and maps the rows it returns.
    ///
    /// # Errors
    /// What the statement raises, and what `row` returns.
    pub fn write<T>(
        &self,
        statement: &str,
        args: &[DatumWithOid],
        mut row: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        trust::ensure_trusted_to_write(self, statement)?;
        trust::hold_indexes(self, statement)?;
        Spi::connect_mut(|client| {
            let statement = kept(client, Kind::Writes, &self.with_schema(statement), args)?;
            let rows = client.update(statement, None, &in_server_encoding(args))?;
            rows.map(|r| row(&Row(r))).collect()
        })
    }

    /// Runs a statement that writes; returns how many rows it touched.
    ///
    /// # Errors
    /// What the statement raises.
    pub fn run(&self, statement: &str, args: &[DatumWithOid]) -> Result<usize, Failure> {
        trust::ensure_trusted_to_write(self, statement)?;
        trust::hold_indexes(self, statement)?;
        let touched = Spi::connect_mut(|client| {
            let statement = kept(client, Kind::Writes, &self.with_schema(statement), args)?;
            let rows = client.update(statement, None, &in_server_encoding(args))?;
            Ok::<usize, SpiError>(rows.len())
        })?;
        Ok(touched)
    }

    /// Runs `work` with plans made for walking tables in the order of `user_id`, a few rows at a
    /// time. What the planner believes about the sizes of tables, right or wrong, has no say in
    /// it: a batch never turns into a scan of everything because statistics are old.
    pub fn walking_indexes<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.layout {
            Layout::Sharded => citus::walking_indexes(|| work(self)),
            Layout::OneServer | Layout::Node => with_settings(WALK_INDEXES, || work(self)),
        }
    }

    /// Where the tables are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The same for a statement that joins two tables on what both have an index on, a stretch of
    /// it at a time.
    pub fn merging<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        match self.layout {
            // Each node plans for its own shards.
            Layout::Sharded => work(self),
            Layout::OneServer | Layout::Node => with_settings(MERGE_INDEXES, || work(self)),
        }
    }

    /// Tables of the extension whose rows row-level security hides from the current user. The
    /// owner has none, except tables that force row-level security on an owner who is no
    /// superuser.
    pub fn hidden_tables(&self) -> Result<Option<String>, Failure> {
        let hidden = self.read(
            "SELECT string_agg(d.objid::regclass::text, ', ' ORDER BY d.objid)
               FROM pg_depend d
              WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1 AND d.deptype = 'e'
                AND d.classid = 'pg_class'::regclass AND row_security_active(d.objid)",
            &[self.extension.into()],
            |row| row.get(1),
        )?;
        Ok(hidden.into_iter().next().flatten())
    }

    /// Takes the lock that makes cycles exclude each other, until the end of the transaction, and
    /// keeps the extension in place as below. False when another cycle has it.
    ///
    /// # Errors
    /// What reading the catalogs raises.
    pub fn try_lock_cycle(&self) -> Result<bool, Failure> {
        Ok(self.try_keep_in_place()? && lock::try_lock_cycle(self.extension))
    }

    /// Keeps the extension from being dropped until the end of the transaction, beside a cycle of
    /// another process. False when it is being dropped.
    ///
    /// # Errors
    /// What reading the catalogs raises.
    pub fn try_keep_in_place(&self) -> Result<bool, Failure> {
        Ok(
            lock::try_lock_extension(self.extension)
                || lock::try_lock_tables(&trust::tables(self)?),
        )
    }

    pub(super) fn extension(&self) -> pg_sys::Oid {
        self.extension
    }

    /// Lets the worker's transaction end without waiting for its commit to be on disk; one that
    /// commits after it takes it along. A crash may undo it, as a whole. Where rows are on other
    /// servers it has to wait: they would outlast the cursor.
    pub fn commit_without_waiting_for_disk(&self) {
        self.set_synchronous_commit(c"off");
    }

    /// Lets the worker's transaction end as soon as its commit is on the disk of this server, from
    /// which followers are sent it, without waiting for a standby.
    pub fn commit_waiting_for_own_disk(&self) {
        self.set_synchronous_commit(c"local");
    }

    fn set_synchronous_commit(&self, to: &'static CStr) {
        if self.layout == Layout::OneServer {
            self.synchronous_commit.set(Some(to));
        }
    }

    /// How the transaction is to end, where that is not as usual.
    pub(super) fn synchronous_commit(&self) -> Option<&'static CStr> {
        self.synchronous_commit.get()
    }

    pub(super) fn with_schema(&self, statement: &str) -> String {
        statement.replace("@extschema@", &self.quoted_schema)
    }
}

/// A row that a statement returned. Its texts are converted from the database's encoding.
pub struct Row<'a>(pub(super) SpiHeapTupleData<'a>);

impl Row<'_> {
    /// The value of a column; `None` for null.
    ///
    /// # Errors
    /// When there is no such column, or it is of another type.
    pub fn get<T: Column>(&self, ordinal: usize) -> Result<Option<T>, Failure> {
        Ok(self.0.get::<T::InDatabase>(ordinal)?.map(T::read))
    }

    /// [`Row::get`], by the column's name.
    ///
    /// # Errors
    /// The same.
    pub fn get_by_name<T: Column>(&self, name: &str) -> Result<Option<T>, Failure> {
        Ok(self.0.get_by_name::<T::InDatabase, _>(name)?.map(T::read))
    }
}

/// What a column can be read as.
pub trait Column: Sized {
    /// The type that knows how the value is stored.
    type InDatabase: FromDatum + IntoDatum;

    /// The value.
    fn read(stored: Self::InDatabase) -> Self;
}

impl Column for String {
    type InDatabase = ServerText;

    fn read(stored: ServerText) -> Self {
        stored.0
    }
}

macro_rules! columns_without_text {
    ($($type:ty),*) => {
        $(impl Column for $type {
            type InDatabase = Self;

            fn read(stored: Self) -> Self {
                stored
            }
        })*
    };
}

columns_without_text!(
    bool,
    i16,
    i32,
    i64,
    f32,
    f64,
    Uuid,
    TimestampWithTimeZone,
    pg_sys::Oid,
    Vec<i32>,
    Vec<i64>,
    Vec<pg_sys::Oid>
);

/// The arguments of a statement, with texts in the database's encoding.
fn in_server_encoding<'a>(args: &[DatumWithOid<'a>]) -> Vec<DatumWithOid<'a>> {
    let converted = |arg: &DatumWithOid<'a>| {
        // SAFETY: the value is of the type that it comes with; a text that Rust made is UTF-8,
        // and has the same form as a bytea.
        unsafe {
            let text = arg
                .datum()
                .filter(|_| arg.oid() == pg_sys::TEXTOID)
                .and_then(|text| {
                    <&[u8]>::from_polymorphic_datum(text.sans_lifetime(), false, arg.oid())
                })
                .and_then(|text| std::str::from_utf8(text).ok());
            match text.map(encoding::to_server) {
                Some(Cow::Owned(bytes)) => DatumWithOid::new(bytes, pg_sys::TEXTOID),
                _ => DatumWithOid::new_from_datum(arg.datum(), arg.oid()),
            }
        }
    };
    args.iter().map(converted).collect()
}

/// A column that cannot be null.
///
/// # Errors
/// When it is.
pub fn text(row: &Row, ordinal: usize) -> Result<String, Failure> {
    row.get(ordinal)?
        .ok_or_else(|| Failure::internal(format!("column {ordinal} of an internal query is null")))
}

/// The one value of a query on PostgreSQL's own catalogs and statistics, as the process itself and
/// not as the owner of our tables.
///
/// # Errors
/// What the query raises.
pub fn read_catalogs<T: Column>(query: &str) -> Result<Option<T>, Failure> {
    read_catalogs_with(query, &[])
}

/// The same of a query with arguments.
///
/// # Errors
/// What the query raises.
pub fn read_catalogs_with<T: Column>(
    query: &str,
    args: &[DatumWithOid],
) -> Result<Option<T>, Failure> {
    with_settings(&[SAFE_SEARCH_PATH], || {
        Spi::connect(|client| {
            let query = kept(client, Kind::Reads, query, args)?;
            let rows = client.select(query, None, args)?;
            let row = rows.into_iter().next();
            Ok(row.map(|row| Row(row).get(1)).transpose()?.flatten())
        })
    })
}

/// Whether a statement writes. One that only reads can run where nothing may be written, and takes
/// no transaction number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reads,
    Writes,
}

/// The prepared statement of this text, for arguments of these types. What changes underneath,
/// PostgreSQL plans again by itself.
///
/// # Errors
/// When it cannot be prepared; nothing is kept then.
pub(super) fn kept(
    client: &SpiClient,
    kind: Kind,
    text: &str,
    args: &[DatumWithOid],
) -> Result<&'static OwnedPreparedStatement, SpiError> {
    if let Some(statement) = KEPT.with_borrow(|kept| kept.get(text).copied()) {
        return Ok(statement);
    }
    let types: Vec<PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
    // The schema's name is in it.
    let converted = encoding::to_server_c(text);
    let prepared = match kind {
        Kind::Reads => client.prepare(&converted, &types)?,
        Kind::Writes => client.prepare_mut(&converted, &types)?,
    };
    let statement: &'static OwnedPreparedStatement = Box::leak(Box::new(prepared.keep()));
    KEPT.with_borrow_mut(|kept| kept.insert(text.to_owned(), statement));
    Ok(statement)
}
