use super::*;
use crate::http::tests::{Peer, answer};
use crate::{CandleFault, Gap, Interval, UnixMillis};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// 2023-03-10 14:34:00 UTC.
const BEGIN: UnixMillis = 1_678_458_840_000;
const MINUTE: i64 = 60_000;

/// Ten minutes.
fn query() -> CandleQuery {
    CandleQuery {
        symbol: "BTCUSDT".to_owned(),
        interval: Interval::Minute,
        from: BEGIN,
        until: BEGIN + 10 * MINUTE,
    }
}

/// The row of the candle that begins so many minutes after the first, as the exchange prints it.
fn row(minute: i64) -> Value {
    let open_time = BEGIN + minute * MINUTE;
    json!([
        open_time,
        "19901.98000000",
        "19949.09000000",
        "19900.00000000",
        "19920.10000000",
        "148.97611000",
        open_time + MINUTE - 1,
        "2968154.05233491",
        308,
        "75.86874000",
        "1511540.49668944",
        "0"
    ])
}

fn changed(minute: i64, cell: usize, value: Value) -> Value {
    let mut row = row(minute);
    row[cell] = value;
    row
}

/// What comes of rows that arrive an hour after the last candle ended.
fn parsed(rows: impl IntoIterator<Item = Value>) -> Result<Candles, MarketError> {
    let body = Value::Array(rows.into_iter().collect()).to_string();
    parse(body.as_bytes(), &query(), query().until + 60 * MINUTE)
}

fn minutes(candles: &Candles) -> Vec<i64> {
    let begins = candles.rows.iter().map(|candle| candle.open_time);
    begins.map(|at| (at - BEGIN) / MINUTE).collect()
}

#[test]
fn every_digit_of_a_candle_is_kept() {
    let candles = parsed((0..10).map(row)).unwrap();
    assert_eq!(minutes(&candles), (0..10).collect::<Vec<_>>());
    let first = &candles.rows[0];
    let texts = [
        first.open,
        first.high,
        first.low,
        first.close,
        first.base_volume,
        first.quote_volume,
    ]
    .map(|number| number.to_string());
    assert_eq!(
        texts,
        [
            "19901.98000000",
            "19949.09000000",
            "19900.00000000",
            "19920.10000000",
            "148.97611000",
            "2968154.05233491"
        ]
    );
    assert!(candles.gaps(&query()).is_empty());
    assert_eq!(candles.rest(&query()), None);
    assert_eq!((candles.unusable.len(), candles.unfinished), (0, 0));
}

#[test]
fn numbers_may_come_bare() {
    let bare = row(0)
        .to_string()
        .replace("\"19901.98000000\"", "1.990198E+4");
    let candles = parse(format!("[{bare}]").as_bytes(), &query(), i64::MAX).unwrap();
    assert_eq!(candles.rows[0].open, Decimal::new(1_990_198, 2));
}

#[test]
fn candles_that_the_exchange_has_not_finished_are_left_out() {
    let body = Value::Array((0..10).map(row).collect()).to_string();
    let at = |now| parse(body.as_bytes(), &query(), now).unwrap();
    let before = at(BEGIN + 3 * MINUTE - 1);
    assert_eq!((minutes(&before), before.unfinished), (vec![0, 1], 8));
    let at_the_end = at(BEGIN + 3 * MINUTE);
    assert_eq!(minutes(&at_the_end), [0, 1, 2]);
}

#[test]
fn a_gap_is_told_from_a_short_page() {
    let gap = parsed([0, 1, 4, 5, 6, 7, 8, 9].map(row)).unwrap();
    let missing = Gap {
        from: BEGIN + 2 * MINUTE,
        until: BEGIN + 4 * MINUTE,
    };
    assert_eq!(gap.gaps(&query()), [missing]);
    assert_eq!(gap.rest(&query()), None);

    let late = parsed([3, 4, 5, 6, 7, 8, 9].map(row)).unwrap();
    let until = BEGIN + 3 * MINUTE;
    assert_eq!(late.gaps(&query()), [Gap { from: BEGIN, until }]);

    let short = parsed([0, 1, 2].map(row)).unwrap();
    assert!(short.gaps(&query()).is_empty());
    let rest = short.rest(&query()).unwrap();
    assert_eq!((rest.from, rest.until), (until, query().until));
    assert_eq!(rest.length(), 7);

    let none = parsed([]).unwrap();
    assert_eq!((none.rows.len(), none.rest(&query())), (0, None));
}

