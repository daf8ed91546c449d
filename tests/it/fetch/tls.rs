//! Feeds over TLS, with certificates that are made for the test.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use calendarbot::connections::outbound::{Origin, Outbound, Policy, read_roots};
use calendarbot::feed::fetch::{Cause, Fetched, Kind};
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use futures_rustls::rustls::ServerConfig;
use futures_rustls::rustls::crypto::ring;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use rustix::net::sockopt::set_socket_linger;
use smol::Async;
use smol::io::AsyncReadExt;

use super::{Ask, Bench, CALENDAR, send};
use crate::feed_server::{FeedServer, Reply, Script, Step, run};

/// A certificate authority.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("ours")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed").into();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server with a certificate of this authority for `127.0.0.1`, or as `change` has it.
    pub(crate) fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed").into();
        served(certificate, &key)
    }

    /// Its certificate as the text of a `ca_file` (RFC 7468).
    pub(crate) fn pem(&self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for group in self.certificate.chunks(3) {
            let bits =
                (0..3).fold(0_usize, |bits, at| bits << 8 | group.get(at).map_or(0, |&b| b.into()));
            let digits = (0..4).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) & 63]));
            text.extend(digits.take(group.len() + 1));
            text.extend(std::iter::repeat_n('=', 3 - group.len()));
        }
        text + "\n-----END CERTIFICATE-----\n"
    }

    /// A bench that trusts it.
    pub(super) fn trusted(&self) -> Bench {
        let bench = Bench::new();
        let outbound = bench.outbound.with_roots(vec![self.certificate.clone()]).expect("trusted");
        Bench { outbound, ..bench }
    }
}

fn served(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate")
}

fn script() -> Script {
    Script::new().ics("/", CALENDAR).etag("\"1\"")
}

#[test]
fn a_feed_comes_over_tls_on_one_connection() {
    run(async |executor| {
        let authority = Authority::new();
        let server = FeedServer::start_tls(&executor, script(), authority.server(|_| {}));
        let bench = authority.trusted();
        for _ in 0..5 {
            assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
            let ask = Ask { etag: Some("\"1\""), ..Ask::default() };
            assert!(matches!(bench.ask(&server.url("/"), ask).await, Ok(Fetched::NotModified)));
        }
        assert_eq!(bench.opened_and_reused(), (1, 9));
        assert_eq!(server.handshakes(), (1, 0));
    });
}

/// A connection that has waited too long is made anew, and the handshake costs half.
#[test]
fn a_session_is_resumed() {
    run(async |executor| {
        let authority = Authority::new();
        let server = FeedServer::start_tls(&executor, script(), authority.server(|_| {}));
        let bench = authority.trusted();
        for _ in 0..3 {
            assert_eq!(bench.text(&server.url("/")).await.as_deref(), Ok(CALENDAR));
            bench.clock.advance(bench.limits.outbound_idle_time);
        }
        assert_eq!(server.handshakes(), (3, 2));
    });
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_apart() {
    let authority = Authority::new();
    let key = KeyPair::generate().expect("a key");
    let alone = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let alone = served(alone.self_signed(&key).expect("signed").into(), &key);
    let stranger = Authority::named("another").server(|_| {});
    let expired = authority.server(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = authority.server(|params| params.not_before = date_time_ymd(4000, 1, 1));
    let other = authority.server(|params| {
        params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::new(127, 0, 0, 2).into())];
    });
    for (server, reason) in [
        (alone, "the certificate's issuer is not trusted"),
        (stranger, "the certificate's issuer is not trusted"),
        (expired, "the certificate has expired"),
        (early, "the certificate is not valid yet; is the clock set?"),
        (other, "the certificate is for another host"),
    ] {
        run(async |executor| {
            let server = FeedServer::start_tls(&executor, script(), server);
            let bench = authority.trusted();
            let error = bench.text(&server.url("/")).await.expect_err("an error");
            assert_eq!(error.kind(), Kind::Transient(Cause::Tls));
            assert_eq!(error.to_string(), format!("TLS failed: {reason}"));
            assert!(server.requests().is_empty(), "nothing was asked");
        });
    }
}

