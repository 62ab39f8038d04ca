//! Link types: what the first byte of a captured packet belongs to, as numbered at
//! <https://www.tcpdump.org/linktypes.html>.
//!
//! A capture says it once per interface. Which one to write is decided when the file is begun: 228 or 229 read best
//! (Wireshark then shows "Raw IPv4" and nothing to guess), but hold only one version of IP; 101 holds both, at the
//! price of a dissector that looks at the first nibble. A real kernel speaks IPv6 unasked unless told not to
//! (neighbour discovery, multicast reports), so a vantage point beside one takes 101 unless IPv6 is off there.
//!
//! What lives here: the numbers and how to strip a cooked header. What does not: reading Ethernet or IP
//! ([`crate::packet`]).

use bytes::Bytes;

use super::Direction;
use crate::packet::Medium;

/// The link types that are read here; [`LinkType::Ethernet`] and the raw ones are also written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkType {
    /// BSD loopback (0): four octets of address family in the byte order of the machine that captured, then IP.
    Null,
    /// Ethernet II (1), without frame check sequence.
    Ethernet,
    /// IPv4 or IPv6, told apart by the first nibble (101; 12 and 14 on some systems).
    RawIp,
    /// OpenBSD loopback (108): as [`LinkType::Null`], always in network byte order.
    Loop,
    /// Linux "cooked" capture (113), as `tcpdump -i any` wrote it for twenty years: 16 octets, then the packet.
    LinuxSll,
    /// IPv4 only (228).
    Ipv4,
    /// IPv6 only (229).
    Ipv6,
    /// Linux "cooked" capture, version 2 (276), as `tcpdump -i any` writes it now: 20 octets, then the packet.
    LinuxSll2,
}

/// EtherTypes that a cooked header may name.
const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;
/// `PACKET_OUTGOING`: the cooked header's packet type for what the capturing machine sent.
const SLL_OUTGOING: u8 = 4;
/// Address families of a loopback header: AF_INET is 2 everywhere, AF_INET6 is 10 on Linux, 24, 28 or 30 on the BSDs.
const AF_INET: u32 = 2;
const AF_INET6: [u32; 4] = [10, 24, 28, 30];

impl LinkType {
    /// The type for a vantage point where packets of this medium and these versions of IP pass. Neither version said
    /// counts as both.
    pub const fn for_medium(medium: Medium, ipv4: bool, ipv6: bool) -> LinkType {
        match (medium, ipv4, ipv6) {
            (Medium::Ethernet, _, _) => LinkType::Ethernet,
            (Medium::Ip, true, false) => LinkType::Ipv4,
            (Medium::Ip, false, true) => LinkType::Ipv6,
            (Medium::Ip, true, true) | (Medium::Ip, false, false) => LinkType::RawIp,
        }
    }

    /// The type's number in a file.
    pub const fn code(self) -> u16 {
        match self {
            LinkType::Null => 0,
            LinkType::Ethernet => 1,
            LinkType::RawIp => 101,
            LinkType::Loop => 108,
            LinkType::LinuxSll => 113,
            LinkType::Ipv4 => 228,
            LinkType::Ipv6 => 229,
            LinkType::LinuxSll2 => 276,
        }
    }

    /// The type of this number; `None` when it is none of those read here.
    pub const fn from_code(code: u16) -> Option<LinkType> {
        Some(match code {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            12 | 14 | 101 => LinkType::RawIp,
            108 => LinkType::Loop,
            113 => LinkType::LinuxSll,
            228 => LinkType::Ipv4,
            229 => LinkType::Ipv6,
            276 => LinkType::LinuxSll2,
            _ => return None,
        })
    }

    /// What lies inside a frame of this type, without loopback and cooked headers; shares `frame`. `None` when that is
    /// neither IP nor Ethernet (ARP behind a cooked header) or the header is cut short.
    pub fn strip(self, frame: &Bytes) -> Option<(Medium, Bytes)> {
        let skip = match self {
            LinkType::Ethernet => return Some((Medium::Ethernet, frame.clone())),
            LinkType::RawIp | LinkType::Ipv4 | LinkType::Ipv6 => 0,
            LinkType::Null | LinkType::Loop => {
                let family = u32::from_be_bytes(*frame.first_chunk()?);
                let is_ip = |family: u32| family == AF_INET || AF_INET6.contains(&family);
                let swapped = matches!(self, LinkType::Null) && is_ip(family.swap_bytes());
                (is_ip(family) || swapped).then_some(4)?
            }
            LinkType::LinuxSll => ip_behind(frame, 14, 16)?,
            LinkType::LinuxSll2 => ip_behind(frame, 0, 20)?,
        };
        (frame.len() >= skip).then(|| (Medium::Ip, frame.slice(skip..)))
    }

