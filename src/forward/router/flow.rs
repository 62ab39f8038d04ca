//! Which flow a packet belongs to: by its ports, by the identifier of an echo, by the packet that it quotes, or by the
//! first fragment of its datagram.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::ip::Transit;
use crate::packet::TcpFlags;
use crate::packet::dissect::{Network, Transport};
use crate::time::Instant;

/// Datagrams whose later fragments are expected.
const DATAGRAMS: usize = 1024;
/// How long they are (Linux's `ipfrag_time`).
const PATIENCE: Duration = Duration::from_secs(30);

/// The two ends of a flow, in the direction of the packet. For an echo the identifier stands for both ports, for
/// protocols without ports 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub protocol: u8,
    pub src: SocketAddr,
    pub dst: SocketAddr,
}

impl Flow {
    /// The same flow, seen from the other end.
    pub(super) fn reversed(self) -> Flow {
        Flow { protocol: self.protocol, src: self.dst, dst: self.src }
    }
}

/// What the fragments of a datagram have in common: addresses, protocol, identification (RFC 791 §3.2).
type Datagram = (IpAddr, IpAddr, u8, u32);

/// What a packet has to do with flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is part of a flow.
    Part {
        /// Of this one.
        flow: Flow,
        /// TCP's control bits, where the packet has them.
        flags: Option<TcpFlags>,
        /// Whether it is an answer by its kind: an echo reply.
        is_answer: bool,
    },
    /// It is an ICMP error about a packet of this flow.
    Error(Flow),
    /// Nobody can say: a later fragment whose first was not seen, a header cut short, an ICMP message about nothing.
    Unknown,
}

/// Where headers are in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub network: usize,
    pub is_v4: bool,
    pub protocol: u8,
    /// Where the transport header begins; `None` in a later fragment.
    pub transport: Option<usize>,
}

impl Layout {
    pub(super) fn of(transit: &Transit) -> Option<Layout> {
        Some(match transit.dissection.network.as_ref()? {
            Network::Ipv4(header) => Layout {
                network: header.offset,
                is_v4: true,
                // As it stands there: the reader may have gone on behind an authentication header.
                protocol: *transit.packet.headers().get(header.offset + 9)?,
                transport: (header.fragment_offset == 0).then_some(header.offset + header.header_len),
            },
            Network::Ipv6(header) => Layout {
                network: header.offset,
                is_v4: false,
                protocol: header.protocol,
                transport: (!header.is_fragment).then_some(header.offset + header.header_len),
            },
            Network::Arp(_) => return None,
        })
    }

    /// Of a packet that an ICMP error quotes: IPv4 only, for nobody else is translated.
    pub(super) fn of_quotation(quotation: &[u8]) -> Option<Layout> {
        let first = *quotation.first()?;
        let length = usize::from(first & 15) * 4;
        let is_first = quotation.get(6..8).is_some_and(|field| field[0] & 0x1f == 0 && field[1] == 0);
        let whole = first >> 4 == 4 && length >= 20 && quotation.len() >= length && is_first;
        whole.then(|| Layout { network: 0, is_v4: true, protocol: quotation[9], transport: Some(length) })
    }
}

/// The datagrams whose first fragment has passed: later ones have no ports of their own.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The ports of each, and until when they are remembered.
    seen: BTreeMap<Datagram, (u16, u16, Instant)>,
}

impl Fragments {
    fn remember(&mut self, now: Instant, key: Datagram, ports: (u16, u16)) {
        if self.seen.len() >= DATAGRAMS {
            self.seen.retain(|_, (_, _, until)| *until > now);
        }
        if self.seen.len() >= DATAGRAMS
            && let Some(oldest) = self.seen.iter().min_by_key(|(_, (_, _, until))| *until).map(|(key, _)| *key)
        {
            self.seen.remove(&oldest);
        }
        self.seen.insert(key, (ports.0, ports.1, now + PATIENCE));
    }

