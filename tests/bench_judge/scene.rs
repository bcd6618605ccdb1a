//! Every symbol of a reply watched, and judged at the time of the reply.

use crate::reply::Reply;
use market::{Exchange, ReplyTime, Tickers, UnixMillis};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use strategy::{self, Episode, Rule, Side, Verdict, Watched};

const HOUR: i64 = 3_600_000;

pub struct Scene {
    exchange: &'static dyn Exchange,
    rule: Rule,
    watched: Vec<Watched>,
    now: UnixMillis,
    armed: HashMap<String, Episode>,
    in_episode: HashMap<String, Episode>,
}

impl Scene {
    pub fn of(reply: &Reply) -> Self {
        let content: Value = serde_json::from_slice(&reply.body).expect("a reply");
        let rows = content.as_array().or(content["data"]["ticker"].as_array());
        let rows = rows.expect("a list");
        let watched: Vec<Watched> = rows
            .iter()
            .map(|row| Watched {
                symbol: row["symbol"].as_str().expect("a symbol").replace('-', ""),
                ..Watched::default()
            })
            .collect();
        let times = rows.iter().map(|row| row["closeTime"].as_i64());
        let of_all = content["data"]["time"].as_i64();
        let now = times.max().flatten().or(of_all).expect("a time");
        let since_an_hour = Episode {
            side: Some(Side::Short),
            since: Some(now - HOUR),
            last_signal_at: Some(now - HOUR),
            expires_at: Some(now + 3 * HOUR),
        };
        let remembered = |episode: Episode| {
            let symbols = watched.iter().map(|watched| watched.symbol.clone());
            symbols.map(|symbol| (symbol, episode.clone())).collect()
        };
        Self {
            exchange: market::exchange(reply.exchange).expect("an exchange"),
            rule: strategy::shipped::rule(),
            now,
            armed: remembered(Episode::default()),
            in_episode: remembered(since_an_hour),
            watched,
        }
    }

    /// The size of it all, for a person.
    pub fn describe(&self, body: &[u8]) -> String {
        let count = |remembered| {
            let mut signals = 0;
            self.judge(body, remembered, |verdicts| {
                signals = verdicts.iter().filter(|v| v.signal.is_some()).count();
            });
            signals
        };
        format!(
            "{} bytes, {} symbols watched; signals: {} when armed, {} in an episode",
            body.len(),
            self.watched.len(),
            count(&self.armed),
            count(&self.in_episode)
        )
    }

    pub fn tickers(&self, body: &[u8]) -> Tickers {
        let asked: HashSet<&str> = self.watched.iter().map(|w| w.symbol.as_str()).collect();
        let time = ReplyTime {
            date: None,
            received: self.now,
        };
        let rows = self.exchange.read_tickers(body, &asked, time);
        Tickers {
            rows: rows.expect("a list of tickers"),
            ..Tickers::default()
        }
    }

    pub fn judge_armed(&self, body: &[u8], look: impl FnOnce(&[Verdict])) {
        self.judge(body, &self.armed, look);
    }

    pub fn judge_in_episode(&self, body: &[u8], look: impl FnOnce(&[Verdict])) {
        self.judge(body, &self.in_episode, look);
    }

    fn judge(
        &self,
        body: &[u8],
        remembered: &HashMap<String, Episode>,
        look: impl FnOnce(&[Verdict]),
    ) {
        let tickers = self.tickers(body);
        look(&strategy::judge(
            &self.rule,
            &self.watched,
            &tickers,
            remembered,
            self.now,
        ));
    }
}
