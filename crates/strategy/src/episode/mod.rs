//! The memory that makes one signal of one move.
//!
//! ```text
//!              beyond the bound, after the cooldown: fire "entered"
//!   armed  ------------------------------------------------------->  in a side
//!     ^                                                               |  |
//!     |   over, as the strategy says                                  |  | beyond that of the
//!     +---------------------------------------------------------------+  | other side, after
//!     |                                                               |  | the cooldown:
//!     |   beyond that of the other side, during the cooldown          |  | fire "flipped"
//!     +---------------------------------------------------------------+  v
//! ```
//!
//! By the rule, a flip may need no cooldown, and a side that outlives its signal may fire
//! "renewed". The cooldown is the lifetime of the signal unless the rule says a time: then no
//! signal of a symbol comes while its last one lives.

use crate::{Rule, Side, Strategy};
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
    /// Until when that signal is valid.
    pub expires_at: Option<UnixMillis>,
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

/// What a measure means to a symbol, given what is remembered of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Armed, and the measure points to no side.
    Wait,
    /// Armed and pointed to a side, but too soon after the last signal.
    Cool { until: UnixMillis },
    /// Pointed to the other side, but too soon after the last signal: this side ends.
    HoldBack { ended: Side, until: UnixMillis },
    /// In this side since then, and it goes on.
    Hold(Side, Option<UnixMillis>),
    /// In this side, which ends now.
    Disarm(Side),
    /// Time for a signal.
    Fire(Side, Reason),
}

/// Decides what a measure of `strategy` at `now` means.
pub fn step(
    strategy: &dyn Strategy,
    rule: &Rule,
    episode: &Episode,
    measure: Decimal,
    now: UnixMillis,
) -> Step {
    let pointed = strategy.side(rule, measure);
    let Some(side) = episode.side else {
        return match (pointed, cooling_until(rule, episode)) {
            (None, _) => Step::Wait,
            (Some(_), Some(until)) if now < until => Step::Cool { until },
            (Some(side), _) => Step::Fire(side, Reason::Entered),
        };
    };
    match pointed {
        Some(pointed) if pointed != side => match cooling_until(rule, episode) {
            Some(until) if rule.cooldown_flips && now < until => {
                Step::HoldBack { ended: side, until }
            }
            _ => Step::Fire(pointed, Reason::Flipped),
        },
        Some(_) if rule.renew && now >= lifetime_end(rule, episode) => {
            Step::Fire(side, Reason::Renewed)
        }
        _ if strategy.is_over(rule, side, measure) => Step::Disarm(side),
        _ => Step::Hold(side, episode.since),
    }
}

/// What is to be remembered after `step`, of which `signal_expires_at` says whether it led to a
/// signal, and until when that is valid.
///
/// A fire that some other gate refused leaves an entry and a renewal as they were, to be tried
/// again; a refused flip ends the old side all the same, because its move has ended.
pub fn next(
    episode: &Episode,
    step: Step,
    signal_expires_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Episode {
    match step {
        Step::Fire(side, _) if signal_expires_at.is_some() => Episode {
            side: Some(side),
            since: Some(now),
            last_signal_at: Some(now),
            expires_at: signal_expires_at,
        },
        Step::Disarm(_) | Step::HoldBack { .. } | Step::Fire(_, Reason::Flipped) => Episode {
            side: None,
            since: None,
            ..episode.clone()
        },
        _ => episode.clone(),
    }
}

/// What is remembered, none of it later than `now`. Once the clock was set back, what was
/// remembered of later counts from now on: otherwise a symbol would cool down, or its signal live
/// on, until the clock is there again.
pub fn remembered_at(episode: Episode, now: UnixMillis) -> Episode {
    let ahead = episode
        .last_signal_at
        .map_or(0, |at| at.saturating_sub(now).max(0));
    Episode {
        since: episode.since.map(|at| at.min(now)),
        last_signal_at: episode.last_signal_at.map(|at| at.min(now)),
        expires_at: episode.expires_at.map(|at| at.saturating_sub(ahead)),
        ..episode
    }
}

fn cooling_until(rule: &Rule, episode: &Episode) -> Option<UnixMillis> {
    let last_signal_at = episode.last_signal_at?;
    Some(match rule.cooldown_ms {
        Some(cooldown) => last_signal_at.saturating_add(cooldown),
        None => lifetime_end(rule, episode),
    })
}

/// When the lifetime of the last signal ends; long ago when no signal is known. A lifetime that is
/// the same for all signals is the rule's as it is now, one that differs is remembered.
fn lifetime_end(rule: &Rule, episode: &Episode) -> UnixMillis {
    let Some(began) = episode.last_signal_at.or(episode.since) else {
        return UnixMillis::MIN;
    };
    match rule.lifetime_by_range {
        Some(lifetime) => episode
            .expires_at
            .unwrap_or(began.saturating_add(lifetime.cap_ms)),
        None => began.saturating_add(rule.lifetime_ms),
    }
}

#[cfg(test)]
mod tests;