    /// What a packet has to do with flows.
    pub(super) fn content(&mut self, now: Instant, transit: &Transit) -> Content {
        let Some(layout) = Layout::of(transit) else { return Content::Unknown };
        let flow = |protocol, (src, dst)| Flow {
            protocol,
            src: SocketAddr::new(transit.src, src),
            dst: SocketAddr::new(transit.dst, dst),
        };
        let part = |flow, flags| Content::Part { flow, flags, is_answer: false };
        match &transit.dissection.transport {
            Some(Transport::Tcp(tcp)) => part(flow(6, (tcp.src_port, tcp.dst_port)), Some(tcp.flags)),
            Some(Transport::Udp(udp)) => part(flow(17, (udp.src_port, udp.dst_port)), None),
            Some(Transport::Icmpv4(icmp) | Transport::Icmpv6(icmp)) => {
                let (questions, answers): (&[u8], &[u8]) =
                    if layout.is_v4 { (&[8, 13, 15, 17], &[0, 14, 16, 18]) } else { (&[128], &[129]) };
                let identifier = u16::from_be_bytes([icmp.rest[0], icmp.rest[1]]);
                if questions.contains(&icmp.kind) || answers.contains(&icmp.kind) {
                    let flow = flow(layout.protocol, (identifier, identifier));
                    return Content::Part { flow, flags: None, is_answer: answers.contains(&icmp.kind) };
                }
                let is_error = transit.dissection.transport.as_ref().is_some_and(Transport::is_icmp_error);
                let quoted = || quoted_flow(&transit.packet.to_bytes()[(icmp.offset + 8).min(transit.packet.len())..]);
                is_error.then(quoted).flatten().map_or(Content::Unknown, Content::Error)
            }
            None => match self.fragment(now, transit, &layout) {
                Fragment::None if matches!(layout.protocol, 1 | 6 | 17 | 58) => Content::Unknown,
                Fragment::None => part(flow(layout.protocol, (0, 0)), None),
                Fragment::Of(ports) => part(flow(layout.protocol, ports), None),
                Fragment::Orphan => Content::Unknown,
            },
        }
    }

    fn fragment(&mut self, now: Instant, transit: &Transit, layout: &Layout) -> Fragment {
        let (identification, offset, start, protocol) = match &transit.dissection.network {
            Some(Network::Ipv4(header)) if header.more_fragments || header.fragment_offset > 0 => (
                u32::from(header.identification),
                header.fragment_offset,
                header.offset + header.header_len,
                layout.protocol,
            ),
            Some(Network::Ipv6(header)) if header.is_fragment => {
                let whole = transit.packet.to_bytes();
                // The fragment header is the last that was read.
                let Some(fragment) = whole.get(header.offset + header.header_len - 8..) else {
                    return Fragment::Orphan;
                };
                let Some([next, _, high, low, a, b, c, d]) = fragment.first_chunk::<8>() else {
                    return Fragment::Orphan;
                };
                let offset = usize::from(u16::from_be_bytes([*high, *low]) & !7);
                (u32::from_be_bytes([*a, *b, *c, *d]), offset, header.offset + header.header_len, *next)
            }
            Some(Network::Ipv4(_) | Network::Ipv6(_) | Network::Arp(_)) | None => return Fragment::None,
        };
        let key = (transit.src, transit.dst, protocol, identification);
        if offset > 0 {
            return match self.seen.get(&key) {
                Some((src, dst, until)) if *until > now => Fragment::Of((*src, *dst)),
                Some(_) | None => Fragment::Orphan,
            };
        }
        let whole = transit.packet.to_bytes();
        match whole.get(start..).and_then(|octets| ports(protocol, octets)) {
            Some(ports) => {
                self.remember(now, key, ports);
                Fragment::Of(ports)
            }
            None => Fragment::Orphan,
        }
    }
}

enum Fragment {
    /// It is none.
    None,
    /// Of a datagram with these ports.
    Of((u16, u16)),
    /// Nobody knows of what.
    Orphan,
}

/// The ports at the beginning of a transport header, or an echo's identifier twice; 0 for protocols without.
fn ports(protocol: u8, octets: &[u8]) -> Option<(u16, u16)> {
    let word = |at: usize| octets.get(at..at + 2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]));
    match protocol {
        6 | 17 => Some((word(0)?, word(2)?)),
        1 if matches!(octets.first(), Some(0 | 8)) => word(4).map(|identifier| (identifier, identifier)),
        58 if matches!(octets.first(), Some(128 | 129)) => word(4).map(|identifier| (identifier, identifier)),
        1 | 58 => None,
        _ => Some((0, 0)),
    }
}

/// The flow of a packet that is quoted from its network header on.
pub(super) fn quoted_flow(quotation: &[u8]) -> Option<Flow> {
    let (protocol, start, src, dst) = match quotation.first()? >> 4 {
        4 => {
            let layout = Layout::of_quotation(quotation)?;
            let address = |at: usize| Some(IpAddr::from(*quotation.get(at..)?.first_chunk::<4>()?));
            (layout.protocol, layout.transport?, address(12)?, address(16)?)
        }
        6 => {
            let address = |at: usize| Some(IpAddr::from(*quotation.get(at..)?.first_chunk::<16>()?));
            (*quotation.get(6)?, 40, address(8)?, address(24)?)
        }
        _ => return None,
    };
    let (src_port, dst_port) = ports(protocol, quotation.get(start..)?)?;
    Some(Flow { protocol, src: SocketAddr::new(src, src_port), dst: SocketAddr::new(dst, dst_port) })
}
