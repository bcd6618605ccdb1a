//! The memory that makes one signal of one move.
//!
//! ```text
//!              beyond enter, after the cooldown: fire "entered"
//!   armed  ------------------------------------------------------>  in a side
//!     ^                                                              |   | beyond enter and
//!     |   change falls back inside exit                              |   | lifetime over:
//!     +--------------------------------------------------------------+   | fire "renewed"
//!                                                                        |
//!          beyond enter on the other side: fire "flipped", no cooldown <-+
//! ```

use crate::{Rule, Side, momentum};
use market::UnixMillis;
use rust_decimal::Decimal;

/// What is remembered of one symbol: one row of signal_episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episode {
    /// The side the symbol is in; `None` when armed.
    pub side: Option<Side>,
    /// When that side was signalled; `None` when armed.
    pub since: Option<UnixMillis>,
    /// When the symbol was last signalled, whatever side.
    pub last_signal_at: Option<UnixMillis>,
}

/// Why a signal came now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The symbol was armed.
    Entered,
    /// The symbol was in the other side.
    Flipped,
    /// The symbol was in this side already, and the lifetime of its signal has ended.
    Renewed,
}

impl Reason {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Flipped => "flipped",
            Self::Renewed => "renewed",
        }
    }
}

/// What a change means to a symbol, given what is remembered of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Armed, and the change is not beyond the threshold.
    Wait,
    /// Armed and beyond the threshold, but too soon after the last signal.
    Cool { until: UnixMillis },
    /// In this side since then, and it goes on.
    Hold(Side, Option<UnixMillis>),
    /// In this side, which ends now: the change fell back.
    Disarm(Side),
    /// Time for a signal.
    Fire(Side, Reason),
}

/// Decides what a change of `change` percent at `now` means.
pub fn step(rule: &Rule, episode: &Episode, change: Decimal, now: UnixMillis) -> Step {
    let pointed = momentum::side(rule, change);
    let Some(side) = episode.side else {
        return match (pointed, cooling_until(rule, episode)) {
            (None, _) => Step::Wait,
            (Some(_), Some(until)) if now < until => Step::Cool { until },
            (Some(side), _) => Step::Fire(side, Reason::Entered),
        };
    };
    match pointed {
        Some(pointed) if pointed != side => Step::Fire(pointed, Reason::Flipped),
        Some(_) if now >= lifetime_end(rule, episode) => Step::Fire(side, Reason::Renewed),
        None if is_inside_exit(rule, side, change) => Step::Disarm(side),
        _ => Step::Hold(side, episode.since),
    }
}

/// What is to be remembered after `step`, of which `fired` says whether it led to a signal.
///
/// A fire that some other gate refused leaves an entry and a renewal as they were, to be tried
/// again; a refused flip ends the old side all the same, because its move has ended.
pub fn next(episode: &Episode, step: Step, fired: bool, now: UnixMillis) -> Episode {
    match step {
        Step::Fire(side, _) if fired => Episode {
            side: Some(side),
            since: Some(now),
            last_signal_at: Some(now),
        },
        Step::Disarm(_) | Step::Fire(_, Reason::Flipped) => Episode {
            side: None,
            since: None,
            last_signal_at: episode.last_signal_at,
        },
        _ => episode.clone(),
    }
}

/// What is remembered, none of it later than `now`. Once the clock was set back, what was
/// remembered of later counts from now on: otherwise a symbol would cool down, or its signal live
/// on, until the clock is there again.
pub fn remembered_at(episode: Episode, now: UnixMillis) -> Episode {
    Episode {
        since: episode.since.map(|at| at.min(now)),
        last_signal_at: episode.last_signal_at.map(|at| at.min(now)),
        ..episode
    }
}

/// Whether the change fell back, with its sign: a LONG whose change is -1.5 % has ended, too.
fn is_inside_exit(rule: &Rule, side: Side, change: Decimal) -> bool {
    change * side.sign() < rule.exit_change_percent
}

fn cooling_until(rule: &Rule, episode: &Episode) -> Option<UnixMillis> {
    Some(episode.last_signal_at?.saturating_add(rule.cooldown_ms))
}

/// When the lifetime of the last signal ends; long ago when no signal is known.
fn lifetime_end(rule: &Rule, episode: &Episode) -> UnixMillis {
    episode
        .last_signal_at
        .or(episode.since)
        .map_or(UnixMillis::MIN, |at| at.saturating_add(rule.lifetime_ms))
}

#[cfg(test)]
mod tests;
