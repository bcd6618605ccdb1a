//! What became of each signal: the rows of `signal_outcomes`.
//!
//! ```text
//!            its time has passed: candles
//!   open  ----------------------------------->  settled
//!     |                                                      neither ever changes again
//!     +-------------------------------------->  void
//!            7 days without candles
//! ```
//!
//! A row is opened in the transaction that records its signal ([`opening`]). While it is open each
//! run widens what was seen of the price since ([`seen`]): that is provisional, for between two
//! looks the price may have been anywhere. When its time has passed the row is settled by candles
//! ([`settling`]): not before, as the return of who keeps the signal to the expiry, and the mirror,
//! need the candles up to there also when the stop was touched early.
//!
//! Triggers of the table keep what is written and chain the rows by digests, see
//! `sql/41_chain_of_outcomes.sql`; nothing here computes one.

mod opening;
mod seen;
mod settling;

pub use opening::{Opened, argument, opening, supersede};
pub use seen::{OPEN, Open, look, open_ones};
pub use settling::{
    DueOutcome, VOID_AFTER, due, settle, settle_by_samples, void, void_of_other_exchanges,
};

use crate::settings::Configured;

/// The exchange as outcomes name it. Only the one that a signal was judged on settles it.
pub fn source(exchange: &Configured) -> String {
    exchange.url().to_owned()
}
