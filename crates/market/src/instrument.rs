//! What an exchange says of a pair that it lists.

use rust_decimal::Decimal;

/// A pair that an exchange lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Base and quote without anything between them, such as BTCUSDT.
    pub symbol: String,
    /// The exchange's own form of it, such as BTC-USDT.
    pub native_symbol: String,
    /// What is bought, such as BTC.
    pub base: String,
    /// What it is bought with, such as USDT.
    pub quote: String,
    /// The step of its prices, above zero; `None` where the exchange does not state a usable one.
    pub tick_size: Option<Decimal>,
    pub status: Status,
}

/// Whether a pair can be traded now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Trading,
    /// Listed, and not traded for now: a pause, before its opening, orders can only be canceled.
    Halted,
    /// Not traded any more.
    Delisted,
}

impl Status {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trading => "TRADING",
            Self::Halted => "HALTED",
            Self::Delisted => "DELISTED",
        }
    }
}
