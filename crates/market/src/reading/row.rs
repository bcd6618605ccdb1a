//! A row with named fields, which are text until they are asked for, so that each bad one can be
//! named.

use super::json::{self, string};
use crate::error::sanitized;
use crate::{UnixMillis, decimal};
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use std::borrow::Cow;

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
        let mut row = Self {
            names,
            values: [None; Field::COUNT],
            twice: None,
        };
        json::each_member(text, |name, value| {
            let named = names.iter().find(|(known, _)| *known == name);
            if let Some((name, field)) = named
                && row.values[*field as usize].replace(value).is_some()
            {
                row.twice = Some(name);
            }
            Ok(())
        })
        .ok()?;
        Some(row)
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
