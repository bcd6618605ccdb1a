//! The simulated exchange behind https, and the authority that signs its certificate.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longest time for one read or write on a connection; clients are on this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A private certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key_pair());
        Self(issuer.expect("parameters in order"))
    }

    /// Its own certificate, in PEM, for those who trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host that is valid today.
    pub fn vouch_for(&self, host: &str) -> Identity {
        self.sign(params(host))
    }

    /// A certificate that was valid for a year, long ago.
    pub fn vouched_long_ago_for(&self, host: &str) -> Identity {
        let mut params = params(host);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = key_pair();
        let certificate = params.signed_by(&key, &self.0);
        Identity::new(certificate.expect("parameters in order"), &key)
    }
}

impl Identity {
    /// A certificate for a host that is signed by its own key only.
    pub fn self_signed(host: &str) -> Self {
        let key = key_pair();
        let certificate = params(host).self_signed(&key);
        Self::new(certificate.expect("parameters in order"), &key)
    }

    fn new(certificate: rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            key: key.serialize_der().into(),
        }
    }
}

fn key_pair() -> KeyPair {
    KeyPair::generate().expect("the system has random numbers")
}

fn params(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).expect("a host name")
}

/// An https server on loopback that passes each request on to a server without TLS. Dropping it
/// closes its port.
pub struct Front {
    port: u16,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Front {
    /// Starts serving as `identity` in front of port `behind` of loopback.
    pub fn start(identity: Identity, behind: u16) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate], identity.key.into())
            .expect("the key is the certificate's");
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let stopping = Arc::new(AtomicBool::new(false));
        let acceptor = thread::spawn({
            let stopping = Arc::clone(&stopping);
            move || {
                for stream in listener.incoming().flatten() {
                    if stopping.load(Ordering::Relaxed) {
                        return;
                    }
                    // A client that refuses the certificate closes the connection.
                    let _ = pass_on(stream, &config, behind);
                }
            }
        });
        Self {
            port,
            stopping,
            acceptor: Some(acceptor),
        }
    }

    /// Its base URL with this host name.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Serves one request of a connection, and closes it.
fn pass_on(stream: TcpStream, config: &Arc<ServerConfig>, behind: u16) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut exchange = TcpStream::connect((Ipv4Addr::LOCALHOST, behind))?;
    exchange.set_read_timeout(Some(PATIENCE))?;
    exchange.write_all(&head)?;
    let mut reply = Vec::new();
    exchange.read_to_end(&mut reply)?;
    client.write_all(&reply)?;
    client.conn.send_close_notify();
    client.flush()?;
    client.sock.shutdown(Shutdown::Write)
}
