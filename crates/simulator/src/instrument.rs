//! What can be traded: one listed symbol and the scale of its market.

use rust_decimal::Decimal;

/// Decimal places of every price and quantity in a reply.
pub(super) const REPLY_SCALE: u32 = 8;

/// The largest 24-hour turnover for which the arithmetic of a row stays exact, in quote units.
const LARGEST_QUOTE_VOLUME: i64 = 100_000_000_000;

/// One spot pair and where its simulated market lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Instrument {
    /// Name in requests and replies, such as `BTCUSDT`.
    pub symbol: String,
    /// What is traded, such as `BTC`.
    pub base_asset: String,
    /// What it is priced in, such as `USDT`.
    pub quote_asset: String,
    /// The price that the random walk is pulled back to, in quote units; at least one tick.
    pub price: Decimal,
    /// Smallest price step, in quote units; above zero, at most 8 decimals.
    pub tick_size: Decimal,
    /// Typical turnover of 24 hours, in quote units; from 1 to 1e11.
    pub quote_volume: Decimal,
}

impl Instrument {
    /// A pair with USDT: base asset, price, tick size and typical 24-hour quote volume.
    ///
    /// # Panics
    /// When a number is not a decimal.
    #[track_caller]
    pub fn usdt(base_asset: &str, price: &str, tick_size: &str, quote_volume: &str) -> Self {
        Self {
            symbol: format!("{base_asset}USDT"),
            base_asset: base_asset.to_owned(),
            quote_asset: "USDT".to_owned(),
            price: decimal(price),
            tick_size: decimal(tick_size),
            quote_volume: decimal(quote_volume),
        }
    }

    /// The ten liquid USDT pairs that the extension watches unless its user changes that.
    pub fn ten_liquid_pairs() -> Vec<Self> {
        [
            ("BTC", "64250.00", "0.01", "1850000000"),
            ("ETH", "3410.00", "0.01", "920000000"),
            ("BNB", "585.20", "0.01", "185000000"),
            ("SOL", "152.40", "0.01", "410000000"),
            ("XRP", "0.5830", "0.0001", "240000000"),
            ("ADA", "0.4410", "0.0001", "62000000"),
            ("DOGE", "0.12450", "0.00001", "155000000"),
            ("AVAX", "27.60", "0.01", "48000000"),
            ("LINK", "14.120", "0.001", "39000000"),
            ("LTC", "71.30", "0.01", "33000000"),
        ]
        .map(|(base, price, tick, volume)| Self::usdt(base, price, tick, volume))
        .into()
    }

    /// Why this instrument cannot be simulated, if it cannot.
    pub(super) fn problem(&self) -> Option<String> {
        let tick = self.tick_size.normalize();
        if self.symbol.is_empty() {
            Some("the symbol is empty".to_owned())
        } else if tick <= Decimal::ZERO || tick.scale() > REPLY_SCALE {
            Some(format!("tick size {tick} is not a positive step"))
        } else if self.price < tick {
            Some(format!("price {} is under one tick", self.price))
        } else if self.quote_volume < Decimal::ONE
            || self.quote_volume > Decimal::from(LARGEST_QUOTE_VOLUME)
        {
            Some(format!(
                "quote volume {} is out of range",
                self.quote_volume
            ))
        } else {
            None
        }
    }

    /// Smallest quantity step, in base units. It is coarse enough that price times quantity has
    /// no more decimals than a reply prints, so that turnover is exact.
    pub(super) fn step_size(&self) -> Decimal {
        let tick_scale = self.tick_size.normalize().scale();
        Decimal::new(1, REPLY_SCALE.saturating_sub(tick_scale).min(5))
    }
}

/// A decimal literal written in a test.
#[track_caller]
pub(super) fn decimal(text: &str) -> Decimal {
    match Decimal::from_str_exact(text) {
        Ok(number) => number,
        Err(error) => panic!("\"{text}\" is not a decimal number: {error}"),
    }
}
