//! Tells the database who is watching, so that a fan-out serves them first, and who of them looks at
//! the page, so that no other service notifies them.
//!
//! Who leaves stays entered for a while: most come back at once, as after a reload, and a fan-out
//! that is under way counts on the entry. So nothing is cleared at the start either until that
//! while has passed. Everything is entered again from time to time, as the table does not survive
//! a crash of the server.

use crate::app::App;
use crate::database::WatchersChange as Change;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;
use uuid::Uuid;

/// Changes are collected for this long.
const COLLECT: Duration = Duration::from_millis(50);
/// How long who left stays entered.
const LINGER: Duration = Duration::from_secs(60);
/// Between two looks for those who left.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Between two times that everything is entered again, and after a failure.
const ENTER_ALL_EVERY: Duration = Duration::from_secs(60);

/// Keeps the entries until the service ends.
pub async fn keep(app: Arc<App>) {
    let mut entries = Entries::new(Instant::now());
    let mut last_failure = String::new();
    loop {
        tokio::select! {
            () = app.fan_out.changed() => tokio::time::sleep(COLLECT).await,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.ending() => return,
        }
        let now = Instant::now();
        let change = entries.look(&app.fan_out.subscribers(), app.fan_out.in_view(now), now);
        let Some(change) = change else {
            continue;
        };
        let failure = match app.database.keep_watchers(&change).await {
            Ok(true) => String::new(),
            Ok(false) => "the login has no REPLICATION".to_owned(),
            Err(why) => why.to_string(),
        };
        entries.entered(failure.is_empty());
        if failure != last_failure {
            if !failure.is_empty() {
                warn!("the database is not told who is watching: {failure}");
            }
            last_failure = failure;
        }
    }
}

/// Who is entered, and since when those are gone who are.
struct Entries {
    users: HashMap<Uuid, Option<Instant>>,
    /// Who of them is entered as looking at the page.
    in_view: HashSet<Uuid>,
    all_due: Instant,
    has_cleared: bool,
}

impl Entries {
    fn new(now: Instant) -> Self {
        Self {
            users: HashMap::new(),
            in_view: HashSet::new(),
            all_due: now + LINGER,
            has_cleared: false,
        }
    }

    /// What has changed; `None` when there is nothing to tell.
    fn look(&mut self, watching: &[Uuid], in_view: HashSet<Uuid>, now: Instant) -> Option<Change> {
        let here: HashSet<Uuid> = watching.iter().copied().collect();
        let mut new = Vec::new();
        for user in &here {
            if self.users.insert(*user, None).is_none() {
                new.push(*user);
            }
        }
        let mut gone = Vec::new();
        self.users.retain(|user, left| {
            if here.contains(user) {
                return true;
            }
            let stays = now < *left.get_or_insert(now) + LINGER;
            if !stays {
                gone.push(*user);
            }
            stays
        });
        let before = std::mem::replace(&mut self.in_view, in_view);
        if now >= self.all_due {
            self.all_due = now + ENTER_ALL_EVERY;
            if self.has_cleared && self.users.is_empty() && gone.is_empty() {
                return None;
            }
            let others = self.users.keys().filter(|u| !self.in_view.contains(*u));
            return Some(Change {
                watching: self.users.keys().copied().collect(),
                gone: None,
                in_view: self.in_view.iter().copied().collect(),
                out_of_view: others.copied().collect(),
            });
        }
        let change = Change {
            watching: new,
            gone: Some(gone),
            in_view: self.in_view.difference(&before).copied().collect(),
            out_of_view: before.difference(&self.in_view).copied().collect(),
        };
        (!change.is_empty()).then_some(change)
    }

    /// After a failure, everything is told at the next time for that.
    fn entered(&mut self, is_done: bool) {
        self.has_cleared = is_done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn users(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().copied().map(user).collect()
    }

    fn change(watching: &[u128], gone: Option<&[u128]>) -> Option<Change> {
        Some(Change {
            watching: users(watching),
            gone: gone.map(users),
            in_view: Vec::new(),
            out_of_view: match gone {
                Some(_) => Vec::new(),
                None => users(watching),
            },
        })
    }

    #[test]
    fn who_comes_is_told_at_once_and_who_leaves_a_minute_later() {
        let start = Instant::now();
        let mut entries = Entries::new(start);
        let mut at = |seconds, watching: &[u128]| {
            let at = start + Duration::from_secs(seconds);
            let told = entries.look(&users(watching), HashSet::new(), at);
            entries.entered(true);
            told
        };
        assert_eq!(at(1, &[]), None);
        assert_eq!(at(2, &[7]), change(&[7], Some(&[])));
        assert_eq!(at(3, &[7]), None);
        assert_eq!(at(10, &[]), None, "it may come back");
        assert_eq!(at(20, &[7]), None, "it did");
        assert_eq!(at(30, &[]), None);
        assert_eq!(
            at(60, &[]),
            change(&[7], None),
            "what others left is cleared"
        );
        assert_eq!(at(91, &[]), change(&[], Some(&[7])));
        assert_eq!(at(121, &[]), None, "nothing is there");
        assert_eq!(at(122, &[8]), change(&[8], Some(&[])));
        assert_eq!(at(182, &[8]), change(&[8], None), "again, after a crash");
    }

    #[test]
    fn who_looks_at_the_page_is_told_when_that_changes() {
        let start = Instant::now();
        let mut entries = Entries::new(start);
        let mut at = |seconds, in_view: &[u128]| {
            let in_view = users(in_view).into_iter().collect();
            let told = entries.look(
                &users(&[7, 8]),
                in_view,
                start + Duration::from_secs(seconds),
            );
            told.map(|told| (told.in_view, told.out_of_view))
        };
        assert!(at(1, &[]).is_some(), "they have come");
        assert_eq!(at(2, &[7]), Some((users(&[7]), vec![])));
        assert_eq!(at(3, &[7]), None);
        assert_eq!(at(60, &[7]), Some((users(&[7]), users(&[8]))), "all");
        assert_eq!(at(61, &[]), Some((vec![], users(&[7]))));
    }
}
