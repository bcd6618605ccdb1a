//! An answer, and how it is sent.

use super::UnixMillis;
use std::time::Duration;

/// One answer of the simulator.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub status: u16,
    /// Headers except Content-Length and Connection, which follow from the delivery.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub delivery: Delivery,
}

/// How an answer reaches the other side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Delivery {
    /// Complete.
    Whole,
    /// Half of the body, then the connection is closed.
    Truncated,
    /// The body again and again, without a length, until the other side closes.
    Endless,
    /// The body byte by byte.
    Drip,
    /// Complete, after this time.
    Late(Duration),
    /// Not at all: the connection stays open.
    Silence,
    /// Not at all: the connection is reset.
    Reset,
}

impl Response {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json;charset=UTF-8", body.into())
    }

    /// An HTML page, such as firewalls and load balancers answer with.
    pub fn html(status: u16, title: &str) -> Self {
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        Self::new(status, "text/html", body.into_bytes())
    }

    /// A line of text.
    pub fn text(status: u16, line: &str) -> Self {
        Self::new(status, "text/plain", line.as_bytes().to_vec())
    }

    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
            delivery: Delivery::Whole,
        }
    }

    pub fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

/// Reason phrase of a status line.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// A time as the header Date has it (RFC 9110, 5.6.7), such as `Fri, 10 Mar 2023 14:34:34 GMT`.
pub(super) fn http_date(time: UnixMillis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = time.div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let name = MONTHS[month as usize - 1];
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    format!("{weekday}, {day:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month and day of a number of days since 1970.
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 1 March of a year 0, whose leap days come last; an era has 400 years (Howard
    // Hinnant: chrono-compatible low-level date algorithms, civil_from_days).
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = (march + 2) % 12 + 1;
    (era * 400 + year + i64::from(march >= 10), month, day)
}
