use super::super::{Ended, FirstTouch};
use super::*;
use crate::tests::{HOUR, MINUTE as MINUTE_MS, NOW, number};
use crate::{Levels, Side};
use market::UnixMillis;
use proptest::prelude::*;

const SECOND_MS: i64 = 1_000;

/// Entry 100, stop 98.5, targets 101.5, 103 and 105, mirrored for SHORT, from `after` milliseconds
/// after [`NOW`], which begins a minute, for `lifetime`.
fn terms(side: Side, after: i64, lifetime: i64) -> Terms {
    let at = |distance: &str| number("100") + number(distance) * side.sign();
    Terms {
        side,
        levels: Levels {
            entry_price: number("100"),
            stop_loss: at("-1.5"),
            take_profit: ["1.5", "3", "5"].map(at).to_vec(),
        },
        take_profit_percents: ["1.5", "3", "5"].map(number).to_vec(),
        stop_loss_percent: number("1.5"),
        signal_at: NOW + after,
        expires_at: NOW + after + lifetime,
    }
}

fn candle(open_time: UnixMillis, prices: [i64; 4]) -> Candle {
    let [open, high, low, close] = prices.map(|cents| Decimal::new(cents, 2));
    Candle {
        open_time,
        open,
        high,
        low,
        close,
        base_volume: Decimal::ONE,
        quote_volume: Decimal::ONE_HUNDRED,
    }
}

/// An exchange with the candles of each second from [`NOW`] on, in hundredths.
struct Exchange {
    seconds: Vec<[i64; 4]>,
    has_seconds: bool,
    /// Most candles of a reply.
    page: usize,
    /// Begins of candles that it lacks.
    lacks: Vec<(Interval, UnixMillis)>,
}

impl Exchange {
    /// A calm price of 100 for so long.
    fn calm(millis: i64) -> Self {
        let seconds = usize::try_from(millis / SECOND_MS).unwrap();
        Self {
            seconds: vec![[100_00; 4]; seconds],
            has_seconds: true,
            page: CandleQuery::MOST,
            lacks: Vec::new(),
        }
    }

    /// Prices of the second that begins so many seconds after [`NOW`].
    fn at(mut self, second: usize, prices: [i64; 4]) -> Self {
        self.seconds[second] = prices;
        self
    }

    fn without(mut self, interval: Interval, open_time: UnixMillis) -> Self {
        self.lacks.push((interval, open_time));
        self
    }

    fn candle(&self, interval: Interval, open_time: UnixMillis) -> Option<Candle> {
        let first = usize::try_from((open_time - NOW) / SECOND_MS).ok()?;
        let length = usize::try_from(interval.millis() / SECOND_MS).unwrap();
        let parts = self.seconds.get(first..first + length)?;
        let high = parts.iter().map(|part| part[1]).max()?;
        let low = parts.iter().map(|part| part[2]).min()?;
        let prices = [parts[0][0], high, low, parts[length - 1][3]];
        let is_there = !self.lacks.contains(&(interval, open_time));
        is_there.then(|| candle(open_time, prices))
    }

    fn answer(&self, query: &CandleQuery) -> Answer {
        if query.interval == SECOND && !self.has_seconds {
            return Answer::NoSuchInterval;
        }
        let times = (query.begin()..query.end()).step_by(query.interval.millis() as usize);
        let rows = times.filter_map(|at| self.candle(query.interval, at));
        Answer::Candles(Candles {
            rows: rows.take(self.page).collect(),
            ..Candles::default()
        })
    }
}

/// Settles a signal, and returns what was asked for.
fn settle(terms: &Terms, exchange: &Exchange) -> (Settling, Vec<(Interval, i64, usize)>) {
    let mut settling = Settling::new("BTCUSDT", terms.clone(), true);
    let mut asked = Vec::new();
    while let Some(query) = settling.wanted() {
        assert!(asked.len() < 1_000, "it comes to an end");
        asked.push((query.interval, query.begin() - NOW, query.length()));
        settling.take(exchange.answer(&query));
    }
    (settling, asked)
}

fn outcome(settling: &Settling) -> Outcome {
    settling.outcome(number("0.1")).unwrap()
}

