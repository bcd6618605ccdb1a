//! KuCoin's spot API (kucoin.com/docs): `/api/v1/market/allTickers`, `/api/v1/market/candles`,
//! `/api/v2/symbols`, `/api/v1/symbols`, `/api/v1/timestamp`. Symbols have a hyphen, the change
//! is a ratio cut off after 4 decimals, the only time is that of the reply, and a pair without a
//! trade lacks keys. Candles come newest first: time, open, close, high, low, base volume, quote
//! volume. `averagePrice` is a mean of prices and no quote volume over base volume.

use super::{
    Names, Route, Row, Speech, Trouble, View, length_named, newest, parameter, plain, status, whole,
};
use crate::UnixMillis;
use crate::candles::RecordedCandle;
use crate::day::Day;
use crate::instrument::Instrument;
use crate::response::Response;
use crate::world::Listed;
use rust_decimal::Decimal;
use serde_json::{Value, json};

const TICKERS: &str = "/api/v1/market/allTickers";
const CANDLES: &str = "/api/v1/market/candles";
const INSTRUMENTS: [&str; 2] = ["/api/v2/symbols", "/api/v1/symbols"];
const TIME: &str = "/api/v1/timestamp";

const MOST_CANDLES: usize = 1_500;

const NAMES: Names = Names {
    last: "last",
    percent: Some("changeRate"),
    average: Some("averagePrice"),
    count: None,
    book: &["buy", "sell"],
};

const LENGTHS: [(&str, i64); 12] = [
    ("1min", 60_000),
    ("3min", 3 * 60_000),
    ("5min", 5 * 60_000),
    ("15min", 15 * 60_000),
    ("30min", 30 * 60_000),
    ("1hour", 3_600_000),
    ("2hour", 2 * 3_600_000),
    ("4hour", 4 * 3_600_000),
    ("6hour", 6 * 3_600_000),
    ("8hour", 8 * 3_600_000),
    ("12hour", 12 * 3_600_000),
    ("1day", 24 * 3_600_000),
];

pub(super) struct Kucoin;

/// An error: its status, code and message.
type Refusal = (u16, &'static str, &'static str);

const UNKNOWN: Refusal = (200, "400100", "This pair is not provided at present");

impl Speech for Kucoin {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKERS => Some(Route::Tickers),
            CANDLES => Some(Route::Candles),
            TIME => Some(Route::Other),
            _ if INSTRUMENTS.contains(&path) => Some(Route::Instruments),
            _ => None,
        }
    }

    fn interval_parameter(&self) -> &'static str {
        "type"
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        format!("{}-{}", instrument.base_asset, instrument.quote_asset)
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            TICKERS => Ok(tickers(view)),
            CANDLES => candles(query, view),
            TIME => Ok(view.now().into()),
            _ => Ok(view.listed().map(listing).collect()),
        };
        match result {
            Ok(data) => {
                let body = json!({ "code": "200000", "data": data });
                Response::json(200, body.to_string())
            }
            Err(refusal) => refuse(refusal),
        }
    }

    fn trouble(&self, trouble: Trouble, _now: UnixMillis) -> Response {
        let too_many = (
            429,
            "429000",
            "Too many requests in a short period of time, please retry later",
        );
        let reset = |wait: Option<u64>| {
            let response = refuse(too_many).with_header("gw-ratelimit-remaining", 0);
            match wait {
                Some(seconds) => response.with_header("gw-ratelimit-reset", seconds * 1_000),
                None => response,
            }
        };
        match trouble {
            Trouble::TooManyRequests(wait) => reset(wait),
            Trouble::Banned(seconds, told) => reset(Some(seconds).filter(|_| told)),
            Trouble::RestrictedLocation => refuse((
                403,
                "400302",
                "Our services are currently unavailable in the U.S. To ensure a seamless experience, please access our platform from a non-restricted country/region using a supported IP address.",
            )),
            Trouble::InternalError => refuse((500, "500000", "Internal Server Error")),
            Trouble::Maintenance => refuse((503, "503000", "Service Unavailable")),
            Trouble::UnknownSymbol => refuse(UNKNOWN),
        }
    }
}

