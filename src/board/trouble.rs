//! What troubles a worker, by the kind of work that failed: only the same kind of work going well
//! clears it.

use super::short_text::ShortText;

/// A kind of work of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Reading the settings.
    Configuring,
    /// Finding the extension, and what else comes before a run.
    Preparing,
    /// Reading rules and symbols that a run can work with.
    Reading,
    /// Runs of the cycle, up to the record of their signals.
    Running,
    /// Fan-outs of signals.
    Delivering,
    /// Settling outcomes by candles.
    Settling,
    /// Putting failed calls by hand on record.
    RecordingCalls,
    /// Looking at adopted subscriptions that ended.
    Adopting,
    /// The purge of the history of runs.
    PurgingRuns,
    /// The purge of signals.
    PurgingSignals,
}

impl Work {
    /// All kinds; the first that is in trouble is shown first.
    pub const ALL: [Self; 10] = [
        Self::Configuring,
        Self::Preparing,
        Self::Reading,
        Self::Running,
        Self::Delivering,
        Self::Settling,
        Self::RecordingCalls,
        Self::Adopting,
        Self::PurgingRuns,
        Self::PurgingSignals,
    ];

    /// What the kind is called in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuring => "reading settings",
            Self::Preparing => "preparing",
            Self::Reading => "reading rules and symbols",
            Self::Running => "running",
            Self::Delivering => "delivering",
            Self::Settling => "settling outcomes",
            Self::RecordingCalls => "recording calls by hand",
            Self::Adopting => "following adopted subscriptions",
            Self::PurgingRuns => "purging runs",
            Self::PurgingSignals => "purging signals",
        }
    }
}

/// The last error of each kind of work that is in trouble.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles([ShortText; Work::ALL.len()]);

impl Troubles {
    /// Notes the error of a kind of work; an empty text clears it. Returns whether that changed
    /// anything.
    pub fn set(&mut self, work: Work, error: &str) -> bool {
        let error = ShortText::new(error);
        let place = &mut self.0[work as usize];
        let changed = place.get() != error.get();
        *place = error;
        changed
    }

    /// Whether a kind of work is in trouble.
    pub fn is_set(&self, work: Work) -> bool {
        self.0[work as usize].get().is_some()
    }

    /// All errors in one line; `None` without any.
    pub fn line(&self) -> Option<String> {
        let errors: Vec<String> = Work::ALL
            .iter()
            .filter_map(|work| self.0[*work as usize].get())
            .collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_kind_of_work_clears_its_trouble() {
        let mut troubles = Troubles::default();
        assert!(troubles.set(Work::PurgingSignals, "no replica identity"));
        assert!(troubles.set(Work::Running, "no exchange"));
        assert!(!troubles.set(Work::Running, "no exchange"));
        assert_eq!(
            troubles.line().as_deref(),
            Some("no exchange; no replica identity")
        );
        assert!(troubles.set(Work::Running, ""));
        assert!(!troubles.set(Work::Delivering, ""));
        assert_eq!(troubles.line().as_deref(), Some("no replica identity"));
        assert!(troubles.set(Work::PurgingSignals, ""));
        assert_eq!(troubles.line(), None);
    }

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (place, work) in Work::ALL.iter().enumerate() {
            assert_eq!(*work as usize, place);
        }
    }
}
