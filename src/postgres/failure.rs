//! Errors in PostgreSQL's terms. Every SQLSTATE of the extension passes here.

use super::{encoding, report, sqlstate};
use market::MarketError;
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

impl From<MarketError> for Failure {
    fn from(error: MarketError) -> Self {
        Self::new(sqlstate_of(&error), error.message())
            .detail(error.detail())
            .hint(hint_of(&error))
    }
}

/// The SQLSTATE of an error of the exchange or the way to it.
fn sqlstate_of(error: &MarketError) -> &'static str {
    match error {
        // invalid_parameter_value
        MarketError::BadUrl(_) | MarketError::BadCaFile { .. } => "22023",
        // sqlclient_unable_to_establish_sqlconnection
        MarketError::Unreachable(_) => "08001",
        // connection_failure
        MarketError::CutOff(_) | MarketError::TimedOut(_) => "08006",
        // sqlserver_rejected_establishment_of_sqlconnection
        MarketError::LeftAlone { .. } => "08004",
        // protocol_violation
        MarketError::HttpStatus { .. }
        | MarketError::TooLarge { .. }
        | MarketError::NotJson { .. }
        | MarketError::Rejected { .. }
        | MarketError::NoCandles { .. }
        | MarketError::BadCandles(_) => "08P01",
        // feature_not_supported
        MarketError::NoSuchInterval { .. } => "0A000",
    }
}

/// What to do about an error of the exchange or the way to it, in full sentences.
fn hint_of(error: &MarketError) -> &'static str {
    match error {
        MarketError::BadUrl(_) => {
            "Set signal_hub.exchange_url to an https URL without user name, password or query. \
             Plain http is accepted for loopback addresses only."
        }
        MarketError::BadCaFile { .. } => {
            "Set signal_hub.ca_file to a PEM file with CA certificates that the server can \
             read, or leave it empty to trust the system's certificates."
        }
        MarketError::Unreachable(_) => {
            "Check that this server can reach the host in signal_hub.exchange_url through DNS \
             and firewalls. If its certificate is refused, see signal_hub.ca_file."
        }
        MarketError::CutOff(_) => {
            "This usually passes by itself. If it does not, check the network between this \
             server and the host in signal_hub.exchange_url."
        }
        MarketError::TimedOut(_) => {
            "Check that this server can reach the host in signal_hub.exchange_url, or raise \
             signal_hub.http_timeout if the network is slow."
        }
        MarketError::LeftAlone { status: 451, .. } => {
            "The exchange does not serve this location. Set signal_hub.exchange_url to a host \
             that does."
        }
        MarketError::LeftAlone { status: 403, .. } => {
            "The exchange's firewall refuses this server. Wait, or set \
             signal_hub.exchange_url to another host of the exchange."
        }
        MarketError::LeftAlone { .. } => {
            "The request limit counts everything that uses this server's IP address. If this \
             comes back, raise signal_hub.interval."
        }
        MarketError::HttpStatus {
            status: 300..=399, ..
        } => {
            "Redirects are not followed. Set signal_hub.exchange_url to the address that the \
             exchange really has."
        }
        MarketError::HttpStatus {
            status: 500..=599, ..
        } => "The fault is on the exchange's side and usually passes by itself.",
        MarketError::HttpStatus { .. }
        | MarketError::NotJson { .. }
        | MarketError::NoCandles { .. }
        | MarketError::BadCandles(_)
        | MarketError::NoSuchInterval { .. } => {
            "Check that signal_hub.exchange_url is the base URL of a Binance-compatible REST \
             API and that nothing in between, such as a captive portal, answers in its place."
        }
        MarketError::TooLarge { .. } => {
            "Raise signal_hub.http_max_body. The list of all symbols of a large exchange is \
             over one megabyte."
        }
        MarketError::Rejected { .. } => {
            "Check the symbols in signal_symbols, and that signal_hub.exchange_url is the base \
             URL of a Binance-compatible REST API."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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

    #[test]
    fn every_error_of_the_market_has_a_sqlstate_and_a_hint_in_full_sentences() {
        let body = String::new();
        let stop = |status| MarketError::LeftAlone {
            status,
            code: None,
            retry_after: None,
            body: body.clone(),
        };
        let status = |status| MarketError::HttpStatus {
            status,
            body: body.clone(),
        };
        let reason = body.clone();
        let path = body.clone();
        let message = body.clone();
        for (error, sqlstate) in [
            (MarketError::BadUrl(body.clone()), "22023"),
            (MarketError::BadCaFile { path, reason }, "22023"),
            (MarketError::Unreachable(body.clone()), "08001"),
            (MarketError::CutOff(body.clone()), "08006"),
            (MarketError::TimedOut(Duration::from_secs(1)), "08006"),
            (stop(429), "08004"),
            (stop(418), "08004"),
            (stop(403), "08004"),
            (stop(451), "08004"),
            (status(302), "08P01"),
            (status(404), "08P01"),
            (status(502), "08P01"),
            (MarketError::TooLarge { limit: 1000 }, "08P01"),
            (
                MarketError::NotJson {
                    reason: body.clone(),
                    body: body.clone(),
                },
                "08P01",
            ),
            (
                MarketError::Rejected {
                    code: "1".to_owned(),
                    message,
                },
                "08P01",
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.sqlstate, sqlstate, "{}", failure.message);
            let hint = failure.hint.unwrap_or_default();
            assert!(hint.starts_with(char::is_uppercase), "{hint}");
            assert!(hint.ends_with('.'), "{hint}");
        }
    }
}