#[test]
fn whole_minutes_are_asked_for_at_once_and_the_parts_at_both_ends_by_the_second() {
    let terms = terms(Side::Long, 30_250, 4 * HOUR);
    let (settling, asked) = settle(&terms, &Exchange::calm(5 * HOUR));
    let expected = [
        (SECOND, 31_000, 29),
        (MINUTE, MINUTE_MS, 239),
        (SECOND, 4 * HOUR, 30),
    ];
    assert_eq!(asked, expected);
    assert!(settling.is_complete());
    assert_eq!(settling.resolution(), "1s");
    let outcome = outcome(&settling);
    assert_eq!((outcome.ended, outcome.gap), (Ended::Expired, false));
}

#[test]
fn a_signal_of_whole_minutes_needs_no_seconds() {
    let terms = terms(Side::Long, 0, 4 * HOUR);
    let (settling, asked) = settle(&terms, &Exchange::calm(5 * HOUR));
    assert_eq!(asked, [(MINUTE, 0, 240)]);
    assert_eq!(settling.resolution(), "1m");
    assert!(!outcome(&settling).gap);
}

#[test]
fn a_signal_within_two_minutes_is_settled_by_the_second_alone() {
    let terms = terms(Side::Long, 50_500, 60_000);
    let (settling, asked) = settle(&terms, &Exchange::calm(HOUR));
    assert_eq!(asked, [(SECOND, 51_000, 59)]);
    assert!(settling.is_complete() && !outcome(&settling).gap);
}

#[test]
fn a_long_signal_takes_one_request_for_each_begun_thousand_minutes() {
    let lifetime = 2_500 * MINUTE_MS;
    let terms = terms(Side::Long, 1, lifetime);
    let (_, asked) = settle(&terms, &Exchange::calm(lifetime + HOUR));
    let lengths: Vec<usize> = asked.iter().map(|(_, _, length)| *length).collect();
    assert_eq!(
        lengths,
        [59, 1_000, 1_000, 499],
        "the last part is under a second"
    );
    assert_eq!(most_requests(lifetime), 6);
    assert_eq!(most_requests(1_000 * MINUTE_MS), 4);
    assert_eq!(most_requests(0), 4);
    assert!(most_requests(i64::MAX) > 1_000);
}

#[test]
fn nothing_before_the_entry_and_after_the_expiry_touches() {
    let terms = terms(Side::Long, 30_250, 10 * MINUTE_MS);
    let spike = [100_00, 200_00, 50_00, 100_00];
    let exchange = Exchange::calm(HOUR).at(30, spike).at(630, spike);
    let outcome = outcome(&settle(&terms, &exchange).0);
    assert_eq!(
        (outcome.first_touch, outcome.gap),
        (FirstTouch::None, false)
    );

    let in_time = Exchange::calm(HOUR).at(31, [100_00, 102_00, 100_00, 100_00]);
    let outcome = self::outcome(&settle(&terms, &in_time).0);
    assert_eq!(outcome.target_at, [NOW + 32_000]);
    let in_time = Exchange::calm(HOUR).at(629, [100_00, 100_00, 98_00, 100_00]);
    let outcome = self::outcome(&settle(&terms, &in_time).0);
    assert_eq!(outcome.stop_at, Some(NOW + 630_000));
}

/// A minute that reaches target 1 and, later in it, the stop.
fn up_then_down() -> Exchange {
    Exchange::calm(5 * HOUR)
        .at(3_610, [100_00, 101_50, 100_00, 100_00])
        .at(3_650, [100_00, 100_00, 98_50, 98_50])
}

#[test]
fn a_minute_that_reaches_both_is_told_apart_by_its_seconds() {
    let long = terms(Side::Long, 30_250, 4 * HOUR);
    let (settling, asked) = settle(&long, &up_then_down());
    assert_eq!(asked[2], (SECOND, HOUR, 60));
    assert_eq!(asked.len(), most_requests(4 * HOUR));
    let found = outcome(&settling);
    assert_eq!(found.first_touch, FirstTouch::Target);
    assert_eq!((found.best_target, found.ended), (1, Ended::Stop));
    assert_eq!(found.target_at, [NOW + 3_611_000]);
    assert_eq!(found.stop_at, Some(NOW + 3_651_000));
    assert!(!found.ambiguous && !found.gap);

    let short = terms(Side::Short, 30_250, 4 * HOUR);
    let found = outcome(&settle(&short, &up_then_down()).0);
    assert_eq!((found.best_target, found.ended), (0, Ended::Stop));
    assert!(!found.ambiguous);
}

