//! One run, in four stages: fetch (no transaction open), judge, record, deliver. The worker comes
//! in by [`scheduled`], `generate_signals_now()` and `preview_signals()` by [`by_hand`]; `stages`
//! is what they share, and `summary` puts a run into words.

pub mod by_hand;
pub mod scheduled;
mod stages;
mod summary;
