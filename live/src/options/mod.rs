//! The command line, the environment and the configuration file. Each option exists once, below: its name, its variable,
//! its default and its help. A test compares README.md with them.

mod alerts;
mod database_url;
mod encryption;
mod file;
mod push;
mod session;

pub use alerts::{AlertFormat, AlertOptions, AlertUrl};
use clap::builder::Resettable;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
pub use database_url::DatabaseAddress;
use database_url::DatabaseUrl;
pub use encryption::{Encryption, Mode};
pub use push::{PushOptions, PushService};
pub use session::SessionOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

/// Streams the signals of signal_hub to their subscribers, and serves a page that shows them.
///
/// Each option that takes a value can be a variable of the environment instead, shown in brackets,
/// or a line of the file that --config names: listen = "127.0.0.1:8080".
#[derive(Parser)]
#[command(version, flatten_help = true)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogOptions,
    /// File of options that are given neither here nor in the environment, TOML
    #[arg(
        long,
        env = "SIGNAL_HUB_LIVE_CONFIG",
        value_name = "FILE",
        global = true
    )]
    pub config: Option<PathBuf>,
}

/// What the program is asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Follow the replication slot and serve clients
    Serve(Box<Serve>),
    /// Create the replication slot that `serve` follows
    CreateSlot(Source),
    /// Drop the replication slot; a slot that nobody reads keeps WAL until the disk is full
    DropSlot(Source),
    /// Send a message to the webhook of --alert-url
    TestAlert(AlertOptions),
    /// Print a token that signs a subscriber in, for demos and tests
    Token(TokenOrder),
    /// Print a new key for --vapid-key-file
    VapidKey,
}

/// How messages reach the operator.
#[derive(Args)]
pub struct LogOptions {
    /// Least severe messages to log: off, error, warn, info, debug or trace
    #[arg(long, env = "SIGNAL_HUB_LIVE_LOG_LEVEL", value_name = "LEVEL")]
    #[arg(default_value = "info", global = true)]
    pub log_level: LevelFilter,
    /// Form of messages
    #[arg(long, env = "SIGNAL_HUB_LIVE_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// The form of messages.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where rows come from.
#[derive(Args)]
pub struct Source {
    /// Server, database and login: postgresql://USER:PASSWORD@HOST:PORT/DATABASE (as a variable,
    /// other users of this machine do not see it)
    #[arg(long = "database-url", env = "DATABASE_URL", value_name = "URL")]
    #[arg(hide_env_values = true, value_parser = DatabaseUrl("--database-url (DATABASE_URL)"))]
    pub database: DatabaseAddress,
    /// The same database with a login for the transactions of subscribers, which should have no
    /// other rights than those of their role
    #[arg(long = "subscriber-database-url", value_name = "URL")]
    #[arg(env = "SIGNAL_HUB_LIVE_SUBSCRIBER_DATABASE_URL")]
    #[arg(hide_env_values = true, value_parser = DatabaseUrl("--subscriber-database-url"))]
    pub subscriber_database: Option<DatabaseAddress>,
    /// Replication slot
    #[arg(long, env = "SIGNAL_HUB_LIVE_SLOT", value_name = "NAME")]
    #[arg(default_value = "signal_hub_live", value_parser = slot_name)]
    pub slot: String,
}

impl Source {
    /// The database with the login for transactions of subscribers.
    pub fn for_subscribers(&self) -> &DatabaseAddress {
        self.subscriber_database.as_ref().unwrap_or(&self.database)
    }
}

/// The options of `serve`.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    pub source: Source,
    /// Address to listen on; port 0 takes any free port
    #[arg(long, env = "SIGNAL_HUB_LIVE_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(default_value = "127.0.0.1:8080", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Publication that enable_realtime() made
    #[arg(long, env = "SIGNAL_HUB_LIVE_PUBLICATION", value_name = "NAME")]
    #[arg(default_value = "signal_hub")]
    pub publication: String,
    #[command(flatten)]
    pub keys: KeyOptions,
    #[command(flatten)]
    pub claims: ClaimOptions,
    #[command(flatten)]
    pub session: SessionOptions,
    #[command(flatten)]
    pub push: PushOptions,
    #[command(flatten)]
    pub alerts: AlertOptions,
    /// Most streams at the same time
    #[arg(long, env = "SIGNAL_HUB_LIVE_MAX_CLIENTS", value_name = "NUMBER")]
    #[arg(default_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_clients: u32,
    /// Create the slot if it is missing
    #[arg(long)]
    pub create_slot: bool,
}

