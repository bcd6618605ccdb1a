//! The JSON of a reply: a list of rows, read in one pass.

use super::Row;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// What a reply is.
pub enum Content {
    List,
    /// Any other JSON, such as the exchange's error object.
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
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::Other)
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
