//! The body of a reply: a list of rows, or the exchange's error object.
//!
//! Rows are read one after the other, and of those that nobody asked for nothing is kept. So a
//! reply takes no more than a small multiple of its length, whatever it holds; what is kept of the
//! rows grows with the symbols asked for, not with the reply.

use super::row::Row;
use crate::MarketError;
use crate::error::{excerpt, sanitized};
use crate::ticker::Ticker;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Longest JSON string that is unescaped, in bytes as it stands: no symbol, number or field is as
/// long, and the copy of a long one would cost its length again.
const LONGEST_STRING: usize = 4096;

/// Shortest row of an exchange, about, in bytes.
const SHORTEST_ROW: usize = 400;

/// By symbol: a ticker, or why its row is unusable.
pub type Rows = HashMap<String, Result<Ticker, String>>;

/// The rows of `asked` in a reply. A symbol that comes twice is unusable: nothing says which of
/// its rows is right.
///
/// # Errors
/// [`MarketError::NotJson`], and [`MarketError::Rejected`] for the exchange's error object.
pub fn parse(body: &[u8], asked: &HashSet<&str>) -> Result<Rows, MarketError> {
    let refuse = |reason: String| MarketError::NotJson {
        reason,
        body: excerpt(body),
    };
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    let content =
        content(text, asked).map_err(|error| refuse(format!("it is not JSON: {error}")))?;
    match content {
        Content::List { rows, named: true } => Ok(rows),
        Content::List { .. } => Err(refuse("no row of it names a symbol".to_owned())),
        Content::Refusal { code, message } => Err(MarketError::Rejected { code, message }),
        Content::Other => Err(refuse("it is JSON, but not a list".to_owned())),
    }
}

/// Code and text of the exchange's error object.
pub fn refusal(body: &[u8]) -> Option<(i64, String)> {
    let text = std::str::from_utf8(body).ok()?;
    match content(text, &HashSet::new()).ok()? {
        Content::Refusal { code, message } => Some((code, message)),
        Content::List { .. } | Content::Other => None,
    }
}

/// What a reply is.
enum Content {
    /// A list, and whether any row of it names a symbol.
    List {
        rows: Rows,
        named: bool,
    },
    Refusal {
        code: i64,
        message: String,
    },
    /// Any other JSON.
    Other,
}

/// Reads a reply in one pass. An element that is no row may end that pass, such as a number that
/// does not fit: then each element is told apart by the grammar alone before it is read.
fn content(text: &str, asked: &HashSet<&str>) -> serde_json::Result<Content> {
    read(text, asked, false).or_else(|_| read(text, asked, true))
}

fn read(text: &str, asked: &HashSet<&str>, one_by_one: bool) -> serde_json::Result<Content> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let content = reader.deserialize_any(Body {
        asked,
        one_by_one,
        most_rows: text.len() / SHORTEST_ROW,
    })?;
    reader.end()?;
    Ok(content)
}

/// What a value is that is neither a list nor an object: never an error, whose words would quote
/// it at any length.
macro_rules! scalars_are {
    ($value:expr) => {
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("JSON")
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// Reads the whole reply.
struct Body<'s> {
    asked: &'s HashSet<&'s str>,
    one_by_one: bool,
    /// How many rows of the usual length the reply has room for.
    most_rows: usize,
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Content;

    scalars_are!(Content::Other);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut rows = Rows::with_capacity(self.asked.len().min(self.most_rows));
        let mut named = false;
        while let Some(row) = self.next_row(&mut list)? {
            let Some(symbol) = row.as_ref().and_then(Row::symbol) else {
                continue;
            };
            named = true;
            if let (Some(row), true) = (row, self.asked.contains(symbol.as_ref())) {
                let ticker = row.ticker(&symbol);
                rows.entry(symbol.into_owned())
                    .and_modify(|row| *row = Err("the reply holds this symbol twice".to_owned()))
                    .or_insert(ticker);
            }
        }
        Ok(Content::List { rows, named })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Content, A::Error> {
        let (mut code, mut message) = (None, None);
        while let Some(name) = object.next_key::<&RawValue>()? {
            match name.get() {
                "\"code\"" => code = object.next_value::<&RawValue>()?.get().parse().ok(),
                "\"msg\"" => message = beginning(object.next_value()?),
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(match (code, message) {
            (Some(code), Some(message)) => Content::Refusal { code, message },
            _ => Content::Other,
        })
    }
}

impl Body<'_> {
    /// The next element of a list; `Some(None)` when it cannot be a row.
    fn next_row<'de, A: SeqAccess<'de>>(
        &self,
        list: &mut A,
    ) -> Result<Option<Option<Row<'de>>>, A::Error> {
        if !self.one_by_one {
            return list.next_element_seed(Element);
        }
        let element: Option<&RawValue> = list.next_element()?;
        Ok(element.map(|element| {
            let mut reader = serde_json::Deserializer::from_str(element.get());
            Element.deserialize(&mut reader).ok().flatten()
        }))
    }
}

/// Reads one element of a list.
struct Element;

impl<'de> DeserializeSeed<'de> for Element {
    type Value = Option<Row<'de>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Option<Row<'de>>;

    scalars_are!(None);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        Row::read(object).map(Some)
    }
}

/// The content of a JSON string; `None` of anything else, and of what is too long to be of use.
pub fn string(value: &RawValue) -> Option<serde_json::Result<Cow<'_, str>>> {
    let quoted = value.get().strip_prefix('"')?;
    match quoted.strip_suffix('"') {
        // Without an escape, what is between the quotes is the content.
        Some(content) if !content.contains('\\') => Some(Ok(Cow::Borrowed(content))),
        _ if quoted.len() > LONGEST_STRING => None,
        _ => Some(serde_json::from_str(value.get()).map(Cow::Owned)),
    }
}

/// The beginning of a JSON string, fit to be shown.
fn beginning(value: &RawValue) -> Option<String> {
    let quoted = value.get().strip_prefix('"')?;
    Some(match string(value) {
        Some(content) => sanitized(&content.ok()?),
        None => excerpt(quoted.as_bytes()),
    })
}
