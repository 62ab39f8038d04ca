//! What links write into headers: congestion marks, and what middleboxes take away. Checksums are adjusted, not computed
//! anew (RFC 1624).

use crate::packet::checksum::{complete, patch};
use crate::packet::dissect::Network;
use crate::packet::{Dissection, Packet};

/// Congestion Experienced (RFC 3168 §5).
const CE: u8 = 3;
/// Octets of a TCP header without options.
const TCP_HEADER: usize = 20;

/// Marks an ECN-capable packet; `false` when it is none. One that is marked already counts.
pub(super) fn mark(packet: &mut Packet) -> bool {
    let dissection = packet.dissect();
    ecn_of(&dissection).is_some_and(|ecn| ecn != 0) && set_ecn(packet, &dissection, CE)
}

/// Clears the ECN field; `false` when it was clear, or there is none.
pub(super) fn bleach(packet: &mut Packet) -> bool {
    let dissection = packet.dissect();
    ecn_of(&dissection).is_some_and(|ecn| ecn != 0) && set_ecn(packet, &dissection, 0)
}

fn ecn_of(dissection: &Dissection) -> Option<u8> {
    match dissection.network.as_ref()? {
        Network::Ipv4(header) => Some(header.ecn),
        Network::Ipv6(header) => Some(header.ecn),
        Network::Arp(_) => None,
    }
}

fn set_ecn(packet: &mut Packet, dissection: &Dissection, ecn: u8) -> bool {
    let headers = packet.headers_mut();
    match &dissection.network {
        Some(Network::Ipv4(header)) => {
            let Some(class) = headers.get(header.offset + 1).copied() else { return false };
            patch(headers, header.offset, header.offset + 1, &[class & !3 | ecn], &[header.offset + 10]);
        }
        // The traffic class lies across two octets.
        Some(Network::Ipv6(header)) => {
            let Some(octet) = headers.get_mut(header.offset + 1) else { return false };
            *octet = *octet & !0x30 | ecn << 4;
        }
        Some(Network::Arp(_)) | None => return false,
    }
    true
}

/// Overwrites every TCP option of a kind with NOPs; `false` when there is none.
pub(super) fn strip_option(packet: &mut Packet, kind: u8) -> bool {
    complete(packet);
    let dissection = packet.dissect();
    let Some(tcp) = dissection.tcp() else { return false };
    let (start, end) = (tcp.offset + TCP_HEADER, tcp.offset + tcp.header_len);
    let Some(options) = packet.headers().get(start..end) else { return false };
    let places = places_of(options, kind);
    for place in &places {
        let nops = vec![1; place.len()];
        patch(packet.headers_mut(), tcp.offset, start + place.start, &nops, &[tcp.offset + 16]);
    }
    !places.is_empty()
}

/// Where options of this kind are. "End of option list" and "no operation" cannot be taken out.
fn places_of(options: &[u8], wanted: u8) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut places) = (0, Vec::new());
    while let Some(kind) = options.get(at).filter(|kind| **kind != 0) {
        let length = if *kind == 1 { 1 } else { options.get(at + 1).map_or(0, |length| usize::from(*length)) };
        if length == 0 || (*kind != 1 && length < 2) || at + length > options.len() {
            break;
        }
        if *kind == wanted && *kind > 1 {
            places.push(at..at + length);
        }
        at += length;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Medium, checksum};
    use etherparse::{PacketBuilder, TcpOptionElement};

    fn segment(v6: bool, ecn: u8) -> Packet {
        let options = [
            TcpOptionElement::MaximumSegmentSize(1460),
            TcpOptionElement::Noop,
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOptionElement::Timestamp(7, 8),
        ];
        let mut frame = Vec::new();
        let tcp =
            if v6 { PacketBuilder::ipv6([1; 16], [2; 16], 64) } else { PacketBuilder::ipv4([10; 4], [11; 4], 64) };
        let tcp = tcp.tcp(1, 2, 3, 4).options(&options).expect("they fit");
        tcp.write(&mut frame, b"data").expect("a vector takes a packet");
        let mut packet = Packet::from_wire(Medium::Ip, frame.into());
        if ecn > 0 {
            let dissection = packet.dissect();
            assert!(set_ecn(&mut packet, &dissection, ecn));
        }
        packet
    }

    fn is_good(packet: &Packet) -> bool {
        checksum::verify(Medium::Ip, &packet.to_bytes()).is_good()
    }

    #[test]
    fn only_what_is_capable_is_marked_and_only_what_is_there_is_bleached() {
        for v6 in [false, true] {
            for ecn in 0..4 {
                let mut packet = segment(v6, ecn);
                assert!(is_good(&packet));
                assert_eq!(mark(&mut packet), ecn != 0, "v6 {v6}, ECN {ecn}");
                assert_eq!(ecn_of(&packet.dissect()), Some(if ecn == 0 { 0 } else { CE }));
                assert!(is_good(&packet));
                assert_eq!(bleach(&mut packet), ecn != 0);
                assert_eq!((ecn_of(&packet.dissect()), is_good(&packet)), (Some(0), true));
            }
        }
    }

    #[test]
    fn an_option_is_taken_out_and_the_others_stay() {
        for kind in [2, 4, 8] {
            let mut packet = segment(false, 0);
            let before = packet.len();
            assert!(strip_option(&mut packet, kind));
            let dissection = packet.dissect();
            let options = &dissection.tcp().expect("it is TCP").options;
            let there = (options.mss.is_some(), options.sack_permitted, options.timestamps.is_some());
            assert_eq!(there, (kind != 2, kind != 4, kind != 8));
            assert!(is_good(&packet) && packet.len() == before);
            assert!(!strip_option(&mut packet, kind), "it is gone");
        }
        assert!(!strip_option(&mut segment(false, 0), 1), "NOPs are what is written");
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut packet = segment(false, 1);
        packet.headers_mut()[24] ^= 1;
        assert!(mark(&mut packet) && strip_option(&mut packet, 4) && !is_good(&packet));
    }
}
