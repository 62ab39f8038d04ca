//! TLS for every program that speaks HTTP (RFC 8446), by rustls.
//!
//! A run has a certificate authority of its own, which all its nodes trust: programs of ours because they are told, real
//! ones because their namespace has it where they look ([`trusted`]). Nothing here asks the system: randomness comes from the
//! run ([`provider`]), the date from its host, so that a simulation repeats byte for byte and its certificates never age.
//!
//! Both ends tell the journal of each handshake, and its secrets: captures embed them, and so Wireshark shows what went
//! over the connection.

mod authority;
mod provider;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, ClientConfig, CommonState, HandshakeKind, KeyLog, ProtocolVersion, RootCertStore, ServerConfig,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::channel::Channel;
use super::run::Running;
use super::{Destination, Host, ProgramError, Stream};
use crate::journal::ProgramEvent;
use authority::Authority;
pub(super) use settings::{ClientTls, ServerTls};

/// Sessions that a client remembers.
const SESSIONS: usize = 64;

/// The certificate of the authority that a run's nodes trust, as a file has it (RFC 7468): of the run with this seed, on
/// this date (since 1970). `None` when this build has no TLS.
pub fn trusted(seed: u64, date: Duration) -> Option<String> {
    Authority::of_run(seed, date).ok().map(|authority| authority.pem().to_owned())
}

