//! History that somebody has in a table, through the judge and the settlement of signals: a query
//! of candles becomes the signals that would have been sent, and what became of them.
//!
//! The query runs as whoever calls. So does everything here: nobody sees more than they may read.

mod candles;
mod progress;
mod rows;
mod rule;
mod run;
mod shifted;

pub use run::{Asked, Run};
pub use shifted::null;
