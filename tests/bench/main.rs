//! What a fan-out costs on a real server with fsync on, compared with the plain statement that
//! does the same:
//! `cargo bench -p signal_hub_tests --bench delivery -- [MEASUREMENT...] [OPTIONS]`.
//!
//! The extension must be installed in release mode (`./pgrx-install.sh`). Figures are medians of
//! rounds in which both take turns on the same tables. Nothing else should run on the machine.

mod copies;
mod curve;
mod few;
mod follower;
mod growth;
mod idle;
mod preferences;
mod purge;
mod rate;

use lexopt::prelude::{Long, Value, ValueExt};

const HELP: &str = "\
Measures the fan-out of signal_hub.

Usage: cargo bench -p signal_hub_tests --bench delivery -- [MEASUREMENT...] [OPTIONS]

Measurements (all but idle when none is named):
  rate     rows per second beside the plain statement, with quotas, two processes
  few      what a cycle costs with 10, 1,000 and 100,000 subscribers
  curve    batch size against rate, first and last commit, and other commits' way to a client
  growth   the same with ten rows per subscriber already there
  copies   with each row copied into the table of an application (at most 100,000 subscribers)
  purge    removing expired rows while signals are delivered
  preferences
           filters of a third of the subscribers, and limits of their own
  idle     processor time and writes of a worker with nothing to say

  --subscribers N   subscribers of the large measurements (default: 1000000)
  --rounds N        rounds of each (default: 5)
  --seconds N       time to watch an idle worker (default: 600)
  --help            print this text
";

/// What the command line asks for.
pub struct Arguments {
    measurements: Vec<String>,
    subscribers: u32,
    rounds: usize,
    seconds: u64,
}

fn main() {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return print!("{HELP}"),
        Err(error) => {
            eprintln!("{error}\n{HELP}");
            std::process::exit(2);
        }
    };
    for measurement in &arguments.measurements {
        match measurement.as_str() {
            "rate" => rate::measure(&arguments),
            "few" => few::measure(&arguments),
            "curve" => curve::measure(&arguments),
            "growth" => growth::measure(&arguments),
            "copies" => copies::measure(&arguments),
            "purge" => purge::measure(&arguments),
            "preferences" => preferences::measure(&arguments),
            _ => idle::measure(&arguments),
        }
    }
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    const ALL: [&str; 8] = [
        "rate",
        "few",
        "curve",
        "growth",
        "copies",
        "purge",
        "preferences",
        "idle",
    ];
    let mut arguments = Arguments {
        measurements: Vec::new(),
        subscribers: 1_000_000,
        rounds: 5,
        seconds: 600,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("subscribers") => arguments.subscribers = parser.value()?.parse()?,
            Long("rounds") => arguments.rounds = parser.value()?.parse()?,
            Long("seconds") => arguments.seconds = parser.value()?.parse()?,
            Long("help") => return Ok(None),
            // Added by cargo bench.
            Long("bench") => {}
            Value(name) if ALL.iter().any(|known| name == *known) => {
                arguments.measurements.push(name.string()?);
            }
            _ => return Err(argument.unexpected()),
        }
    }
    if arguments.measurements.is_empty() {
        arguments.measurements = ALL[..7].iter().map(|name| (*name).to_owned()).collect();
    }
    Ok(Some(arguments))
}
