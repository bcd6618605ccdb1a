//! What the replies of several exchanges have in common: JSON in which one bad row costs only
//! itself, rows whose fields are named, numbers that follow from others, candles in lists of cells,
//! and errors.

mod bans;
pub mod candles;
pub mod errors;
pub mod instruments;
pub mod json;
pub mod list;
pub mod row;
pub mod shown;
