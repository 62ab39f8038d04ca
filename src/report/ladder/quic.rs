//! Packets of QUIC as a row tells them: by what the program that sealed them has said of them. From outside their numbers and
//! frames cannot be seen.

use std::collections::HashMap;

use crate::journal::{PacketSpace, ProgramEvent, Way};
use crate::packet::Dissection;
use crate::packet::dissect::Transport;
use crate::packet::quic;

/// Octets of a packet's end by which it is known.
const SEAL: usize = 8;

/// What programs said of the packets that they sent, by the ends of these.
#[derive(Default)]
pub(super) struct Sealed<'a>(HashMap<[u8; SEAL], Packet<'a>>);

/// What a program said of one packet.
#[derive(Clone, Copy)]
struct Packet<'a> {
    space: PacketSpace,
    number: u64,
    frames: &'a str,
}

impl<'a> Sealed<'a> {
    /// Takes note of a packet that was sent.
    pub(super) fn hear(&mut self, report: &'a ProgramEvent) {
        if let ProgramEvent::QuicPacket { way: Way::Sent, space, number, frames, seal, .. } = report
            && let Some(seal) = u64::from_str_radix(seal, 16).ok().map(u64::to_be_bytes)
        {
            self.0.insert(seal, Packet { space: *space, number: *number, frames });
        }
    }

    /// The packets in a datagram; `None` when nobody has said anything of them.
    pub(super) fn in_datagram(&self, dissection: &Dissection, bytes: &[u8]) -> Option<Carried<'a>> {
        if self.0.is_empty() || !matches!(dissection.transport, Some(Transport::Udp(_))) {
            return None;
        }
        let datagram = bytes.get(dissection.payload.start..dissection.payload.end.min(bytes.len()))?;
        let known = |packet: &[u8]| self.0.get(packet.last_chunk::<SEAL>()?).copied();
        let packets: Vec<Packet<'a>> =
            quic::packets(datagram).into_iter().filter_map(|range| known(datagram.get(range)?)).collect();
        (!packets.is_empty()).then_some(Carried { packets, length: datagram.len() })
    }
}

/// The packets in a datagram.
pub(super) struct Carried<'a> {
    packets: Vec<Packet<'a>>,
    length: usize,
}

impl Carried<'_> {
    /// What stands on the arrow, the longest wording first.
    pub(super) fn labels(&self) -> Vec<String> {
        let names: Vec<String> =
            self.packets.iter().map(|packet| format!("{} {}", name(packet.space), packet.number)).collect();
        let (names, length) = (names.join(" + "), self.length);
        vec![format!("QUIC {names} len={length}"), format!("QUIC {names}"), names, "QUIC".to_owned()]
    }

    /// The frames of each packet.
    pub(super) fn frames(&self) -> String {
        self.packets.iter().map(|packet| packet.frames).collect::<Vec<_>>().join(" + ")
    }

    /// Whether there are octets in it that were sent before.
    pub(super) fn is_again(&self) -> bool {
        self.packets.iter().any(|packet| packet.frames.split(", ").any(|frame| frame.ends_with(" again")))
    }
}

/// How people call the packets of a space (RFC 9000 §17).
fn name(space: PacketSpace) -> &'static str {
    match space {
        PacketSpace::Initial => "Initial",
        PacketSpace::Handshake => "Handshake",
        PacketSpace::Application => "1-RTT",
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;
    use crate::packet::Medium;

    fn told(way: Way, space: PacketSpace, number: u64, frames: &str, seal: &str) -> ProgramEvent {
        ProgramEvent::QuicPacket { way, space, number, bytes: 1, frames: frames.to_owned(), seal: seal.to_owned() }
    }

    fn datagram(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(443, 50_000);
        builder.write(&mut bytes, payload).expect("a vector takes every packet");
        bytes
    }

    #[test]
    fn a_datagram_is_known_by_the_ends_of_its_packets() {
        let (initial, short) =
            ([&[0xc0, 0, 0, 0, 1, 0, 0, 0, 12][..], &[1; 12]].concat(), [&[0x40][..], &[2; 20]].concat());
        let seal = |octet: &str| octet.repeat(SEAL);
        let events = [
            told(Way::Sent, PacketSpace::Initial, 0, "CRYPTO: 0-9", &seal("01")),
            told(Way::Sent, PacketSpace::Application, 7, "STREAM 0: 0-9 again, PING", &seal("02")),
            told(Way::Received, PacketSpace::Application, 9, "PING", &seal("03")),
        ];
        let mut sealed = Sealed::default();
        events.iter().for_each(|event| sealed.hear(event));
        let of = |payload: &[u8]| {
            let bytes = datagram(payload);
            let dissection = Dissection::of(Medium::Ip, &bytes, bytes.len());
            let carried = sealed.in_datagram(&dissection, &bytes)?;
            Some((carried.labels().swap_remove(0), carried.frames(), carried.is_again()))
        };
        let both = ("QUIC Initial 0 + 1-RTT 7 len=42", "CRYPTO: 0-9 + STREAM 0: 0-9 again, PING", true);
        assert_eq!(of(&[&initial[..], &short].concat()), Some((both.0.to_owned(), both.1.to_owned(), both.2)));
        let first = ("QUIC Initial 0 len=21".to_owned(), "CRYPTO: 0-9".to_owned(), false);
        assert_eq!(of(&initial), Some(first));
        for stranger in [&[3; 20][..], &[2; 4], &[]] {
            assert_eq!(of(stranger), None, "{stranger:?}");
        }
    }
}
