//! A TCP/IP stack, seen from outside: one trait, several implementations.
//!
//! ```text
//!   applications ── verbs ──►┐                       ┌──► events: readable, accepted, closed…
//!                            │        Stack          │
//!   packets in ── receive ──►┘  (no clock, no I/O)   └──► transmit: packets out, each with its reason
//!                                      ▲
//!                     expire(now) ─────┘ when deadline() has come
//! ```
//!
//! The contract is sans-I/O: every call that needs the time is handed `now`, nothing is sent but through
//! [`Stack::transmit`], nothing waits. **The law: receive a batch, then drain.** A driver gives the stack every packet
//! that is there, then calls `transmit` until it is empty, and only then sleeps, so that acknowledgments aggregate
//! (RFC 9293 MUST-58, MUST-59) and nothing is pending while nobody runs.
//!
//! What does not live here: waiting and waking (`network`, `socket`), the wire (`link`).

pub mod native;
mod options;
pub mod smoltcp;

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};

use crate::journal::{Event, Snapshot, SocketId, Timer, Why};
use crate::packet::{DeliveryError, Packet};
use crate::time::Instant;

pub use crate::tcp::{Algorithm, Config as TcpConfig, Congestion, Ecn, FastOpen, SynCookies};
pub use crate::transport::{
    CloseReason, CongestionChoice, FastOpenKeys, OpenError, SocketError, SocketEvent, SocketOption,
};
pub use options::{Interface, StackConfig, StackKind};

/// A TCP/IP stack. See the [module](self) for the contract.
///
/// Events in its journal about the packet that [`Stack::transmit`] has just handed out carry packet id 0: the network,
/// which gives packets their names, fills it in.
pub trait Stack: Send {
    /// Takes in a batch of packets and leaves the vector empty. Anything may be in them: what cannot be used is dropped
    /// with a reason in [`Stack::drain_journal`].
    fn receive(&mut self, now: Instant, batch: &mut Vec<Packet>);

    /// The next packet to put on the link, and why; `None` when nothing is pending.
    fn transmit(&mut self, now: Instant) -> Option<(Packet, Why)>;

    /// When [`Stack::expire`] wants to be called, and which timer that is; `None` when no timer runs.
    fn deadline(&mut self) -> Option<(Instant, Wake)>;

    /// Lets every timer fire whose time has come.
    fn expire(&mut self, now: Instant);

    /// Starts to listen for connections, which begin with `config`. As in Linux `backlog` and one more may wait to be
    /// accepted. Only another listener can be in the way: connections that live on the port, or linger there in TIME-WAIT,
    /// are not (as with `SO_REUSEADDR`).
    ///
    /// # Errors
    /// [`OpenError`] when the address or port cannot be had.
    fn listen(&mut self, local: SocketAddr, backlog: usize, config: &TcpConfig) -> Result<SocketId, OpenError>;

    /// Keeps an address for a listener or a connection to come: until the id is [closed](Stack::close) nobody else can
    /// listen there. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`OpenError`] when the address or port cannot be had, or the stack cannot keep one.
    fn reserve(&mut self, _local: SocketAddr) -> Result<SocketId, OpenError> {
        Err(OpenError::Unsupported)
    }

    /// The next established connection of a listener, and its remote address; `None` when none waits.
    fn accept(&mut self, now: Instant, listener: SocketId) -> Option<(SocketId, SocketAddr)>;

