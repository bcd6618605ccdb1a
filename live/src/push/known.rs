//! Who has push subscriptions, so that a row of anybody else costs nothing.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A list that was asked for before somebody was added does not take them out again.
const STAYS: Duration = Duration::from_secs(60);

/// See the head of this file.
#[derive(Default)]
pub struct Known(RwLock<Users>);

#[derive(Default)]
struct Users {
    all: HashSet<Uuid>,
    /// Who was added lately, and when.
    added: HashMap<Uuid, Instant>,
}

impl Known {
    /// Whether a subscriber has subscriptions.
    pub fn has(&self, user: &Uuid) -> bool {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.all.contains(user)
    }

    /// A subscriber has one from now on.
    pub fn add(&self, user: Uuid) {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        users.all.insert(user);
        users.added.insert(user, Instant::now());
    }

    /// All who have, by the database.
    pub fn replace(&self, all: HashSet<Uuid>) {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        users.added.retain(|_, at| at.elapsed() < STAYS);
        users.all = all;
        let added: Vec<Uuid> = users.added.keys().copied().collect();
        users.all.extend(added);
    }

    /// How many.
    pub fn count(&self) -> usize {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_just_added_stays() {
        let known = Known::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        known.add(one);
        known.replace(HashSet::from([other]));
        assert!(known.has(&one) && known.has(&other));
        assert_eq!(known.count(), 2);
        assert!(!known.has(&Uuid::from_u128(3)));
    }
}
