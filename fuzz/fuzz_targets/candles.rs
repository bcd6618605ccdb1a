//! The reply as candles, and a settlement by them.

use crate::{check_error, check_text};
use market::binance::klines;
use market::{CandleQuery, Exchange, Interval, UnixMillis};
use rust_decimal::Decimal;
use strategy::outcome::{Answer, Settling, Terms, most_requests};
use strategy::{Levels, Side};

/// Where the candles of the seeds begin.
const BEGIN: UnixMillis = 1_678_458_840_000;
const MINUTE: i64 = 60_000;
/// By the exchange's clock: some of the candles asked for are not finished.
const NOW: UnixMillis = BEGIN + 8 * MINUTE;

pub fn check(body: &[u8]) {
    for (interval, from) in [
        (Interval::Minute, BEGIN),
        (Interval::Second, BEGIN + 1),
        (Interval::Day, 0),
    ] {
        let query = CandleQuery {
            symbol: "BTCUSDT".to_owned(),
            interval,
            from,
            until: BEGIN + 10 * MINUTE,
        };
        for exchange in market::exchanges() {
            check_candles(*exchange, body, &query);
        }
    }
    settle(body);
}

fn check_candles(exchange: &dyn Exchange, body: &[u8], query: &CandleQuery) {
    let candles = match exchange.read_candles(body, query, NOW) {
        Ok(candles) => candles,
        Err(error) => return check_error(&error),
    };
    candles
        .unusable
        .iter()
        .for_each(|reason| check_text(reason));
    let mut before = query.begin();
    for candle in &candles.rows {
        assert!(candle.open_time >= before, "{candle:?}");
        before = candle.open_time + query.interval.millis();
        assert!(before <= NOW.min(query.end()), "{candle:?}");
        assert!(candle.low > Decimal::ZERO && candle.low <= candle.high);
        assert!(candle.open >= candle.low && candle.open <= candle.high);
        assert!(candle.close >= candle.low && candle.close <= candle.high);
        assert!(candle.base_volume >= Decimal::ZERO && candle.quote_volume >= Decimal::ZERO);
    }
    let rows = candles.rows.len() + candles.unusable.len() + candles.unfinished;
    assert!(rows <= CandleQuery::MOST.min(query.length()));
    for gap in candles.gaps(query) {
        assert!(query.begin() <= gap.from && gap.from < gap.until && gap.until < before);
    }
    if let Some(rest) = candles.rest(query) {
        assert!(rest.begin() == before && rest.end() == query.end());
    }
}

/// A signal whose exchange answers every request with this body.
fn settle(body: &[u8]) {
    let price = |hundreds: i64| Decimal::from(hundreds * 100);
    for (side, stop, target) in [(Side::Long, 198, 200), (Side::Short, 200, 198)] {
        let terms = Terms {
            side,
            levels: Levels {
                entry_price: price(199),
                stop_loss: price(stop),
                take_profit: vec![price(target)],
            },
            take_profit_percents: vec![Decimal::ONE],
            stop_loss_percent: Decimal::ONE,
            signal_at: BEGIN - 1,
            expires_at: BEGIN + 7 * MINUTE + 1_000,
        };
        let lifetime = terms.expires_at - terms.signal_at;
        let mut settling = Settling::new("BTCUSDT", terms, true);
        let mut requests = 0;
        while let Some(query) = settling.wanted() {
            requests += 1;
            settling.take(match klines::parse(body, &query, NOW) {
                Ok(candles) => Answer::Candles(candles),
                Err(_) => Answer::NoSuchInterval,
            });
        }
        assert!(requests <= most_requests(lifetime) + 10, "{requests}");
        if let Some(outcome) = settling.outcome(Decimal::new(1, 1)) {
            assert!(outcome.best_target <= 1);
            assert!(outcome.gap || settling.is_complete());
        }
    }
}
