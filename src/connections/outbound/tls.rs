//! TLS to feed servers: what is trusted, what is offered, and what went wrong in words.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use futures_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use futures_rustls::rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, Error,
    RootCertStore, SignatureScheme,
};
use smol::Async;

use super::ConnectError;

/// A client that trusts Mozilla's authorities and `extra_roots`, speaks HTTP/1.1 only, and
/// remembers `sessions_max` servers' sessions.
pub(super) fn connector(
    extra_roots: &RootCertStore,
    sessions_max: usize,
) -> Result<TlsConnector, ConnectError> {
    let mut roots = extra_roots.clone();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = client(roots).map_err(|_| ConnectError::Tls("no usable version"))?;
    Ok(finished(config, sessions_max))
}

/// The same for servers that the operator vouches for, whatever certificate they have.
pub(super) fn unverified_connector(sessions_max: usize) -> Result<TlsConnector, ConnectError> {
    let mut config =
        client(RootCertStore::empty()).map_err(|_| ConnectError::Tls("no usable version"))?;
    config.dangerous().set_certificate_verifier(Arc::new(AnyCertificate(provider())));
    Ok(finished(config, sessions_max))
}

/// rustls counts TLS 1.3 tickets, and sets this many aside for each server.
const TICKETS_PER_SERVER: usize = 8;

fn finished(mut config: ClientConfig, sessions_max: usize) -> TlsConnector {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(sessions_max * TICKETS_PER_SERVER);
    TlsConnector::from(Arc::new(config))
}

/// Takes every certificate, and still wants the server to have its key.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
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
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A session with the server that proves to be `host`.
pub(super) async fn handshake(
    connector: &TlsConnector,
    host: &str,
    socket: Async<TcpStream>,
) -> Result<TlsStream<Async<TcpStream>>, ConnectError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| ConnectError::Tls("the host's name cannot be in a certificate"))?;
    connector.connect(name, socket).await.map_err(|error| ConnectError::Tls(reason(&error)))
}

fn client(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(provider()));
    let config = config.with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The Pi Zero 2W has no AES instructions: ChaCha20 is the faster cipher there and fast enough
/// everywhere, so it is offered first.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !is_chacha(suite.suite()));
    provider
}

fn is_chacha(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(cause) => tls_reason(cause),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server hung up during the handshake",
            io::ErrorKind::ConnectionReset => "connection reset during the handshake",
            _ => "the connection broke during the handshake",
        },
    }
}

fn tls_reason(error: &Error) -> &'static str {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            C::Expired | C::ExpiredContext { .. } => "the certificate has expired",
            C::NotValidYet | C::NotValidYetContext { .. } => {
                "the certificate is not valid yet; is the clock set?"
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "the certificate is for another host"
            }
            C::UnknownIssuer => "the certificate's issuer is not trusted",
            C::Revoked => "the certificate has been revoked",
            _ => "the certificate cannot be accepted",
        },
        Error::NoCertificatesPresented => "the server has no certificate",
        Error::PeerIncompatible(_)
        | Error::NoApplicationProtocol
        | Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::NoApplicationProtocol,
        ) => "no version and cipher in common with the server",
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server does not know this host"
        }
        Error::AlertReceived(_) => "the server refused the handshake",
        Error::InvalidMessage(_) => "the server does not speak TLS",
        _ => "the handshake was broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chacha_is_offered_first_and_aes_stays() {
        let suites = provider().cipher_suites;
        let chacha: Vec<bool> = suites.iter().map(|suite| is_chacha(suite.suite())).collect();
        assert_eq!(chacha.iter().filter(|&&chacha| chacha).count(), 3);
        assert!(chacha[..3].iter().all(|&chacha| chacha));
        assert!(chacha.len() > 3);
    }

    #[test]
    fn each_reason_is_told_apart() {
        let check = |error: Error, expected: &str| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(reason(&error), expected);
        };
        use CertificateError as C;
        check(Error::InvalidCertificate(C::Expired), "the certificate has expired");
        check(
            Error::InvalidCertificate(C::UnknownIssuer),
            "the certificate's issuer is not trusted",
        );
        check(Error::InvalidCertificate(C::NotValidForName), "the certificate is for another host");
        check(
            Error::InvalidCertificate(C::NotValidYet),
            "the certificate is not valid yet; is the clock set?",
        );
        check(
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            "no version and cipher in common with the server",
        );
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(reason(&cut), "the server hung up during the handshake");
    }
}
