//! The rows of `user_signals` and of `signal_outcomes` in messages of pgoutput, protocol version 1,
//! text format. See "Logical Replication Message Formats" in PostgreSQL's documentation.
//!
//! Written by hand because a fan-out writes hundreds of thousands of rows a second, nearly all for
//! subscribers who are not connected: of those only the user is read. Libraries decode every
//! column of every row into values of their own.

use crate::signal::{Column, Columns, OutcomeColumn, Row};
use thiserror::Error;
use uuid::Uuid;

/// What a message says.
pub enum Change<'a> {
    /// A new row of `user_signals`.
    Inserted(Tuple<'a, Column>),
    /// A changed row of `user_signals`.
    Updated(Tuple<'a, Column>),
    /// A row of `signal_outcomes`, new or changed.
    Outcome(Tuple<'a, OutcomeColumn>),
}

/// The tables that are followed, as the stream describes them.
pub struct Tables {
    schema: String,
    signals: Option<Layout<Column>>,
    outcomes: Option<Layout<OutcomeColumn>>,
}

struct Layout<C> {
    relation: usize,
    /// The columns of the table in its order; `None` for those that are not used.
    columns: Vec<Option<C>>,
    /// The place of the key among them.
    key: usize,
}

/// A row that was not decoded yet.
pub struct Tuple<'a, C> {
    values: Bytes<'a>,
    layout: &'a Layout<C>,
}

/// A message that is not as documented.
#[derive(Debug, Error)]
#[error("a message of the replication stream is malformed")]
pub struct Malformed;

impl Tables {
    /// Those of the schema.
    pub fn new(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            signals: None,
            outcomes: None,
        }
    }

    /// Reads a message; `None` when it is not about a row of the tables.
    pub fn read<'a>(&'a mut self, message: &'a [u8]) -> Result<Option<Change<'a>>, Malformed> {
        let mut bytes = Bytes(message);
        match bytes.byte()? {
            b'R' => self.describe(bytes).map(|()| None),
            kind @ (b'I' | b'U') => {
                let relation = bytes.number::<4>()?;
                if let Some(layout) = known(&self.signals, relation) {
                    let tuple = Tuple::new(bytes, layout)?;
                    return Ok(Some(match kind {
                        b'I' => Change::Inserted(tuple),
                        _ => Change::Updated(tuple),
                    }));
                }
                let outcomes = known(&self.outcomes, relation);
                let tuple = outcomes.map(|layout| Tuple::new(bytes, layout));
                Ok(tuple.transpose()?.map(Change::Outcome))
            }
            _ => Ok(None),
        }
    }

    fn describe(&mut self, mut bytes: Bytes) -> Result<(), Malformed> {
        let relation = bytes.number::<4>()?;
        let (schema, name) = (bytes.text()?, bytes.text()?);
        if schema != self.schema {
            return Ok(());
        }
        bytes.byte()?;
        if name == Column::TABLE {
            self.signals = Some(Layout::read(relation, bytes)?);
        } else if name == OutcomeColumn::TABLE {
            // A part of its columns could show an outcome as what it is not.
            let layout = Layout::read(relation, bytes)?;
            self.outcomes = Some(layout).filter(Layout::is_whole);
        }
        Ok(())
    }
}

fn known<C>(layout: &Option<Layout<C>>, relation: usize) -> Option<&Layout<C>> {
    layout.as_ref().filter(|layout| layout.relation == relation)
}

impl<C: Columns> Layout<C> {
    fn read(relation: usize, mut bytes: Bytes) -> Result<Self, Malformed> {
        let mut columns = Vec::new();
        for _ in 0..bytes.number::<2>()? {
            bytes.byte()?;
            columns.push(C::by_name(bytes.text()?));
            bytes.take(8)?;
        }
        let key = columns.iter().position(|column| *column == Some(C::KEY));
        Ok(Self {
            relation,
            columns,
            key: key.ok_or(Malformed)?,
        })
    }

    fn is_whole(&self) -> bool {
        let mut all = C::ALL.iter();
        all.all(|column| self.columns.contains(&Some(*column)))
    }
}

impl<'a> Tuple<'a, Column> {
    /// Whose row it is.
    pub fn user(&self) -> Result<Uuid, Malformed> {
        Uuid::try_parse_ascii(self.key()?).map_err(|_| Malformed)
    }
}

impl<'a, C: Columns> Tuple<'a, C> {
    fn new(mut values: Bytes<'a>, layout: &'a Layout<C>) -> Result<Self, Malformed> {
        // An update may bring the old key or row first.
        while values.byte()? != b'N' {
            values.skip_tuple()?;
        }
        Ok(Self { values, layout })
    }

    /// The text of the key, without decoding what comes after it.
    fn key(&self) -> Result<&'a [u8], Malformed> {
        let mut values = self.values;
        values.number::<2>()?;
        for _ in 0..self.layout.key {
            values.value()?;
        }
        values.value()?.ok_or(Malformed)
    }

    /// The columns that are used. Long values that an update did not touch are null.
    pub fn row(&self) -> Result<Row<'a, C>, Malformed> {
        let mut values = self.values;
        let mut row = Row::default();
        values.number::<2>()?;
        for column in &self.layout.columns {
            let value = values.value()?;
            if let (Some(column), Some(text)) = (column, value) {
                let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
                row.set(*column, Some(text));
            }
        }
        Ok(row)
    }
}

#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn number<const BYTES: usize>(&mut self) -> Result<usize, Malformed> {
        let bytes = self.take(BYTES)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or(Malformed)?)?;
        self.byte()?;
        std::str::from_utf8(text).map_err(|_| Malformed)
    }

    /// `None` is null, or a long value that did not change.
    fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.byte()? {
            b'n' | b'u' => Ok(None),
            b't' => {
                let length = self.number::<4>()?;
                self.take(length).map(Some)
            }
            _ => Err(Malformed),
        }
    }

    fn skip_tuple(&mut self) -> Result<(), Malformed> {
        for _ in 0..self.number::<2>()? {
            self.value()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
