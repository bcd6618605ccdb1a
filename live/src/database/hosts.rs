//! Several hosts in one address: which of them accepts writes.

use crate::database::{PATIENCE, tls};
use crate::error::{Failure, database_error};
use crate::options::DatabaseAddress;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long to try one of several hosts, so that all were tried within the patience that callers
/// have.
pub fn patience_with_each(config: &Config) -> Duration {
    match config.get_hosts().len() {
        0 | 1 => PATIENCE,
        several => PATIENCE.mul_f64(0.9) / several as u32,
    }
}

/// The address with the one host that accepts writes. An address of one host is that already.
///
/// # Errors
/// When none does; the message says what each of them answered.
pub async fn primary(address: &DatabaseAddress) -> Result<DatabaseAddress, Failure> {
    if !address.has_several_hosts() {
        return Ok(address.clone());
    }
    let connector = MakeRustlsConnect::new(tls::client_config(&address.encryption)?);
    let mut answers = Vec::new();
    for number in 0..address.config.get_hosts().len() {
        let config = only(&address.config, number);
        let patience = patience_with_each(&address.config);
        let connecting = config.connect(connector.clone());
        let why = match tokio::time::timeout(patience, connecting).await {
            Ok(Ok(_)) => {
                let encryption = address.encryption.clone();
                return Ok(DatabaseAddress { config, encryption });
            }
            Ok(Err(error)) => database_error(&error),
            Err(_) => "no answer".to_owned(),
        };
        answers.push(format!("{}: {why}", place(&config)));
    }
    Err(Failure::Other(format!(
        "no host accepts writes ({})",
        answers.join("; ")
    )))
}

/// Host and port of an address that has one of each, for messages.
pub fn place(config: &Config) -> String {
    let (host, port) = host_and_port(config);
    format!("{host}:{port}")
}

/// The first host, which may be a folder of Unix sockets, and its port.
pub fn host_and_port(config: &Config) -> (String, u16) {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => folder.to_string_lossy().into_owned(),
        None => String::new(),
    };
    let port = config.get_ports().first().copied();
    (host, port.unwrap_or(5432))
}

/// The same login and database on another server.
pub fn elsewhere(address: &DatabaseAddress, host: &str, port: u16) -> DatabaseAddress {
    let mut config = without_hosts(&address.config);
    config.host(host).port(port);
    let encryption = address.encryption.clone();
    DatabaseAddress { config, encryption }
}

/// The same configuration with one of its hosts.
fn only(all: &Config, number: usize) -> Config {
    let mut one = without_hosts(all);
    if let Some(Host::Tcp(name)) = all.get_hosts().get(number) {
        one.host(name);
    }
    let ports = all.get_ports();
    if let Some(port) = ports.get(number).or(ports.first()) {
        one.port(*port);
    }
    one
}

fn without_hosts(all: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(name) = all.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    if let Some(time) = all.get_connect_timeout() {
        one.connect_timeout(*time);
    }
    if let Some(time) = all.get_tcp_user_timeout() {
        one.tcp_user_timeout(*time);
    }
    if let Some(time) = all.get_keepalives_interval() {
        one.keepalives_interval(time);
    }
    if let Some(times) = all.get_keepalives_retries() {
        one.keepalives_retries(times);
    }
    one.ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .target_session_attrs(all.get_target_session_attrs())
        .load_balance_hosts(all.get_load_balance_hosts())
        .keepalives(all.get_keepalives())
        .keepalives_idle(all.get_keepalives_idle());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_hosts_keeps_everything_else() {
        let rest = "user=u password=p dbname=d options='-c a=b' application_name=n connect_timeout=3 \
                    tcp_user_timeout=4 keepalives=0 keepalives_idle=5 keepalives_interval=6 \
                    keepalives_retries=7 target_session_attrs=read-write sslmode=require \
                    channel_binding=disable load_balance_hosts=random";
        let address = |hosts: &str| -> Config {
            let address = format!("{hosts} {rest}");
            address.parse().expect("an address")
        };
        let all = address("host=one,two port=1,2");
        let second = only(&all, 1);
        let expected = address("host=two port=2");
        assert_eq!(second, expected);
        assert_eq!(place(&second), "two:2");
        let same_port: Config = "host=one,two port=7 user=u".parse().expect("an address");
        assert_eq!(host_and_port(&only(&same_port, 1)), ("two".to_owned(), 7));
        assert!(patience_with_each(&all) * 2 < PATIENCE);
        assert_eq!(patience_with_each(&second), PATIENCE);
    }
}
