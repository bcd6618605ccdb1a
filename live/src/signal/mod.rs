//! A row of `user_signals`: its columns, the events that clients get, and resume points.

mod column;
pub mod event;
mod row;
mod watermark;

pub use column::Column;
pub use row::{MARK, Row};
pub use watermark::Watermark;
