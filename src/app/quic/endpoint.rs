//! Both ends of QUIC as a run has them: its certificates, its date and its randomness.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, ServerConfig, TimeSource, TokioRuntime,
    TransportConfig,
};

use super::seal::{Crypto, Watch};
use super::socket::Socket;
use crate::app::run::Running;
use crate::app::tls::{self, ClientTls, ServerTls};
use crate::app::{Datagram, Host, ProgramError};
use crate::host::chance;
use crate::journal::ProgramEvent;

/// HTTP/3 in a TLS handshake (RFC 9114 §3.1).
pub(super) const H3: &str = "h3";
/// Handshakes that a server has begun at most.
const MOST_HANDSHAKES: usize = 1024;
/// Errors of TLS begin here; what is added is the alert's number (RFC 9000 §20.1).
const CRYPTO_ERROR: u64 = 0x100;

/// A server's end, on `socket`.
///
/// # Errors
/// A name that cannot stand in a certificate, settings that QUIC has no use for, a socket that is gone.
pub(super) fn server(running: &Running, socket: Datagram, tls: &ServerTls) -> Result<Endpoint, ProgramError> {
    let config = tls::server_config(running, tls, &[H3])?;
    let crypto = QuicServerConfig::try_from(config).map_err(|error| tls::unfit(running, error))?;
    let mut config = ServerConfig::with_crypto(Arc::new(Crypto { inner: Arc::new(crypto), watch: watch(running) }));
    config.transport_config(Arc::new(transport())).max_incoming(MOST_HANDSHAKES);
    config.time_source(Arc::new(Date(running.host.clone())));
    endpoint(running, socket, Some(config))
}

/// A client's end, on `socket`.
///
/// # Errors
/// As for [`server`].
pub(super) fn client(running: &Running, socket: Datagram, tls: &ClientTls) -> Result<Endpoint, ProgramError> {
    let config = tls::client_config(running, tls, &[H3])?;
    let crypto = QuicClientConfig::try_from(config).map_err(|error| tls::unfit(running, error))?;
    let mut config = ClientConfig::new(Arc::new(Crypto { inner: Arc::new(crypto), watch: watch(running) }));
    config.transport_config(Arc::new(transport()));
    let mut endpoint = endpoint(running, socket, None)?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

fn endpoint(running: &Running, socket: Datagram, server: Option<ServerConfig>) -> Result<Endpoint, ProgramError> {
    let broken = || running.broken("preparing QUIC on", "its own socket");
    let mut seed = [0; 32];
    chance::draw(&mut seed).map_err(broken())?;
    let mut config = EndpointConfig::default();
    // Every packet can be told from other protocols (RFC 9287 would hide that).
    config.rng_seed(Some(seed)).grease_quic_bit(false);
    let socket = Arc::new(Socket(socket));
    Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(TokioRuntime)).map_err(broken())
}

/// As quinn has it, but for probes of longer packets: all are 1200 octets at most, which every path takes (RFC 9000 §14).
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(None);
    transport
}

fn watch(running: &Running) -> Watch {
    Watch { host: running.host.clone(), program: running.program }
}

/// The date as a host has it.
struct Date(Host);

impl TimeSource for Date {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.0.date()
    }
}

/// Tells the journal that a handshake is over.
pub(super) fn agreed(running: &Running, connection: &Connection, asked_for: &str) {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let (alpn, named) = data.map(|data| (data.protocol, data.server_name)).unwrap_or_default();
    running.report(ProgramEvent::Handshake {
        // There is no QUIC over an older one (RFC 9001 §4.2).
        version: "TLSv1.3".to_owned(),
        server_name: named.unwrap_or_else(|| asked_for.to_owned()),
        alpn: String::from_utf8_lossy(&alpn.unwrap_or_default()).into_owned(),
        // Each client opens one connection, and has no session from an earlier one.
        resumed: false,
        ok: true,
        detail: String::new(),
    });
}

/// Says why a connection is gone; a handshake that has failed is also told to the journal.
pub(super) fn lost(running: &Running, peer: impl ToString, error: &ConnectionError) -> ProgramError {
    let (program, peer, detail) = (running.program, peer.to_string(), error.to_string());
    let code = match error {
        ConnectionError::TransportError(error) => Some(u64::from(error.code)),
        ConnectionError::ConnectionClosed(close) => Some(u64::from(close.error_code)),
        _ => None,
    };
    if code.is_some_and(|code| (CRYPTO_ERROR..2 * CRYPTO_ERROR).contains(&code)) {
        running.report(ProgramEvent::Handshake {
            version: String::new(),
            server_name: String::new(),
            alpn: String::new(),
            resumed: false,
            ok: false,
            detail: detail.clone(),
        });
        return ProgramError::Tls { program, peer, detail };
    }
    let system = match error {
        ConnectionError::TimedOut => std::io::ErrorKind::TimedOut,
        ConnectionError::Reset => std::io::ErrorKind::ConnectionReset,
        _ => return ProgramError::Protocol { program, peer, detail },
    };
    running.broken("speaking QUIC with", peer)(system.into())
}

/// Whether the other end has closed the connection in order: with no error of QUIC or HTTP/3 (RFC 9114 §8.1).
pub(super) fn is_orderly(error: &ConnectionError) -> bool {
    const H3_NO_ERROR: u64 = 0x100;
    match error {
        ConnectionError::LocallyClosed => true,
        ConnectionError::ApplicationClosed(close) => u64::from(close.error_code) == H3_NO_ERROR,
        _ => false,
    }
}

/// Where a socket is, for the journal.
pub(super) fn local(running: &Running, endpoint: &Endpoint) -> Result<SocketAddr, ProgramError> {
    endpoint.local_addr().map_err(running.broken("looking for the address of", "its own socket"))
}
