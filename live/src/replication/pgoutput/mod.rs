//! The rows of `user_signals` in messages of pgoutput, protocol version 1, text format. See
//! "Logical Replication Message Formats" in PostgreSQL's documentation.
//!
//! Written by hand because a fan-out writes hundreds of thousands of rows a second, nearly all for
//! subscribers who are not connected: of those only the user is read. Libraries decode every
//! column of every row into values of their own.

use crate::signal::{Column, Row};
use thiserror::Error;
use uuid::Uuid;

/// What a message says.
pub enum Change<'a> {
    Inserted(Tuple<'a>),
    Updated(Tuple<'a>),
}

/// The table that is followed, as the stream describes it.
pub struct Table {
    schema: String,
    layout: Option<Layout>,
}

struct Layout {
    relation: u32,
    /// The columns of the table in its order; `None` for those that are not used.
    columns: Vec<Option<Column>>,
    /// The place of the user among them.
    user: usize,
}

/// A row that was not decoded yet.
pub struct Tuple<'a> {
    values: Bytes<'a>,
    layout: &'a Layout,
}

/// A message that is not as documented.
#[derive(Debug, Error)]
#[error("a message of the replication stream is malformed")]
pub struct Malformed;

impl Table {
    /// `user_signals` of the schema.
    pub fn new(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            layout: None,
        }
    }

    /// Reads a message; `None` when it is not about a row of the table.
    pub fn read<'a>(&'a mut self, message: &'a [u8]) -> Result<Option<Change<'a>>, Malformed> {
        let mut bytes = Bytes(message);
        match bytes.byte()? {
            b'R' => self.describe(bytes).map(|()| None),
            kind @ (b'I' | b'U') => {
                let relation = bytes.number::<4>()?;
                let Some(layout) = &self.layout else {
                    return Ok(None);
                };
                if layout.relation as usize != relation {
                    return Ok(None);
                }
                let mut values = bytes;
                // An update may bring the old key or row first.
                while values.byte()? != b'N' {
                    values.skip_tuple()?;
                }
                let tuple = Tuple { values, layout };
                Ok(Some(match kind {
                    b'I' => Change::Inserted(tuple),
                    _ => Change::Updated(tuple),
                }))
            }
            _ => Ok(None),
        }
    }

    fn describe(&mut self, mut bytes: Bytes) -> Result<(), Malformed> {
        let relation = bytes.number::<4>()?;
        let (schema, name) = (bytes.text()?, bytes.text()?);
        if schema != self.schema || name != "user_signals" {
            return Ok(());
        }
        bytes.byte()?;
        let mut columns = Vec::new();
        for _ in 0..bytes.number::<2>()? {
            bytes.byte()?;
            let name = bytes.text()?;
            columns.push(Column::by_name(name));
            bytes.take(8)?;
        }
        let user = columns
            .iter()
            .position(|column| *column == Some(Column::UserId));
        self.layout = Some(Layout {
            relation: relation as u32,
            columns,
            user: user.ok_or(Malformed)?,
        });
        Ok(())
    }
}

impl<'a> Tuple<'a> {
    /// Whose row it is.
    pub fn user(&self) -> Result<Uuid, Malformed> {
        let mut values = self.values;
        values.number::<2>()?;
        for _ in 0..self.layout.user {
            values.value()?;
        }
        let text = values.value()?.ok_or(Malformed)?;
        Uuid::try_parse_ascii(text).map_err(|_| Malformed)
    }

    /// The columns that are used. Long values that an update did not touch are null.
    pub fn row(&self) -> Result<Row<'a>, Malformed> {
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
