//! What a replay gives.

use market::UnixMillis;
use std::sync::Arc;
use strategy::Signal;
use strategy::outcome::Outcome;

/// What became of a signal by the end of the candles.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Its time is not over, and neither the stop nor the last target was touched.
    Open,
    /// It cannot be told, and why.
    Void(&'static str),
    Settled(Box<Outcome>),
}

/// A signal that would have been sent.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub symbol: Arc<str>,
    pub signal: Box<Signal>,
    pub fate: Fate,
    /// When an opposite signal came by its expiry.
    pub superseded_at: Option<UnixMillis>,
}
