//! A row of `user_signals` or of `signal_outcomes`: its columns, the events that clients get, and
//! resume points.

mod column;
pub mod event;
mod outcome;
mod row;
mod watermark;

pub use column::{Column, Columns, OutcomeColumn};
pub use row::{MARK, Row};
pub use watermark::{Watermark, server_of};