    /// Which way a frame of this type went, where its header says so.
    pub(super) fn direction(self, frame: &[u8]) -> Option<Direction> {
        let packet_type = match self {
            LinkType::LinuxSll => frame.get(1),
            LinkType::LinuxSll2 => frame.get(10),
            LinkType::Null
            | LinkType::Ethernet
            | LinkType::RawIp
            | LinkType::Loop
            | LinkType::Ipv4
            | LinkType::Ipv6 => None,
        };
        packet_type.map(|&kind| if kind == SLL_OUTGOING { Direction::Out } else { Direction::In })
    }
}

/// `header` when the EtherType at `protocol` is one of IP's.
fn ip_behind(frame: &[u8], protocol: usize, header: usize) -> Option<usize> {
    let ether_type = u16::from_be_bytes(*frame.get(protocol..)?.first_chunk()?);
    matches!(ether_type, ETHER_TYPE_IPV4 | ETHER_TYPE_IPV6).then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [LinkType; 8] = [
        LinkType::Null,
        LinkType::Ethernet,
        LinkType::RawIp,
        LinkType::Loop,
        LinkType::LinuxSll,
        LinkType::Ipv4,
        LinkType::Ipv6,
        LinkType::LinuxSll2,
    ];

    fn frame(header: &[u8]) -> Bytes {
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&[0x45, 0, 0, 20]);
        bytes.into()
    }

    #[test]
    fn every_type_is_found_again_by_its_number() {
        for link_type in ALL {
            assert_eq!(LinkType::from_code(link_type.code()), Some(link_type));
        }
        assert_eq!(LinkType::from_code(12), Some(LinkType::RawIp));
        assert_eq!(LinkType::from_code(14), Some(LinkType::RawIp));
        assert_eq!(LinkType::from_code(105), None);
    }

    #[test]
    fn a_file_for_one_version_of_ip_says_which() {
        assert_eq!(LinkType::for_medium(Medium::Ip, true, false).code(), 228);
        assert_eq!(LinkType::for_medium(Medium::Ip, false, true).code(), 229);
        assert_eq!(LinkType::for_medium(Medium::Ip, true, true).code(), 101);
        assert_eq!(LinkType::for_medium(Medium::Ip, false, false).code(), 101);
        assert_eq!(LinkType::for_medium(Medium::Ethernet, true, false).code(), 1);
    }

    #[test]
    fn loopback_headers_of_either_byte_order_are_stripped() {
        for (link_type, header) in [
            (LinkType::Null, [2, 0, 0, 0]),
            (LinkType::Null, [0, 0, 0, 2]),
            (LinkType::Null, [30, 0, 0, 0]),
            (LinkType::Loop, [0, 0, 0, 24]),
        ] {
            let stripped = link_type.strip(&frame(&header));
            assert_eq!(stripped, Some((Medium::Ip, frame(&[]))), "{link_type:?} {header:?}");
        }
        assert_eq!(LinkType::Loop.strip(&frame(&[2, 0, 0, 0])), None, "loop is always in network byte order");
        assert_eq!(LinkType::Null.strip(&frame(&[7, 0, 0, 0])), None, "some other address family");
    }

    #[test]
    fn cooked_headers_are_stripped_and_tell_the_direction() {
        let mut sll = [0u8; 16];
        sll[1] = 4;
        sll[14..].copy_from_slice(&[0x08, 0x00]);
        assert_eq!(LinkType::LinuxSll.strip(&frame(&sll)), Some((Medium::Ip, frame(&[]))));
        assert_eq!(LinkType::LinuxSll.direction(&sll), Some(Direction::Out));
        let mut sll2 = [0u8; 20];
        sll2[..2].copy_from_slice(&[0x86, 0xdd]);
        assert_eq!(LinkType::LinuxSll2.strip(&frame(&sll2)), Some((Medium::Ip, frame(&[]))));
        assert_eq!(LinkType::LinuxSll2.direction(&sll2), Some(Direction::In));
        sll2[..2].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(LinkType::LinuxSll2.strip(&frame(&sll2)), None, "ARP has no place on an IP medium");
    }

    #[test]
    fn headers_cut_anywhere_yield_nothing() {
        for link_type in ALL {
            for cut in 0..20 {
                let mut bytes = vec![0u8; 20];
                bytes[..2].copy_from_slice(&[0x08, 0x00]);
                bytes.truncate(cut);
                let stripped = link_type.strip(&bytes.into());
                assert!(stripped.is_none_or(|(_, inner)| inner.len() <= cut));
            }
        }
    }
}
