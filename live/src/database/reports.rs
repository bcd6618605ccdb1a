//! What the database answers.

use crate::database::refusal::Refusal;
use crate::signal::{Column, Columns, OutcomeColumn, Row};
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::FromSql;

/// A column of an answer, by its name.
pub fn value<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, name: &str) -> Result<T, Refusal> {
    row.try_get(name)
        .map_err(|error| Refusal::Failed(format!("column {name}: {error}")))
}

/// A page of `signals_since()`, or of rows before a signal.
pub struct Page {
    /// Where the next page of `signals_since()` begins; empty for rows before a signal.
    pub watermark: String,
    /// Whether there are rows on the next page.
    pub more: bool,
    signals: Answer<Column>,
    outcomes: Answer<OutcomeColumn>,
}

impl Page {
    /// The answer to [`super::Statement::SignalsSince`], without outcomes.
    pub(super) fn new(rows: Vec<tokio_postgres::Row>) -> Result<Self, Refusal> {
        let first = rows.first().ok_or(Refusal::Missing)?;
        Ok(Self {
            watermark: value(first, "watermark")?,
            more: value(first, "more")?,
            signals: Answer::new(rows),
            outcomes: Answer::new(Vec::new()),
        })
    }

    /// The answer to [`super::Statement::SignalsBefore`], which was asked for one row more than
    /// `limit`.
    pub(super) fn before(mut rows: Vec<tokio_postgres::Row>, limit: i32) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self {
            watermark: String::new(),
            more,
            signals: Answer::new(rows),
            outcomes: Answer::new(Vec::new()),
        }
    }

    /// Adds the answer to [`super::Statement::OutcomesOf`].
    pub(super) fn add_outcomes(&mut self, rows: Vec<tokio_postgres::Row>) {
        self.outcomes = Answer::new(rows);
    }

    /// The rows as texts, in the order of the answer.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        // An empty page has one row, for the watermark alone.
        let rows = self.signals.rows();
        rows.filter(|row| row.get(Column::UserId).is_some())
    }

    /// The numbers of the signals.
    pub fn signals(&self) -> impl Iterator<Item = i64> {
        self.rows()
            .filter_map(|row| row.get(Column::SignalId)?.parse().ok())
    }

    /// The outcomes that were asked for and are on record.
    pub fn outcomes(&self) -> impl Iterator<Item = Row<'_, OutcomeColumn>> {
        self.outcomes.rows()
    }
}

/// Rows of an answer whose columns are texts.
struct Answer<C> {
    /// Which column of the answer is which of the table.
    columns: Vec<Option<C>>,
    rows: Vec<tokio_postgres::Row>,
}

impl<C: Columns> Answer<C> {
    fn new(rows: Vec<tokio_postgres::Row>) -> Self {
        let columns = rows.first().map(tokio_postgres::Row::columns);
        let columns = columns.unwrap_or_default().iter();
        Self {
            columns: columns.map(|column| C::by_name(column.name())).collect(),
            rows,
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_, C>> {
        self.rows.iter().map(|answer| {
            let mut row = Row::default();
            for (place, column) in self.columns.iter().enumerate() {
                if let Some(column) = column {
                    row.set(*column, answer.try_get(place).unwrap_or_default());
                }
            }
            row
        })
    }
}

/// The marks of a signal, as a JSON object.
pub fn marks(answer: tokio_postgres::Row) -> Vec<u8> {
    let mut out = Vec::new();
    for row in Answer::new(vec![answer]).rows() {
        row.write_mark(&mut out);
    }
    out
}

/// What `signal_health` reports as far as subscribers may know it.
pub struct HealthReport {
    pub generator: Generator,
    /// The database's clock, in seconds since 1970.
    pub clock: f64,
}

/// The state of the generator.
#[derive(PartialEq)]
pub struct Generator {
    pub state: String,
    pub is_healthy: bool,
    /// Its last and next times, a JSON object.
    pub times: String,
}

impl HealthReport {
    /// The answer to [`super::Statement::Health`].
    pub(super) fn new(answer: &tokio_postgres::Row) -> Result<Self, Refusal> {
        Ok(Self {
            generator: Generator {
                state: value(answer, "state")?,
                is_healthy: value(answer, "healthy")?,
                times: value(answer, "times")?,
            },
            clock: value(answer, "clock")?,
        })
    }
}

/// The state of the generator, for operators.
pub struct Condition {
    pub state: String,
    pub is_healthy: bool,
    /// In words, which subscribers must not see.
    pub message: String,
}

impl Condition {
    /// The answer to [`super::Statement::Condition`].
    pub(super) fn new(answer: &tokio_postgres::Row) -> Result<Self, Refusal> {
        Ok(Self {
            state: value(answer, "state")?,
            is_healthy: value(answer, "healthy")?,
            message: value(answer, "message")?,
        })
    }
}

/// A number for monitoring, see `signal_metrics`.
pub struct Metric {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub help: String,
}

impl Metric {
    /// A row of the answer to [`super::Statement::Metrics`].
    pub(super) fn new(answer: &tokio_postgres::Row) -> Result<Self, Refusal> {
        let labels = serde_json::from_str(value(answer, "labels")?);
        Ok(Self {
            name: value(answer, "name")?,
            labels: labels.map_err(|error| Refusal::Failed(format!("column labels: {error}")))?,
            value: value(answer, "value")?,
            help: value(answer, "help")?,
        })
    }
}

/// The state of the log, of the slot and of the publication.
#[derive(Clone, Copy, Debug)]
pub struct LogReport {
    pub ended: Ended,
    /// Of what is published, see [`super::publication::fingerprint`]; `None` when rows would be
    /// missing.
    pub publication: Option<i64>,
    /// Whether a process reads the slot.
    pub is_held: bool,
    /// Bytes of the log that the slot's reader has not confirmed. `None` when there is no slot.
    pub lag: Option<i64>,
}

/// Which transactions had ended when the log ended at `position`.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// On which server: the number of a node, or 0.
    pub server: i32,
    /// Before the database was asked.
    pub asked: Instant,
    /// All transactions below this number.
    pub number: u64,
    /// No transaction had this number yet, nor a higher one.
    pub next: u64,
    /// A place in the log, in bytes.
    pub position: u64,
}

impl LogReport {
    /// The answer to [`super::Statement::LogReport`], which was asked at that time.
    pub(super) fn new(
        answer: &tokio_postgres::Row,
        asked: Instant,
        server: i32,
    ) -> Result<Self, Refusal> {
        let number = |name| value::<i64>(answer, name).map(|n| u64::try_from(n).unwrap_or(0));
        Ok(Self {
            ended: Ended {
                server,
                asked,
                number: number("ended")?,
                next: number("next")?,
                position: number("position")?,
            },
            publication: value(answer, "publication")?,
            is_held: value(answer, "is_held")?,
            lag: value(answer, "lag")?,
        })
    }
}
