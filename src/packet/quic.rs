//! Where the packets of QUIC in a datagram begin and end: what can be read without any key (RFC 9000 §12.2, §17.2).

use std::ops::Range;

/// The version of RFC 9000.
const VERSION_1: [u8; 4] = [0, 0, 0, 1];
/// Types of long headers that say how long the packet is: Initial, 0-RTT, Handshake.
const INITIAL: u8 = 0;
const HANDSHAKE: u8 = 2;

/// The packets of a datagram. One with a short header takes all that is left, and so does what is no QUIC.
pub fn packets(datagram: &[u8]) -> Vec<Range<usize>> {
    let mut packets = Vec::new();
    let mut start = 0;
    while let Some(rest) = datagram.get(start..).filter(|rest| !rest.is_empty()) {
        let length = length(rest).filter(|length| *length <= rest.len()).unwrap_or(rest.len());
        packets.push(start..start + length);
        start += length;
    }
    packets
}

/// Octets of the packet at the beginning; `None` when it does not say so.
fn length(datagram: &[u8]) -> Option<usize> {
    let (first, rest) = datagram.split_first()?;
    let rest = rest.strip_prefix(&VERSION_1)?;
    let kind = (first & 0x30) >> 4;
    if first & 0x80 == 0 || kind > HANDSHAKE {
        return None;
    }
    // The connection IDs of both ends.
    let rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    let mut rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    if kind == INITIAL {
        let token = number(&mut rest)?;
        rest = rest.get(token..)?;
    }
    let length = number(&mut rest)?;
    (datagram.len() - rest.len()).checked_add(length)
}

/// An integer of 1, 2, 4 or 8 octets, as its first two bits say (RFC 9000 §16).
fn number(rest: &mut &[u8]) -> Option<usize> {
    let (octets, after) = rest.split_at_checked(1 << (rest.first()? >> 6))?;
    let (first, more) = octets.split_first()?;
    *rest = after;
    let number = more.iter().fold(u64::from(first & 0x3f), |number, octet| number << 8 | u64::from(*octet));
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A long header with connection IDs of 2 and 1 octets, and `token` if it is an Initial's.
    fn long(kind: u8, token: &[u8], payload: usize) -> Vec<u8> {
        let mut packet = vec![0xc0 | kind << 4, 0, 0, 0, 1, 2, 7, 7, 1, 8];
        packet.extend_from_slice(token);
        packet.extend([0x40, payload as u8]);
        packet.resize(packet.len() + payload, 9);
        packet
    }

    #[test]
    fn coalesced_packets_are_taken_apart() {
        let (initial, handshake, short) = (long(0, &[1, 5], 30), long(2, &[], 40), vec![0x40; 25]);
        let lengths = |parts: &[&[u8]]| packets(&parts.concat()).iter().map(ExactSizeIterator::len).collect::<Vec<_>>();
        assert_eq!(
            lengths(&[&initial, &handshake, &short]),
            [initial.len(), handshake.len(), short.len()],
            "each has its own length"
        );
        assert_eq!(lengths(&[&short]), [25]);
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[&initial[..20]]), [20], "a packet that is cut is what is left");
        let mut other_version = initial.clone();
        other_version[4] = 9;
        assert_eq!(lengths(&[&other_version, &short]), [initial.len() + 25]);
    }

    #[test]
    fn integers_have_the_lengths_of_the_rfc_s_examples() {
        // RFC 9000 §A.1.
        let table: [(&[u8], usize); 4] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ];
        for (octets, expected) in table {
            assert_eq!(number(&mut &*octets), Some(expected));
        }
        assert_eq!(number(&mut &[0x40][..]), None);
    }

    proptest! {
        #[test]
        fn octets_of_any_kind_are_covered_exactly_once(datagram in prop::collection::vec(any::<u8>(), 0..100)) {
            let packets = packets(&datagram);
            prop_assert_eq!(packets.iter().map(ExactSizeIterator::len).sum::<usize>(), datagram.len());
            prop_assert!(packets.iter().all(|packet| !packet.is_empty()));
        }
    }
}
