//! PostgreSQL as the rest of the extension uses it: the one room that calls its C interface.
//!
//! [`as_owner`] runs a piece of work in a transaction as the owner of the tables, and hands it a
//! [`Db`] to run statements with. Every error is a [`Failure`].

mod blockers;
pub mod citus;
pub mod cursor;
pub mod encoding;
pub mod failure;
pub mod installation;
pub mod interrupt;
pub mod lock;
mod market_failure;
mod memory;
pub mod numeric;
pub mod other_role;
pub mod process;
pub mod report;
pub mod scoped_settings;
pub mod server_starts;
pub mod server_values;
mod sqlstate;
pub mod statements;
mod time_limit;
pub mod transaction;
mod trust;
mod waiters;
pub mod wanted;
mod watch;

pub use failure::Failure;
pub use installation::Installation;
pub use statements::Db;
pub use transaction::{Scope, as_owner, catch};
