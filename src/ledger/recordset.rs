//! Rows on their way into a statement: each column is listed once, with its name, its type and
//! where its value comes from.

use crate::postgres::encoding::prose;
use crate::postgres::server_values::ServerJson;
use serde_json::{Map, Value};

/// A column of a row made of a `T`.
pub struct Column<T> {
    name: &'static str,
    kind: Kind,
    value: fn(&T) -> Value,
}

/// A column named `name`, which is filled with what `value` returns.
pub fn column<T>(name: &'static str, kind: Kind, value: fn(&T) -> Value) -> Column<T> {
    Column { name, kind, value }
}

/// How a value travels as JSON, and what it becomes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Text that rows are found by, which is stored as it was read.
    Text,
    /// Text for people.
    Prose,
    Integer,
    BigInt,
    Double,
    /// A decimal number as text, so that no digit is lost.
    Numeric,
    /// A list of such numbers.
    NumericArray,
    Json,
    Boolean,
    /// Milliseconds since the Unix epoch.
    Time,
    /// A list of such times.
    TimeArray,
}

impl Kind {
    fn type_in_json(self) -> &'static str {
        match self {
            Self::Text | Self::Prose => "text",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Double | Self::Time => "double precision",
            Self::Numeric => "numeric",
            Self::NumericArray => "numeric[]",
            Self::Json => "jsonb",
            Self::Boolean => "boolean",
            Self::TimeArray => "double precision[]",
        }
    }
}

/// The rows made of `items`, as the one argument of a statement.
pub fn rows<T>(columns: &[Column<T>], items: impl IntoIterator<Item = T>) -> ServerJson {
    ServerJson(rows_with(columns, items, prose))
}

fn rows_with<T>(
    columns: &[Column<T>],
    items: impl IntoIterator<Item = T>,
    prose: fn(&str) -> String,
) -> Value {
    let field = |column: &Column<T>, item: &T| match (column.kind, (column.value)(item)) {
        (Kind::Prose, Value::String(text)) => prose(&text).into(),
        (_, value) => value,
    };
    let row = |item: T| -> Value {
        let fields = columns
            .iter()
            .map(|column| (column.name.to_owned(), field(column, &item)));
        fields.collect::<Map<_, _>>().into()
    };
    items.into_iter().map(row).collect()
}

/// What reads the rows in argument $1 under the alias `r`: an entry of a FROM clause.
pub fn source<T>(columns: &[Column<T>]) -> String {
    source_in(columns, 1)
}

/// The same of the rows in argument `$number`.
pub fn source_in<T>(columns: &[Column<T>], number: usize) -> String {
    let fields = columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.kind.type_in_json()));
    let fields: Vec<String> = fields.collect();
    format!("jsonb_to_recordset(${number}) AS r ({})", fields.join(", "))
}

/// The names of the columns, for INSERT.
pub fn names<T>(columns: &[Column<T>]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    names.join(", ")
}

/// What UPDATE sets: each column but those of `keys` to its value in a row of [`source`].
pub fn assignments<T>(columns: &[Column<T>], keys: &[&str]) -> String {
    let set = columns.iter().filter(|column| !keys.contains(&column.name));
    let set: Vec<String> = set
        .map(|column| format!("{} = {}", column.name, value(column)))
        .collect();
    set.join(", ")
}

/// The values of the columns in a row of [`source`], in the order of [`names`].
pub fn values<T>(columns: &[Column<T>]) -> String {
    let values: Vec<String> = columns.iter().map(value).collect();
    values.join(", ")
}

fn value<T>(column: &Column<T>) -> String {
    let name = column.name;
    match column.kind {
        Kind::Time => format!("to_timestamp(r.{name} / 1000)"),
        Kind::TimeArray => format!(
            "ARRAY(SELECT to_timestamp(t / 1000) FROM unnest(r.{name}) WITH ORDINALITY AS u (t, n) ORDER BY n)"
        ),
        _ => format!("r.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_named_typed_and_read_from_one_entry() {
        let columns: [Column<i64>; 2] = [
            column("symbol", Kind::Prose, |n| format!("S{n}").into()),
            column("expires_at", Kind::Time, |n| (*n).into()),
        ];
        assert_eq!(names(&columns), "symbol, expires_at");
        assert_eq!(
            values(&columns),
            "r.symbol, to_timestamp(r.expires_at / 1000)"
        );
        assert_eq!(
            source(&columns),
            "jsonb_to_recordset($1) AS r (symbol text, expires_at double precision)"
        );
        let rows = rows_with(&columns, [1, 2], str::to_lowercase);
        assert_eq!(
            rows[1],
            serde_json::json!({"symbol": "s2", "expires_at": 2})
        );
    }
}
