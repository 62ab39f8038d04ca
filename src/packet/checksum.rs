//! The Internet checksum (RFC 1071): computing, completing, verifying.

use std::net::IpAddr;

use super::dissect::{Dissection, Network, Transport};
use super::{Checksum, Medium, Packet};

/// A one's-complement sum under way. Add byte runs in any order, each starting at an even offset of the whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// An empty sum.
    pub const fn new() -> Sum {
        Sum(0)
    }

    /// Adds `bytes`; an odd last byte counts as the high half of a word.
    pub fn add_bytes(mut self, bytes: &[u8]) -> Sum {
        // Eight bytes at a time with end-around carry: the sum is the same in any word size (RFC 1071 §2(B), §2(C)).
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            let (sum, carry) = self.0.overflowing_add(u64::from_be_bytes(word));
            self.0 = sum + u64::from(carry);
        }
        let mut tail = [0; 8];
        let rest = chunks.remainder();
        tail[..rest.len()].copy_from_slice(rest);
        let (sum, carry) = self.0.overflowing_add(u64::from_be_bytes(tail));
        self.0 = sum + u64::from(carry);
        self
    }

    /// Adds one 16-bit word.
    pub fn add_word(self, word: u16) -> Sum {
        self.add_bytes(&word.to_be_bytes())
    }

    /// Adds the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1). `length` is that of the transport
    /// header and its data in octets.
    pub fn add_pseudo_header(self, src: IpAddr, dst: IpAddr, protocol: u8, length: u32) -> Sum {
        let sum = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.add_bytes(&src.octets()).add_bytes(&dst.octets()),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.add_bytes(&src.octets()).add_bytes(&dst.octets()),
            // Families never mix in one header; an empty sum then fails verification, as it should.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => self,
        };
        sum.add_bytes(&length.to_be_bytes()).add_word(u16::from(protocol))
    }

    /// The sum folded to 16 bits, not complemented: 0xffff over a range that contains a right checksum.
    pub fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    /// The checksum field's value: the complement of the folded sum.
    pub fn complement(self) -> u16 {
        !self.fold()
    }
}

/// A sum over chunks that need not have even lengths.
pub fn sum_chunks<'a>(start: Sum, chunks: impl IntoIterator<Item = &'a [u8]>) -> Sum {
    let mut sum = start;
    let mut odd = false;
    for chunk in chunks {
        let chunk_sum = Sum::new().add_bytes(chunk).fold();
        // A chunk that begins at an odd offset has its bytes swapped within each word (RFC 1071 §2(B)).
        sum = sum.add_word(if odd { chunk_sum.swap_bytes() } else { chunk_sum });
        odd ^= chunk.len() % 2 == 1;
    }
    sum
}

/// The checksum field's new value when octets that it covers, at an even offset, change from `old` to `new`: without a look at
/// the rest, so that what was wrong stays wrong (RFC 1624 §3, equation 3).
pub fn adjust(field: u16, old: &[u8], new: &[u8]) -> u16 {
    let left = Sum::new().add_bytes(new).add_word(!field).add_word(!Sum::new().add_bytes(old).fold());
    left.complement()
}

