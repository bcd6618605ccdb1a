//! The JSON of a reply: a list of rows, or the exchange's error object.

use super::Row;
use crate::error::{excerpt, sanitized};
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Longest JSON string that is unescaped, in bytes as it stands: no symbol and no number is as
/// long, and the copy of a long one would cost its length again.
const LONGEST_STRING: usize = 4096;

/// What a reply is.
pub enum Content {
    List,
    Refusal {
        code: i64,
        message: String,
    },
    /// Any other JSON.
    Other,
}

/// How a list is read.
#[derive(Clone, Copy)]
pub enum Way {
    /// In one pass, which an element that is no row may end, such as a number that does not fit.
    AtOnce,
    /// Each element is told apart by the grammar alone before it is read.
    OneByOne,
}

/// Reads a reply, and hands over the rows of a list one after the other.
pub fn read<'a>(
    text: &'a str,
    way: Way,
    take: &mut dyn FnMut(Row<'a>),
) -> serde_json::Result<Content> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let content = reader.deserialize_any(Body { way, take })?;
    reader.end()?;
    Ok(content)
}

/// Code and text of the exchange's error object.
pub fn refusal(body: &[u8]) -> Option<(i64, String)> {
    let text = std::str::from_utf8(body).ok()?;
    match read(text, Way::AtOnce, &mut |_| {}).ok()? {
        Content::Refusal { code, message } => Some((code, message)),
        Content::List | Content::Other => None,
    }
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
struct Body<'t, 'de> {
    way: Way,
    take: &'t mut dyn FnMut(Row<'de>),
}

impl<'de> Visitor<'de> for Body<'_, 'de> {
    type Value = Content;

    scalars_are!(Content::Other);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        while let Some(row) = next_row(&mut list, self.way)? {
            if let Some(row) = row {
                (self.take)(row);
            }
        }
        Ok(Content::List)
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

/// The next element of a list; `Some(None)` when it cannot be a row.
fn next_row<'de, A: SeqAccess<'de>>(
    list: &mut A,
    way: Way,
) -> Result<Option<Option<Row<'de>>>, A::Error> {
    match way {
        Way::AtOnce => list.next_element_seed(Element),
        Way::OneByOne => {
            let element: Option<&RawValue> = list.next_element()?;
            Ok(element.map(|element| {
                let mut reader = serde_json::Deserializer::from_str(element.get());
                Element.deserialize(&mut reader).ok().flatten()
            }))
        }
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
