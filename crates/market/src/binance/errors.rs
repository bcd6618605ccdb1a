//! How Binance says that something is wrong: an object with a number and a text, under a status
//! that is not always the same. Others that speak its API write the number as a text, or answer
//! with a success.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/errors>

use crate::http::Reply;
use crate::reading::errors::{self, Errors, Refusal};

/// "Too many requests", also in the words of a ban.
const TOO_MANY_REQUESTS: &str = "-1003";
/// Codes of a request with a symbol that the exchange does not know, and does not name, or whose
/// list of symbols it does not take: illegal characters, too many parameters, a parameter that was
/// not read, an invalid symbol.
const OF_A_SYMBOL: [&str; 4] = ["-1100", "-1101", "-1104", "-1121"];

pub const ERRORS: Errors = Errors {
    read: |text| {
        let refusal = errors::object(text, "code", "msg")?;
        // A success is told by a code above zero where it is told at all.
        let code: i64 = refusal.code.parse().ok()?;
        (code <= 0).then_some(refusal)
    },
    stops: |refusal| match refusal.code.as_str() {
        TOO_MANY_REQUESTS if refusal.message.to_ascii_lowercase().contains("banned") => Some(418),
        TOO_MANY_REQUESTS => Some(429),
        _ => None,
    },
    reset: None,
};

/// Whether the exchange does not know a symbol of those asked for, which it does not name.
pub fn refuses_a_symbol(reply: &Reply) -> bool {
    let is_of_a_symbol = |refusal: Refusal| OF_A_SYMBOL.contains(&refusal.code.as_str());
    matches!(reply.status, 200 | 400 | 404 | 422)
        && reply.body.len() < 4096
        && ERRORS.refusal(&reply.body).is_some_and(is_of_a_symbol)
}
