//! Errors of the exchange or the way to it, as PostgreSQL reports them.

use super::failure::Failure;
use market::MarketError;

impl From<MarketError> for Failure {
    fn from(error: MarketError) -> Self {
        Self::new(sqlstate_of(&error), error.message())
            .detail(error.detail())
            .hint(hint_of(&error))
    }
}

/// The SQLSTATE of an error of the exchange or the way to it.
fn sqlstate_of(error: &MarketError) -> &'static str {
    match error {
        // invalid_parameter_value
        MarketError::BadUrl(_) | MarketError::BadProxy(_) | MarketError::BadCaFile { .. } => {
            "22023"
        }
        // sqlclient_unable_to_establish_sqlconnection
        MarketError::Unreachable(_) => "08001",
        // connection_failure
        MarketError::CutOff(_) | MarketError::TimedOut(_) => "08006",
        // sqlserver_rejected_establishment_of_sqlconnection
        MarketError::LeftAlone { .. } => "08004",
        // protocol_violation
        MarketError::HttpStatus { .. }
        | MarketError::TooLarge { .. }
        | MarketError::NotJson { .. }
        | MarketError::Rejected { .. }
        | MarketError::NoCandles { .. }
        | MarketError::BadCandles(_) => "08P01",
        // feature_not_supported
        MarketError::NoSuchInterval { .. } => "0A000",
    }
}

/// What to do about an error of the exchange or the way to it, in full sentences.
fn hint_of(error: &MarketError) -> &'static str {
    match error {
        MarketError::BadUrl(_) => {
            "Set signal_hub.exchange_url to an https URL without user name, password or query. \
             Plain http is accepted for loopback addresses only."
        }
        MarketError::BadProxy(_) => {
            "Set signal_hub.http_proxy to an http or https URL of a proxy, with a port and perhaps \
             a user name and a password, or leave it empty to connect without one."
        }
        MarketError::BadCaFile { .. } => {
            "Set signal_hub.ca_file to a PEM file with CA certificates that the server can \
             read, or leave it empty to trust the system's certificates."
        }
        MarketError::Unreachable(_) => {
            "Check that this server can reach the host in signal_hub.exchange_url through DNS \
             and firewalls. If its certificate is refused, see signal_hub.ca_file."
        }
        MarketError::CutOff(_) => {
            "This usually passes by itself. If it does not, check the network between this \
             server and the host in signal_hub.exchange_url."
        }
        MarketError::TimedOut(_) => {
            "Check that this server can reach the host in signal_hub.exchange_url, or raise \
             signal_hub.http_timeout if the network is slow."
        }
        MarketError::LeftAlone { status: 451, .. } => {
            "The exchange does not serve this location. Set signal_hub.exchange_url to a host \
             that does, or name another exchange in signal_hub.exchanges."
        }
        MarketError::LeftAlone { status: 403, .. } => {
            "The exchange's firewall refuses this server. Wait, or set \
             signal_hub.exchange_url to another host of the exchange."
        }
        MarketError::LeftAlone { status: 503, .. } => {
            "The exchange is busy or out of order, which usually passes by itself."
        }
        MarketError::LeftAlone { .. } => {
            "The request limit counts everything that uses this server's IP address. If this \
             comes back, raise signal_hub.interval."
        }
        MarketError::HttpStatus {
            status: 300..=399, ..
        } => {
            "Redirects are not followed. Set signal_hub.exchange_url to the address that the \
             exchange really has."
        }
        MarketError::HttpStatus {
            status: 500..=599, ..
        } => "The fault is on the exchange's side and usually passes by itself.",
        MarketError::HttpStatus { .. }
        | MarketError::NotJson { .. }
        | MarketError::NoCandles { .. }
        | MarketError::BadCandles(_)
        | MarketError::NoSuchInterval { .. } => {
            "Check that signal_hub.exchange_url is the base URL of a REST API of the first exchange in \
             signal_hub.exchanges, and that nothing in between, such as a captive portal, answers in \
             its place."
        }
        MarketError::TooLarge { .. } => {
            "Raise signal_hub.http_max_body. The list of all symbols of a large exchange is \
             over one megabyte."
        }
        MarketError::Rejected { .. } => {
            "Check the symbols in signal_symbols, and that signal_hub.exchange_url is the base \
             URL of a REST API of the first exchange in signal_hub.exchanges."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_error_of_the_market_has_a_sqlstate_and_a_hint_in_full_sentences() {
        let body = String::new();
        let stop = |status| MarketError::LeftAlone {
            status,
            code: None,
            retry_after: None,
            body: body.clone(),
        };
        let status = |status| MarketError::HttpStatus {
            status,
            body: body.clone(),
        };
        let reason = body.clone();
        let path = body.clone();
        let message = body.clone();
        for (error, sqlstate) in [
            (MarketError::BadUrl(body.clone()), "22023"),
            (MarketError::BadProxy(body.clone()), "22023"),
            (MarketError::BadCaFile { path, reason }, "22023"),
            (MarketError::Unreachable(body.clone()), "08001"),
            (MarketError::CutOff(body.clone()), "08006"),
            (MarketError::TimedOut(Duration::from_secs(1)), "08006"),
            (stop(429), "08004"),
            (stop(418), "08004"),
            (stop(403), "08004"),
            (stop(451), "08004"),
            (status(302), "08P01"),
            (status(404), "08P01"),
            (status(502), "08P01"),
            (MarketError::TooLarge { limit: 1000 }, "08P01"),
            (
                MarketError::NotJson {
                    reason: body.clone(),
                    body: body.clone(),
                },
                "08P01",
            ),
            (
                MarketError::Rejected {
                    code: "1".to_owned(),
                    message,
                },
                "08P01",
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.sqlstate, sqlstate, "{}", failure.message);
            let hint = failure.hint.unwrap_or_default();
            assert!(hint.starts_with(char::is_uppercase), "{hint}");
            assert!(hint.ends_with('.'), "{hint}");
        }
    }
}
