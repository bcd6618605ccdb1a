//! What subscribers are to be told, until it is sent: of each the newest signals, and how many there
//! are. So whatever comes at once is one message, and a push service that is slow makes nothing grow.

use crate::signal::{Column, Row};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Signals that a message names.
const NAMED: usize = 3;
/// Most subscribers for whom something waits.
const MOST_SUBSCRIBERS: usize = 200_000;
/// A message is not sent later than so long after its row was written, nor kept longer for a browser
/// that is away. Quiet hours are looked up once, before it is sent: what is delayed comes at most so
/// long after they began.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What a subscriber is to be told.
pub struct News {
    /// The newest signals, the newest first.
    signals: VecDeque<Signal>,
    /// The numbers of all.
    ids: Vec<i64>,
    /// When the last of them expires.
    pub expires: SystemTime,
}

struct Signal {
    id: i64,
    /// What the page's service worker shows of it.
    json: Value,
}

/// All that waits.
#[derive(Default)]
pub struct Pending(Mutex<HashMap<Uuid, News>>);

impl Pending {
    /// Adds a row of `user_signals`. Returns false when there is no room.
    pub fn add(&self, user: Uuid, row: &Row, now: SystemTime) -> bool {
        let Some((signal, expires)) = signal_of(row, now) else {
            // It has expired: a service that was away for long reads such rows.
            return true;
        };
        let mut all = self.lock();
        if all.len() >= MOST_SUBSCRIBERS && !all.contains_key(&user) {
            return false;
        }
        let news = all.entry(user).or_insert_with(|| News {
            signals: VecDeque::with_capacity(NAMED),
            ids: Vec::new(),
            expires,
        });
        // A stream that broke begins again with rows that came already.
        if news.ids.contains(&signal.id) {
            return true;
        }
        news.ids.push(signal.id);
        news.signals.push_front(signal);
        news.signals.truncate(NAMED);
        news.expires = news.expires.max(expires);
        true
    }

    /// Takes all.
    pub fn take(&self) -> HashMap<Uuid, News> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, News>> {
        // No code that holds the lock panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    /// The numbers of all signals.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Keeps the signals of these numbers; false when none is left.
    pub fn retain(&mut self, stays: impl Fn(i64) -> bool) -> bool {
        self.ids.retain(|id| stays(*id));
        self.signals.retain(|signal| stays(signal.id));
        !self.ids.is_empty()
    }

    /// The message for the service worker of the page, not longer than `most` bytes.
    pub fn message(&self, most: usize) -> Vec<u8> {
        let message = |signals: Vec<&Value>| {
            let whole = json!({"type": "signals", "count": self.ids.len(), "signals": signals});
            whole.to_string().into_bytes()
        };
        let whole = message(self.signals.iter().map(|signal| &signal.json).collect());
        match whole.len() <= most {
            true => whole,
            // The page has the signals.
            false => message(Vec::new()),
        }
    }

    /// By which a push service knows the message again, when it is sent a second time.
    pub fn topic(&self) -> String {
        let newest = self.signals.iter().map(|signal| signal.id).max();
        format!("signal-{}", newest.unwrap_or_default())
    }
}

/// What is told of a row, and when it expires; `None` when it has expired.
fn signal_of(row: &Row, now: SystemTime) -> Option<(Signal, SystemTime)> {
    let id = row.get(Column::SignalId)?.parse().ok()?;
    let mut json = Vec::new();
    row.write_notice(&mut json);
    let mut json: Value = serde_json::from_slice(&json).ok()?;
    if let Some(mark) = mark_of_late(row) {
        json["metadata"] = mark;
    }
    let written = row.get(Column::CreatedAt).and_then(time);
    let latest = written.map_or(now, |written| written.min(now)) + LONGEST;
    let expires = row.get(Column::ExpiresAt).and_then(time).unwrap_or(latest);
    (expires > now).then(|| (Signal { id, json }, expires.min(latest)))
}

/// Of a signal that was open for a while when it came, that and since when. All of `metadata` would
/// be too long for a message.
fn mark_of_late(row: &Row) -> Option<Value> {
    let metadata: Value = serde_json::from_str(row.get(Column::Metadata)?).ok()?;
    (metadata["late"] == true).then(|| json!({"late": true, "openSince": metadata["openSince"]}))
}

/// `2026-11-22 01:11:05.564569+00`; `None` for infinity.
fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text.strip_suffix("+00")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(pending: &Pending, user: Uuid, id: &str, expires: &str) {
        assert!(pending.add(user, &row(id, expires, None), SystemTime::now()));
    }