fn refuse((status, code, message): Refusal) -> Response {
    let body = json!({ "code": code, "msg": message });
    Response::json(status, body.to_string())
}

fn tickers(view: &mut View) -> Value {
    let days = view.days();
    let rows = view.rows(&days, &NAMES, |day| row(day, view.own_name(day)));
    json!({ "time": view.told_time(), "ticker": rows })
}

fn row(day: &Day, name: String) -> Row {
    let four = Decimal::from(4);
    let mut numbers = vec![
        ("buy", day.bid),
        ("bestBidSize", day.book_quantity),
        ("sell", day.ask),
        ("bestAskSize", day.book_quantity),
        ("changeRate", day.ratio().trunc_with_scale(4)),
        ("vol", day.volume),
        ("volValue", day.quote_volume),
    ];
    if day.traded() {
        let mean = (day.open + day.high + day.low + day.last) / four;
        numbers.extend([
            ("changePrice", day.change()),
            ("high", day.high),
            ("low", day.low),
            ("last", day.last),
            ("averagePrice", mean.round_dp(8)),
        ]);
    } else {
        numbers.push(("last", day.previous_close));
    }
    let texts = [
        ("symbol", name.clone()),
        ("symbolName", name),
        ("takerFeeRate", "0.001".to_owned()),
        ("makerFeeRate", "0.001".to_owned()),
        ("takerCoefficient", "1".to_owned()),
        ("makerCoefficient", "1".to_owned()),
    ];
    let numbers = numbers
        .into_iter()
        .map(|(name, number)| (name, plain(number)));
    let fields = texts.into_iter().chain(numbers);
    fields
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn candles(query: &str, view: &mut View) -> Result<Value, Refusal> {
    let name = parameter(query, "symbol").unwrap_or_default();
    let instrument = view.named(&name).ok_or(UNKNOWN)?;
    let invalid = (200, "400100", "Incorrect candlestick type.");
    let kind = parameter(query, "type").unwrap_or_default();
    let length = length_named(&LENGTHS, &kind).ok_or(invalid)?;
    let seconds = |name| match whole(query, name) {
        // Zero stands for a time that is not told.
        Ok(time) => Ok(time.filter(|time| *time > 0).map(|time| time * 1_000)),
        Err(()) => Err((200, "400100", "Invalid time.")),
    };
    // A candle that begins at the end is left out.
    let when = (seconds("startAt")?, seconds("endAt")?.map(|end| end - 1));
    let (first, last) = newest(when, length, MOST_CANDLES, view.candle_time());
    let candles = view.candles(&instrument.symbol, first, last, length);
    let mut rows: Vec<Value> = candles.ok_or(invalid)?.iter().rev().map(candle).collect();
    view.spoil_candles(&mut rows, 3);
    Ok(rows.into())
}

fn candle(candle: &RecordedCandle) -> Value {
    json!([
        (candle.open_time / 1_000).to_string(),
        plain(candle.open),
        plain(candle.close),
        plain(candle.high),
        plain(candle.low),
        plain(candle.base_volume),
        plain(candle.quote_volume),
    ])
}

fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let name = Kucoin.symbol(instrument);
    let step = plain(instrument.step_size());
    let tick = plain(instrument.tick_size);
    json!({
        "symbol": name,
        "name": name,
        "baseCurrency": instrument.base_asset,
        "quoteCurrency": instrument.quote_asset,
        "feeCurrency": instrument.quote_asset,
        "market": "USDS",
        "baseMinSize": step,
        "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000",
        "quoteMaxSize": "99999999",
        "baseIncrement": step,
        "quoteIncrement": "0.000001",
        "priceIncrement": tick,
        "priceLimitRate": "0.1",
        "minFunds": "0.1",
        "isMarginEnabled": true,
        "enableTrading": status(listed, ["yes", "no", "no"]) == "yes",
    })
}
