//! The fields of a row, and their names in a reply.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Visitor};
use std::fmt;

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// A field that is read.
        #[derive(Clone, Copy)]
        pub enum Field {
            $($field,)+
        }

        impl Field {
            pub const NAMES: &[&str] = &[$($name,)+];

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }

            pub fn name(self) -> &'static str {
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

/// Reads the name of a field; `None` of one that is not read.
pub struct Name;

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
