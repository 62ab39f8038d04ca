//! Packets: bytes in, bytes out, and what the bytes say.
//!
//! A [`Packet`] is a run of headers, then payload in chunks that are shared and not copied on their way from one stack to
//! the other. It may be a *super-segment*: one set of headers over up to 64 KB of payload, to be cut into `gso_size`
//! pieces by whoever puts it on a wire ([`segment`]); and its transport checksum may still be [`Checksum::Partial`], to
//! be completed at the same place ([`checksum`]).
//!
//! What lives here: bytes ⇄ headers ([`dissect`]), DNS messages ([`dns`]), where packets of QUIC begin ([`quic`]), the header view of every layer ([`describe`]),
//! checksums, sequence numbers. What does not: deciding anything about a packet.

pub mod checksum;
mod delivery;
pub mod describe;
pub mod dissect;
pub mod dns;
pub mod quic;
pub mod segment;
mod seq;

use std::fmt;
use std::num::NonZeroU16;

use bytes::Bytes;
use serde::Serialize;
use smallvec::SmallVec;

pub use delivery::DeliveryError;
pub use dissect::{Dissection, TcpFlags};
pub use seq::SeqNum;

/// What the first byte of a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// An IPv4 or IPv6 header, as on a TUN device.
    Ip,
    /// An Ethernet II header without frame check sequence, as on a TAP device.
    Ethernet,
}

/// How much of the transport checksum is already in the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// All of it.
    #[default]
    Full,
    /// Only the pseudo-header's sum, as `VIRTIO_NET_HDR_F_NEEDS_CSUM` has it: sum the bytes from `start` to the end of the
    /// packet and put the complement at `start + offset`. Both count from the packet's first byte.
    Partial {
        /// Where the transport header begins.
        start: u16,
        /// Where the checksum field is, counted from `start`.
        offset: u16,
    },
}

/// Names one packet throughout a run: in the journal, in link decisions, and as `epb_packetid` in the captures, where it
/// joins the sender's file to the receiver's. A copy made by a duplicating link has an id of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PacketId(pub u64);

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Headers inline up to this length (Ethernet, a 60-byte IPv4 and a 52-byte TCP header); longer ones spill to the heap.
const INLINE_HEADERS: usize = 128;

/// One packet, or one super-segment.
///
/// `headers` then all `payload` chunks are the bytes on the wire. Invariant: whoever builds a packet puts every header
/// it knows of into `headers`, contiguously, so that readers never have to join chunks to see a header.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Its name in this run; 0 until the network gives one.
    pub id: PacketId,
    medium: Medium,
    headers: SmallVec<[u8; INLINE_HEADERS]>,
    payload: SmallVec<[Bytes; 2]>,
    gso_size: Option<NonZeroU16>,
    checksum: Checksum,
    /// All of it in one piece, while that is known: captures and stacks then share these bytes instead of copying them.
    whole: Option<Bytes>,
}

impl Packet {
    /// A packet of these headers and no payload yet, checksums full, not a super-segment.
    pub fn new(medium: Medium, headers: &[u8]) -> Packet {
        Packet {
            id: PacketId::default(),
            medium,
            headers: SmallVec::from_slice(headers),
            payload: SmallVec::new(),
            gso_size: None,
            checksum: Checksum::Full,
            whole: None,
        }
    }

    /// The packet whose wire bytes are `frame`. Any bytes will do; what cannot be read as headers counts as payload.
    ///
    /// The headers are copied, the payload shares `frame`.
    pub fn from_wire(medium: Medium, frame: Bytes) -> Packet {
        let boundary = dissect::header_length(medium, &frame).min(frame.len());
        let mut packet = Packet::new(medium, &frame[..boundary]);
        packet.push_payload(frame.slice(boundary..));
        packet.whole = Some(frame);
        packet
    }

    /// Joins the packet into one piece, once, so that every later [`Packet::to_bytes`] shares it. For packets that will be
    /// captured.
    pub fn join(&mut self) {
        if self.whole.is_none() {
            self.whole = Some(self.to_bytes());
        }
    }

