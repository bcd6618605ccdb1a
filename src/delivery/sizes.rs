//! How large and how careful the batches of a fan-out are.

use super::Role;
use super::layout::Layout;
use crate::settings;

/// Subscribers per batch of a fan-out inside a caller's transaction: nothing shows before that
/// commits, so there is no reason for small ones, except that the postmaster is looked for between
/// two. The same for subscribers who changed, when one of them may be refused.
pub const LARGE_BATCH: i64 = 20_000;
/// Batches in a range, when ranges are shared among processes.
const BATCHES_PER_RANGE: i64 = 5;

/// How large batches are in this fan-out.
pub struct Sizes {
    /// Subscribers in a batch.
    pub batch: i64,
    /// Subscribers in a range, when processes share the fan-out; one alone takes all there are.
    pub shared_range: Option<i64>,
}

impl Sizes {
    pub fn of(role: Role, layout: &dyn Layout) -> Self {
        let batch = layout.batch(settings::delivery_batch());
        match role {
            Role::Caller => Self {
                batch: batch.max(LARGE_BATCH),
                shared_range: None,
            },
            Role::Worker | Role::Helper => Self {
                batch,
                shared_range: (settings::delivery_workers() > 1)
                    .then_some(batch * BATCHES_PER_RANGE),
            },
        }
    }
}

/// How carefully a batch is written: each refusal halves it, each success doubles it again.
#[derive(Clone, Copy, Default)]
pub struct Care {
    halvings: u32,
}

impl Care {
    pub fn is_taken(self) -> bool {
        self.halvings > 0
    }

    pub fn size_of(self, full_batch: i64) -> i64 {
        (full_batch >> self.halvings.min(62)).max(1)
    }

    pub fn take_more(&mut self) {
        self.halvings += 1;
    }

    /// After a batch that took too long: each attempt at a smaller one may cost as much time.
    pub fn take_much_more(&mut self) {
        self.halvings += 6;
    }

    pub fn take_less(&mut self) {
        self.halvings = self.halvings.saturating_sub(1);
    }
}
