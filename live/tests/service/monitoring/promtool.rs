//! What Prometheus would scrape, and the unit tests of promtool that are made of it.

use crate::scene::SOON;
use crate::service::Service;
use crate::wait::eventually;
use signal_hub_harness::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many minutes of a test are before the fault, and how many are in it.
const BEFORE: u32 = 20;
const DURING: u32 = 80;

/// Runs promtool to its end.
pub fn promtool(arguments: &[&str]) -> Output {
    let output = Command::new("promtool").args(arguments).output();
    output.expect("promtool runs")
}

/// Everything that was scraped at one time: series and values.
#[derive(Clone)]
pub struct Scrape {
    at: f64,
    pub series: BTreeMap<String, f64>,
}

impl Scrape {
    pub fn new(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            at: now.expect("after 1970").as_secs_f64(),
            series: pairs.chain([("up".to_owned(), 1.0)]).collect(),
        }
    }

    /// As Prometheus notes it when nobody answers.
    pub fn silence(before: &Self) -> Self {
        Self {
            series: BTreeMap::from([("up".to_owned(), 0.0)]),
            ..before.clone()
        }
    }

    pub fn get(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or(f64::NAN)
    }
}

/// The service's own answer, once it says this.
#[track_caller]
pub fn scrape(service: &Service, holds: impl Fn(&Scrape) -> bool) -> Scrape {
    eventually(SOON, "the metrics show it", || {
        let text = service.get("/metrics", None).body_mut().read_to_string();
        let scrape = Scrape::new(&text.expect("text"));
        holds(&scrape).then_some(scrape)
    })
}

/// The same of an exporter that reads signal_metrics.
pub fn exported(session: &mut Session) -> Scrape {
    let lines: Vec<String> = session.list(
        "SELECT format('%s{%s} %s', name, (SELECT string_agg(format('%s=%s', key, to_json(value)), ',')
                                            FROM jsonb_each_text(labels)), value)
           FROM signal_metrics",
    );
    Scrape::new(&lines.join("\n").replace("{}", ""))
}

/// A series of promtool: the name with the labels that a scrape adds.
fn named(series: &str) -> String {
    let more = "job=\"signal_hub\",instance=\"test:8080\"";
    match series.strip_suffix('}') {
        Some(open) => format!("{open},{more}}}"),
        None => format!("{series}{{{more}}}"),
    }
}

/// Twenty minutes as before the fault, and eighty in it. promtool's clock begins at 0.
fn values(name: &str, before: &Scrape, during: &Scrape) -> String {
    let is_time = name.contains("_timestamp_seconds");
    let fault_at = f64::from(60 * (BEFORE + 1));
    let part = |scrape: &Scrape, start: f64, step: f64, minutes: u32| match scrape.series.get(name)
    {
        None => format!("_x{}", minutes + 1),
        Some(at) if is_time => format!("{}+{step}x{minutes}", at - scrape.at + start),
        Some(value) => format!("{value}+0x{minutes}"),
    };
    // Before the fault, what is a time goes on.
    format!(
        "{} {}",
        part(before, 0.0, 60.0, BEFORE),
        part(during, fault_at, 0.0, DURING)
    )
}

/// The name of a series without its labels.
pub fn base(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}

/// A unit test: this alert fires in the fault, and did not before; at first no other did either.
pub fn unit_test(
    alert: &str,
    before: &Scrape,
    during: &Scrape,
    rules: &str,
    is_first: bool,
) -> String {
    let mut test = "  - interval: 1m\n    input_series:\n".to_owned();
    let names: BTreeSet<&String> = before.series.keys().chain(during.series.keys()).collect();
    let names = names.into_iter().filter(|name| rules.contains(base(name)));
    for name in names {
        let (series, values) = (named(name), values(name, before, during));
        let _ = writeln!(test, "      - {{ series: '{series}', values: '{values}' }}");
    }
    let quiet = if is_first {
        String::new()
    } else {
        format!(",alertname=\"{alert}\"")
    };
    let fired = |which: &str, minutes| {
        format!("count(count_over_time(ALERTS{{alertstate=\"firing\"{which}}}[{minutes}m]))")
    };
    let _ = write!(
        test,
        "    promql_expr_test:\n\
         \x20     - {{ expr: '{}', eval_time: {BEFORE}m }}\n\
         \x20     - expr: '{} > bool 0'\n\
         \x20       eval_time: {}m\n\
         \x20       exp_samples: [{{ value: 1 }}]\n",
        fired(&quiet, BEFORE),
        fired(&format!(",alertname=\"{alert}\""), DURING),
        BEFORE + DURING,
    );
    test
}
