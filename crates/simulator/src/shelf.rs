//! Candles that have ended, kept so that they are computed once: an exchange without a ticker is
//! asked for those of a whole day, over and over.

use super::UnixMillis;
use super::candles::RecordedCandle;
use std::collections::HashMap;

/// Shorter candles are computed each time: a request for them is small.
const SHORTEST: i64 = 60_000;
/// Most candles that are kept.
const MOST: usize = 20_000;

/// The candles of one symbol, by length and begin; `None` where nothing was traded.
#[derive(Debug, Default)]
pub(super) struct Shelf(HashMap<(i64, UnixMillis), Option<RecordedCandle>>);

impl Shelf {
    /// Forgets what ended after this time, because something was changed from then on.
    pub fn forget_since(&mut self, time: UnixMillis) {
        self.0.retain(|(length, begin), _| begin + length <= time);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Candles that begin from `first` to `last`, both multiples of `length`, as they are at
    /// `now`. `compute` makes those from one begin to another that are not known.
    pub fn candles(
        &mut self,
        (first, last): (UnixMillis, UnixMillis),
        length: i64,
        now: UnixMillis,
        mut compute: impl FnMut(UnixMillis, UnixMillis) -> Vec<RecordedCandle>,
    ) -> Vec<RecordedCandle> {
        if length < SHORTEST {
            return compute(first, last);
        }
        if self.0.len() > MOST {
            self.clear();
        }
        let mut candles = Vec::new();
        let mut begin = first;
        while begin <= last {
            if let Some(known) = self.ended(begin, length, now) {
                candles.extend(known);
                begin += length;
                continue;
            }
            let mut end = begin;
            while end < last && self.ended(end + length, length, now).is_none() {
                end += length;
            }
            let made = compute(begin, end);
            self.keep(&made, (begin, end), length, now);
            candles.extend(made);
            begin = end + length;
        }
        candles
    }

    fn ended(
        &self,
        begin: UnixMillis,
        length: i64,
        now: UnixMillis,
    ) -> Option<Option<RecordedCandle>> {
        let known = self.0.get(&(length, begin));
        known.filter(|_| begin + length <= now).cloned()
    }

    fn keep(
        &mut self,
        made: &[RecordedCandle],
        (first, last): (UnixMillis, UnixMillis),
        length: i64,
        now: UnixMillis,
    ) {
        let mut made = made.iter().peekable();
        let mut begin = first;
        while begin <= last && begin + length <= now {
            let candle = made.next_if(|candle| candle.open_time == begin);
            self.0.insert((length, begin), candle.cloned());
            begin += length;
        }
    }
}