#[test]
fn what_nothing_tells_to_be_right_is_refused_as_a_whole() {
    let fault = |rows: &[i64]| match parsed(rows.iter().copied().map(row)) {
        Err(MarketError::BadCandles(fault)) => fault,
        other => panic!("{rows:?}: {other:?}"),
    };
    let at = |minute| BEGIN + minute * MINUTE;
    assert_eq!(fault(&[0, 1, 1, 2]), CandleFault::Twice { at: at(1) });
    let order = CandleFault::WrongOrder {
        at: at(1),
        after: at(2),
    };
    assert_eq!(fault(&[0, 2, 1, 3]), order);
    assert_eq!(fault(&[-1, 0, 1]), CandleFault::Elsewhere { at: at(-1) });
    assert_eq!(fault(&[8, 9, 10]), CandleFault::Elsewhere { at: at(10) });
    let many: Vec<i64> = (0..11).collect();
    assert_eq!(fault(&many), CandleFault::TooMany { asked: 10 });
}

#[test]
fn one_bad_row_is_one_missing_candle() {
    for (bad, reason) in [
        (changed(1, 2, json!("nan")), "high is not a number: nan"),
        (changed(1, 4, Value::Null), "close is missing"),
        (changed(1, 3, json!("0.00000000")), "low is not above zero"),
        (
            changed(1, 2, json!("19901.00000000")),
            "its prices are not between low and high",
        ),
        (changed(1, 5, json!("-1")), "volume is negative: -1"),
        (
            changed(1, 0, json!("soon")),
            "open time is not a whole number: soon",
        ),
        (
            changed(1, 0, json!(BEGIN + MINUTE + 1)),
            "open time 1678458900001 is no whole multiple of 1m",
        ),
        (
            changed(1, 6, json!(BEGIN + 2 * MINUTE + 299_999)),
            "from 1678458900000 to 1678459259999 is not 1m",
        ),
        (json!([BEGIN + MINUTE, "1", "1"]), "close time is missing"),
        (json!({"openTime": 1}), "it is no list of cells"),
        (json!(7), "it is no list of cells"),
    ] {
        let candles = parsed([row(0), bad, row(2)]).unwrap();
        assert_eq!(minutes(&candles), [0, 2], "{reason}");
        assert_eq!(candles.unusable, [format!("row 2: {reason}")]);
        assert_eq!(candles.gaps(&query()).len(), 1);
    }
}

