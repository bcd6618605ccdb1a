//! The functions that SQL sees. Their declarations are in sql/; here they only call. Errors leave
//! through [`or_raise`], without the backtrace that the server's environment may ask Rust for.

mod adoption;
mod claims;
mod normal;
mod pause;
mod realtime;
mod replay;
mod signals;
mod worker;

use crate::postgres::{Failure, catch};

fn or_raise<T>(work: impl FnOnce() -> Result<T, Failure>) -> T {
    catch(work).unwrap_or_else(|failure| failure.raise())
}
