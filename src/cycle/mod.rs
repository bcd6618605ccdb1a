//! One run, in five stages: fetch (no transaction open), judge, record, deliver, settle what has
//! expired. The worker comes in by [`scheduled`], `generate_signals_now()` and `preview_signals()` by [`by_hand`]; `stages`
//! is what they share, and `summary` puts a run into words.

mod aside;
mod asking;
pub mod by_hand;
mod days;
mod exchanges;
mod fetch;
pub mod scheduled;
mod settle;
mod stages;
pub mod stops;
mod summary;

pub use settle::Settled;
