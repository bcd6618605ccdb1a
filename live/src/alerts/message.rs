//! Messages in the forms that receivers understand.

use super::state::Change;
use crate::options::AlertFormat;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Longest text; Discord takes 2,000 letters, Telegram 4,096.
const LONGEST: usize = 1900;

/// What messages are about.
pub struct Subject {
    pub database: String,
}

/// One message, before it has a form.
pub struct Message {
    /// For people.
    text: String,
    /// For programs.
    facts: Value,
}

impl Message {
    /// That something changed.
    pub fn of_change(subject: &Subject, change: &Change) -> Self {
        let (now, before, database) = (&change.now, &change.before, &subject.database);
        let since = time(change.since);
        let (event, text) = match now.is_healthy {
            true => (
                "recovered",
                format!(
                    "signal_hub in {database} is {} again since {since}; it was {} for {}",
                    now.state,
                    before.state,
                    humantime::format_duration(Duration::from_secs(change.lasted.as_secs()))
                ),
            ),
            false => (
                "alert",
                format!(
                    "signal_hub in {database} is {} since {since}: {}",
                    now.state, now.message
                ),
            ),
        };
        Self {
            text: cut(&text),
            facts: json!({
                "event": event,
                "database": database,
                "state": now.state,
                "healthy": now.is_healthy,
                "message": now.message,
                "since": since,
                "previous_state": before.state,
            }),
        }
    }

    /// That messages arrive.
    pub fn of_test() -> Self {
        let text = "This is a test message of signal_hub_live: alerts arrive here.";
        Self {
            text: text.to_owned(),
            facts: json!({ "event": "test", "message": text, "since": time(SystemTime::now()) }),
        }
    }

    /// The body of a request. `chat` is that of Telegram.
    pub fn body(&self, format: AlertFormat, chat: Option<&str>) -> Value {
        let text = &self.text;
        match format {
            AlertFormat::Json => {
                let mut body = self.facts.clone();
                body["text"] = text.as_str().into();
                body
            }
            // Letters that would become links, names or marks-up.
            AlertFormat::Slack => {
                let escaped = text.replace('&', "&amp;");
                json!({ "text": escaped.replace('<', "&lt;").replace('>', "&gt;") })
            }
            // Nobody is called by a name in the text of an error.
            AlertFormat::Discord => {
                json!({ "content": text, "allowed_mentions": { "parse": [] } })
            }
            AlertFormat::Telegram => {
                json!({ "chat_id": chat, "text": text, "link_preview_options": { "is_disabled": true } })
            }
        }
    }
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::state::Condition;

    #[test]
    fn each_receiver_gets_its_form_and_no_more_than_it_takes() {
        let subject = Subject {
            database: "shop".to_owned(),
        };
        let well = Condition {
            state: "running".to_owned(),
            is_healthy: true,
            message: String::new(),
        };
        let mut change = Change {
            now: Condition::bad("failing", format!("<@everyone> & {}", "x".repeat(5000))),
            before: well.clone(),
            since: SystemTime::UNIX_EPOCH,
            lasted: Duration::from_secs(3725),
        };
        let message = Message::of_change(&subject, &change);
        let json = message.body(AlertFormat::Json, None);
        assert_eq!(json["event"], "alert");
        assert_eq!(json["state"], "failing");
        assert_eq!(json["previous_state"], "running");
        assert_eq!(json["since"], "1970-01-01T00:00:00Z");
        let slack = message.body(AlertFormat::Slack, None);
        let slack = slack["text"].as_str().expect("text");
        assert!(slack.contains("&lt;@everyone&gt; &amp; x"), "{slack}");
        let discord = message.body(AlertFormat::Discord, None);
        assert!(discord["content"].as_str().expect("text").len() < 2000);
        assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
        let telegram = message.body(AlertFormat::Telegram, Some("-100"));
        assert_eq!(telegram["chat_id"], "-100");

        (change.now, change.before) = (well, change.now);
        let over = Message::of_change(&subject, &change).body(AlertFormat::Json, None);
        assert_eq!(over["event"], "recovered");
        assert_eq!(
            over["text"],
            "signal_hub in shop is running again since 1970-01-01T00:00:00Z; it was failing for 1h 2m 5s"
        );
    }
}
