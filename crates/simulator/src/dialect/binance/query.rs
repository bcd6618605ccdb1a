//! Which symbols a request asks for, checked as the exchange checks it.

use super::row::Detail;

/// The exchange's own error object; always HTTP 400.
#[derive(Debug, PartialEq)]
pub(super) struct ApiError {
    pub code: i32,
    pub message: String,
}

/// A checked query of a route that takes `symbol` or `symbols`.
#[derive(Debug, PartialEq)]
pub(super) struct SymbolQuery {
    pub selection: Selection,
    pub detail: Detail,
}

#[derive(Debug, PartialEq)]
pub(super) enum Selection {
    One(String),
    List(Vec<String>),
    All,
}

/// Letters of the legal range as the exchange's messages quote it: anything but lower case,
/// other scripts included.
const LEGAL_SYMBOL: &str = r"[\w\-._&&[^a-z]]{1,50}";

impl ApiError {
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn invalid_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    pub fn body(&self) -> String {
        serde_json::json!({ "code": self.code, "msg": self.message }).to_string()
    }
}

impl Selection {
    /// The symbols that are named; none stands for all.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(symbol) => std::slice::from_ref(symbol),
            Self::List(symbols) => symbols,
            Self::All => &[],
        }
    }
}

impl SymbolQuery {
    /// Reads the part of a request target after the question mark.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let (mut symbol, mut symbols, mut detail) = (None, None, None);
        let (mut sent, mut read) = (0, 0);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            sent += 1;
            let slot = match name.as_ref() {
                "symbol" => &mut symbol,
                "symbols" => &mut symbols,
                "type" => &mut detail,
                _ => continue,
            };
            read += 1;
            if slot.replace(value.into_owned()).is_some() {
                return Err(ApiError::new(
                    -1101,
                    "Duplicate values for a parameter detected.",
                ));
            }
        }
        if read < sent {
            let message = format!(
                "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            );
            return Err(ApiError::new(-1104, message));
        }
        let detail = match detail.as_deref() {
            None | Some("FULL") => Detail::Full,
            Some("MINI") => Detail::Mini,
            Some(_) => return Err(ApiError::new(-1139, "Invalid ticker type.")),
        };
        let selection = match (symbol, symbols) {
            (Some(_), Some(_)) => {
                return Err(ApiError::new(
                    -1128,
                    "Combination of optional parameters invalid.",
                ));
            }
            (Some(symbol), None) => Selection::One(one(symbol)?),
            (None, Some(symbols)) => Selection::List(list(&symbols)?),
            (None, None) => Selection::All,
        };
        Ok(Self { selection, detail })
    }
}

/// One symbol, if its letters are legal.
pub(super) fn one(symbol: String) -> Result<String, ApiError> {
    if symbol.is_empty() {
        Err(empty("symbol"))
    } else if legal(&symbol) {
        Ok(symbol)
    } else {
        Err(illegal("symbol", &format!("^{LEGAL_SYMBOL}$")))
    }
}

/// A JSON array of symbols without blanks.
fn list(text: &str) -> Result<Vec<String>, ApiError> {
    if text.is_empty() {
        return Err(empty("symbols"));
    }
    let names: Option<Vec<String>> = serde_json::from_str(text)
        .ok()
        .filter(|names: &Vec<String>| !text.contains(' ') && names.iter().all(|name| legal(name)));
    let Some(names) = names else {
        let range = format!("^\\[(\"{LEGAL_SYMBOL}\"(,\"{LEGAL_SYMBOL}\"){{0,}}){{0,1}}\\]$");
        return Err(illegal("symbols", &range));
    };
    if names.is_empty() {
        return Err(empty("symbols"));
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ApiError::new(
            -1151,
            "Symbol is present multiple times in the list.",
        ));
    }
    Ok(names)
}

fn legal(symbol: &str) -> bool {
    let legal = |letter: char| {
        !letter.is_ascii_lowercase() && (letter.is_alphanumeric() || "-._".contains(letter))
    };
    (1..=50).contains(&symbol.chars().count()) && symbol.chars().all(legal)
}

fn empty(parameter: &str) -> ApiError {
    ApiError::new(-1105, format!("Parameter '{parameter}' was empty."))
}

fn illegal(parameter: &str, range: &str) -> ApiError {
    let message =
        format!("Illegal characters found in parameter '{parameter}'; legal range is '{range}'.");
    ApiError::new(-1100, message)
}
