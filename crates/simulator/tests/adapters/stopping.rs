//! How an exchange says stop, and what else goes wrong with it.

use super::*;
use market::MarketError;

for_each_exchange!(
    too_many_requests_leave_it_alone,
    a_ban_leaves_it_alone,
    a_load_balancer_that_says_when_to_come_again_is_obeyed,
    maintenance_is_an_error_of_its_own,
    an_exchange_that_is_down_is_unreachable,
    what_is_no_reply_is_an_error
);

/// The error of a request for tickers that this fault strikes, on whatever route.
fn error(asking: &Asking, fault: &Fault) -> MarketError {
    let simulator = &asking.simulator;
    simulator.inject(fault.clone(), Times::Forever);
    let of_candles = signal_hub_simulator::CandleFault::Reply(fault.clone());
    simulator.inject_on_candles(of_candles, Times::Forever);
    let result = asking.adapter.tickers(&asking.endpoint(), &asked(&SYMBOLS));
    simulator.clear_faults();
    match result {
        Ok(tickers) => panic!("{fault:?} brought {tickers:?}"),
        Err(error) => error,
    }
}

fn too_many_requests_leave_it_alone(asking: &Asking) {
    let fault = Fault::TooManyRequests {
        retry_after: Some(17),
    };
    let error = error(asking, &fault);
    let MarketError::LeftAlone { retry_after, .. } = &error else {
        panic!("{error:?}");
    };
    // Two exchanges do not say for how long.
    let tells = !asking.is_one_of(&[Dialect::Okx, Dialect::Kraken]);
    let seconds = retry_after.map(|wait| wait.as_secs());
    if tells {
        assert!(
            seconds.is_some_and(|wait| wait.abs_diff(17) <= 1),
            "{error:?}"
        );
    }
    asking.tickers(&SYMBOLS);
}

fn a_ban_leaves_it_alone(asking: &Asking) {
    let fault = Fault::Banned { retry_after: None };
    let error = error(asking, &fault);
    assert!(matches!(error, MarketError::LeftAlone { .. }), "{error:?}");
}

fn maintenance_is_an_error_of_its_own(asking: &Asking) {
    let error = error(asking, &Fault::Maintenance);
    assert!(!matches!(error, MarketError::NotJson { .. }), "{error:?}");
    asking.tickers(&SYMBOLS);
}

fn an_exchange_that_is_down_is_unreachable(asking: &Asking) {
    asking.simulator.go_down();
    let result = asking.adapter.tickers(&asking.endpoint(), &asked(&SYMBOLS));
    assert!(
        matches!(result, Err(MarketError::Unreachable(_))),
        "{result:?}"
    );
    asking.simulator.come_back();
    asking.tickers(&SYMBOLS);
}

fn what_is_no_reply_is_an_error(asking: &Asking) {
    for fault in [
        Fault::InternalError,
        Fault::Unavailable,
        Fault::Html,
        Fault::EmptyBody,
        Fault::Truncated,
        Fault::MalformedJson,
        Fault::Reset,
    ] {
        error(asking, &fault);
    }
}

fn a_load_balancer_that_says_when_to_come_again_is_obeyed(asking: &Asking) {
    let error = error(asking, &Fault::UnavailableFor { seconds: 600 });
    let wait = match &error {
        MarketError::LeftAlone { retry_after, .. } => *retry_after,
        _ => None,
    };
    assert_eq!(wait, Some(Duration::from_secs(600)), "{error:?}");
}

#[test]
fn a_ban_that_only_the_words_of_binance_tell_is_obeyed() {
    for status in [418, 400, 200] {
        let asking = Asking::at(Dialect::Binance);
        // The words have a time of the exchange's clock, which has to be this machine's.
        asking.simulator.follow_clock();
        let fault = Fault::BannedInWords {
            status,
            seconds: 600,
        };
        let error = error(&asking, &fault);
        let MarketError::LeftAlone { retry_after, .. } = &error else {
            panic!("{status}: {error:?}");
        };
        let seconds = retry_after.map_or(0, |wait| wait.as_secs());
        assert!(seconds.abs_diff(600) <= 5, "{status}: {error:?}");
    }
}