    /// Begins to open a connection. `local` of `None` takes a free port.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot even begin.
    fn connect(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError>;

    /// As [`Stack::connect`], and queues data, of which the first may go with the SYN: TCP Fast Open (RFC 7413; Linux's
    /// `MSG_FASTOPEN`). Where no cookie is known yet, one is asked for, and the data follows the handshake. Returns how
    /// many octets found room, too.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot even begin, or the stack cannot do it.
    fn connect_with(
        &mut self,
        _now: Instant,
        _local: Option<SocketAddr>,
        _remote: SocketAddr,
        _config: &TcpConfig,
        _data: &[u8],
    ) -> Result<(SocketId, usize), OpenError> {
        Err(OpenError::Unsupported)
    }

    /// Octets that would go with the SYN of a [`Stack::connect_with`] made now; `None` when none may, be it that no cookie
    /// is known. A look: it never gives the stack anything to do.
    fn early_room(
        &self,
        _now: Instant,
        _local: Option<SocketAddr>,
        _remote: SocketAddr,
        _config: &TcpConfig,
    ) -> Option<usize> {
        None
    }

    /// Forgets what was learnt of peers beyond their connections: Fast Open cookies (Linux's `ip tcp_metrics flush`).
    fn forget_peers(&mut self) {}

    /// What a connection begins with that asks for nothing of its own. A look: it never gives the stack anything to do.
    fn tcp_defaults(&self) -> &TcpConfig;

    /// Queues data to be sent; returns how many octets found room, 0 when none did (an event `Writable` follows).
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more.
    fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError>;

    /// As [`Stack::send`], of what stands in several places (Linux's `writev`).
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more.
    fn send_parts(&mut self, now: Instant, socket: SocketId, parts: &[IoSlice<'_>]) -> Result<usize, SocketError> {
        let mut taken = 0;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let more = self.send(now, socket, part)?;
            taken += more;
            if more < part.len() {
                break;
            }
        }
        Ok(taken)
    }

    /// Octets that [`Stack::send`] would take now, or of the datagram that [`Stack::udp_send_to`] would; when it is 0, an
    /// event `Writable` follows.
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more.
    fn room(&mut self, socket: SocketId) -> Result<usize, SocketError>;

    /// As [`Stack::send`], and more follows soon: what does not fill a segment waits for it, and nothing asks the peer to
    /// hand over what it has, until a [`Stack::send`]. Linux's `MSG_MORE`.
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more, or the stack cannot wait.
    fn send_more(&mut self, _now: Instant, _socket: SocketId, _data: &[u8]) -> Result<usize, SocketError> {
        Err(SocketError::Unsupported)
    }

    /// As [`Stack::send`], and marks the last of these octets as urgent (RFC 9293 §3.8.5). Linux's `MSG_OOB`.
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more, or the stack has no urgent mode.
    fn send_urgent(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError>;

    /// Takes received data into `buffer`; returns how many octets, `Some(0)` at the end of the stream, `None` when none is
    /// there yet (an event `Readable` follows).
    ///
    /// # Errors
    /// [`SocketError`] when the connection has failed.
    fn receive_into(&mut self, now: Instant, socket: SocketId, buffer: &mut [u8])
    -> Result<Option<usize>, SocketError>;

    /// As [`Stack::receive_into`], but takes nothing: the same octets come again, and no window opens. A look: it never
    /// gives the stack anything to do.
    ///
    /// # Errors
    /// [`SocketError`] when the connection has failed, or the stack cannot look.
    fn peek_into(&mut self, _socket: SocketId, _buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        Err(SocketError::Unsupported)
    }

    /// Says that nothing more will be sent: FIN follows the queued data (RFC 9293 §3.6).
    fn shutdown(&mut self, now: Instant, socket: SocketId);

    /// Gives the socket up: closes in an orderly way in the background, the id is no longer valid.
    fn close(&mut self, now: Instant, socket: SocketId);

    /// Gives the socket up at once: RST (RFC 9293 §3.10.5), the id is no longer valid.
    fn abort(&mut self, now: Instant, socket: SocketId);

    /// Sends a bare ACK from a free port, though no connection stands behind it: a scanner's question. When a reset answers
    /// it, an event `Readable` follows. [`Stack::close`] forgets it.
    ///
    /// # Errors
    /// [`OpenError`] when there is no way to the peer, no free port, or the stack cannot do it.
    fn send_stray(&mut self, _now: Instant, _remote: SocketAddr) -> Result<SocketId, OpenError> {
        Err(OpenError::Unsupported)
    }

    /// Whether a reset has answered what [`Stack::send_stray`] has sent. A look.
    fn is_stray_answered(&self, _socket: SocketId) -> bool {
        false
    }

    /// Changes an option of a connection, of a listener (for the connections that it will accept) or of a UDP socket.
    ///
    /// # Errors
    /// [`SocketError`] when there is no such socket, or the stack cannot do this.
    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError>;

    /// What a connection, or those of a listener, began with and were told since; `None` when there is no such socket, or
    /// the stack does not tell.
    fn tcp_settings(&self, _socket: SocketId) -> Option<&TcpConfig> {
        None
    }

    /// Takes the error that the network reported since the last call and that did not end the socket (`SO_ERROR`; RFC 9293
    /// MUST-47, MUST-56); `None` when there was none.
    fn take_error(&mut self, socket: SocketId) -> Option<DeliveryError>;

    /// Opens a UDP socket. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`OpenError`] when the address or port cannot be had.
    fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, OpenError>;

    /// Ties a UDP socket to one peer: it takes datagrams from nobody else, and ICMP errors about what it sent there are its
    /// own (RFC 1122 §4.1.3.3).
    ///
    /// # Errors
    /// [`SocketError`] when there is no such socket or no way to the peer.
    fn udp_connect(&mut self, socket: SocketId, remote: SocketAddr) -> Result<(), SocketError>;

    /// Queues one datagram; longer than the MTU only over IPv4, where it goes as fragments. `false` when there is no room just now (an event `Writable` follows).
    ///
    /// # Errors
    /// [`SocketError`] when it can never be sent.
    fn udp_send_to(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        remote: SocketAddr,
    ) -> Result<bool, SocketError>;

    /// Takes one datagram, cut to `buffer`; returns its octets there and its sender; `None` when none waits.
    ///
    /// # Errors
    /// [`SocketError`] when the socket has failed.
    fn udp_receive_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError>;

    /// Whether [`Stack::udp_receive_from`] would answer at once: with a datagram, or with an error. A look.
    fn is_udp_readable(&mut self, socket: SocketId) -> bool;

    /// As [`Stack::udp_receive_from`], but takes nothing but the error.
    ///
    /// # Errors
    /// As [`Stack::udp_receive_from`].
    fn udp_peek_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError>;

    /// The socket's own address.
    fn local_address(&self, socket: SocketId) -> Option<SocketAddr>;

    /// Moves what has happened to sockets since the last call into `events`.
    fn drain_events(&mut self, events: &mut Vec<SocketEvent>);

    /// Moves what there is to tell since the last call into `journal`.
    fn drain_journal(&mut self, journal: &mut Vec<Event>);

    /// Whether anything is to be told: nothing is noted for a journal that nobody keeps. At first it is. A stack that
    /// cannot be silent goes on telling.
    fn set_telling(&mut self, _telling: bool) {}

    /// What a connection knows; `None` when there is no such connection. A look: it never gives the stack anything to do.
    fn snapshot(&self, socket: SocketId) -> Option<Snapshot>;

    /// Whether nothing is under way: no octet waits for its acknowledgment, no close for the other side's.
    fn is_quiet(&self) -> bool;

    /// Octets of the longest network packet it sends or takes.
    fn mtu(&self) -> usize;

    /// Its own addresses.
    fn addresses(&self) -> Vec<IpAddr>;
}

/// Why a stack wants to be called at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Whose timer it is; `None` for the stack's own (address resolution, reassembly).
    pub socket: Option<SocketId>,
    /// Which timer.
    pub timer: Timer,
}