/// What tokens are checked with: exactly one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct KeyOptions {
    /// File with the secret that tokens are signed with (HS256), 32 bytes or more
    #[arg(long, env = "SIGNAL_HUB_LIVE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    /// File with the public keys, a JSON Web Key Set
    #[arg(long, env = "SIGNAL_HUB_LIVE_JWKS_FILE", value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,
}

/// What tokens must claim.
#[derive(Args)]
pub struct ClaimOptions {
    /// Database role whose rights subscribers have
    #[arg(long, env = "SIGNAL_HUB_LIVE_ROLE", value_name = "NAME")]
    #[arg(default_value = "authenticated")]
    pub role: String,
    /// Issuer that tokens must be from (default: any)
    #[arg(
        long = "jwt-issuer",
        env = "SIGNAL_HUB_LIVE_JWT_ISSUER",
        value_name = "ISSUER"
    )]
    pub issuer: Option<String>,
    /// Audience that tokens must be for (default: any)
    #[arg(
        long = "jwt-audience",
        env = "SIGNAL_HUB_LIVE_JWT_AUDIENCE",
        value_name = "AUDIENCE"
    )]
    pub audience: Option<String>,
}

/// The options of `token`.
#[derive(Args)]
pub struct TokenOrder {
    /// UUID of the subscriber
    #[arg(long = "sub", env = "SIGNAL_HUB_LIVE_SUB", value_name = "UUID")]
    pub subscriber: Uuid,
    /// Hours until the token expires
    #[arg(long, env = "SIGNAL_HUB_LIVE_HOURS", value_name = "NUMBER")]
    #[arg(default_value = "12", value_parser = clap::value_parser!(u32).range(1..))]
    pub hours: u32,
    /// File with the secret that tokens are signed with (HS256), 32 bytes or more
    #[arg(long, env = "SIGNAL_HUB_LIVE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: PathBuf,
    #[command(flatten)]
    pub claims: ClaimOptions,
}

/// Reads what this process was started with. Help, the version and wrong usage end the process.
pub fn from_environment() -> Options {
    let mut command = without_empty_variables(Options::command());
    let given = file::with_file(&command, std::env::args_os().collect());
    let given = given.unwrap_or_else(|error| error.exit());
    let matches = command.try_get_matches_from_mut(given);
    let matches = matches.unwrap_or_else(|error| error.exit());
    Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// A variable that is set to nothing counts as not set: container files cannot always leave it out.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let variable = arg.get_env().and_then(std::env::var_os);
        variable.is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| match is_empty(&arg) {
            true => arg.env(Resettable::Reset),
            false => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// Where to listen; names are not looked up, as one may stand for several addresses.
fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    let why = "an IP address and a port are needed, such as 127.0.0.1:8080 or [::1]:8080";
    text.parse().map_err(|_| why)
}

/// A name that needs no quotes anywhere.
fn slot_name(name: &str) -> Result<String, &'static str> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let starts_with_digit = name
        .bytes()
        .next()
        .is_none_or(|first| first.is_ascii_digit());
    match name.len() > 63 || starts_with_digit || !name.bytes().all(is_plain) {
        true => {
            Err("a slot is named by lower case letters, digits and underscores, not a digit first")
        }
        false => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests;
