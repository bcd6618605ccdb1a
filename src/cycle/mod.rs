//! One run, in five stages: fetch (no transaction open), judge, record, deliver, settle what has
//! expired. The worker comes in by [`scheduled`], `generate_signals_now()` and `preview_signals()` by [`by_hand`]; `stages`
//! is what they share, and `summary` puts a run into words.

pub mod by_hand;
mod days;
pub mod scheduled;
mod settle;
mod stages;
mod summary;

pub use settle::Settled;
