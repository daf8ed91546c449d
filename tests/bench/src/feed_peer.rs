//! A feed server that always says the same, on connections that stay: plain or TLS, a thread for
//! each of the few clients. It ends with the process.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use futures_rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use crate::Result;

/// Where it listens.
pub struct FeedPeer {
    /// Of its calendar.
    pub url: String,
}

impl FeedPeer {
    /// Serves `body`; with `tls` the certificate of the authority to trust is written to a file.
    ///
    /// # Errors
    /// When there is no port or no certificate.
    pub fn start(body: &str, tls: bool, authority: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://{}/calendar.ics", listener.local_addr()?);
        let tls = if tls { Some(Arc::new(certified(authority)?)) } else { None };
        let answer: Arc<[u8]> = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
        .into();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (tls, answer) = (tls.clone(), Arc::clone(&answer));
                // A client that goes away is no news.
                std::thread::spawn(move || drop(serve(client, tls, &answer)));
            }
        });
        Ok(Self { url })
    }
}

/// The configuration of a server at 127.0.0.1, whose authority is written down.
fn certified(authority: &Path) -> Result<ServerConfig> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    fs::write(authority, params.self_signed(&key)?.der())?;
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?)
}

fn serve(client: TcpStream, tls: Option<Arc<ServerConfig>>, answer: &[u8]) -> io::Result<()> {
    client.set_nodelay(true)?;
    match tls {
        None => answer_all(client, answer),
        Some(tls) => {
            let session = ServerConnection::new(tls).map_err(io::Error::other)?;
            answer_all(StreamOwned::new(session, client), answer)
        }
    }
}

/// A request's head comes in one piece on loopback.
fn answer_all(mut client: impl Read + Write, answer: &[u8]) -> io::Result<()> {
    let mut request = [0; 4096];
    while client.read(&mut request)? > 0 {
        client.write_all(answer)?;
        client.flush()?;
    }
    Ok(())
}
