//! The gates that look at the market a signal would be traded on: its volume in US dollars, the
//! spread, the order book around the entry, and what another exchange says.
//!
//! An exchange that does not tell bid or ask says nothing against a signal, and a symbol that no
//! other exchange was asked for has none that disagrees.

use crate::Side;
use crate::finding::Finding;
use crate::text::plain;
use rust_decimal::Decimal;

/// Places of a percentage that is shown.
const PLACES: u32 = 3;

/// What a percentage may be: `<= 0.5 %`.
pub fn at_most(percent: Option<Decimal>) -> String {
    match percent {
        Some(percent) => format!("<= {} %", plain(percent)),
        None => "any".to_owned(),
    }
}

/// Why the volume gate refuses.
pub fn why_too_thin(found: &Finding) -> Option<String> {
    let floor = plain(found.rule.min_quote_volume);
    let volume = plain(found.ticker()?.quote_volume);
    Some(
        match (found.quote(), found.dollar_rate(), found.dollar_volume()) {
            (Some(_), Some(rate), Some(_)) if rate == Decimal::ONE => {
                format!("24h quote volume {volume} is not above {floor}")
            }
            (Some(quote), Some(rate), Some(dollars)) => format!(
                "24h volume of {volume} {quote}, {} US dollars at {}, is not above {floor}",
                plain(dollars),
                plain(rate.round_sf(8).unwrap_or(rate))
            ),
            (Some(quote), None, _) => format!(
                "its 24h volume of {volume} {quote} cannot be told in US dollars: the exchange's reply has no \
             rate of {quote}"
            ),
            (Some(_), Some(_), None) => "its 24h volume in US dollars is too large".to_owned(),
            (None, ..) => format!(
                "its 24h volume of {volume} cannot be told in US dollars: its quote asset is not known"
            ),
        },
    )
}

/// Bid and ask, where the exchange tells both and they are a book.
fn book(found: &Finding) -> Option<(Decimal, Decimal)> {
    let ticker = found.ticker()?;
    let book = ticker.bid_price.zip(ticker.ask_price);
    book.filter(|(bid, ask)| *bid > Decimal::ZERO && ask >= bid)
}

/// Whether bid or ask is not told by the exchange.
fn is_untold(found: &Finding) -> bool {
    let ticker = found.ticker();
    ticker.is_some_and(|ticker| ticker.bid_price.is_none() || ticker.ask_price.is_none())
}

/// Whether the spread is no wider than the rule wants.
pub fn is_narrow(found: &Finding) -> bool {
    let Some(most) = found.rule.max_spread_percent else {
        return found.ticker().is_some();
    };
    match book(found) {
        // (ask - bid) / ((ask + bid) / 2) x 100, multiplied out: a quotient takes longer.
        Some((bid, ask)) => ask
            .checked_sub(bid)
            .and_then(|spread| spread.checked_mul(Decimal::from(200)))
            .zip(ask.checked_add(bid).and_then(|sum| sum.checked_mul(most)))
            .is_some_and(|(spread, most)| spread <= most),
        None => is_untold(found),
    }
}

fn spread_percent(found: &Finding) -> Option<Decimal> {
    let (bid, ask) = book(found)?;
    let spread = ask.checked_sub(bid)?.checked_mul(Decimal::from(200))?;
    Some(spread.checked_div(ask.checked_add(bid)?)?.round_dp(PLACES))
}

pub fn spread_in_words(found: &Finding) -> Option<String> {
    if is_untold(found) {
        return Some("not told".to_owned());
    }
    spread_percent(found).map(|percent| format!("{} %", plain(percent)))
}

pub fn why_too_wide(found: &Finding) -> Option<String> {
    let most = found.rule.max_spread_percent?;
    Some(match spread_percent(found) {
        Some(percent) => {
            format!(
                "its spread of {} % is wider than {} %",
                plain(percent),
                plain(most)
            )
        }
        None => "its spread cannot be measured".to_owned(),
    })
}

