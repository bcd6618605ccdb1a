//! The command line and the environment.

use crate::error::Failure;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What `--help` prints.
pub const HELP: &str = "\
Streams the signals of signal_hub to their subscribers, and serves a page that shows them.

Usage: signal_hub_live COMMAND [OPTIONS]

  serve         follow the slot and serve
  create-slot   create the replication slot that serve follows
  drop-slot     drop it; a slot that nobody reads keeps WAL until the disk is full
  token         print a token that signs a subscriber in, for demos and tests

  --database-url URL    postgresql://USER:PASSWORD@HOST:PORT/DATABASE (better in DATABASE_URL)
  --slot NAME           replication slot (signal_hub_live)
serve:
  --listen ADDRESS      where to listen (127.0.0.1:8080)
  --publication NAME    what enable_realtime() made (signal_hub)
  --role NAME           role whose rights subscribers have (authenticated)
  --jwt-secret-file F   the secret that tokens are signed with by HS256, 32 bytes or more
  --jwks-file F         or the public keys, as a JSON Web Key Set
  --jwt-audience A      accept tokens for this audience only (any)
  --max-clients N       streams at the same time (10000)
  --create-slot         create the slot when it is missing
token:
  --sub UUID            the subscriber
  --hours N             how long the token is good for (12)
  --role NAME, --jwt-secret-file F, --jwt-audience A as above

Each option that takes a value can be a variable of the environment:
SIGNAL_HUB_LIVE_JWT_SECRET_FILE for --jwt-secret-file; DATABASE_URL for --database-url.
";

/// What the program is to do.
pub enum Command {
    Help,
    Serve(Box<Serve>),
    CreateSlot(Source),
    DropSlot(Source),
    Token(Order),
}

/// Where rows come from.
pub struct Source {
    /// Server, database and role. One host and a user.
    pub database: tokio_postgres::Config,
    /// The replication slot, a name that needs no quotes.
    pub slot: String,
}

/// The options of `serve`.
pub struct Serve {
    /// The database and the slot.
    pub source: Source,
    /// Where clients come; port 0 is any.
    pub listen: SocketAddr,
    /// What of the slot is followed.
    pub publication: String,
    /// What subscribers are to the database.
    pub role: String,
    /// What tokens are checked with.
    pub keys: KeyFile,
    /// The audience that tokens must be for; `None` is any.
    pub audience: Option<String>,
    /// Most streams at the same time.
    pub max_clients: usize,
    /// Whether a missing slot is created.
    pub create_slot: bool,
}

/// What tokens are checked with.
pub enum KeyFile {
    Secret(Vec<u8>),
    /// The text of a JSON Web Key Set.
    KeySet(String),
}

/// A token to be made.
pub struct Order {
    /// Its `sub`.
    pub subscriber: Uuid,
    /// How long it is good for.
    pub hours: u32,
    /// What it is signed with.
    pub secret: Vec<u8>,
    /// Its `role`.
    pub role: String,
    /// Its `aud`, if any.
    pub audience: Option<String>,
}

