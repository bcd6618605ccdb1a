//! Recorded market data through the parser and the judge: replies of exchanges, and seven and a
//! half months of candles.

mod by_range;
mod candles;
mod data;
mod forecasts;
mod joint;
mod look_ahead;
mod outcomes;
mod protections;
mod replies;
mod worth;