/// Only at the origin that the operator names, and its connections are nobody else's.
#[test]
fn any_certificate_will_do_where_the_operator_says_so() {
    run(async |executor| {
        let authority = Authority::new();
        let server = FeedServer::start_tls(&executor, script(), authority.server(|_| {}));
        let other = FeedServer::start_tls(&executor, script(), authority.server(|_| {}));
        let bench = Bench::new();
        let strict = Policy { allow_private: true, ..Policy::default() };
        let lax = || Policy { unverified_origin: Origin::of(&server.url("/")), ..strict.clone() };
        let ask = |policy: Policy| Ask { policy, ..Ask::default() };
        let untrusted = "TLS failed: the certificate's issuer is not trusted";
        for turn in 0..2 {
            let fetched = bench.ask(&server.url("/"), ask(lax())).await.expect("a calendar");
            let Fetched::Body(body) = fetched else { panic!("not modified") };
            super::text(body).await.expect("a calendar");
            assert_eq!(bench.opened_and_reused(), (1, turn));
        }
        for (url, policy) in [(server.url("/"), strict.clone()), (other.url("/"), lax())] {
            let error = bench.ask(&url, ask(policy)).await.err().expect("an error");
            assert_eq!(error.to_string(), untrusted);
        }
    });
}

#[test]
fn a_handshake_that_breaks_off_is_told_apart() {
    for (ending, reason) in [
        (Step::Close, "the server hung up during the handshake"),
        (Step::Reset, "connection reset during the handshake"),
    ] {
        run(async |executor| {
            let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a free port");
            let address = listener.get_ref().local_addr().expect("bound");
            let hanging_up = executor.spawn(async move {
                let (mut socket, _) = listener.accept().await.expect("accepted");
                // What has been read is not answered with a reset.
                let _ = socket.read(&mut [0; 4096]).await;
                if matches!(ending, Step::Reset) {
                    set_socket_linger(&socket, Some(Duration::ZERO)).expect("set");
                }
            });
            let url = format!("https://{address}/").parse().expect("a URL");
            let error = Bench::new().text(&url).await.expect_err("an error");
            assert_eq!(error.kind(), Kind::Transient(Cause::Tls));
            assert_eq!(error.to_string(), format!("TLS failed: {reason}"));
            hanging_up.await;
        });
    }
}

/// Anybody on the way can cut a connection; only the server can say that it has ended.
#[test]
fn a_body_that_ends_without_a_goodbye_is_cut_short() {
    let head = format!("HTTP/1.1 200 OK\r\n\r\n{CALENDAR}");
    for (end, whole) in [(Step::Close, true), (Step::Cut, false)] {
        run(async |executor| {
            let authority = Authority::new();
            let script = Script::new().reply("/", Reply::new([send(&head), end]));
            let server = FeedServer::start_tls(&executor, script, authority.server(|_| {}));
            let text = authority.trusted().text(&server.url("/")).await;
            match text {
                Ok(text) => assert!(whole && text == CALENDAR),
                Err(error) => {
                    assert!(!whole, "{error}");
                    assert_eq!(error.to_string(), "the body was cut short");
                }
            }
        });
    }
}

#[test]
fn a_ca_file_is_a_list_of_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let check = |text: &[u8], expected: Result<usize, &str>| {
        std::fs::write(&path, text).expect("written");
        let found = read_roots(&path).map(|roots| roots.len()).map_err(|error| error.to_string());
        match expected {
            Ok(count) => assert_eq!(found, Ok(count)),
            Err(why) => {
                assert!(found.as_ref().is_err_and(|found| found.contains(why)), "{found:?}")
            }
        }
    };
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    check(pem.repeat(2).as_bytes(), Ok(2));
    check(b"", Err("no certificates"));
    check(
        b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        Err("no certificates"),
    );
    check(&vec![b' '; 1 << 20], Err("no certificates"));
    check(&vec![b' '; (1 << 20) + 1], Err("larger than 1 MiB"));
    std::fs::remove_file(&path).expect("removed");
    assert!(read_roots(&path).is_err_and(|error| error.to_string().contains("cannot be opened")));
    let clock = calendarbot::clock::Clock::system(None);
    let limits = Bench::new().limits;
    let outbound = Outbound::new(clock, &limits, Default::default());
    let broken = CertificateDer::from(vec![0x30, 0]);
    assert!(outbound.with_roots(vec![broken]).is_err(), "no certificate");
}
