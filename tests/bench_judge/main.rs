//! What judging the list of all symbols of an exchange costs, from the bytes of the reply to the verdicts, beside
//! reading the same bytes with serde_json alone: `cargo bench -p signal_hub_tests --bench judge`.
//!
//! The limit is a typed struct of all fields of the reply, whose numbers stay the text they are
//! there: once with text that points into the reply, once with text of its own, as whatever
//! outlives the reply must have.
//!
//! All run in this process, one after the other in every round, so that a machine that is busy with
//! something else slows them alike. Figures are medians of the rounds, ratios medians of the
//! ratios of each round.

mod plain;
mod reply;
mod scene;

use reply::Reply;
use scene::Scene;
use signal_hub_harness::numbers::{line, median, ms, table};
use std::hint::black_box;
use std::time::Instant;

/// Rounds of which nothing is kept: the first touch of memory and code.
const WARM_UP: usize = 10;
const ROUNDS: usize = 200;

fn main() {
    Reply::all().iter().for_each(measure);
}

fn measure(reply: &Reply) {
    println!("{}", reply.origin);
    let scene = Scene::of(reply);
    println!("{}", scene.describe(&reply.body));

    let body = reply.body.as_slice();
    let parts: [(&str, &dyn Fn()); 5] = [
        ("serde_json, borrowed text", &|| {
            plain::borrowed(reply.exchange, body);
        }),
        ("serde_json, owned text", &|| {
            plain::owned(reply.exchange, body);
        }),
        ("tickers", &|| {
            black_box(scene.tickers(body));
        }),
        ("verdicts, all armed", &|| {
            scene.judge_armed(body, |verdicts| {
                black_box(verdicts);
            });
        }),
        ("verdicts, all in an episode", &|| {
            scene.judge_in_episode(body, |verdicts| {
                black_box(verdicts);
            });
        }),
    ];
    let rounds = take_turns(&parts.map(|(_, part)| part));

    table(
        &format!(
            "{}: from bytes to verdicts, {ROUNDS} rounds",
            reply.exchange
        ),
        &["what", "median ms", "least ms", "to borrowed", "to owned"],
    );
    for (index, (name, _)) in parts.iter().enumerate() {
        let times: Vec<f64> = rounds.iter().map(|round| round[index]).collect();
        let ratio_to = |limit: usize| {
            let ratios: Vec<f64> = rounds.iter().map(|r| r[index] / r[limit]).collect();
            format!("{:.2}", median(&ratios))
        };
        line(&[
            (*name).to_owned(),
            format!("{:.3}", median(&times)),
            format!("{:.3}", times.iter().copied().fold(f64::INFINITY, f64::min)),
            ratio_to(0),
            ratio_to(1),
        ]);
    }
}

/// The milliseconds of each part in each round.
fn take_turns<const PARTS: usize>(parts: &[&dyn Fn(); PARTS]) -> Vec<[f64; PARTS]> {
    let mut rounds: Vec<[f64; PARTS]> = (0..WARM_UP + ROUNDS)
        .map(|_| {
            parts.map(|part| {
                let began = Instant::now();
                part();
                ms(began.elapsed())
            })
        })
        .collect();
    rounds.split_off(WARM_UP)
}
