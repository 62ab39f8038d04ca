//! A look at each packet before it is sealed and after it was opened (RFC 9001 §5).
//!
//! quinn leaves cryptography to whoever implements its `Session`. What does here passes every call on to rustls, and
//! tells the journal which packet went by: its number and frames, which nobody else can see.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use quinn::crypto::{
    ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session,
    UnsupportedVersion,
};
use quinn::{ConnectError, ConnectionId, Side};
use quinn_proto::TransportError;
use quinn_proto::transport_parameters::TransportParameters;

use super::frames::{self, Sent};
use crate::app::Host;
use crate::journal::{PacketSpace, ProgramEvent, Way};

/// Octets of a packet's end by which it is found in the captures: half of its authentication tag.
const SEAL: usize = 8;

/// Whom a packet is told to.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) host: Host,
    pub(super) program: &'static str,
}

impl Watch {
    /// `keys`, watched, in a space of which nothing is known yet.
    fn keys(&self, keys: Keys, space: PacketSpace) -> (Keys, Arc<Spied>) {
        let spied = Arc::new(Spied { watch: self.clone(), space, sent: Mutex::default() });
        (Keys { header: keys.header, packet: spied.pair(keys.packet) }, spied)
    }
}

/// A packet number space of one connection.
struct Spied {
    watch: Watch,
    space: PacketSpace,
    sent: Mutex<Sent>,
}

impl Spied {
    fn pair(self: &Arc<Self>, keys: KeyPair<Box<dyn PacketKey>>) -> KeyPair<Box<dyn PacketKey>> {
        let watched = |key| Box::new(Watched { key, spied: self.clone() });
        KeyPair { local: watched(keys.local), remote: watched(keys.remote) }
    }

    fn tell(&self, way: Way, number: u64, frames: String, bytes: usize, seal: &[u8]) {
        let seal = seal.iter().map(|octet| format!("{octet:02x}")).collect();
        let (space, bytes) = (self.space, bytes as u64);
        self.watch
            .host
            .report(self.watch.program, ProgramEvent::QuicPacket { way, space, number, bytes, frames, seal });
    }
}

/// The end of a sealed packet, by which it is known.
fn seal(packet: &[u8]) -> &[u8] {
    packet.get(packet.len().saturating_sub(SEAL)..).unwrap_or_default()
}

/// A key that tells what it is used for.
struct Watched {
    key: Box<dyn PacketKey>,
    spied: Arc<Spied>,
}

impl PacketKey for Watched {
    fn encrypt(&self, packet: u64, buffer: &mut [u8], header_len: usize) {
        let end = buffer.len().saturating_sub(self.key.tag_len());
        let payload = buffer.get(header_len..end).unwrap_or_default();
        let frames = frames::told(payload, Some(&mut self.spied.sent.lock().unwrap_or_else(PoisonError::into_inner)));
        let bytes = payload.len();
        self.key.encrypt(packet, buffer, header_len);
        self.spied.tell(Way::Sent, packet, frames, bytes, seal(buffer));
    }

    fn decrypt(&self, packet: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let seal = seal(payload).to_vec();
        self.key.decrypt(packet, header, payload)?;
        self.spied.tell(Way::Received, packet, frames::told(payload, None), payload.len(), &seal);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        self.key.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.key.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.key.integrity_limit()
    }
}

/// A client's or a server's side of handshakes, watched.
pub(super) struct Crypto<C> {
    pub(super) inner: Arc<C>,
    pub(super) watch: Watch,
}

impl<C: ClientConfig + 'static> ClientConfig for Crypto<C> {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = self.inner.clone().start_session(version, server_name, params)?;
        Ok(Box::new(WatchedSession::new(inner, &self.watch)))
    }
}

impl<C: ServerConfig + 'static> ServerConfig for Crypto<C> {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.inner.initial_keys(version, dst_cid).map(|keys| self.watch.keys(keys, PacketSpace::Initial).0)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.inner.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(self: Arc<Self>, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let inner = self.inner.clone().start_session(version, params);
        Box::new(WatchedSession::new(inner, &self.watch))
    }
}

/// One connection's cryptography.
struct WatchedSession {
    inner: Box<dyn Session>,
    watch: Watch,
    /// The space whose keys come next.
    next: PacketSpace,
    /// The last space, once it has keys: they are renewed now and then (RFC 9001 §6).
    application: Option<Arc<Spied>>,
}

impl WatchedSession {
    fn new(inner: Box<dyn Session>, watch: &Watch) -> WatchedSession {
        WatchedSession { inner, watch: watch.clone(), next: PacketSpace::Handshake, application: None }
    }
}

impl Session for WatchedSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.watch.keys(self.inner.initial_keys(dst_cid, side), PacketSpace::Initial).0
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, buffer: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(buffer)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, buffer: &mut Vec<u8>) -> Option<Keys> {
        let (keys, spied) = self.watch.keys(self.inner.write_handshake(buffer)?, self.next);
        if self.next == PacketSpace::Application {
            self.application = Some(spied);
        }
        self.next = PacketSpace::Application;
        Some(keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.inner.next_1rtt_keys()?;
        Some(match &self.application {
            Some(spied) => spied.pair(keys),
            None => keys,
        })
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}
