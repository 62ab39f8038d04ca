//! What every stimulus carries: the time, the connection's name, and where to tell.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::journal::{Event, Notebook, SocketId, Why};
use crate::packet::PacketId;
use crate::tcp::engine::Departure;
use crate::tcp::segment::{Ends, Segment};
use crate::time::Instant;
use crate::transport::SocketEvent;

/// One moment of one connection: the time, its name, the packet at hand, and where to tell.
pub(crate) struct Context<'a> {
    /// The time.
    pub(crate) now: Instant,
    /// The connection.
    pub(crate) socket: SocketId,
    /// The packet that has come in; 0 when none has.
    pub(crate) packet: PacketId,
    /// Where to tell.
    pub(crate) told: &'a mut Told,
}

/// What connections have to tell, until the engine's owner takes it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// For applications.
    pub(crate) events: Vec<SocketEvent>,
    /// For the journal.
    pub(crate) journal: Notebook,
    /// Destinations, and octets of the longest packet that the way there is now thought to take.
    pub(crate) paths: Vec<(IpAddr, usize)>,
    /// Segments that no connection stands behind: resets, answers by SYN cookies, strays.
    pub(crate) replies: VecDeque<Departure>,
}

/// Answers that may wait to be sent; more are not answered (RFC 9293 asks for answers, but not at any cost).
const MOST_REPLIES: usize = 1024;

impl Told {
    /// Queues a segment that no connection stands behind.
    pub(crate) fn reply(&mut self, departure: Departure) {
        if self.replies.len() < MOST_REPLIES {
            self.replies.push_back(departure);
        }
    }

    /// Queues a reset or another segment without options, with what every host gives its packets.
    pub(crate) fn lone(&mut self, ends: Ends, segment: Segment, why: Why) {
        self.reply(Departure { ends, segment, why, dont_fragment: true, hops: None, traffic_class: 0 });
    }
}

impl Context<'_> {
    pub(super) fn tell(&mut self, event: Event) {
        self.told.journal.tell(event);
    }

    pub(super) fn notify(&mut self, event: SocketEvent) {
        self.told.events.push(event);
    }
}
