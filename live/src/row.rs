//! A row of `user_signals` as texts, and what is sent of it. Rows come so from the replication
//! stream and, asked for as texts, from queries: both go the same way to the client.

use serde_json::Value;

/// The columns that are used, in the order of [`NAMES`].
#[derive(Clone, Copy)]
pub enum Column {
    UserId,
    SignalId,
    Symbol,
    SignalType,
    Tier,
    Confidence,
    QualityScore,
    EntryPrice,
    TakeProfit,
    StopLoss,
    ExpiresAt,
    FullDetails,
    Metadata,
    Viewed,
    ViewedAt,
    Clicked,
    ClickedAt,
    CreatedAt,
}

/// How many columns are used.
pub const COLUMNS: usize = 18;

/// Their names in the table.
pub const NAMES: [&str; COLUMNS] = [
    "user_id",
    "signal_id",
    "symbol",
    "signal_type",
    "tier",
    "confidence",
    "quality_score",
    "entry_price",
    "take_profit",
    "stop_loss",
    "expires_at",
    "full_details",
    "metadata",
    "viewed",
    "viewed_at",
    "clicked",
    "clicked_at",
    "created_at",
];

/// What a client is told of a signal.
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

/// What a client is told when a subscriber marked one.
const MARK: [Column; 5] = [
    Column::SignalId,
    Column::Viewed,
    Column::ViewedAt,
    Column::Clicked,
    Column::ClickedAt,
];

/// Texts as PostgreSQL writes them with `TimeZone` UTC and `DateStyle` ISO; `None` is null.
#[derive(Default)]
pub struct Row<'a>(pub [Option<&'a str>; COLUMNS]);

impl<'a> Row<'a> {
    /// The columns of a mark, in the order in which clients get them.
    pub fn of_mark(value: impl Fn(usize) -> Option<&'a str>) -> Self {
        let mut row = Self::default();
        for (place, column) in MARK.iter().enumerate() {
            row.0[*column as usize] = value(place);
        }
        row
    }

    fn get(&self, column: Column) -> Option<&str> {
        self.0[column as usize]
    }

    /// Appends the signal, a JSON object.
    pub fn write_signal(&self, out: &mut Vec<u8>) {
        self.write(&SIGNAL, out);
    }

    /// Appends what was marked, a JSON object.
    pub fn write_mark(&self, out: &mut Vec<u8>) {
        self.write(&MARK, out);
    }

    fn write(&self, columns: &[Column], out: &mut Vec<u8>) {
        for (number, column) in columns.iter().enumerate() {
            out.push(if number == 0 { b'{' } else { b',' });
            write_text(NAMES[*column as usize], out);
            out.push(b':');
            match self.get(*column) {
                Some(text) => write_value(*column, text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }
}

fn write_value(column: Column, text: &str, out: &mut Vec<u8>) {
    match column {
        Column::SignalId => out.extend_from_slice(text.as_bytes()),
        // jsonb writes no line break of its own, which an event could not have.
        Column::Metadata => out.extend_from_slice(text.as_bytes()),
        Column::FullDetails | Column::Viewed | Column::Clicked => {
            // Replication says t, a cast to text says true.
            let is_true = text.starts_with('t');
            out.extend_from_slice(if is_true { b"true" } else { b"false" });
        }
        Column::TakeProfit => write_numbers(text, out),
        Column::ExpiresAt | Column::ViewedAt | Column::ClickedAt | Column::CreatedAt => {
            write_text(&time(text), out);
        }
        _ => write_text(text, out),
    }
}

/// An array of numeric, which PostgreSQL never quotes.
fn write_numbers(array: &str, out: &mut Vec<u8>) {
    out.push(b'[');
    let inner = array.trim_start_matches('{').trim_end_matches('}');
    for (number, item) in inner.split(',').filter(|item| !item.is_empty()).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match item {
            "NULL" => out.extend_from_slice(b"null"),
            _ => write_text(item, out),
        }
    }
    out.push(b']');
}

/// `2026-11-22 01:11:05.564569+00` as in ISO 8601; `infinity` stays.
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
            row.0[*column as usize] = Some(text);
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
    fn texts_of_others_are_escaped() {
        let hostile = "A\"B\\\n\u{2028}\u{1F600}";
        let written = signal(&[(Column::Symbol, hostile), (Column::TakeProfit, "{}")]);
        assert_eq!(written["symbol"], hostile);
        assert_eq!(written["take_profit"], json!([]));
    }
}
