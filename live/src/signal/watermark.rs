//! Resume points: what `signals_since()` returns and takes.
//!
//! To clients they are opaque. The service knows one form, HISTORY-NUMBER, which is that of a
//! resume point between pages: the history is the subscriber's own, the number is that of a
//! transaction, the same for everybody. So one question to the database moves the resume points
//! of all clients.

/// A resume point between pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    history: String,
    number: u64,
}

/// Which server's transactions a resume point counts, also one inside a page: the number of a node
/// before a dot, or 0, which is the server that the service asks.
pub fn server_of(text: &str) -> i32 {
    let node = text.split_once('.').map(|(node, _)| node);
    node.and_then(|node| node.parse().ok()).unwrap_or(0)
}

impl Watermark {
    /// `None` for a resume point inside a page.
    pub fn parse(text: &str) -> Option<Self> {
        let (history, number) = text.split_once('-')?;
        Some(Self {
            history: history.to_owned(),
            number: number.parse().ok()?,
        })
    }

    /// Moves to a later transaction; false when it is not later.
    pub fn advance(&mut self, number: u64) -> bool {
        let later = number > self.number;
        if later {
            self.number = number;
        }
        later
    }
}

impl std::fmt::Display for Watermark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.history, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_moves_forward_only() {
        let mut mark = Watermark::parse("5337cb12d04c0bd9-1042").expect("good");
        assert!(!mark.advance(1041));
        assert!(!mark.advance(1042));
        assert!(mark.advance(1043));
        assert_eq!(mark.to_string(), "5337cb12d04c0bd9-1043");
    }

    #[test]
    fn a_watermark_names_its_server() {
        assert_eq!(server_of("5337cb12d04c0bd9-1042"), 0);
        assert_eq!(server_of("2.5337cb12d04c0bd9-1042"), 2);
        assert_eq!(server_of("13.5337cb12d04c0bd9-1042-1050-7-0000"), 13);
        assert_eq!(server_of(""), 0);
        let mut mark = Watermark::parse("2.5337cb12d04c0bd9-1042").expect("good");
        assert!(mark.advance(1043));
        assert_eq!(mark.to_string(), "2.5337cb12d04c0bd9-1043");
    }

    #[test]
    fn a_watermark_inside_a_page_is_left_to_the_database() {
        let inside = "5337cb12d04c0bd9-1042-1050-7-00000000000040008000000000000002";
        assert_eq!(Watermark::parse(inside), None);
        assert_eq!(Watermark::parse(""), None);
    }
}
