//! When something is told: once a state has lasted, and not too often.

use std::time::{Duration, Instant, SystemTime};

/// How things are.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// A word, such as those of `signal_health`.
    pub state: String,
    /// Whether nothing needs a person.
    pub is_healthy: bool,
    /// The state in words.
    pub message: String,
}

impl Condition {
    /// Something that needs a person.
    pub fn bad(state: &str, message: String) -> Self {
        Self {
            state: state.to_owned(),
            is_healthy: false,
            message,
        }
    }
}

/// What is to be told.
#[derive(Debug, PartialEq)]
pub struct Change {
    pub now: Condition,
    /// What was told before.
    pub before: Condition,
    /// Since when it has been as it is now.
    pub since: SystemTime,
    /// For how long it was as it was told before.
    pub lasted: Duration,
}

impl Change {
    /// In words, for the log.
    pub fn words(&self) -> String {
        format!(
            "{} after {}: {}",
            self.now.state, self.before.state, self.now.message
        )
    }
}

/// What was seen and told so far.
pub struct Watch {
    after: Duration,
    quiet: Duration,
    told: Condition,
    told_since: Instant,
    seen: Condition,
    seen_since: (Instant, SystemTime),
    /// Since when things have been well, or not, by whatever words.
    turned: (Instant, SystemTime),
    last: Option<Instant>,
}

impl Watch {
    /// Of things that are well. What changes is told when it has lasted for `after`, and no sooner
    /// than `quiet` after what was told last.
    pub fn new(after: Duration, quiet: Duration) -> Self {
        let well = Condition {
            state: "running".to_owned(),
            is_healthy: true,
            message: String::new(),
        };
        let now = (Instant::now(), SystemTime::now());
        Self {
            after,
            quiet,
            told: well.clone(),
            told_since: now.0,
            seen: well,
            seen_since: now,
            turned: now,
            last: None,
        }
    }

    /// Takes what is seen now; `None` where nothing new could be seen. Returns what is to be told.
    pub fn take(&mut self, now: Instant, condition: Option<Condition>) -> Option<Change> {
        if let Some(condition) = condition {
            self.see(now, condition);
        }
        // A trouble may have one name now and another one in a moment. To be told that there is
        // one, it need not keep its name; to be told of another one after that, it must.
        let since = match self.seen.is_healthy == self.told.is_healthy {
            true => self.seen_since,
            false => self.turned,
        };
        let has_lasted = now.duration_since(since.0) >= self.after;
        let is_quiet = self
            .last
            .is_some_and(|last| now.duration_since(last) < self.quiet);
        if is_same(&self.seen, &self.told) || !has_lasted || is_quiet {
            return None;
        }
        let before = std::mem::replace(&mut self.told, self.seen.clone());
        let told_since = std::mem::replace(&mut self.told_since, since.0);
        self.last = Some(now);
        Some(Change {
            now: self.seen.clone(),
            before,
            since: since.1,
            lasted: since.0.duration_since(told_since),
        })
    }

    fn see(&mut self, now: Instant, condition: Condition) {
        let began = (now, SystemTime::now());
        if condition.is_healthy != self.seen.is_healthy {
            self.turned = began;
        }
        if !is_same(&condition, &self.seen) {
            self.seen_since = began;
        }
        self.seen = condition;
    }
}

/// Nobody needs to know of a change from one healthy state to another.
fn is_same(one: &Condition, other: &Condition) -> bool {
    one.is_healthy && other.is_healthy || one.state == other.state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_what_flickers_is_not() {
        let (after, quiet) = (Duration::from_secs(30), Duration::from_secs(300));
        let mut watch = Watch::new(after, quiet);
        let start = Instant::now();
        let mut told = Vec::new();
        let well = Condition {
            state: "starting".to_owned(),
            is_healthy: true,
            message: String::new(),
        };
        for second in 0..1200_u64 {
            let condition = match second {
                // For a moment only.
                10..20 => Condition::bad("stopped", "no worker".to_owned()),
                100..160 => Condition::bad("failing", format!("error {second}")),
                // Within the quiet period: told at its end, as it is then.
                160..200 => well.clone(),
                200..900 => Condition::bad("blind", "no ticker".to_owned()),
                _ => well.clone(),
            };
            let now = start + Duration::from_secs(second);
            if let Some(change) = watch.take(now, Some(condition)) {
                told.push((
                    second,
                    change.before.state,
                    change.now.state,
                    change.lasted.as_secs(),
                ));
            }
        }
        let expected = [
            (130, "running", "failing", 100),
            (430, "failing", "blind", 100),
            (930, "blind", "starting", 700),
        ];
        let expected = expected.map(|(second, before, now, lasted)| {
            (second, before.to_owned(), now.to_owned(), lasted)
        });
        assert_eq!(told, expected);
    }

    /// A database that hangs: some questions wait for a connection, others for an answer.
    #[test]
    fn a_trouble_that_changes_its_name_is_told_in_time_and_only_once() {
        let (after, quiet) = (Duration::from_secs(30), Duration::from_secs(60));
        let mut watch = Watch::new(after, quiet);
        let start = Instant::now();
        let mut told = Vec::new();
        for second in 0..600_u64 {
            let condition = match second % 15 {
                0..5 => Some(Condition::bad("database_away", "no answer".to_owned())),
                5..10 => Some(Condition::bad("database_failing", "an error".to_owned())),
                _ => None,
            };
            let change = watch.take(start + Duration::from_secs(second), condition);
            told.extend(change.map(|change| (second, change.now.state, change.lasted.as_secs())));
        }
        assert_eq!(told, [(30, "database_away".to_owned(), 0)]);
    }
}