    fn row<'a>(id: &'a str, expires: &'a str, written: Option<&'a str>) -> Row<'a> {
        let mut row = Row::default();
        for (column, text) in [
            (Column::SignalId, id),
            (Column::Symbol, "BTCUSDT"),
            (Column::SignalType, "LONG"),
            (Column::EntryPrice, "26.730"),
            (Column::TakeProfit, "{27.13,27.53}"),
            (Column::ExpiresAt, expires),
        ] {
            row.set(column, Some(text));
        }
        row.set(Column::CreatedAt, written);
        row
    }

    #[test]
    fn that_a_signal_came_late_is_told_and_nothing_else_of_its_metadata() {
        let told = |metadata| {
            let mut row = row("1", "infinity", None);
            row.set(Column::Metadata, metadata);
            let (signal, _) = signal_of(&row, SystemTime::now()).expect("it is open");
            signal.json["metadata"].clone()
        };
        let late = r#"{"why": "x", "late": true, "openSince": "2026-11-22T01:11:05.564Z"}"#;
        let mark = json!({"late": true, "openSince": "2026-11-22T01:11:05.564Z"});
        assert_eq!(told(Some(late)), mark);
        for other in [None, Some(r#"{"why": "x"}"#), Some(r#"{"late": "true"}"#)] {
            assert_eq!(told(other), Value::Null);
        }
    }

    #[test]
    fn what_comes_at_once_is_one_message() {
        let (pending, user) = (Pending::default(), Uuid::from_u128(1));
        for id in ["1", "2", "3", "4", "4"] {
            add(&pending, user, id, "2999-01-01 00:00:00.5+00");
        }
        add(&pending, user, "5", "infinity");
        add(&pending, user, "6", "2026-01-01 00:00:00+00");
        add(&pending, Uuid::from_u128(2), "6", "2026-01-01 00:00:00+00");
        let old = Some("2026-01-01 00:00:00+00");
        assert!(pending.add(user, &row("7", "infinity", old), SystemTime::now()));
        let mut all = pending.take();
        assert_eq!(all.len(), 1, "what has expired is told to nobody");
        let mut news = all.remove(&user).expect("theirs");
        let message: Value = serde_json::from_slice(&news.message(4000)).expect("JSON");
        assert_eq!(message["count"], 5);
        let ids = message["signals"].as_array().expect("a list").iter();
        let ids: Vec<_> = ids.map(|signal| signal["signal_id"].as_i64()).collect();
        assert_eq!(ids, [Some(5), Some(4), Some(3)]);
        assert_eq!(message["signals"][0]["entry_price"], "26.730");
        assert_eq!(
            message["signals"][0]["take_profit"],
            json!(["27.13", "27.53"])
        );
        assert_eq!(message["signals"][0]["stop_loss"], Value::Null);
        assert_eq!(news.topic(), "signal-5");
        let latest = SystemTime::now() + Duration::from_secs(900);
        assert!(news.expires <= latest, "15 minutes at most");
        let short: Value = serde_json::from_slice(&news.message(100)).expect("JSON");
        assert_eq!(
            (&short["count"], &short["signals"]),
            (&json!(5), &json!([]))
        );
        assert!(pending.take().is_empty());

        // Of several services, another may have some of it.
        assert!(news.retain(|id| id == 1 || id == 4));
        let rest: Value = serde_json::from_slice(&news.message(4000)).expect("JSON");
        assert_eq!(rest["count"], 2);
        assert_eq!(rest["signals"].as_array().map(Vec::len), Some(1));
        assert!(!news.retain(|_| false));
    }
}
