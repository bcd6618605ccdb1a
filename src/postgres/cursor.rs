//! A query that somebody wrote, run as whoever calls, a batch of rows at a time.

use super::scoped_settings::with_settings;
use super::{Failure, encoding};
use pgrx::pg_sys::NodeTag;
use pgrx::prelude::*;
use pgrx::varlena;
use std::borrow::Cow;
use std::ffi::{CStr, CString};

/// A query that was opened. It ends with the transaction, unless it is closed before.
///
/// It has the rights, the `search_path` and the snapshot of the statement that called, and may
/// write nothing.
pub struct Cursor {
    portal: CString,
    search_path: Option<CString>,
    columns: Vec<Column>,
}

/// A column of a query.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// The type; of a domain, the one below it.
    pub type_oid: pg_sys::Oid,
    /// The name of the type, for people.
    pub type_name: String,
}

/// A value of a row, as the server has it. It lives as long as its batch.
#[derive(Clone, Copy)]
pub struct Value<'a>(Option<pg_sys::Datum>, std::marker::PhantomData<&'a ()>);

impl Cursor {
    /// Opens `query`, which the argument `argument` of a function is. It looks for its tables in
    /// `search_path`, if that is given instead of the one in force.
    ///
    /// # Errors
    /// When it is not exactly one SELECT that only reads, and what preparing and opening it raises.
    pub fn open(query: &str, argument: &str, search_path: Option<&str>) -> Result<Self, Failure> {
        let text = encoding::to_server_c(query);
        check(&text, argument)?;
        let search_path = search_path.map(encoding::to_server_c);
        let path = search_path.clone();
        connected(path.as_deref(), || {
            // SAFETY: plain calls; the text outlives them, and the plan is freed with the
            // connection, after the portal has taken what it needs.
            unsafe {
                let plan = pg_sys::SPI_prepare_cursor(
                    text.as_ptr(),
                    0,
                    std::ptr::null_mut(),
                    pg_sys::CURSOR_OPT_NO_SCROLL as i32,
                );
                if plan.is_null() {
                    return Err(Failure::internal("a query could not be prepared"));
                }
                let portal = pg_sys::SPI_cursor_open(
                    std::ptr::null(),
                    plan,
                    std::ptr::null_mut(),
                    std::ptr::null(),
                    true,
                );
                if portal.is_null() {
                    return Err(Failure::internal("a query could not be opened"));
                }
                Ok(Self {
                    portal: CStr::from_ptr((*portal).name).to_owned(),
                    search_path,
                    columns: columns((*portal).tupDesc),
                })
            }
        })
    }

    /// The columns of the query.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Fetches up to `most` rows and hands each of them to `take`. Returns how many there were:
    /// fewer than `most` at the end.
    ///
    /// # Errors
    /// What the query raises, and what `take` returns.
    pub fn fetch(
        &self,
        most: usize,
        mut take: impl FnMut(&[Value]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        connected(self.search_path.as_deref(), || {
            let mut datums = vec![pg_sys::Datum::from(0); self.columns.len()];
            let mut nulls = vec![false; self.columns.len()];
            let mut row = Vec::with_capacity(self.columns.len());
            // SAFETY: the rows of the table stay until it is freed below, and the arrays have a
            // place for each of their columns.
            unsafe {
                let portal = pg_sys::SPI_cursor_find(self.portal.as_ptr());
                if portal.is_null() {
                    return Err(Failure::internal("a query has gone"));
                }
                pg_sys::SPI_cursor_fetch(portal, true, i64::try_from(most).unwrap_or(i64::MAX));
                let table = pg_sys::SPI_tuptable;
                if table.is_null() {
                    return Ok(0);
                }
                let count = usize::try_from((*table).numvals).unwrap_or(0);
                for tuple in std::slice::from_raw_parts((*table).vals, count) {
                    pg_sys::heap_deform_tuple(
                        *tuple,
                        (*table).tupdesc,
                        datums.as_mut_ptr(),
                        nulls.as_mut_ptr(),
                    );
                    row.clear();
                    let values = datums.iter().zip(&nulls);
                    row.extend(values.map(|(datum, is_null)| {
                        Value((!is_null).then_some(*datum), std::marker::PhantomData)
                    }));
                    take(&row)?;
                }
                pg_sys::SPI_freetuptable(table);
                Ok(count)
            }
        })
    }

    /// Closes the query.
    ///
    /// # Errors
    /// What closing raises.
    pub fn close(self) -> Result<(), Failure> {
        connected(None, || {
            // SAFETY: the portal is looked up, and is nobody else's.
            unsafe {
                let portal = pg_sys::SPI_cursor_find(self.portal.as_ptr());
                if !portal.is_null() {
                    pg_sys::SPI_cursor_close(portal);
                }
            }
            Ok(())
        })
    }
}

impl<'a> Value<'a> {
    /// The value of a by-value type; `None` for null.
    pub fn word(self) -> Option<pg_sys::Datum> {
        self.0
    }

