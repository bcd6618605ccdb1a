//! The address of the database, which two libraries must understand in the same way.

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Parses the address that an option of this name gives. The message names the option, but does not
/// repeat what it refuses, because that has the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub &'static str);

impl TypedValueParser for DatabaseUrl {
    type Value = Config;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Config, Error> {
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

fn parse(url: &str) -> Result<Config, String> {
    let database: Config = url
        .parse()
        .map_err(|error| format!("{error} (sslmode takes disable or prefer)"))?;
    let refused = if database.get_ssl_mode() == SslMode::Require {
        "the service has no TLS towards the database: run it beside the server or behind a \
         tunnel, and leave sslmode=require out"
    } else if !database.get_hostaddrs().is_empty() {
        "put the address into host, not hostaddr"
    } else if database.get_hosts().len() != 1 || database.get_ports().len() > 1 {
        "it must name one host, because a slot is on one server"
    } else if database.get_user().is_none() {
        "it names no user"
    } else {
        return Ok(database);
    };
    Err(refused.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_one_meaning_is_taken() {
        for good in [
            "postgresql://hub:pw@127.0.0.1:5433/mydb",
            "postgresql://hub@db.example.com/mydb?sslmode=disable",
            "postgresql://hub@%2Frun%2Fpostgresql/mydb",
            "host=localhost user=hub dbname=mydb",
        ] {
            assert!(parse(good).is_ok(), "{good}");
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
            let message = parse(bad).expect_err(bad);
            assert!(message.contains(why), "{bad}: {message}");
        }
    }
}
