//! One row of a reply, whose fields are text until they are asked for, so that each bad one can be
//! named.

use super::reply::string;
use crate::error::sanitized;
use crate::{Ticker, UnixMillis, decimal};
use rust_decimal::Decimal;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// A field that is read.
        #[derive(Clone, Copy)]
        enum Field {
            $($field,)+
        }

        impl Field {
            const NAMES: &[&str] = &[$($name,)+];

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

fields! {
    Symbol = "symbol",
    PriceChange = "priceChange",
    PriceChangePercent = "priceChangePercent",
    WeightedAvgPrice = "weightedAvgPrice",
    LastPrice = "lastPrice",
    OpenPrice = "openPrice",
    HighPrice = "highPrice",
    LowPrice = "lowPrice",
    BidPrice = "bidPrice",
    AskPrice = "askPrice",
    Volume = "volume",
    QuoteVolume = "quoteVolume",
    OpenTime = "openTime",
    CloseTime = "closeTime",
    Count = "count",
}

/// A row of a list.
#[derive(Default)]
pub struct Row<'a> {
    values: [Option<&'a RawValue>; Field::NAMES.len()],
    /// A field that comes twice: nothing says which of its values is right.
    twice: Option<Field>,
    names_itself_twice: bool,
}

impl<'a> Row<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// Those of the grammar alone.
    pub fn read<A: MapAccess<'a>>(mut object: A) -> Result<Self, A::Error> {
        let mut row = Self::default();
        while let Some(field) = object.next_key_seed(Name)? {
            let Some(field) = field else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = object.next_value()?;
            if row.values[field as usize].replace(value).is_some() {
                row.names_itself_twice |= matches!(field, Field::Symbol);
                row.twice.get_or_insert(field);
            }
        }
        Ok(row)
    }

    /// The symbol that it names, once.
    pub fn symbol(&self) -> Option<Cow<'a, str>> {
        if self.names_itself_twice {
            return None;
        }
        string(self.value(Field::Symbol)?)?.ok()
    }

    /// The ticker of `symbol`, or why the row is unusable.
    pub fn ticker(&self, symbol: &str) -> Result<Ticker, String> {
        if let Some(field) = self.twice {
            return Err(format!("duplicate field `{}`", field.name()));
        }
        Ok(Ticker {
            symbol: symbol.to_owned(),
            price_change: self.signed(Field::PriceChange)?,
            price_change_percent: self.signed(Field::PriceChangePercent)?,
            weighted_average_price: self.unsigned(Field::WeightedAvgPrice)?,
            last_price: self.unsigned(Field::LastPrice)?,
            open_price: self.unsigned(Field::OpenPrice)?,
            high_price: self.unsigned(Field::HighPrice)?,
            low_price: self.unsigned(Field::LowPrice)?,
            bid_price: self.unsigned(Field::BidPrice)?,
            ask_price: self.unsigned(Field::AskPrice)?,
            base_volume: self.unsigned(Field::Volume)?,
            quote_volume: self.unsigned(Field::QuoteVolume)?,
            open_time: self.whole(Field::OpenTime)?,
            close_time: self.whole(Field::CloseTime)?,
            trade_count: self.whole(Field::Count)?,
        })
    }

    fn value(&self, field: Field) -> Option<&'a RawValue> {
        self.values[field as usize].filter(|value| value.get() != "null")
    }

    /// The text of a number, which the exchange writes as a string and others write bare.
    fn text(&self, field: Field) -> Result<Cow<'a, str>, String> {
        let Some(value) = self.value(field) else {
            return Err(format!("{} is missing", field.name()));
        };
        string(value)
            .unwrap_or(Ok(Cow::Borrowed(value.get())))
            .map_err(|error| format!("{}: {error}", field.name()))
    }

    fn signed(&self, field: Field) -> Result<Decimal, String> {
        let text = self.text(field)?;
        decimal::parse(&text)
            .map_err(|reason| format!("{} {reason}: {}", field.name(), sanitized(&text)))
    }

    fn unsigned(&self, field: Field) -> Result<Decimal, String> {
        let number = self.signed(field)?;
        if number.is_sign_negative() && !number.is_zero() {
            return Err(format!("{} is negative: {number}", field.name()));
        }
        Ok(number)
    }

    /// A whole number that is zero or more: a count, or a time in milliseconds.
    fn whole(&self, field: Field) -> Result<UnixMillis, String> {
        let text = self.text(field)?;
        match text.parse() {
            Ok(number @ 0..) => Ok(number),
            _ => Err(format!(
                "{} is not a whole number: {}",
                field.name(),
                sanitized(&text)
            )),
        }
    }
}

/// Reads the name of a field; `None` of one that is not read.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<Field>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<Field>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Field::named(name))
    }
}
