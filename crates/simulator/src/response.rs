//! An answer, and how it is sent.

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
