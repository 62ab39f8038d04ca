//! Segments that are sent on purpose though no connection stands behind them: what a scanner asks hosts and filters with.
//!
//! ```text
//!   stray ACK ──► nobody's: the host answers with a reset (RFC 9293 §3.10.7.1)   ──► answered
//!             └─► a filter that remembers connections: belongs to none, dropped ──► never answered
//! ```
//!
//! An ordinary host never sends one; on Linux it takes a raw socket, as `nmap -sA` opens it.

use std::net::SocketAddr;

use super::Engine;
use crate::journal::{Reason, SocketId, Why};
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::segment::{Ends, Segment};
use crate::transport::{OpenError, SocketEvent};

/// Strays that are waited for at a time.
const MOST_STRAYS: usize = 1024;
/// The window that a stray announces, as nmap does.
const WINDOW: u16 = 1024;

/// A segment that was sent, and whether somebody has refused it.
#[derive(Debug)]
pub(super) struct Stray {
    ends: Ends,
    answered: bool,
}

impl Engine {
    /// Sends a bare ACK that belongs to no connection; port 0 of `local` takes a free one. A reset that answers it is an
    /// event `Readable` of the socket, which [`Engine::close`] forgets.
    ///
    /// # Errors
    /// [`OpenError::AddressInUse`] when there is a connection between these ends, [`OpenError::NoPorts`] when no port is
    /// free, or too many strays are waited for.
    pub fn send_stray(&mut self, local: SocketAddr, remote: SocketAddr) -> Result<SocketId, OpenError> {
        if self.strays.len() >= MOST_STRAYS {
            return Err(OpenError::NoPorts);
        }
        let at = |port| Ends { local: SocketAddr::new(local.ip(), port), remote };
        let is_taken = |engine: &Engine, port| {
            engine.by_ends.contains_key(&at(port)) || engine.strays.values().any(|stray| stray.ends == at(port))
        };
        let ends = match local.port() {
            0 => at(self.free_port(is_taken)?),
            port if is_taken(self, port) => return Err(OpenError::AddressInUse(local)),
            port => at(port),
        };
        let socket = self.new_id();
        let (seq, ack) = (SeqNum(self.rng.next_u32()), SeqNum(self.rng.next_u32()));
        let segment = Segment { seq, ack, flags: TcpFlags::ACK, window: WINDOW, ..Segment::default() };
        self.told.lone(ends, segment, Why::of(Reason::Stray));
        self.strays.insert(socket, Stray { ends, answered: false });
        Ok(socket)
    }

    /// Whether a reset has answered a stray.
    pub fn is_stray_answered(&self, socket: SocketId) -> bool {
        self.strays.get(&socket).is_some_and(|stray| stray.answered)
    }

    /// A reset that belongs to no connection arrives: is it the answer to a stray?
    pub(super) fn answers_stray(&mut self, ends: &Ends) -> bool {
        let Some((socket, stray)) = self.strays.iter_mut().find(|(_, stray)| stray.ends == *ends) else { return false };
        stray.answered = true;
        self.told.events.push(SocketEvent::Readable(*socket));
        true
    }
}
