//! A row as texts, and the JSON made of it. Replication and queries both give texts, so that both
//! take the same way to the client.

use crate::signal::column::Form;
use crate::signal::{Column, Columns};
use serde_json::Value;
use std::marker::PhantomData;

/// What a client gets of a signal.
const SIGNAL: [Column; 17] = [
    Column::SignalId,
    Column::Symbol,
    Column::SignalType,
    Column::Tier,
    Column::Confidence,
    Column::QualityScore,
    Column::EntryPrice,
    Column::TakeProfit,
    Column::StopLoss,
    Column::ExpiresAt,
    Column::FullDetails,
    Column::Metadata,
    Column::Viewed,
    Column::ViewedAt,
    Column::Clicked,
    Column::ClickedAt,
    Column::CreatedAt,
];

/// What a client gets of a signal that changed: the subscriber marked it, or has its prices now
/// that they moved to a tier with prices.
pub const MARK: [Column; 9] = [
    Column::SignalId,
    Column::Viewed,
    Column::ViewedAt,
    Column::Clicked,
    Column::ClickedAt,
    Column::FullDetails,
    Column::EntryPrice,
    Column::TakeProfit,
    Column::StopLoss,
];

/// What a notification says of a signal.
const NOTICE: [Column; 7] = [
    Column::SignalId,
    Column::Symbol,
    Column::SignalType,
    Column::Confidence,
    Column::EntryPrice,
    Column::StopLoss,
    Column::TakeProfit,
];

/// No table has more columns that are used.
const MOST_COLUMNS: usize = 24;

/// Texts as PostgreSQL writes them with `TimeZone` UTC and `DateStyle` ISO; `None` is null.
pub struct Row<'a, C = Column> {
    texts: [Option<&'a str>; MOST_COLUMNS],
    columns: PhantomData<C>,
}

impl<C: Columns> Default for Row<'_, C> {
    fn default() -> Self {
        const { assert!(C::ALL.len() <= MOST_COLUMNS) }
        Self {
            texts: [None; MOST_COLUMNS],
            columns: PhantomData,
        }
    }
}

impl<'a, C: Columns> Row<'a, C> {
    /// Sets the text of a column.
    pub fn set(&mut self, column: C, text: Option<&'a str>) {
        self.texts[column.place()] = text;
    }

    /// The text of a column.
    pub fn get(&self, column: C) -> Option<&'a str> {
        self.texts[column.place()]
    }

    /// Appends these columns, a JSON object.
    pub(super) fn write(&self, columns: &[C], out: &mut Vec<u8>) {
        for (number, column) in columns.iter().enumerate() {
            out.push(if number == 0 { b'{' } else { b',' });
            write_text(column.name(), out);
            out.push(b':');
            match self.get(*column) {
                Some(text) => write_value(column.form(), text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }
}

impl Row<'_> {
    /// Appends the signal, a JSON object.
    pub fn write_signal(&self, out: &mut Vec<u8>) {
        self.write(&SIGNAL, out);
    }

    /// Appends what a notification says of the signal, a JSON object.
    pub fn write_notice(&self, out: &mut Vec<u8>) {
        self.write(&NOTICE, out);
    }

    /// Appends what can change, a JSON object.
    pub fn write_mark(&self, out: &mut Vec<u8>) {
        self.write(&MARK, out);
    }
}

fn write_value(form: Form, text: &str, out: &mut Vec<u8>) {
    match form {
        // The text of jsonb has no line break outside of strings, where it is escaped: an event
        // could not hold one.
        Form::Whole | Form::Json => out.extend_from_slice(text.as_bytes()),
        Form::Bool => {
            // Replication writes t, a cast to text writes true.
            let is_true = text.starts_with('t');
            out.extend_from_slice(if is_true { b"true" } else { b"false" });
        }
        // PostgreSQL never quotes the items.
        Form::Numbers => write_items(text, out, write_text),
        // It quotes these, for the space in them.
        Form::Times => write_items(text, out, |item, out| {
            write_text(&time(item.trim_matches('"')), out);
        }),
        Form::Time => write_text(&time(text), out),
        Form::Text => write_text(text, out),
    }
}

/// An array of which no item has a comma in it.
fn write_items(array: &str, out: &mut Vec<u8>, write: impl Fn(&str, &mut Vec<u8>)) {
    out.push(b'[');
    let inner = array.trim_start_matches('{').trim_end_matches('}');
    for (number, item) in inner.split(',').filter(|item| !item.is_empty()).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match item {
            "NULL" => out.extend_from_slice(b"null"),
            _ => write(item, out),
        }
    }
    out.push(b']');
}

/// `2026-11-22 01:11:05.564569+00` in the form of ISO 8601; `infinity` stays.
fn time(text: &str) -> String {
    match text.strip_suffix("+00") {
        Some(utc) => format!("{}+00:00", utc.replacen(' ', "T", 1)),
        None => text.to_owned(),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(Value::from(text).to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn signal(set: &[(Column, &str)]) -> Value {
        let mut row = Row::default();
        for (column, text) in set {
            row.set(*column, Some(text));
        }
        let mut out = Vec::new();
        row.write_signal(&mut out);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn a_signal_is_written_as_clients_expect_it() {
        let full = signal(&[
            (Column::UserId, "00000000-0000-4000-8000-000000000001"),
            (Column::SignalId, "7"),
            (Column::Symbol, "BTCUSDT"),
            (Column::Confidence, "20.60"),
            (Column::TakeProfit, "{27.13,27.530,NULL}"),
            (Column::ExpiresAt, "2026-11-22 01:11:05.5+00"),
            (Column::ViewedAt, "infinity"),
            (Column::FullDetails, "t"),
            (Column::Viewed, "f"),
            (Column::Metadata, r#"{"why": "up \"3\" %\n"}"#),
        ]);
        assert_eq!(full["signal_id"], 7);
        assert_eq!(full["confidence"], "20.60");
        assert_eq!(full["take_profit"], json!(["27.13", "27.530", null]));
        assert_eq!(full["expires_at"], "2026-11-22T01:11:05.5+00:00");
        assert_eq!(full["viewed_at"], "infinity");
        assert_eq!(full["full_details"], true);
        assert_eq!(full["viewed"], false);
        assert_eq!(full["metadata"]["why"], "up \"3\" %\n");
        assert_eq!(full["entry_price"], Value::Null);
        assert!(full.get("user_id").is_none());
    }

    #[test]
    fn texts_from_outside_are_escaped() {
        let hostile = "A\"B\\\n\u{2028}\u{1F600}";
        let written = signal(&[(Column::Symbol, hostile), (Column::TakeProfit, "{}")]);
        assert_eq!(written["symbol"], hostile);
        assert_eq!(written["take_profit"], json!([]));
    }
}