    /// Appends a chunk of payload; an empty one is left out.
    pub fn push_payload(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.whole = None;
            self.payload.push(chunk);
        }
    }

    /// Marks the packet as a super-segment, its payload to be cut into pieces of `size` octets; `None` takes the mark off.
    pub fn set_gso_size(&mut self, size: Option<NonZeroU16>) {
        self.gso_size = size;
    }

    /// Says how much of the transport checksum is there.
    pub fn set_checksum(&mut self, checksum: Checksum) {
        self.checksum = checksum;
    }

    /// What its first byte belongs to.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// Every header, contiguous.
    pub fn headers(&self) -> &[u8] {
        &self.headers
    }

    /// Every header, to be changed in place (a checksum filled in, a bit flipped by a link).
    pub fn headers_mut(&mut self) -> &mut [u8] {
        self.whole = None;
        &mut self.headers
    }

    /// The payload, in order.
    pub fn payload(&self) -> &[Bytes] {
        &self.payload
    }

    /// Octets of payload.
    pub fn payload_len(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum()
    }

    /// Octets on the wire, link header included. For a super-segment: of the whole, uncut.
    pub fn len(&self) -> usize {
        self.headers.len() + self.payload_len()
    }

    /// Whether there is not a single byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets counted against an MTU: the wire length without the link header.
    pub fn network_len(&self) -> usize {
        self.len().saturating_sub(dissect::link_header_length(self.medium))
    }

    /// The payload octets of each piece a super-segment is to be cut into; `None` for an ordinary packet.
    pub fn gso_size(&self) -> Option<NonZeroU16> {
        self.gso_size
    }

    /// How much of the transport checksum is there.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The wire bytes in one piece. Copies, unless the packet came from a wire, was [joined](Packet::join), or is one chunk.
    pub fn to_bytes(&self) -> Bytes {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        match (self.headers.is_empty(), self.payload.as_slice()) {
            (true, []) => Bytes::new(),
            (true, [only]) => only.clone(),
            _ => {
                let mut bytes = Vec::with_capacity(self.len());
                self.write_to(&mut bytes);
                bytes.into()
            }
        }
    }

    /// Appends the wire bytes to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.headers);
        for chunk in &self.payload {
            out.extend_from_slice(chunk);
        }
    }

    /// Whether it only resolves addresses on Ethernet: ARP, or neighbour discovery (RFC 4861, ICMPv6 types 133 to 137).
    pub fn is_address_resolution(&self) -> bool {
        let header = match self.medium {
            Medium::Ip => return false,
            Medium::Ethernet => self.headers(),
        };
        match header.get(12..14) {
            Some([0x08, 0x06]) => true,
            // The next-header octet of a base header, then the ICMPv6 type.
            Some([0x86, 0xdd]) => header.get(20) == Some(&58) && matches!(header.get(54), Some(133..=137)),
            Some(_) | None => false,
        }
    }

    /// What the headers say.
    pub fn dissect(&self) -> Dissection {
        if self.headers.is_empty() {
            let bytes = self.to_bytes();
            return Dissection::of(self.medium, &bytes, bytes.len());
        }
        Dissection::of(self.medium, &self.headers, self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_packet_shares_its_bytes_until_it_is_changed() {
        let mut packet = Packet::new(Medium::Ip, &[0x45]);
        packet.push_payload(Bytes::from_static(b"a"));
        packet.push_payload(Bytes::from_static(b"b"));
        packet.join();
        let whole = packet.to_bytes();
        assert_eq!((whole.as_ref(), packet.to_bytes().as_ptr()), (&b"Eab"[..], whole.as_ptr()));
        packet.headers_mut()[0] = 0x46;
        assert_eq!(packet.to_bytes().as_ref(), b"Fab");
        packet.join();
        packet.push_payload(Bytes::from_static(b"c"));
        assert_eq!(packet.to_bytes().as_ref(), b"Fabc");
    }
}
