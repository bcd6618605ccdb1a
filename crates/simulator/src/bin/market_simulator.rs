//! Serves the market simulator until it is killed or its standard input closes.

#![forbid(unsafe_code)]

use lexopt::prelude::{Long, ValueExt};
use signal_hub_simulator::{Dialect, Simulator, SimulatorOptions};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

const HELP: &str = "\
Serves simulated 24-hour tickers on 127.0.0.1, the way an exchange's spot REST API does.

Usage: market_simulator [OPTIONS]

  --port N               port to listen on (default: a free one)
  --seed N               chooses the random walks (default: 1)
  --volatility X         scales every move, 0 to 10; 0 is a flat market (default: 1)
  --dialect NAME         whose API it speaks (default: binance); given again, one more exchange
                         serves the same prices on a port of its own
  --until-stdin-closes   end when standard input closes
  --help                 print this text
";

/// What the command line asks for.
struct Arguments {
    options: SimulatorOptions,
    /// What the exchanges beside the first speak.
    others: Vec<Dialect>,
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("market_simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = arguments()? else {
        print!("{HELP}");
        return Ok(());
    };
    let market =
        Simulator::start(arguments.options).map_err(|error| format!("cannot start: {error}"))?;
    let mut out = io::stdout();
    writeln!(out, "market simulator listening on {}", market.url())?;
    let others: io::Result<Vec<Simulator>> = arguments
        .others
        .into_iter()
        .map(|dialect| market.beside(dialect))
        .collect();
    let others = others.map_err(|error| format!("cannot start: {error}"))?;
    for other in &others {
        writeln!(
            out,
            "{} listening on {}",
            other.dialect().name(),
            other.url()
        )?;
    }
    out.flush()?;
    if arguments.until_stdin_closes {
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(());
    }
    loop {
        thread::park();
    }
}

/// `None` when help is asked for.
fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        options: SimulatorOptions::default(),
        others: Vec::new(),
        until_stdin_closes: false,
    };
    let mut dialects = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => arguments.options.port = parser.value()?.parse()?,
            Long("seed") => arguments.options.seed = parser.value()?.parse()?,
            Long("volatility") => arguments.options.volatility = parser.value()?.parse()?,
            Long("dialect") => dialects.push(parser.value()?.parse()?),
            Long("until-stdin-closes") => arguments.until_stdin_closes = true,
            Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    let mut dialects = dialects.into_iter();
    arguments.options.dialect = dialects.next().unwrap_or_default();
    arguments.others = dialects.collect();
    Ok(Some(arguments))
}
