//! A row with named fields, which are text until they are asked for, so that each bad one can be
//! named.

use super::json::string;
use crate::error::sanitized;
use crate::{UnixMillis, decimal};
use rust_decimal::Decimal;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What a field of a row means, whatever an exchange calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Symbol,
    Last,
    /// The price 24 hours ago.
    Open,
    High,
    Low,
    Change,
    /// The change over the price 24 hours ago, as percent or as ratio.
    Relative,
    Bid,
    Ask,
    BaseVolume,
    QuoteVolume,
    Average,
    OpenTime,
    CloseTime,
    Count,
}

impl Field {
    const COUNT: usize = Self::Count as usize + 1;
}

/// What an exchange calls the fields of its rows.
pub type Names = [(&'static str, Field)];

/// Reads a list of rows.
struct Rows<F> {
    names: &'static Names,
    take: F,
}

impl<'de, F: FnMut(Row<'de>)> Visitor<'de> for Rows<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(row) = list.next_element_seed(RowOf(self.names))? {
            (self.take)(row);
        }
        Ok(())
    }
}

/// Reads one row.
struct RowOf(&'static Names);

impl<'de> DeserializeSeed<'de> for RowOf {
    type Value = Row<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowOf {
    type Value = Row<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a row")
    }

    // The words of the error that this is otherwise would repeat it at any length.
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("it is no row"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut row = Row {
            names: self.0,
            values: [None; Field::COUNT],
            twice: None,
        };
        while let Some(named) = object.next_key_seed(NameOf(self.0))? {
            let Some((name, field)) = named else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = object.next_value()?;
            if row.values[*field as usize].replace(value).is_some() {
                row.twice = Some(name);
            }
        }
        Ok(row)
    }
}

/// Reads the name of a field; `None` of one that is not read.
struct NameOf(&'static Names);

impl<'de> DeserializeSeed<'de> for NameOf {
    type Value = Option<&'static (&'static str, Field)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameOf {
    type Value = Option<&'static (&'static str, Field)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name))
    }
}

/// The fields of one row.
pub struct Row<'a> {
    names: &'static Names,
    values: [Option<&'a RawValue>; Field::COUNT],
    /// The name of a field that comes twice: nothing says which of its values is right.
    twice: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// Reads an object; `None` of anything else.
    pub fn read(text: &'a str, names: &'static Names) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        RowOf(names).deserialize(&mut reader).ok()
    }

    /// Hands over all rows of a list, which is read in one pass.
    ///
    /// # Errors
    /// When it is no list, or an element of it is no row; those before it are handed over then.
    pub fn each(
        list: &'a str,
        names: &'static Names,
        take: impl FnMut(Self),
    ) -> serde_json::Result<()> {
        let mut reader = serde_json::Deserializer::from_str(list);
        if !list.trim_start().starts_with('[') {
            return Err(serde_json::Error::custom("it is no list"));
        }
        reader.deserialize_seq(Rows { names, take })?;
        reader.end()
    }

    /// The symbol that it names, once.
    pub fn symbol(&self) -> Option<Cow<'a, str>> {
        if self.twice == Some(self.name(Field::Symbol)) {
            return None;
        }
        string(self.value(Field::Symbol)?)?.ok()
    }

    /// That no field comes twice.
    ///
    /// # Errors
    /// Its name.
    pub fn check(&self) -> Result<(), String> {
        match self.twice {
            Some(name) => Err(format!("duplicate field `{name}`")),
            None => Ok(()),
        }
    }

    fn name(&self, field: Field) -> &'static str {
        let mut names = self.names.iter();
        names
            .find(|(_, f)| *f == field)
            .map_or("", |(name, _)| name)
    }

    fn value(&self, field: Field) -> Option<&'a RawValue> {
        self.values[field as usize].filter(|value| value.get() != "null")
    }

    /// The text of a number, which exchanges write as a string or bare; `None` when there is none.
    fn text(&self, field: Field) -> Result<Option<Cow<'a, str>>, String> {
        let Some(value) = self.value(field) else {
            return Ok(None);
        };
        let text = string(value)
            .unwrap_or(Ok(Cow::Borrowed(value.get())))
            .map_err(|error| format!("{}: {error}", self.name(field)))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A number of any sign; `None` when there is none.
    pub fn signed(&self, field: Field) -> Result<Option<Decimal>, String> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let number = decimal::parse(&text)
            .map_err(|reason| format!("{} {reason}: {}", self.name(field), sanitized(&text)))?;
        Ok(Some(number))
    }

    /// A number that is zero or more; `None` when there is none.
    pub fn unsigned(&self, field: Field) -> Result<Option<Decimal>, String> {
        match self.signed(field)? {
            Some(number) if number < Decimal::ZERO => {
                Err(format!("{} is negative: {number}", self.name(field)))
            }
            number => Ok(number),
        }
    }

    /// The same of a number that must be there.
    pub fn required(&self, field: Field) -> Result<Decimal, String> {
        self.unsigned(field)?
            .ok_or_else(|| format!("{} is missing", self.name(field)))
    }

    /// That a number is not told in any of these fields.
    pub fn lacks(&self, fields: &[Field]) -> String {
        let mut names = fields.iter().map(|field| self.name(*field));
        let name = names.find(|name| !name.is_empty());
        format!("{} is missing", name.unwrap_or("its change"))
    }

    /// A price of the book: zero when the exchange names the field and nobody is there, `None`
    /// when it does not name it.
    pub fn book(&self, field: Field) -> Result<Option<Decimal>, String> {
        let is_named = self.values[field as usize].is_some();
        let price = self.unsigned(field)?;
        Ok(price.or(is_named.then_some(Decimal::ZERO)))
    }

    /// A whole number that is zero or more, such as a time in milliseconds; `None` when there is
    /// none.
    pub fn whole(&self, field: Field) -> Result<Option<UnixMillis>, String> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        decimal::whole(&text).map(Some).ok_or_else(|| {
            format!(
                "{} is not a whole number: {}",
                self.name(field),
                sanitized(&text)
            )
        })
    }

    /// That what the exchange says of the change is not what the prices say.
    pub fn contradiction(&self, field: Field) -> String {
        format!("{} is not what the prices make", self.name(field))
    }
}