/// What is wrong with the order book around a signal.
enum Trouble {
    /// The last price is so many percent outside of bid and ask.
    Outside(Decimal),
    /// The price at which a position would be closed is at the stop or beyond.
    Stopped { name: &'static str, price: Decimal },
}

/// `None` without a side or levels.
fn trouble(found: &Finding) -> Option<Option<Trouble>> {
    let (side, levels, ticker) = (found.side?, found.levels()?, found.ticker()?);
    let stop = levels.stop_loss;
    let (bid, ask) = (
        ticker.bid_price.map(|bid| ("bid", bid)),
        ticker.ask_price.map(|ask| ("ask", ask)),
    );
    // A LONG is closed by selling at the bid, a SHORT by buying at the ask; where that is not told,
    // it lies beyond the other.
    let stopped = match side {
        Side::Long => bid.or(ask).filter(|(_, price)| *price <= stop),
        Side::Short => ask.or(bid).filter(|(_, price)| *price >= stop),
    };
    if let Some((name, price)) = stopped {
        return Some(Some(Trouble::Stopped { name, price }));
    }
    let (last, most) = (ticker.last_price, found.rule.max_spread_percent);
    let below = ticker.bid_price.and_then(|bid| bid.checked_sub(last));
    let above = ticker.ask_price.and_then(|ask| last.checked_sub(ask));
    let outside = [below, above].into_iter().flatten().max();
    let percent = outside
        .filter(|outside| *outside > Decimal::ZERO)
        .and_then(|outside| outside.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(last));
    let outside = percent.zip(most).filter(|(percent, most)| percent > most);
    Some(outside.map(|(percent, _)| Trouble::Outside(percent.round_dp(PLACES))))
}

/// Whether entry and stop are where the order book leaves them room.
pub fn has_room(found: &Finding) -> bool {
    trouble(found).is_some_and(|trouble| trouble.is_none())
}

pub fn book_in_words(found: &Finding) -> Option<String> {
    let (ticker, levels) = (found.ticker()?, found.levels()?);
    let price = |price: Option<Decimal>| price.map_or_else(|| "not told".to_owned(), plain);
    Some(format!(
        "entry {}, stop {}, bid {}, ask {}",
        plain(levels.entry_price),
        plain(levels.stop_loss),
        price(ticker.bid_price),
        price(ticker.ask_price)
    ))
}

pub fn wanted_of_book(found: &Finding) -> String {
    let stop = match found.side {
        Some(Side::Short) => "stop > ask",
        _ => "stop < bid",
    };
    match found.rule.max_spread_percent {
        Some(most) => format!("{stop}, bid <= entry <= ask within {} %", plain(most)),
        None => stop.to_owned(),
    }
}

pub fn why_no_room(found: &Finding) -> Option<String> {
    let levels = found.levels()?;
    Some(match trouble(found)?? {
        Trouble::Stopped { name, price } => format!(
            "its {name} of {} has crossed the stop at {} already",
            plain(price),
            plain(levels.stop_loss)
        ),
        Trouble::Outside(percent) => format!(
            "its last price of {} is {} % outside of bid and ask",
            plain(found.ticker()?.last_price),
            plain(percent)
        ),
    })
}

/// How far the price elsewhere is from the price here, in percent of this.
fn disagreement(found: &Finding) -> Option<Decimal> {
    let here = found.ticker()?.last_price;
    let elsewhere = found.watched.elsewhere.as_ref()?.last_price;
    let difference = elsewhere.checked_sub(here)?.abs();
    difference
        .checked_mul(Decimal::ONE_HUNDRED)?
        .checked_div(here)
}

/// Whether no other exchange shows another price.
pub fn agrees(found: &Finding) -> bool {
    let Some(most) = found.rule.max_disagreement_percent else {
        return found.ticker().is_some();
    };
    match found.watched.elsewhere {
        Some(_) => disagreement(found).is_some_and(|percent| percent <= most),
        None => found.ticker().is_some(),
    }
}

pub fn elsewhere_in_words(found: &Finding) -> Option<String> {
    found.ticker()?;
    let Some(elsewhere) = &found.watched.elsewhere else {
        return Some("no other exchange asked".to_owned());
    };
    let percent = disagreement(found)?.round_dp(PLACES);
    Some(format!("{} % from {}", plain(percent), elsewhere.exchange))
}

pub fn why_no_agreement(found: &Finding) -> Option<String> {
    let elsewhere = found.watched.elsewhere.as_ref()?;
    Some(format!(
        "its last price of {} is {} at {}, more than {} % apart",
        plain(found.ticker()?.last_price),
        plain(elsewhere.last_price),
        elsewhere.exchange,
        plain(found.rule.max_disagreement_percent?)
    ))
}
