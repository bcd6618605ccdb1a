//! The inserts and updates of user_signals in a stream of pgoutput, protocol version 1, text format.
//! See "Logical Replication Message Formats" in PostgreSQL's documentation.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// The tables that were described so far, by their number.
type Tables = HashMap<usize, Table>;

struct Table {
    name: String,
    columns: Vec<String>,
}

/// The rows of complete messages, each a JSON object of texts. `separator` follows each message.
pub fn rows(stream: &[u8], separator: &[u8]) -> Vec<String> {
    let mut tables = Tables::new();
    let mut rows = Vec::new();
    let mut rest = Bytes(stream);
    while let Some(row) = message(&mut rest, &mut tables) {
        if rest.take(separator.len()) != Some(separator) {
            break;
        }
        rows.extend(row);
    }
    rows
}

/// Reads one message, and the row of user_signals in it if it has one; `None` when the stream ends.
fn message(rest: &mut Bytes, tables: &mut Tables) -> Option<Option<String>> {
    match rest.take(1)?[0] {
        b'B' => rest.take(20)?,
        b'C' => rest.take(25)?,
        b'R' => {
            let number = rest.number::<4>()?;
            rest.text()?;
            let name = rest.text()?;
            rest.take(1)?;
            let mut columns = Vec::new();
            for _ in 0..rest.number::<2>()? {
                rest.take(1)?;
                columns.push(rest.text()?);
                rest.take(8)?;
            }
            tables.insert(number, Table { name, columns });
            rest.take(0)?
        }
        b'I' | b'U' => {
            let number = rest.number::<4>()?;
            let table = tables.get(&number).expect("a table is described first");
            let kind = rest.take(1)?[0];
            assert_eq!(kind, b'N', "the key never changes");
            let row = row(rest, &table.columns)?;
            return Some(Some(row).filter(|_| table.name == "user_signals"));
        }
        other => panic!("unexpected message {:?}", char::from(other)),
    };
    Some(None)
}

fn row(rest: &mut Bytes, columns: &[String]) -> Option<String> {
    let mut row = Map::new();
    let values = rest.number::<2>()?;
    assert_eq!(values, columns.len());
    for column in columns {
        let value = match rest.take(1)?[0] {
            b'n' => Value::Null,
            b't' => {
                let length = rest.number::<4>()?;
                String::from_utf8_lossy(rest.take(length)?).into()
            }
            other => panic!("unexpected value {:?}", char::from(other)),
        };
        row.insert(column.clone(), value);
    }
    Some(Value::from(row).to_string())
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const BYTES: usize>(&mut self) -> Option<usize> {
        Some(
            self.take(BYTES)?
                .iter()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    }

    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Some(text)
    }
}
