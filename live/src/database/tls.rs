//! TLS towards the database, by rustls with ring: what `sslmode` and `sslrootcert` ask for.

use crate::error::Failure;
use crate::options::{Encryption, Mode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;

/// How to connect by TLS.
///
/// # Errors
/// When the file of root certificates cannot be read or has none.
pub fn client_config(encryption: &Encryption) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: Error| Failure::Other(format!("TLS cannot be set up: {error}"));
    let verifier: Arc<dyn ServerCertVerifier> = match encryption.checks_certificate() {
        false => Arc::new(Unchecked(Arc::clone(&provider))),
        true => {
            let roots = Arc::new(roots(encryption.roots.as_deref())?);
            let chain =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let chain = chain.map_err(|error| failed(Error::General(error.to_string())))?;
            match encryption.mode {
                Mode::VerifyFull => chain,
                _ => Arc::new(AnyName(chain)),
            }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let found = match file {
        Some(file) => from_file(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let (usable, _) = roots.add_parsable_certificates(found);
    match (usable, file) {
        (1.., _) => Ok(roots),
        (_, Some(file)) => Err(Failure::Other(format!(
            "{} has no certificate that can be used",
            file.display()
        ))),
        (_, None) => Err(Failure::refused(
            "this system has no root certificates to check the database's certificate with",
            "Name a file of them by sslrootcert in the address of the database.",
        )),
    }
}

fn from_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))
}

/// Takes any certificate: for `prefer` and `require`, which only keep out who listens.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate that a root vouches for, of whatever host: for `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self
            .0
            .verify_server_cert(certificate, intermediates, name, ocsp, now);
        match checked {
            // The name is looked at last, after everything else was found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