/// A server's side of handshakes. Clones are the same server.
#[derive(Clone)]
pub(super) struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// A server that speaks these protocols (ALPN's names, the preferred first) unless its settings name others.
    ///
    /// # Errors
    /// A name that cannot stand in a certificate.
    pub(super) fn new(running: &Running, settings: &ServerTls, protocols: &[&str]) -> Result<Acceptor, ProgramError> {
        server_config(running, settings, protocols).map(|config| Acceptor(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// What was not agreed on. The client was told by an alert, and the connection is closed.
    pub(super) async fn accept(
        &self,
        running: &Running,
        stream: Stream,
        peer: SocketAddr,
    ) -> Result<Channel, ProgramError> {
        match self.0.accept(stream).into_fallible().await {
            Ok(stream) => {
                let (_, session) = stream.get_ref();
                let server_name = session.server_name().unwrap_or_default().to_owned();
                agreed(running, session, server_name);
                Ok(Channel::Tls(Box::new(TlsStream::Server(stream))))
            }
            Err((error, stream)) => Err(refused(running, peer, &error, Some(stream), String::new()).await),
        }
    }
}

/// A client's side of handshakes.
pub(super) struct Connector {
    config: Arc<ClientConfig>,
}

impl Connector {
    /// A client that offers these protocols (ALPN's names, the preferred first) unless its settings name others.
    ///
    /// # Errors
    /// The library's, which has no reason for any.
    pub(super) fn new(running: &Running, settings: &ClientTls, protocols: &[&str]) -> Result<Connector, ProgramError> {
        client_config(running, settings, protocols).map(|config| Connector { config: Arc::new(config) })
    }

    /// Shakes hands with the server at `to`, which has to show a certificate for that name or address.
    ///
    /// # Errors
    /// What was not agreed on. The server was told by an alert, and the connection is closed.
    pub(super) async fn connect(
        &self,
        running: &Running,
        stream: Stream,
        to: &Destination,
    ) -> Result<Channel, ProgramError> {
        let name = ServerName::try_from(to.host.clone()).map_err(|error| unfit(running, error))?;
        let asked_for = match (&name, self.config.enable_sni) {
            (ServerName::DnsName(name), true) => name.as_ref().to_owned(),
            // An address is not sent (RFC 6066 §3).
            _ => String::new(),
        };
        match TlsConnector::from(self.config.clone()).connect(name, stream).into_fallible().await {
            Ok(stream) => {
                agreed(running, stream.get_ref().1, asked_for);
                Ok(Channel::Tls(Box::new(TlsStream::Client(stream))))
            }
            Err((error, stream)) => Err(refused(running, to, &error, Some(stream), asked_for).await),
        }
    }
}

/// What a server brings to a handshake, for TLS over TCP or under QUIC.
///
/// # Errors
/// A name that cannot stand in a certificate.
pub(super) fn server_config(
    running: &Running,
    settings: &ServerTls,
    protocols: &[&str],
) -> Result<ServerConfig, ProgramError> {
    let host = &running.host;
    let authority = authority(running)?;
    let (names, addresses): (Vec<String>, &[IpAddr]) = match &settings.name {
        Some(name) => (vec![name.clone()], &[]),
        None => (running.resolver.names_of(host.addresses()), host.addresses()),
    };
    let shown = authority.issue(settings.certificate, &names, addresses).map_err(|error| unfit(running, error))?;
    let mut config = ServerConfig::builder_with_details(provider::provider(), Arc::new(Date(host.clone())))
        .with_protocol_versions(&settings.versions.supported())
        .map(|config| config.with_no_client_auth())
        .and_then(|config| config.with_single_cert(vec![shown.certificate], shown.key))
        .map_err(|error| unfit(running, error))?;
    config.alpn_protocols = offered(settings.alpn.as_deref(), protocols);
    config.key_log = Arc::new(Secrets { host: host.clone(), program: running.program });
    if !settings.tickets {
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    Ok(config)
}

/// What a client brings to a handshake, for TLS over TCP or under QUIC.
///
/// # Errors
/// The library's, which has no reason for any.
pub(super) fn client_config(
    running: &Running,
    settings: &ClientTls,
    protocols: &[&str],
) -> Result<ClientConfig, ProgramError> {
    let host = &running.host;
    let mut roots = RootCertStore::empty();
    for trusted in [Some(authority(running)?.certificate()), settings.trusts.as_ref()].into_iter().flatten() {
        roots.add(trusted.clone()).map_err(|error| unfit(running, error))?;
    }
    let mut config = ClientConfig::builder_with_details(provider::provider(), Arc::new(Date(host.clone())))
        .with_protocol_versions(&settings.versions.supported())
        .map_err(|error| unfit(running, error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered(settings.alpn.as_deref(), protocols);
    config.key_log = Arc::new(Secrets { host: host.clone(), program: running.program });
    config.enable_sni = settings.send_name;
    config.resumption = match settings.resume {
        true => Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS))),
        false => Resumption::disabled(),
    };
    Ok(config)
}

fn authority(running: &Running) -> Result<Authority, ProgramError> {
    let host = &running.host;
    Authority::of_run(host.run().seed, host.date()).map_err(|error| unfit(running, error))
}

fn offered(chosen: Option<&[String]>, usual: &[&str]) -> Vec<Vec<u8>> {
    match chosen {
        Some(chosen) => chosen.iter().map(|name| name.clone().into_bytes()).collect(),
        None => usual.iter().map(|name| name.as_bytes().to_vec()).collect(),
    }
}

/// The error of settings with which no handshake can begin.
pub(super) fn unfit(running: &Running, error: impl fmt::Display) -> ProgramError {
    ProgramError::Tls { program: running.program, peer: "its own settings".to_owned(), detail: error.to_string() }
}

/// Tells the journal that a handshake is over.
fn agreed(running: &Running, session: &CommonState, server_name: String) {
    running.report(ProgramEvent::Handshake {
        version: session.protocol_version().map(version).unwrap_or_default(),
        server_name,
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        ok: true,
        detail: String::new(),
    });
}

/// Tells the journal that a handshake has failed, and closes the connection in order, so that the alert arrives.
async fn refused(
    running: &Running,
    peer: impl ToString,
    error: &io::Error,
    stream: Option<Stream>,
    server_name: String,
) -> ProgramError {
    let detail = reason(error);
    running.report(ProgramEvent::Handshake {
        version: String::new(),
        server_name,
        alpn: String::new(),
        resumed: false,
        ok: false,
        detail: detail.clone(),
    });
    if let Some(stream) = stream {
        Channel::Plain(stream).linger().await;
    }
    ProgramError::Tls { program: running.program, peer: peer.to_string(), detail }
}

/// Why a handshake has failed, with the number of the alert (RFC 8446 §6) where one says so.
fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => format!("the other end sent {}", numbered(*alert)),
        Some(rustls::Error::InvalidCertificate(wrong)) => {
            format!(
                "{}, so it sends {}",
                rustls::Error::InvalidCertificate(wrong.clone()),
                numbered(wrong.clone().into())
            )
        }
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

fn numbered(alert: AlertDescription) -> String {
    format!("alert {} ({alert:?})", u8::from(alert))
}

/// As people write it: `TLSv1.3`.
fn version(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The date as a host has it.
struct Date(Host);

impl TimeProvider for Date {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.date()))
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date({:?})", self.0.date())
    }
}

/// Tells the journal what opens the connection.
struct Secrets {
    host: Host,
    program: &'static str,
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        self.host.report(self.program, ProgramEvent::Secrets { line });
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
