//! Requests to servers of others: push services, and the webhook of the operator. Certificates are
//! judged as this system does. Which addresses may be called, and which without encryption, is
//! decided before. Redirects are not followed: their targets would not be checked.

use crate::error::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::http::response::Parts;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring::default_provider;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use std::time::Duration;

/// For one request, from the lookup of the name to the head of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Most bytes that are read of an answer, so that its connection can be used again, and the time for
/// them.
const MOST_ANSWER: usize = 16 * 1024;
const REST: Duration = Duration::from_secs(1);
/// Unused connections are closed after this time.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests.
pub struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// Keeps at most `most_idle` unused connections to each server.
    ///
    /// # Errors
    /// When the certificates that this system trusts cannot be read.
    pub fn new(most_idle: usize) -> Result<Self, Failure> {
        let failed = |error| Failure::Other(format!("cannot set up TLS: {error}"));
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_platform_verifier()
            .map_err(failed)?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(most_idle)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request, and waits for the head of the answer, which says all: an answer whose words
    /// come slowly or not at all counts as any other.
    ///
    /// # Errors
    /// Why there is no answer, in words without the address, which may be a secret.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Parts, String> {
        let answer = match tokio::time::timeout(DEADLINE, self.0.request(request)).await {
            Err(_) => return Err("no answer in time".to_owned()),
            Ok(answer) => answer.map_err(|error| innermost(&error))?,
        };
        let (head, body) = answer.into_parts();
        // If it does not end, the connection is not used again.
        let _ = tokio::time::timeout(REST, Limited::new(body, MOST_ANSWER).collect()).await;
        Ok(head)
    }
}

/// The innermost cause: the outer ones say only that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_answer_is_judged_by_its_head() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await;
            // The words of the answer never come.
            let head = b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n";
            socket.write_all(head).await.expect("it is read");
            // Until the client gives up.
            let _ = socket.read(&mut asked).await;
        });
        let client = Client::new(1).expect("certificates");
        let request = Request::post(format!("http://{place}/x"));
        let request = request.body(Full::default()).expect("a request");
        let head = client.send(request).await.expect("an answer");
        assert_eq!(head.status, 201);
        server.await.expect("it ended");
    }
}