    /// The bytes of a value of variable length, such as a text or a numeric; `None` for null.
    ///
    /// # Safety
    /// The value is of such a type.
    pub unsafe fn bytes(self) -> Option<Cow<'a, [u8]>> {
        let stored = self.0?.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: a pointer to a value of variable length, which lives as long as its batch; what
        // is packed or stored elsewhere is copied to where this process can read it.
        unsafe {
            let is_plain = varlena::varatt_is_4b_u(stored)
                || varlena::varatt_is_1b(stored) && !varlena::varatt_is_1b_e(stored);
            let plain = match is_plain {
                true => stored,
                false => pg_sys::pg_detoast_datum_packed(stored),
            };
            let bytes = std::slice::from_raw_parts(
                varlena::vardata_any(plain).cast::<u8>(),
                varlena::varsize_any_exhdr(plain),
            );
            Some(match is_plain {
                true => Cow::Borrowed(bytes),
                false => {
                    let copy = bytes.to_vec();
                    pg_sys::pfree(plain.cast());
                    Cow::Owned(copy)
                }
            })
        }
    }
}

/// Runs `work` with a connection to SPI, and with this `search_path` if there is one. What is open when it raises, or returns an error that is
/// then raised, the abort closes.
fn connected<T>(
    search_path: Option<&CStr>,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // SAFETY: closed below.
    if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT as i32 {
        return Err(Failure::internal("no connection to SPI"));
    }
    let result = match search_path {
        Some(path) => with_settings(&[(c"search_path", path)], work),
        None => work(),
    };
    // SAFETY: opened above.
    unsafe { pg_sys::SPI_finish() };
    result
}

/// # Safety
/// The descriptor is one of PostgreSQL's, or null.
unsafe fn columns(descriptor: pg_sys::TupleDesc) -> Vec<Column> {
    if descriptor.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller says so; names end with a zero, and what is made is copied.
    unsafe {
        let attributes = (1..=(*descriptor).natts).map(|number| {
            let name = pg_sys::SPI_fname(descriptor, number);
            let type_oid = pg_sys::SPI_gettypeid(descriptor, number);
            let type_name = pg_sys::format_type_be(type_oid);
            Column {
                name: encoding::from_server_c(CStr::from_ptr(name)),
                type_oid: pg_sys::getBaseType(type_oid),
                type_name: encoding::from_server_c(CStr::from_ptr(type_name)),
            }
        });
        attributes.collect()
    }
}

/// Whether the text is exactly one SELECT that only reads.
///
/// # Errors
/// When it is not, and what parsing it raises.
fn check(text: &CStr, argument: &str) -> Result<(), Failure> {
    // SAFETY: the text outlives the call, and the nodes live until the end of the statement.
    let statements: Vec<*mut pg_sys::RawStmt> = unsafe {
        items(pg_sys::raw_parser(
            text.as_ptr(),
            pg_sys::RawParseMode::RAW_PARSE_DEFAULT,
        ))
    };
    let refused = |why: &str| {
        Failure::new("22023", format!("{argument} must be one SELECT: {why}"))
            .hint("The query is only read, row by row, with the rights of whoever calls.")
    };
    if statements.len() != 1 {
        return Err(refused(&format!("it has {} statements", statements.len())));
    }
    // SAFETY: nodes of PostgreSQL's parser, whose tags say what they are.
    unsafe {
        let statement = statements
            .first()
            .map_or(std::ptr::null_mut(), |raw| (**raw).stmt);
        if statement.is_null() || (*statement).type_ != NodeTag::T_SelectStmt {
            return Err(refused("it is another command"));
        }
        let select = statement.cast::<pg_sys::SelectStmt>();
        if !(*select).intoClause.is_null() {
            return Err(refused("INTO creates a table"));
        }
        if !(*select).lockingClause.is_null() {
            return Err(refused("FOR UPDATE and the like lock rows"));
        }
        let with = (*select).withClause;
        if with.is_null() {
            return Ok(());
        }
        let expressions: Vec<*mut pg_sys::CommonTableExpr> = items((*with).ctes);
        let writes = expressions
            .iter()
            .any(|cte| (*(**cte).ctequery).type_ != NodeTag::T_SelectStmt);
        match writes {
            true => Err(refused("its WITH has a command that writes")),
            false => Ok(()),
        }
    }
}

/// The items of a list.
///
/// # Safety
/// The list is one of PostgreSQL's, of pointers to `T`, or null.
unsafe fn items<T>(list: *const pg_sys::List) -> Vec<*mut T> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: a list has as many cells as it says.
    unsafe {
        let count = usize::try_from((*list).length).unwrap_or(0);
        let cells = std::slice::from_raw_parts((*list).elements, count);
        cells.iter().map(|cell| cell.ptr_value.cast()).collect()
    }
}
