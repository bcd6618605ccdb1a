//! Errors in PostgreSQL's terms. Every SQLSTATE of the extension passes here.

use super::{encoding, report, sqlstate};
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::prelude::*;
use pgrx::spi::SpiError;
use std::borrow::Cow;

/// An error with everything PostgreSQL says about one.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Five characters, as in the manual's appendix.
    pub sqlstate: Cow<'static, str>,
    /// Lower case, no period.
    pub message: String,
    /// A full sentence.
    pub detail: Option<String>,
    /// A full sentence that says what to do.
    pub hint: Option<String>,
}

/// How the message of [`Failure::slow_code`] begins.
const SLOW_CODE: &str = "code that ";

impl Failure {
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self {
            sqlstate: sqlstate.into(),
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// XX000: something that cannot happen did.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("XX000", message)
    }

    /// 58000: the operating system refused.
    pub fn io(what: &str, error: &std::io::Error) -> Self {
        Self::new("58000", format!("could not create {what}: {error}"))
    }

    /// 55000: the extension is not there, or not as this library needs it.
    pub fn not_in_state(message: impl Into<String>) -> Self {
        Self::new("55000", message)
    }

    /// 22003: a number of a table does not fit the arithmetic.
    pub fn out_of_range(what: &str) -> Self {
        Self::new("22003", format!("{what} is out of range"))
            .detail("At most 28 significant digits can be worked with.")
    }

    /// 0A000: a run has to see what others committed before it, quotas above all.
    pub fn one_snapshot() -> Self {
        Self::new(
            "0A000",
            "cannot run generate_signals_now() in a transaction of isolation level repeatable read or serializable",
        )
        .hint("Use isolation level read committed.")
    }

    /// 42501: the fan-out, which runs as the owner, would not see everybody.
    pub fn hidden_rows(tables: &str) -> Self {
        Self::new(
            "42501",
            format!("row-level security hides rows of {tables} from the owner"),
        )
        .detail("Signals are delivered as the owner of the tables, who has to see all subscribers.")
        .hint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or give the owner BYPASSRLS.")
    }

    /// 22023: what is wrong with settings, each with what to do.
    pub fn bad_settings(troubles: String) -> Self {
        Self::new("22023", troubles)
    }

    /// 55P03: the lock that makes cycles exclude each other is taken.
    pub fn another_cycle() -> Self {
        Self::new("55P03", "another cycle is running in this database")
    }

    /// 55P03: DROP DATABASE or the like waits for this session to go.
    pub fn database_is_wanted() -> Self {
        Self::new(
            "55P03",
            "somebody waits for all sessions to leave this database",
        )
    }

    /// Whether a lock on a table or row was waited for in vain, rather than one of ours.
    pub fn is_lock_timeout(&self) -> bool {
        self.is_lock_not_available()
            && ![Self::another_cycle(), Self::database_is_wanted()]
                .iter()
                .any(|ours| ours.message == self.message)
    }

    /// P0001: what others have put on a table of theirs did not end in time.
    pub fn slow_code(role: &str, seconds: u64) -> Self {
        Self::new(
            "P0001",
            format!("{SLOW_CODE}{role} put on a table took longer than {seconds} s"),
        )
        .hint("Look at the triggers of the table that signals are copied to.")
    }

    /// Whether it is that one.
    pub fn is_of_slow_code(&self) -> bool {
        self.sqlstate == "P0001" && self.message.starts_with(SLOW_CODE)
    }

    /// Adds to a refused permission as whom the work was done.
    pub fn refused_to(self, role: &str) -> Self {
        if self.sqlstate != "42501" || self.detail.is_some() {
            return self;
        }
        self.detail(format!(
            "This is done as role {role}, the owner of user_signals."
        ))
        .hint(
            "Give all tables of the extension the same owner, or grant that role what is missing.",
        )
    }

    /// Whether somebody canceled the statement, or its timeout did: then it ends, whatever else
    /// could go on.
    pub fn is_canceled(&self) -> bool {
        self.sqlstate == "57014"
    }