#[test]
fn at_the_finest_the_stop_counts_as_first() {
    let terms = terms(Side::Long, 0, 4 * HOUR);
    let both = Exchange::calm(5 * HOUR).at(3_610, [100_00, 101_50, 98_50, 100_00]);
    let found = outcome(&settle(&terms, &both).0);
    assert_eq!((found.best_target, found.ended), (0, Ended::Stop));
    assert!(found.ambiguous);
}

#[test]
fn without_candles_of_a_second_parts_are_left_out_and_a_tie_is_a_stop() {
    let terms = terms(Side::Long, 30_250, 4 * HOUR);
    let mut exchange = up_then_down().at(40, [100_00, 200_00, 100_00, 100_00]);
    exchange.has_seconds = false;
    let (settling, asked) = settle(&terms, &exchange);
    assert_eq!(asked.len(), 2, "it is asked for seconds once");
    assert!(settling.lacks_seconds() && settling.is_complete());
    assert_eq!(settling.resolution(), "1m");
    let found = outcome(&settling);
    assert_eq!((found.best_target, found.ended), (0, Ended::Stop));
    assert!(found.ambiguous && !found.gap);

    let known = Settling::new("BTCUSDT", terms, false);
    assert_eq!(known.wanted().unwrap().interval, MINUTE);
}

#[test]
fn an_exchange_without_candles_of_a_minute_settles_nothing() {
    let mut settling = Settling::new("BTCUSDT", terms(Side::Long, 0, 4 * HOUR), true);
    settling.take(Answer::NoSuchInterval);
    assert!(settling.lacks_minutes() && settling.wanted().is_none());
    assert_eq!(settling.outcome(number("0.1")), None);
}

#[test]
fn seconds_that_do_not_show_what_their_minute_reached_leave_it_reached() {
    let terms = terms(Side::Long, 0, 4 * HOUR);
    let exchange = up_then_down().without(SECOND, NOW + 3_650_000);
    let (settling, _) = settle(&terms, &exchange);
    let found = outcome(&settling);
    assert_eq!((found.best_target, found.ended), (1, Ended::Stop));
    assert_eq!(found.stop_at, Some(NOW + HOUR + MINUTE_MS));
    assert!(found.gap && !settling.is_complete());
}

#[test]
fn a_page_that_is_short_is_followed_by_the_next_one() {
    let terms = terms(Side::Long, 0, 4 * HOUR);
    let mut exchange = Exchange::calm(5 * HOUR).at(12_000, [100_00, 102_00, 100_00, 100_00]);
    exchange.page = 100;
    let (settling, asked) = settle(&terms, &exchange);
    let lengths: Vec<usize> = asked.iter().map(|(_, _, length)| *length).collect();
    assert_eq!(lengths, [240, 140, 40]);
    assert_eq!(outcome(&settling).target_at, [NOW + 201 * MINUTE_MS]);
    assert!(settling.is_complete());

    exchange.page = 1;
    let (settling, asked) = settle(&terms, &exchange);
    assert!(asked.len() <= most_requests(4 * HOUR) + MOST_PAGES_MORE);
    assert!(outcome(&settling).gap && !settling.is_complete());
}

#[test]
fn missing_and_unfinished_candles_make_it_incomplete() {
    let terms = terms(Side::Long, 30_000, 4 * HOUR);
    for (interval, at) in [
        (SECOND, 30_000),
        (SECOND, 59_000),
        (MINUTE, MINUTE_MS),
        (MINUTE, 100 * MINUTE_MS),
        (MINUTE, 239 * MINUTE_MS),
        (SECOND, 4 * HOUR),
        (SECOND, 4 * HOUR + 29_000),
    ] {
        let exchange = Exchange::calm(5 * HOUR).without(interval, NOW + at);
        let (settling, _) = settle(&terms, &exchange);
        assert!(outcome(&settling).gap, "{at}");
        assert!(!settling.is_complete(), "{at}");
    }
    let exchange = Exchange::calm(5 * HOUR);
    let mut settling = Settling::new("BTCUSDT", terms, true);
    while let Some(query) = settling.wanted() {
        let Answer::Candles(mut candles) = exchange.answer(&query) else {
            unreachable!("it has all");
        };
        if query.interval == MINUTE {
            candles.rows.pop();
            candles.unfinished = 1;
        }
        settling.take(Answer::Candles(candles));
    }
    assert!(
        !settling.is_complete(),
        "asking at once again brings nothing"
    );
}

