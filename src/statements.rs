//! Statements that a process prepares once and keeps: most of them are short, and planning them
//! anew would cost more than running them.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgOid;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiError};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// By their text. There are some dozens, and they are never given back: at the end of a
    /// process there is nothing left to give them to.
    static KEPT: RefCell<HashMap<String, &'static OwnedPreparedStatement>> = RefCell::default();
}

/// Whether a statement writes. One that only reads can run where nothing may be written, and
/// takes no transaction number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Reads,
    Writes,
}

/// The prepared statement of this text, for arguments of these types. What changes underneath,
/// PostgreSQL plans anew.
///
/// # Errors
/// When it cannot be prepared; nothing is kept then.
pub fn kept(
    client: &SpiClient,
    kind: Kind,
    text: &str,
    args: &[DatumWithOid],
) -> Result<&'static OwnedPreparedStatement, SpiError> {
    if let Some(statement) = KEPT.with_borrow(|kept| kept.get(text).copied()) {
        return Ok(statement);
    }
    let types: Vec<PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
    let prepared = match kind {
        Kind::Reads => client.prepare(text, &types)?,
        Kind::Writes => client.prepare_mut(text, &types)?,
    };
    let statement: &'static OwnedPreparedStatement = Box::leak(Box::new(prepared.keep()));
    KEPT.with_borrow_mut(|kept| kept.insert(text.to_owned(), statement));
    Ok(statement)
}