/// Writes `new` into `frame` at `at` and adjusts the checksums at `fields`, which cover that place and begin to count at
/// `base`. What does not fit into the frame is not written.
pub fn patch(frame: &mut [u8], base: usize, at: usize, new: &[u8], fields: &[usize]) {
    // Whole words of what is summed, however odd the place.
    let start = at - (at.wrapping_sub(base) & 1).min(at);
    let end = at + new.len() + ((at.wrapping_sub(base) + new.len()) & 1);
    if at + new.len() > frame.len() {
        return;
    }
    let words = start..end.min(frame.len());
    let old = frame[words.clone()].to_vec();
    frame[at..at + new.len()].copy_from_slice(new);
    for field in fields {
        let Some(place) = frame.get(*field..*field + 2) else { continue };
        let sum = adjust(u16::from_be_bytes([place[0], place[1]]), &old, &frame[words.clone()]);
        frame[*field..*field + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Completes a partial transport checksum; a full one is left as it is.
///
/// A `Partial` that points outside the headers (only a hostile device says so) leaves the packet untouched but marked
/// full, so that its receiver finds the bad checksum and drops it.
pub fn complete(packet: &mut Packet) {
    let Checksum::Partial { start, offset } = packet.checksum() else {
        return;
    };
    packet.set_checksum(Checksum::Full);
    let (start, field) = (usize::from(start), usize::from(start) + usize::from(offset));
    let Some(first) = packet.headers().get(start..) else {
        return;
    };
    if field + 2 > packet.headers().len() {
        return;
    }
    let is_udp = offset == 6;
    let sum = sum_chunks(Sum::new(), std::iter::once(first).chain(packet.payload().iter().map(|chunk| &chunk[..])));
    // UDP writes a computed zero as 0xffff, since zero there means "none" (RFC 768).
    let value = match sum.complement() {
        0 if is_udp => 0xffff,
        value => value,
    };
    packet.headers_mut()[field..field + 2].copy_from_slice(&value.to_be_bytes());
}

/// What the checksums of a frame are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The IPv4 header checksum is right, or there is none (IPv6, ARP).
    pub network: bool,
    /// The transport checksum is right, or there is none to check (a fragment, UDP's zero, an unknown protocol, data cut
    /// short by a capture's snap length).
    pub transport: bool,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn is_good(self) -> bool {
        self.network && self.transport
    }
}

/// Checks every checksum of a frame that is there as a whole.
pub fn verify(medium: Medium, frame: &[u8]) -> Verdict {
    let dissection = Dissection::of(medium, frame, frame.len());
    Verdict { network: network_is_good(&dissection, frame), transport: transport_is_good(&dissection, frame) }
}

fn network_is_good(dissection: &Dissection, frame: &[u8]) -> bool {
    match &dissection.network {
        Some(Network::Ipv4(header)) => {
            let range = header.offset..header.offset + header.header_len;
            frame.get(range).is_some_and(|bytes| Sum::new().add_bytes(bytes).fold() == 0xffff)
        }
        Some(Network::Ipv6(_) | Network::Arp(_)) | None => true,
    }
}

fn transport_is_good(dissection: &Dissection, frame: &[u8]) -> bool {
    let Some((transport, range)) = dissection.transport.as_ref().zip(dissection.transport_range()) else {
        return true;
    };
    let Some(bytes) = frame.get(range) else {
        return true;
    };
    let (protocol, pseudo) = match transport {
        Transport::Tcp(_) => (6, true),
        Transport::Udp(header) if header.checksum == 0 => return dissection.is_ipv4(),
        Transport::Udp(_) => (17, true),
        Transport::Icmpv4(_) => (1, false),
        Transport::Icmpv6(_) => (58, true),
    };
    let mut sum = Sum::new();
    if pseudo {
        let Some((src, dst)) = dissection.addresses() else {
            return true;
        };
        sum = sum.add_pseudo_header(src, dst, protocol, bytes.len() as u32);
    }
    sum.add_bytes(bytes).fold() == 0xffff
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1624 §4: where equation 2 would give the wrong zero.
    #[test]
    fn an_adjusted_field_never_becomes_the_wrong_zero() {
        assert_eq!(adjust(0xdd2f, &[0x55, 0x55], &[0x32, 0x85]), 0x0000);
    }

    proptest! {
        #[test]
        fn what_is_patched_has_the_checksum_that_a_whole_sum_gives(
            mut frame in prop::collection::vec(any::<u8>(), 40..80),
            base in 0_usize..4,
            at in 0_usize..30,
            new in prop::collection::vec(any::<u8>(), 0..9),
            error in 0_u8..2,
        ) {
            // The field is the first word that is summed; the place is anywhere behind it.
            let at = base + 2 + at;
            frame[base..base + 2].fill(0);
            let sum = Sum::new().add_bytes(&frame[base..]).complement();
            frame[base..base + 2].copy_from_slice(&sum.to_be_bytes());
            frame[base + 1] ^= error;
            let length = frame.len();
            patch(&mut frame, base, at, &new, &[base]);
            prop_assert_eq!(&frame[at..at + new.len()], &new[..]);
            prop_assert_eq!(frame.len(), length);
            let is_good = Sum::new().add_bytes(&frame[base..]).fold() == 0xffff;
            prop_assert_eq!(is_good, error == 0);
        }

        #[test]
        fn nothing_is_written_beyond_a_frame(mut frame in prop::collection::vec(any::<u8>(), 0..20), at in 0_usize..40) {
            let before = frame.clone();
            patch(&mut frame, 0, at, &[1, 2, 3], &[2, 50]);
            prop_assert!(at + 3 <= before.len() || frame == before);
        }
    }
}
