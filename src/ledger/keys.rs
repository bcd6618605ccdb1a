//! Where stretches of subscribers end, about: by a sample of their keys, where asking for the exact
//! place would go to every shard.

use crate::postgres::{Db, Failure};
use pgrx::datum::Uuid;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Keys that a sample is to have at least, unless there are fewer.
const ENOUGH: usize = 1_000;
/// Shares of the table that are tried, in percent, until they give enough.
const SHARES: [f32; 4] = [0.1, 1.0, 10.0, 100.0];
/// How long a sample is used.
const FRESH: Duration = Duration::from_secs(60);

thread_local! {
    static SAMPLES: RefCell<HashMap<String, Sample>> = RefCell::default();
}

/// Some keys of subscribers, in order.
struct Sample {
    taken: Instant,
    keys: Vec<Uuid>,
    /// How many subscribers each stands for.
    each: f64,
}

impl Sample {
    /// The first key that is about `size` subscribers behind `from`.
    fn after(&self, from: Uuid, size: i64) -> Option<Uuid> {
        let place = self
            .keys
            .partition_point(|key| key.as_bytes() <= from.as_bytes());
        let steps = (size as f64 / self.each).round().max(1.0) as usize;
        self.keys.get((place + steps).saturating_sub(1)).copied()
    }
}

/// A key about `size` subscribers behind `from`, active ones of a tier or all; `None` when there
/// are fewer.
///
/// # Errors
/// What reading the table raises.
pub fn after(db: &Db, from: Uuid, size: i64, tier: Option<&str>) -> Result<Option<Uuid>, Failure> {
    let name = tier.unwrap_or_default();
    let known = SAMPLES.with_borrow(|samples| {
        let sample = samples.get(name)?;
        (sample.taken.elapsed() < FRESH).then(|| sample.after(from, size))
    });
    if let Some(key) = known {
        return Ok(key);
    }
    let sample = take(db, tier)?;
    let key = sample.after(from, size);
    SAMPLES.with_borrow_mut(|samples| samples.insert(name.to_owned(), sample));
    Ok(key)
}

fn take(db: &Db, tier: Option<&str>) -> Result<Sample, Failure> {
    let mut sample = Sample {
        taken: Instant::now(),
        keys: Vec::new(),
        each: 1.0,
    };
    for share in SHARES {
        sample.keys = db.read(
            "SELECT u.user_id FROM @extschema@.user_subscriptions u TABLESAMPLE SYSTEM ($1)
              WHERE $2 OR u.status = 'active' AND u.tier = $3
              ORDER BY u.user_id",
            &[
                share.into(),
                tier.is_none().into(),
                tier.unwrap_or_default().to_owned().into(),
            ],
            |row| Ok(row.get(1)?.unwrap_or(Uuid::from_bytes([0; 16]))),
        )?;
        sample.each = 100.0 / f64::from(share);
        if sample.keys.len() >= ENOUGH {
            break;
        }
    }
    Ok(sample)
}

/// The greatest key below this one.
pub fn before(key: Uuid) -> Uuid {
    let number = u128::from_be_bytes(*key.as_bytes());
    Uuid::from_bytes(number.saturating_sub(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> Uuid {
        Uuid::from_bytes(number.to_be_bytes())
    }

    #[test]
    fn a_stretch_has_about_as_many_as_were_asked_for() {
        let sample = Sample {
            taken: Instant::now(),
            keys: (1..=100).map(|number| key(number * 10)).collect(),
            each: 10.0,
        };
        assert_eq!(sample.after(key(0), 100), Some(key(100)));
        assert_eq!(sample.after(key(100), 100), Some(key(200)));
        assert_eq!(
            sample.after(key(0), 1),
            Some(key(10)),
            "never the same again"
        );
        assert_eq!(sample.after(key(950), 100), None, "fewer are left");
    }

    #[test]
    fn the_key_before_one_is_the_last_of_the_stretch() {
        assert_eq!(before(key(256)), key(255));
        assert_eq!(before(key(0)), key(0));
    }
}
