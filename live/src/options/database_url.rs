//! The address of the database, which two libraries must understand in the same way.

use super::encryption::{Encryption, take_parameters};
use crate::error::database_error;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation, TargetSessionAttrs};

/// Where the database is, and how connections to it are protected.
#[derive(Clone, Debug)]
pub struct DatabaseAddress {
    /// Hosts, login and database. Of several hosts it takes the one that accepts writes.
    pub config: Config,
    /// What TLS must do.
    pub encryption: Encryption,
}

impl DatabaseAddress {
    /// Whether the host has to be looked for.
    pub fn has_several_hosts(&self) -> bool {
        self.config.get_hosts().len() > 1
    }
}

/// Parses the address that an option of this name gives. The message names the option, but does not
/// repeat what it refuses, because that has the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub &'static str);

impl TypedValueParser for DatabaseUrl {
    type Value = DatabaseAddress;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<DatabaseAddress, Error> {
        let parsed = value
            .to_str()
            .ok_or_else(|| "it is not UTF-8".to_owned())
            .and_then(parse);
        parsed.map_err(|why| {
            let message = format!("{}: {why}\n", self.0);
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// What an address looks like.
const FORM: &str = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
/// How to write what has a meaning of its own there.
const ESCAPES: &str = "in the password of a URL, write @ as %40, % as %25, / as %2F and : as %3A";

fn parse(url: &str) -> Result<DatabaseAddress, String> {
    let (rest, given) = take_parameters(url)?;
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        let why = database_error(&error);
        format!("{why}: an address is {FORM}; {ESCAPES}")
    })?;
    let (hosts, ports) = (config.get_hosts().len(), config.get_ports().len());
    let sockets = config.get_hosts().iter().filter(|host| !is_tcp(host));
    let sockets = sockets.count();
    // As for libpq: nobody else is on a socket of this machine, so there is nothing to check there.
    let encryption = match sockets > 0 {
        true => Encryption::default(),
        false => given.meaning()?,
    };
    let refused = if !config.get_hostaddrs().is_empty() {
        "put the address into host, not hostaddr"
    } else if hosts == 0 {
        "it must name a host"
    } else if config.get_hosts().iter().any(has_an_at) {
        return Err(format!("it has more than one @: {ESCAPES}"));
    } else if ports > 1 && ports != hosts {
        "give one port for all hosts, or one for each"
    } else if sockets > 0 && hosts > 1 {
        "a folder of Unix sockets must be the only host"
    } else if config.get_user().is_none() {
        "it names no user"
    } else if hosts > 1 && !may_be_primary(&config) {
        "of several hosts the service takes the one that accepts writes: leave \
         target_session_attrs out, or set it to read-write"
    } else if config.get_channel_binding() == ChannelBinding::Require {
        "channel_binding=require cannot be kept by the connection for replication: check the \
         server by sslmode=verify-full instead"
    } else if config.get_ssl_negotiation() == SslNegotiation::Direct {
        "leave sslnegotiation=direct out: the connection for replication asks for TLS first"
    } else {
        if hosts > 1 {
            // Rows, resume points and the slot must be of one server.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.ssl_mode(match encryption.is_demanded() {
            true => SslMode::Require,
            false if encryption.is_wanted() => SslMode::Prefer,
            false => SslMode::Disable,
        });
        return Ok(DatabaseAddress { config, encryption });
    };
    Err(refused.to_owned())
}

fn is_tcp(host: &Host) -> bool {
    matches!(host, Host::Tcp(_))
}

/// No host has one: it is the end of a password.
fn has_an_at(host: &Host) -> bool {
    matches!(host, Host::Tcp(name) if name.contains('@'))
}

fn may_be_primary(config: &Config) -> bool {
    use TargetSessionAttrs::{Any, ReadWrite};
    matches!(config.get_target_session_attrs(), Any | ReadWrite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_one_meaning_is_taken() {
        for (good, hosts, mode) in [
            (
                "postgresql://hub:pw@127.0.0.1:5433/mydb",
                1,
                SslMode::Prefer,
            ),
            (
                "postgresql://hub@db.example.com/mydb?sslmode=disable",
                1,
                SslMode::Disable,
            ),
            (
                "postgresql://hub@%2Frun%2Fpostgresql/mydb?sslmode=require",
                1,
                SslMode::Disable,
            ),
            (
                "host=/run/postgresql user=hub sslmode=verify-ca",
                1,
                SslMode::Disable,
            ),
            ("host=localhost user=hub dbname=mydb", 1, SslMode::Prefer),
            (
                "postgresql://hub@one,two/mydb?sslmode=verify-full",
                2,
                SslMode::Require,
            ),
            (
                "postgresql://hub@one:1,two:2/mydb?target_session_attrs=read-write",
                2,
                SslMode::Prefer,
            ),
        ] {
            let address = parse(good).unwrap_or_else(|why| panic!("{good}: {why}"));
            assert_eq!(address.config.get_hosts().len(), hosts, "{good}");
            assert_eq!(address.config.get_ssl_mode(), mode, "{good}");
            let attributes = match address.has_several_hosts() {
                true => TargetSessionAttrs::ReadWrite,
                false => TargetSessionAttrs::Any,
            };
            assert_eq!(address.config.get_target_session_attrs(), attributes);
        }
        for (bad, why) in [
            ("user=hub dbname=mydb", "must name a host"),
            ("mydb", "an address is postgresql://USER"),
            ("127.0.0.1:5432/mydb", "an address is postgresql://USER"),
            ("http://u@h/d", "an address is postgresql://USER"),
            ("postgresql://u:a@b@h/d", "write @ as %40"),
            (
                "host=one,two,three port=1,2 user=hub",
                "one port for all hosts",
            ),
            ("host=/run,two user=hub", "must be the only host"),
            (
                "postgresql://hub@one,two/mydb?target_session_attrs=read-only",
                "accepts writes",
            ),
            ("host=x hostaddr=127.0.0.1 user=hub", "not hostaddr"),
            ("hostaddr=127.0.0.1 user=hub", "not hostaddr"),
            ("postgresql://127.0.0.1/mydb", "names no user"),
            ("postgresql://u@h/d?sslmode=allow", "sslmode takes"),
            ("postgresql://u@h/d?sslkey=/k", "sslkey"),
            (
                "postgresql://u@h/d?sslmode=verify-ca",
                "verify-ca needs a file",
            ),
            (
                "postgresql://u@h/d?channel_binding=require",
                "cannot be kept",
            ),
            (
                "host=h user=u sslnegotiation=direct sslmode=require",
                "leave sslnegotiation",
            ),
        ] {
            let message = parse(bad).expect_err(bad);
            assert!(message.contains(why), "{bad}: {message}");
        }
    }
}
