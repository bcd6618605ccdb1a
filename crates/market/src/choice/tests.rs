use super::*;
use proptest::prelude::*;

const INTERVAL: Duration = Duration::from_secs(30);
const STEP: i64 = 30_000;
const MINUTE: i64 = 60_000;

/// Two exchanges, driven from run to run without a clock.
struct Driven {
    standings: Vec<Standing>,
    now: UnixMillis,
    /// Who served each run; `None` of a run that all failed, or in which none was asked.
    served: Vec<Option<usize>>,
    asked: Vec<usize>,
}

impl Driven {
    fn new(exchanges: usize) -> Self {
        Self {
            standings: vec![Standing::default(); exchanges],
            now: 0,
            served: Vec::new(),
            asked: vec![0; exchanges],
        }
    }

    /// One run, in which the exchanges of `down` fail.
    fn run(&mut self, down: &[usize]) {
        let choice = choose(&self.standings, self.now, INTERVAL);
        let mut served = None;
        for place in choice.ask {
            if self.answers(place, down) {
                served = Some(place);
                break;
            }
        }
        for place in choice.probe {
            self.answers(place, down);
        }
        self.served.push(served);
        self.now += STEP;
    }

    fn answers(&mut self, place: usize, down: &[usize]) -> bool {
        let standing = &mut self.standings[place];
        self.asked[place] += 1;
        let fails = down.contains(&place);
        *standing = match fails {
            true => {
                let error = MarketError::Unreachable(String::new());
                standing.after_failure(&error, self.now, INTERVAL, 0.5)
            }
            false => standing.after_success(self.now, INTERVAL),
        };
        !fails
    }

    fn runs(&mut self, minutes: i64, down: &[usize]) {
        for _ in 0..minutes * MINUTE / STEP {
            self.run(down);
        }
    }

    fn changes(&self) -> usize {
        self.served
            .windows(2)
            .filter(|two| two[0] != two[1])
            .count()
    }
}

#[test]
fn the_first_that_is_good_is_asked_and_no_other() {
    let mut driven = Driven::new(3);
    driven.runs(60, &[]);
    assert!(driven.served.iter().all(|served| *served == Some(0)));
    assert_eq!(driven.asked, [120, 0, 0]);
}

#[test]
fn when_the_first_is_down_for_an_hour_no_run_is_lost_and_it_is_taken_up_again_once() {
    let mut driven = Driven::new(2);
    driven.runs(5, &[]);
    driven.runs(60, &[0]);
    driven.runs(30, &[]);
    assert!(driven.served.iter().all(Option::is_some));
    assert_eq!(driven.changes(), 2);
    assert_eq!(driven.served.last(), Some(&Some(0)));
    // Backed off to five minutes: 30 s, 1 min, 2 min, 4 min, and 5 min from there on.
    let probes = driven.asked[0] - 10 - 60;
    assert!((10..=20).contains(&probes), "{probes}");
}

#[test]
fn an_exchange_that_comes_and_goes_does_not_flap() {
    let mut driven = Driven::new(2);
    for _ in 0..30 {
        driven.runs(4, &[]);
        driven.runs(1, &[0]);
    }
    assert_eq!(driven.changes(), 1, "it was never good for five minutes");
    // Good for six minutes and down for one, for six hours.
    let mut driven = Driven::new(2);
    for _ in 0..51 {
        driven.runs(6, &[]);
        driven.runs(1, &[0]);
    }
    assert!(driven.served.iter().all(Option::is_some));
    assert!(driven.changes() <= 4, "{} changes", driven.changes());
}

#[test]
fn an_exchange_that_says_stop_is_left_alone_as_long_as_it_says_also_when_all_others_fail() {
    let stop = MarketError::LeftAlone {
        code: None,
        status: 418,
        retry_after: Some(Duration::from_secs(3600)),
        body: String::new(),
    };
    let mut driven = Driven::new(2);
    driven.standings[0] = Standing::default().after_failure(&stop, 0, INTERVAL, 0.9);
    assert!(driven.standings[0].asked_to_wait);
    driven.runs(59, &[1]);
    assert_eq!(driven.asked[0], 0);
    assert_eq!(next_at(&driven.standings), Some(3_600_000));
    driven.runs(2, &[1]);
    assert!(driven.asked[0] > 0);
    assert_eq!(
        driven.served.last(),
        Some(&Some(0)),
        "on probation it serves when no other does"
    );
}

#[test]
fn what_is_forgotten_leaves_a_clean_slate() {
    let mut driven = Driven::new(2);
    driven.runs(1, &[0]);
    driven.runs(120, &[]);
    assert_eq!(driven.standings[0], Standing::default());
}

#[test]
fn time_is_shared_so_that_the_next_one_has_some() {
    let ten = Duration::from_secs(10);
    assert_eq!(share(ten, 1), ten);
    assert_eq!(share(ten, 2), ten / 2);
    assert_eq!(share(ten / 2, 1), ten / 2);
}

proptest! {
    #[test]
    fn whatever_fails_when_a_run_is_served_when_one_is_up(
        down in proptest::collection::vec(proptest::collection::vec(0usize..3, 0..3), 1..200),
    ) {
        let mut driven = Driven::new(3);
        for down in &down {
            let before = driven.standings.clone();
            let up_and_due = (0..3).any(|place| {
                !down.contains(&place) && before[place].may_be_asked(driven.now)
            });
            driven.run(down);
            prop_assert_eq!(driven.served.last().unwrap().is_some(), up_and_due);
        }
    }

    #[test]
    fn none_is_asked_twice_in_a_run(
        standings in proptest::collection::vec((0u32..3, 0i64..9, any::<bool>()), 0..6), now in 0i64..9,
    ) {
        let standings: Vec<Standing> = standings
            .into_iter()
            .map(|(failures, at, is_good)| Standing {
                failures,
                retry_at: (!is_good).then_some(at * 1000),
                good_since: is_good.then_some(at * -100_000),
                ..Standing::default()
            })
            .collect();
        let choice = choose(&standings, now * 1000, INTERVAL);
        let mut asked = choice.ask.clone();
        asked.sort_unstable();
        asked.dedup();
        prop_assert_eq!(asked.len(), choice.ask.len());
        let serves = choice.ask.first();
        prop_assert!(choice.probe.iter().all(|place| Some(place) < serves));
    }
}