/// Reads what this process was started with.
///
/// # Errors
/// What is unknown, missing or unreadable.
pub fn from_environment() -> Result<Command, Failure> {
    let mut parser = lexopt::Parser::from_env();
    let mut command = None;
    let mut given = Given::default();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(Command::Help),
            lexopt::Arg::Long("create-slot") => given.create_slot = true,
            lexopt::Arg::Long(name) => {
                let name = name.to_owned();
                if !NAMES.contains(&name.as_str()) {
                    return Err(usage(format!("unknown option --{name}")));
                }
                let value = parser.value()?.into_string();
                let value = value.map_err(|_| usage(format!("--{name} is not text")))?;
                given.values.insert(name, value);
            }
            lexopt::Arg::Value(name) if command.is_none() => {
                command = Some(name.to_string_lossy().into_owned());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match command.as_deref() {
        Some("serve") => Ok(Command::Serve(Box::new(given.serve()?))),
        Some("create-slot") => Ok(Command::CreateSlot(given.source()?)),
        Some("drop-slot") => Ok(Command::DropSlot(given.source()?)),
        Some("token") => Ok(Command::Token(given.order()?)),
        Some(other) => Err(usage(format!("unknown command {other}"))),
        None => Err(usage("a command is missing")),
    }
}

const NAMES: [&str; 11] = [
    "database-url",
    "slot",
    "listen",
    "publication",
    "role",
    "jwt-secret-file",
    "jwks-file",
    "jwt-audience",
    "max-clients",
    "sub",
    "hours",
];

/// Options as they were typed.
#[derive(Default)]
struct Given {
    values: HashMap<String, String>,
    create_slot: bool,
}

impl Given {
    fn get(&self, name: &str) -> Option<String> {
        let variable = match name {
            "database-url" => "DATABASE_URL".to_owned(),
            _ => format!("SIGNAL_HUB_LIVE_{}", name.replace('-', "_").to_uppercase()),
        };
        let typed = self.values.get(name).cloned();
        typed.or_else(|| std::env::var(variable).ok().filter(|v| !v.is_empty()))
    }

    fn get_or(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }

    fn number(&self, name: &str, default: u32) -> Result<u32, Failure> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| usage(format!("--{name} {text} is not a positive number")))
            }
        }
    }

    fn source(&self) -> Result<Source, Failure> {
        let url = self
            .get("database-url")
            .ok_or_else(|| usage("DATABASE_URL is not set"))?;
        let database = database(&url)?;
        let slot = self.get_or("slot", "signal_hub_live");
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if slot.is_empty()
            || slot.len() > 63
            || slot.as_bytes()[0].is_ascii_digit()
            || !slot.bytes().all(is_name)
        {
            return Err(usage(format!(
                "--slot {slot} is no name for a slot: lower case letters, digits and underscores, not a digit first"
            )));
        }
        Ok(Source { database, slot })
    }

    fn serve(&self) -> Result<Serve, Failure> {
        let listen = self.get_or("listen", "127.0.0.1:8080");
        let keys = match (self.get("jwt-secret-file"), self.get("jwks-file")) {
            (Some(file), None) => KeyFile::Secret(secret(file.as_ref())?),
            (None, Some(file)) => KeyFile::KeySet(read(file.as_ref())?),
            _ => {
                return Err(usage(
                    "either --jwt-secret-file or --jwks-file says how tokens are checked",
                ));
            }
        };
        Ok(Serve {
            source: self.source()?,
            listen: listen
                .parse()
                .map_err(|_| usage(format!("--listen {listen} is not ADDRESS:PORT")))?,
            publication: self.get_or("publication", "signal_hub"),
            role: self.get_or("role", "authenticated"),
            keys,
            audience: self.get("jwt-audience"),
            max_clients: self.number("max-clients", 10_000)? as usize,
            create_slot: self.create_slot,
        })
    }

    fn order(&self) -> Result<Order, Failure> {
        let subscriber = self.get("sub").ok_or_else(|| usage("--sub is missing"))?;
        let file = self.get("jwt-secret-file");
        let file: PathBuf = file
            .ok_or_else(|| usage("--jwt-secret-file is missing"))?
            .into();
        Ok(Order {
            subscriber: Uuid::try_parse(&subscriber)
                .map_err(|_| usage(format!("--sub {subscriber} is not a UUID")))?,
            hours: self.number("hours", 12)?,
            secret: secret(&file)?,
            role: self.get_or("role", "authenticated"),
            audience: self.get("jwt-audience"),
        })
    }
}

/// Refuses what the two libraries that connect would understand in two ways.
fn database(url: &str) -> Result<tokio_postgres::Config, Failure> {
    let database: tokio_postgres::Config = url
        .parse()
        // Without the text: it has the password.
        .map_err(|error| {
            usage(format!(
                "DATABASE_URL is wrong: {error} (sslmode takes disable or prefer)"
            ))
        })?;
    if database.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
        return Err(usage(
            "this service has no TLS towards the database: run it beside the server or behind a tunnel, and leave sslmode=require out",
        ));
    }
    if !database.get_hostaddrs().is_empty() {
        return Err(usage(
            "DATABASE_URL: put the address into host, not hostaddr",
        ));
    }
    if database.get_hosts().len() != 1 || database.get_ports().len() > 1 {
        return Err(usage(
            "DATABASE_URL must name one host: a slot is on one server",
        ));
    }
    if database.get_user().is_none() {
        return Err(usage("DATABASE_URL names no user"));
    }
    Ok(database)
}

fn secret(file: &Path) -> Result<Vec<u8>, Failure> {
    let text = read(file)?;
    // The line break that editors add.
    let secret = text.trim_end_matches(['\r', '\n']).as_bytes();
    if secret.len() < 32 {
        return Err(Failure::refused(
            format!("the secret in {} is shorter than 32 bytes", file.display()),
            "Make one by: openssl rand -hex 32",
        ));
    }
    Ok(secret.to_vec())
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_so_that_there_is_one_way_to_understand_it() {
        for good in [
            "postgresql://hub:pw@127.0.0.1:5433/mydb",
            "postgresql://hub@db.example.com/mydb?sslmode=disable",
            "postgresql://hub@%2Frun%2Fpostgresql/mydb",
            "host=localhost user=hub dbname=mydb",
        ] {
            assert!(database(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("postgresql://hub@one,two/mydb", "must name one host"),
            ("postgresql://hub@one:1,one:2/mydb", "must name one host"),
            ("user=hub dbname=mydb", "must name one host"),
            ("host=x hostaddr=127.0.0.1 user=hub", "not hostaddr"),
            ("hostaddr=127.0.0.1 user=hub", "not hostaddr"),
            ("postgresql://127.0.0.1/mydb", "names no user"),
            ("postgresql://u@h/d?sslmode=require", "has no TLS"),
            (
                "postgresql://u@h/d?sslmode=verify-full",
                "disable or prefer",
            ),
        ] {
            let said = database(bad).expect_err(bad).to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