    /// Whether somebody else has a lock that is needed: no error for a worker, which tries again.
    pub fn is_lock_not_available(&self) -> bool {
        self.sqlstate == "55P03"
    }

    /// Whether the blame lies with the row that was being written, so that the next row may fare
    /// better: data exceptions (22), integrity constraints (23), views WITH CHECK OPTION (44),
    /// and what a trigger raises by RAISE EXCEPTION, whatever SQLSTATE it gives it. Anything else,
    /// a missing table in a trigger say, would hit every row.
    pub fn is_of_the_row(&self) -> bool {
        ["22", "23", "44"]
            .iter()
            .any(|class| self.sqlstate.starts_with(class))
            || sqlstate::is_raised_by_a_function(&self.sqlstate)
    }

    /// Whether the blame lies with the table that was being written, what users put on it included,
    /// so that another table may fare better: what a statement or a function says is wrong. Neither
    /// a lock, nor the server and its resources, nor a request to stop.
    pub fn is_of_the_table(&self) -> bool {
        ["0A", "20", "21", "2F", "38", "39", "42"]
            .iter()
            .any(|class| self.sqlstate.starts_with(class))
            || self.sqlstate == "55000"
    }

    /// Whether something that cannot happen did.
    pub fn is_internal(&self) -> bool {
        self.sqlstate == "XX000"
    }

    /// One line without a final period: message, then detail.
    pub fn line(&self) -> String {
        let line = match &self.detail {
            Some(detail) => format!("{}: {}", self.message, detail.trim_end_matches('.')),
            None => self.message.clone(),
        };
        encoding::prose(&line)
    }

    /// [`Failure::line`], and what to do where that is to change a setting.
    pub fn line_with_remedy(&self) -> String {
        match &self.hint {
            Some(hint) if self.sqlstate == "22023" => {
                format!("{}. {}", self.line(), hint.trim_end_matches('.'))
            }
            _ => self.line(),
        }
    }

    /// Raises the failure as a PostgreSQL ERROR.
    pub fn raise(self) -> ! {
        report::replace_parts_of_error(&self);
        let mut report = ErrorReport::new(
            sqlstate::pack(&self.sqlstate).into(),
            self.message,
            "signal_hub",
        );
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

impl From<CaughtError> for Failure {
    fn from(caught: CaughtError) -> Self {
        let unknown = matches!(caught, CaughtError::PostgresError(_))
            .then(report::unknown_sqlstate)
            .flatten();
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        }) = caught;
        let [message, detail, hint] =
            report::texts_of_caught(report.message()).unwrap_or_else(|| {
                // Without the backtrace that pgrx adds when the server's environment asks for
                // one: users have no use for it.
                [Some(report.message()), report.detail(), report.hint()]
                    .map(|text| text.map(str::to_owned))
            });
        Self {
            sqlstate: unknown
                .unwrap_or_else(|| sqlstate::unpack(report.sql_error_code() as i32))
                .into(),
            message: message.unwrap_or_default(),
            detail,
            hint,
        }
    }
}

impl From<SpiError> for Failure {
    fn from(error: SpiError) -> Self {
        Self::internal(format!("unexpected result of an internal query: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_timeout_is_not_the_rows_fault_but_a_constraint_is() {
        assert!(!Failure::new("55P03", "x").is_of_the_row());
        assert!(Failure::new("23514", "x").is_of_the_row());
        assert!(Failure::new("P0001", "x").is_of_the_row());
        assert!(Failure::new("PT402", "x").is_of_the_row());
        assert!(!Failure::new("42P01", "x").is_of_the_row());
        assert!(Failure::new("42P01", "x").is_of_the_table());
        for stops_everything in ["55P03", "57014", "53100", "58030", "XX000", "40P01"] {
            let failure = Failure::new(stops_everything, "x");
            assert!(!failure.is_of_the_table() && !failure.is_of_the_row());
        }
    }
}
