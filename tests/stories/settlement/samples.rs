//! An exchange that has no candles: what the last prices showed is all there is.

use super::{DUE, HOUR, LIFETIME, MINUTE, Story};
use signal_hub_harness::scene::SOON;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{CandleFault, Times};

#[test]
fn without_candles_a_signal_is_settled_by_samples_and_its_record_says_so() {
    let mut story = Story::begin();
    for interval in ["1s", "1m"] {
        let refused = CandleFault::RefusedInterval(interval);
        story.market.inject_on_candles(refused, Times::Forever);
    }
    story.rise(&["BTCUSDT", "ETHUSDT"]);
    // The first is seen at target 1 and comes back; the second touches its stop between two looks.
    story.pass_to(HOUR);
    story.market.set_change("BTCUSDT", "5.5");
    let seen = "symbol = 'BTCUSDT' AND first_touch = 'target' AND state = 'open'";
    eventually(SOON, "a look shows the target", || story.count(seen) == 1);
    story.market.set_change("BTCUSDT", "3.5");
    let stop = story.level("ETHUSDT", "stop_loss");
    story.trade("ETHUSDT", 2 * HOUR, &stop);
    story.pass_to(LIFETIME - MINUTE);
    story.wait_for_runs();
    assert_eq!(
        story.count("state = 'open'"),
        2,
        "not before it has expired"
    );
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    assert_eq!(
        story.result("BTCUSDT"),
        "settled: 1 targets, target first, expired by sampled, gap"
    );
    assert_eq!(
        story.result("ETHUSDT"),
        "settled: 0 targets, none first, expired by sampled, gap"
    );
    story.the_chain_holds();
    // It is not pooled with exact outcomes unless that is asked for.
    let pooled = |resolution: &str| {
        format!(
            "SELECT concat_ws(' ', settled, sampled) FROM signal_track_record(now() - interval '1 day', now(){resolution})"
        )
    };
    let exact: String = story.session.one(&pooled(""));
    assert_eq!(exact, "0 2", "counted, and not pooled");
    let all: String = story
        .session
        .one(&pooled(", resolution => '{1s,1m,sampled}'"));
    assert_eq!(all, "2 2");
}
