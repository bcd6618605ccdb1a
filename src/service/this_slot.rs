//! The slot of this worker's database on the board, and what is shown there.

use crate::board::failed_calls;
use crate::board::slots::{self, Phase, Slot};
use crate::board::stops;
use crate::board::trouble::Work;
use crate::postgres::Failure;
use crate::postgres::report::warn;
use pgrx::prelude::*;

/// A copy of the slot.
pub fn this_slot() -> Slot {
    slots::slot(slots::this_database()).unwrap_or_default()
}

pub fn update_slot(change: impl FnOnce(&mut Slot)) {
    slots::update(slots::this_database(), change);
}

pub fn leave_as(phase: Phase) {
    update_slot(|slot| slot.phase = phase);
}

/// Forgets the failed calls of an extension that is gone, and what exchanges said to these.
pub fn forget_failed_calls() {
    failed_calls::remove_notes(&failed_calls::notes_of(slots::this_database()));
    stops::forget();
}

/// Shows what went wrong in signal_health, and logs it unless it was logged before.
pub fn report(work: Work, failure: &Failure) {
    let line = failure.line_with_remedy();
    let mut is_new = false;
    update_slot(|slot| is_new = slot.troubles.set(work, &line));
    if is_new {
        warn(&format!(
            "signal_hub: {line} (SQLSTATE {})",
            failure.sqlstate
        ));
    }
}

/// Clears the trouble of a kind of work that went well.
pub fn recovered(work: Work) {
    let mut was_in_trouble = false;
    update_slot(|slot| was_in_trouble = slot.troubles.set(work, ""));
    if was_in_trouble {
        log!("signal_hub: recovered ({})", work.name());
    }
}
