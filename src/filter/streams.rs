//! Conversations, numbered as Wireshark numbers them.

use crate::packet::dissect::Tcp;
use crate::packet::{Dissection, SeqNum};

/// What Wireshark subtracts from sequence and acknowledgment numbers to show them relative to the connection's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeSeq {
    /// The initial sequence number of the packet's sender.
    pub isn_sender: SeqNum,
    /// That of its receiver; `None` while the receiver has not spoken and nothing was acknowledged.
    pub isn_receiver: Option<SeqNum>,
}

impl RelativeSeq {
    /// The relative sequence number (`tcp.seq`).
    pub fn seq(&self, tcp: &Tcp) -> u32 {
        tcp.seq.offset_from(self.isn_sender)
    }

    /// The relative acknowledgment number (`tcp.ack`); the number as it stands there without the ACK flag.
    pub fn ack(&self, tcp: &Tcp) -> u32 {
        match self.isn_receiver {
            Some(isn) if tcp.flags.ack() => tcp.ack.offset_from(isn),
            Some(_) | None => tcp.ack.0,
        }
    }
}

/// Gives each packet of a capture its `tcp.stream` or `udp.stream` and the bases of its relative sequence numbers.
#[derive(Clone, Debug, Default)]
pub struct Streams {}

impl Streams {
    /// Takes the packets of one capture in order.
    pub fn next(&mut self, dissection: &Dissection) -> (Option<u32>, Option<RelativeSeq>) {
        let _ = dissection;
        (None, None)
    }
}