#[test]
fn what_is_no_list_of_candles_is_refused_with_its_reason() {
    let cases: [(&[u8], &str); 5] = [
        (b" ", "it is empty"),
        (b"\xff\xfe[]", "it is not UTF-8"),
        (
            b"<html>",
            "it is not JSON: expected value at line 1 column 1",
        ),
        (
            b"[[1,\"2",
            "it is not JSON: EOF while parsing a string at line 1 column 6",
        ),
        (b"{\"retCode\":0}", "it is JSON, but not a list"),
    ];
    for (body, reason) in cases {
        let error = parse(body, &query(), i64::MAX).unwrap_err();
        assert!(matches!(error, MarketError::NoCandles { .. }), "{error:?}");
        let refused = format!("It was refused because {reason}.");
        assert!(error.detail().starts_with(&refused), "{}", error.detail());
    }
    let error = parse(br#"{"code":-1121,"msg":"Invalid symbol."}"#, &query(), 0).unwrap_err();
    assert!(matches!(&error, MarketError::Rejected { code, .. } if code == "-1121"));
    assert!(error.is_of_the_request());
}

#[test]
fn only_whole_candles_are_asked_for() {
    let of = |from, until| CandleQuery {
        from: BEGIN + from,
        until: BEGIN + until,
        ..query()
    };
    let within = of(1, 3 * MINUTE + 59_999);
    assert_eq!(
        (within.begin(), within.end()),
        (BEGIN + MINUTE, BEGIN + 3 * MINUTE)
    );
    assert_eq!(within.length(), 2);
    assert_eq!(of(1, 2 * MINUTE - 1).length(), 0);
    assert_eq!(of(5, 3).length(), 0);
}

#[test]
fn a_request_names_times_and_limit_and_a_stop_is_obeyed() {
    let rows = Value::Array((0..10).map(row).collect()).to_string();
    let good = answer("200 OK", "Date: Fri, 10 Mar 2023 14:40:00 GMT\r\n", &rows);
    let invalid = r#"{"code":-1120,"msg":"Invalid interval."}"#;
    let peer = Peer::answering(&[
        &good,
        &answer("400 Bad Request", "", invalid),
        &answer("429 Stop", "Retry-After: 7\r\n", ""),
        &answer("200 OK", "", "<html>"),
    ]);
    let get = |query: &CandleQuery| fetch(&Client::new(&peer.endpoint)?, query);
    let candles = get(&query()).unwrap();
    assert_eq!((candles.rows.len(), candles.unfinished), (6, 4));
    let seconds = CandleQuery {
        interval: Interval::Second,
        ..query()
    };
    let refused = get(&seconds).unwrap_err();
    assert_eq!(refused.message(), "exchange has no candles of 1s");
    assert!(matches!(
        get(&query()),
        Err(MarketError::LeftAlone { status: 429, .. })
    ));
    assert!(matches!(get(&query()), Err(MarketError::NoCandles { .. })));
    let lines = peer.request_lines();
    assert_eq!(
        lines[0],
        "GET /api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1678458840000&endTime=1678459439999&limit=10 HTTP/1.1"
    );
    assert!(lines[1].contains("interval=1s") && lines[1].contains("limit=600"));
    let nothing = CandleQuery {
        until: BEGIN,
        ..query()
    };
    assert!(get(&nothing).unwrap().rows.is_empty(), "nothing is asked");
}

/// Any JSON that looks a little like a list of candles.
fn any_rows() -> impl Strategy<Value = Value> {
    let cell = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0i64..12).prop_map(|minute| Value::from(BEGIN + minute * MINUTE)),
        "[-0-9.eE]{0,30}|.{0,9}".prop_map(Value::from),
    ];
    let odd = proptest::collection::vec(cell.clone(), 0..14).prop_map(Value::from);
    let nearly =
        (-1i64..11, 0usize..12, cell).prop_map(|(minute, at, cell)| changed(minute, at, cell));
    let any_row = prop_oneof![odd, nearly, (-1i64..11).prop_map(row)];
    proptest::collection::vec(any_row, 0..14).prop_map(Value::from)
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200), now: i64) {
        let _ = parse(&body, &query(), now);
    }

    #[test]
    fn whatever_comes_candles_are_in_order_inside_what_was_asked_and_finished(
        rows in any_rows(),
        now in BEGIN..BEGIN + 12 * MINUTE,
    ) {
        let Ok(candles) = parse(rows.to_string().as_bytes(), &query(), now) else {
            return Ok(());
        };
        prop_assert!(candles.rows.is_sorted_by(|a, b| a.open_time < b.open_time));
        for candle in &candles.rows {
            let end = candle.open_time + MINUTE;
            prop_assert!(BEGIN <= candle.open_time && end <= query().until && end <= now);
            prop_assert!(candle.low <= candle.open.min(candle.close));
            prop_assert!(candle.high >= candle.open.max(candle.close));
        }
        let found = candles.rows.len() + candles.unusable.len() + candles.unfinished;
        prop_assert_eq!(found, rows.as_array().map_or(0, Vec::len));
    }

    #[test]
    fn no_query_overflows(from: i64, until: i64) {
        for interval in [Interval::Second, Interval::Minute, Interval::Day] {
            let query = CandleQuery { interval, from, until, ..query() };
            let _ = (query.length(), parse(b"[]", &query, 0));
        }
    }
}
