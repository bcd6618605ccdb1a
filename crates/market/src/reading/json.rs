//! JSON of which only what is needed is read, and nothing copied. Replies may hold anything: no
//! word of an error quotes them, and no copy of a long text is made.

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

use crate::error::{excerpt, sanitized};

/// Longest JSON string that is unescaped, in bytes as it stands: no symbol and no number is as
/// long, and the copy of a long one would cost its length again.
const LONGEST_STRING: usize = 4096;

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
pub fn beginning(value: &RawValue) -> Option<String> {
    let quoted = value.get().strip_prefix('"')?;
    Some(match string(value) {
        Some(content) => sanitized(&content.ok()?),
        None => excerpt(quoted.as_bytes()),
    })
}

/// A value as it is written, without the quotes of a string: a code may be a number or a text.
pub fn bare(value: &RawValue) -> Option<Cow<'_, str>> {
    match string(value) {
        Some(content) => content.ok(),
        None if value.get() == "null" => None,
        None => Some(Cow::Borrowed(value.get())),
    }
}

/// The members of these names; `None` of those that the object lacks.
///
/// # Errors
/// When it is no object, or has one of them twice: nothing says which is right.
pub fn members<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> serde_json::Result<[Option<&'a RawValue>; N]> {
    let mut found = [None; N];
    each_member(text, |name, value| {
        if let Some(place) = names.iter().position(|wanted| *wanted == name)
            && found[place].replace(value).is_some()
        {
            return Err("a member comes twice");
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hands over all members of an object, in their order.
///
/// # Errors
/// When it is no object, and the first that `take` gives.
pub fn each_member<'a>(
    text: &'a str,
    take: impl FnMut(&str, &'a RawValue) -> Result<(), &'static str>,
) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    if !text.trim_start().starts_with('{') {
        return Err(serde_json::Error::custom("it is no object"));
    }
    reader.deserialize_map(Members(take))?;
    reader.end()
}

/// Hands over all elements of a list, in their order.
///
/// # Errors
/// When it is no list.
pub fn each_element<'a>(text: &'a str, take: impl FnMut(&'a RawValue)) -> serde_json::Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    if !text.trim_start().starts_with('[') {
        return Err(serde_json::Error::custom("it is no list"));
    }
    reader.deserialize_seq(Elements(take))?;
    reader.end()
}

struct Members<F>(F);

impl<'de, F: FnMut(&str, &'de RawValue) -> Result<(), &'static str>> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key_seed(Name)? {
            let value = object.next_value()?;
            (self.0)(&name, value).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element()? {
            (self.0)(value);
        }
        Ok(())
    }
}

/// Reads a name: where it stands, or a copy of one with an escape. Of one that is too long to be of
/// use nothing is kept.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_identifier(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(match name.len() {
            ..=LONGEST_STRING => Cow::Owned(name.to_owned()),
            _ => Cow::Borrowed(""),
        })
    }
}

/// Whether this is JSON at all.
pub fn check(text: &str) -> serde_json::Result<()> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ())
}
