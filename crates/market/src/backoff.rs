//! How long to stay away from an exchange after a failure.

use crate::MarketError;
use std::time::Duration;

/// Longest wait after failures that the exchange did not ask to wait for.
const LONGEST_RETRY: Duration = Duration::from_secs(5 * 60);
/// Longest wait an exchange can ask for: Binance bans an address for up to three days.
const LONGEST_BAN: Duration = Duration::from_secs(3 * 24 * 3600);
/// Part of a wait by which the jitter lengthens or shortens it.
const JITTER: f64 = 0.1;

/// The wait before the next request, counted from the failure `error`.
///
/// An exchange that says stop is left alone for as long as it says, or for a time that fits its
/// status when it does not say. After any other failure the wait starts at one `interval` and
/// doubles with every further one up to five minutes. It is never shorter than one `interval`.
///
/// `consecutive_failures` counts this one too and is therefore at least 1. `jitter`, between 0
/// and 1, moves the wait by up to 10 % (0.5 leaves it as it is), so that servers that failed
/// together do not come back together.
pub fn delay(
    error: &MarketError,
    consecutive_failures: u32,
    interval: Duration,
    jitter: f64,
) -> Duration {
    let wait = match error {
        MarketError::LeftAlone {
            status,
            retry_after,
            ..
        } => retry_after
            .unwrap_or_else(|| customary(*status))
            .min(LONGEST_BAN),
        _ => {
            let doublings = consecutive_failures.saturating_sub(1).min(31);
            let wait = interval
                .saturating_mul(1 << doublings)
                .min(LONGEST_RETRY.max(interval));
            let factor = 1.0 + JITTER * (2.0 * jitter.clamp(0.0, 1.0) - 1.0);
            Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(wait)
        }
    };
    wait.max(interval)
}

/// How long to wait when the exchange does not say: the shortest ban that its documentation
/// names for 418 (two minutes), the window of the request weight for 429 (one minute), and as much
/// for an exchange that is busy (503).
fn customary(status: u16) -> Duration {
    Duration::from_secs(match status {
        429 | 503 => 60,
        418 => 2 * 60,
        403 => 10 * 60,
        _ => 60 * 60,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn stop(status: u16, retry_after: Option<u64>) -> MarketError {
        MarketError::LeftAlone {
            status,
            code: None,
            retry_after: retry_after.map(Duration::from_secs),
            body: String::new(),
        }
    }

    fn seconds(error: &MarketError, failures: u32) -> u64 {
        delay(error, failures, INTERVAL, 0.5).as_secs()
    }

    #[test]
    fn an_exchange_that_says_how_long_is_obeyed() {
        assert_eq!(seconds(&stop(429, Some(77)), 1), 77);
        assert_eq!(seconds(&stop(429, Some(77)), 9), 77);
        assert_eq!(seconds(&stop(418, Some(0)), 1), 30);
        assert_eq!(seconds(&stop(418, Some(u64::MAX)), 1), 259_200);
    }

    #[test]
    fn an_exchange_that_does_not_say_gets_the_customary_time() {
        let waits = [429, 418, 403, 451].map(|status| seconds(&stop(status, None), 1));
        assert_eq!(waits, [60, 120, 600, 3600]);
    }

    #[test]
    fn other_failures_double_the_wait_up_to_five_minutes() {
        let error = MarketError::TimedOut(INTERVAL);
        let waits = [1, 2, 3, 4, 5, 6, u32::MAX].map(|n| seconds(&error, n));
        assert_eq!(waits, [30, 60, 120, 240, 300, 300, 300]);
    }

    #[test]
    fn an_interval_longer_than_five_minutes_is_kept() {
        let hour = Duration::from_secs(3600);
        assert_eq!(
            delay(&MarketError::TooLarge { limit: 1 }, 7, hour, 0.5),
            hour
        );
    }

    proptest! {
        #[test]
        fn the_wait_grows_with_failures_and_stays_in_bounds(
            failures in 1u32.., seconds in 1u64..86_400, jitter in any::<f64>(),
        ) {
            let interval = Duration::from_secs(seconds);
            let error = MarketError::Unreachable(String::new());
            let steady = delay(&error, failures, interval, 0.5);
            prop_assert!(steady <= delay(&error, failures.saturating_add(1), interval, 0.5));
            let wait = delay(&error, failures, interval, jitter);
            prop_assert!(wait >= interval);
            prop_assert!(wait.as_secs_f64() <= LONGEST_RETRY.max(interval).as_secs_f64() * 1.1001);
            prop_assert!((wait.as_secs_f64() / steady.as_secs_f64() - 1.0).abs() <= 0.1001);
        }

        #[test]
        fn a_ban_stays_in_bounds(
            status in any::<u16>(), retry in proptest::option::of(any::<u64>()), jitter in any::<f64>(),
        ) {
            let wait = delay(&stop(status, retry), 1, INTERVAL, jitter);
            prop_assert!((INTERVAL..=LONGEST_BAN).contains(&wait));
        }
    }
}