/// A path on which each second begins where the one before ended, from calm to wild.
fn any_path(seconds: usize) -> impl Strategy<Value = Vec<[i64; 4]>> {
    let step = (-1i64..=1, 0i64..3, 0i64..3);
    (proptest::collection::vec(step, seconds), 1i64..60).prop_map(|(steps, scale)| {
        let mut price = 100_00;
        let next = |(step, up, down): (i64, i64, i64)| {
            let open = price;
            price += step * scale;
            let high = open.max(price) + up * scale;
            let low = open.min(price) - down * scale;
            [open, high, low, price]
        };
        steps.into_iter().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn minutes_with_seconds_settle_as_seconds_alone(
        seconds in any_path(900),
        long: bool,
        after in 0i64..120_000,
        lifetime in 1_000i64..780_000,
    ) {
        let side = if long { Side::Long } else { Side::Short };
        let terms = terms(side, after, lifetime);
        let exchange = Exchange { seconds, ..Exchange::calm(0) };
        let mut by_seconds = Settlement::new(terms.clone());
        for second in 0..900 {
            let at = NOW + second * SECOND_MS;
            by_seconds.push(&exchange.candle(SECOND, at).unwrap(), SECOND_MS);
        }
        let (settling, asked) = settle(&terms, &exchange);
        prop_assert!(asked.len() <= most_requests(lifetime));
        prop_assert!(settling.is_complete() || asked.is_empty());
        let (found, expected) = (settling.outcome(number("0.1")), by_seconds.outcome(number("0.1")));
        let (Some(found), Some(expected)) = (&found, &expected) else {
            prop_assert_eq!(found, expected);
            return Ok(());
        };
        // By whole minutes, a time is the end of the minute, and its whole range counts.
        let minute = |at: &UnixMillis| (at + MINUTE_MS - 1).div_euclid(MINUTE_MS);
        let minutes = |outcome: &Outcome| {
            let times = outcome.target_at.iter().chain(&outcome.stop_at);
            times.map(minute).collect::<Vec<_>>()
        };
        prop_assert_eq!(minutes(found), minutes(expected));
        prop_assert!(found.mfe_percent >= expected.mfe_percent);
        prop_assert!(found.mae_percent >= expected.mae_percent);
        let alike = |outcome: &Outcome| Outcome {
            target_at: Vec::new(),
            stop_at: None,
            ended_at: 0,
            mfe_percent: Decimal::ZERO,
            mae_percent: Decimal::ZERO,
            ..outcome.clone()
        };
        prop_assert_eq!(alike(found), alike(expected));
    }

    #[test]
    fn no_answers_make_it_panic_or_go_on_for_ever(
        seconds in any_path(900),
        after in 0i64..120_000,
        lifetime in 0i64..780_000,
        has_seconds: bool,
        page in 1usize..1_000,
        lacks in proptest::collection::vec((any::<bool>(), 0i64..900), 0..40),
    ) {
        let lacks = lacks.into_iter().map(|(of_seconds, at)| match of_seconds {
            true => (SECOND, NOW + at * SECOND_MS),
            false => (MINUTE, NOW + at / 60 * MINUTE_MS),
        });
        let exchange = Exchange { seconds, has_seconds, page, lacks: lacks.collect() };
        let terms = terms(Side::Long, after, lifetime);
        let (settling, asked) = settle(&terms, &exchange);
        prop_assert!(asked.len() <= most_requests(lifetime) + MOST_PAGES_MORE);
        if let Some(outcome) = settling.outcome(number("0.1")) {
            prop_assert!(settling.is_complete() || outcome.gap);
        }
    }
}
