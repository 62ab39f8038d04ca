//! What a packet's headers say, as plain values.
//!
//! `etherparse` reads the bytes; this room turns its borrowed slices into one owned value that filters, checks, links and
//! ladders share. Reading is *lax*: a frame cut short by a capture, or one that lies about its lengths, yields the layers
//! that could be read and a [`Dissection::malformed`] note, never an error and never a panic.

mod headers;
mod tcp;

use std::net::IpAddr;
use std::ops::Range;

use super::{Medium, SeqNum};
use etherparse::{ArpPacketSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};

pub use headers::{Arp, Ethernet, Icmp, Ipv4, Ipv6, Network, Transport, Udp};
pub use tcp::{FastOpenOption, Tcp, TcpFlags, TcpOptions};

/// Octets of an Ethernet II header.
pub const ETHERNET_HEADER: usize = 14;

/// The layers of one packet. Offsets and ranges count from the frame's first byte.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dissection {
    /// Octets on the wire.
    pub frame_len: usize,
    /// The link header, on Ethernet.
    pub ethernet: Option<Ethernet>,
    /// The network header.
    pub network: Option<Network>,
    /// The transport header; `None` for ARP, for fragments, and for protocols not known here.
    pub transport: Option<Transport>,
    /// Where the innermost payload lies; empty when there is none. May reach beyond the bytes at hand when a capture cut
    /// the frame short.
    pub payload: Range<usize>,
    /// Why reading stopped before the last header, if it did.
    pub malformed: Option<String>,
    /// The packet that an ICMP error quotes, as far as it quotes it. Its offsets count from its own first octet, which is
    /// the first of [`Dissection::payload`]. `None` also when the payload's bytes were not at hand.
    pub quoted: Option<Box<Dissection>>,
}

impl Dissection {
    /// Reads what is there of a frame whose wire length is `wire_len`. `bytes` need hold no more than the headers.
    pub fn of(medium: Medium, bytes: &[u8], wire_len: usize) -> Dissection {
        let mut dissection = Dissection::without_quotation(medium, bytes, wire_len);
        // One level only: a hostile chain of errors that quote errors must not cost a stack frame each.
        if dissection.transport.as_ref().is_some_and(Transport::is_icmp_error)
            && let Some(quotation) = bytes.get(dissection.payload.start..).filter(|bytes| !bytes.is_empty())
        {
            let wire_len = dissection.payload.len();
            let quotation = &quotation[..quotation.len().min(wire_len)];
            let quoted = Dissection::without_quotation(Medium::Ip, quotation, wire_len);
            dissection.quoted = quoted.network.is_some().then(|| Box::new(quoted));
        }
        dissection
    }

    fn without_quotation(medium: Medium, bytes: &[u8], wire_len: usize) -> Dissection {
        let mut dissection = Dissection { frame_len: wire_len, payload: wire_len..wire_len, ..Dissection::default() };
        let sliced = match medium {
            Medium::Ethernet => LaxSlicedPacket::from_ethernet(bytes).map_err(|error| error.to_string()),
            Medium::Ip => LaxSlicedPacket::from_ip(bytes).map_err(|error| error.to_string()),
        };
        match sliced {
            Ok(sliced) => dissection.read(&sliced, bytes),
            Err(error) => {
                dissection.payload = 0..wire_len;
                dissection.malformed = Some(error);
            }
        }
        dissection
    }

    fn read(&mut self, sliced: &LaxSlicedPacket<'_>, bytes: &[u8]) {
        let mut inner = 0;
        if let Some(LinkSlice::Ethernet2(slice)) = &sliced.link {
            self.ethernet =
                Some(Ethernet { dst: slice.destination(), src: slice.source(), ether_type: slice.ether_type().0 });
            inner = ETHERNET_HEADER;
        }
        self.payload = inner.min(self.frame_len)..self.frame_len;
        if let Some(net) = &sliced.net {
            self.read_network(net, bytes);
        }
        if let Some(transport) = &sliced.transport {
            self.read_transport(transport);
        }
        self.malformed = sliced.stop_err.as_ref().map(|(error, layer)| format!("{layer}: {error}"));
    }

    fn read_network(&mut self, net: &LaxNetSlice<'_>, bytes: &[u8]) {
        match net {
            LaxNetSlice::Ipv4(slice) => {
                let header = slice.header();
                let offset = offset_in(bytes, header.slice());
                let header_len = header.slice().len();
                let total_len = usize::from(header.total_len());
                self.network = Some(Network::Ipv4(Ipv4 {
                    offset,
                    header_len,
                    total_len,
                    dscp: header.dcp().value(),
                    ecn: header.ecn().value(),
                    identification: header.identification(),
                    dont_fragment: header.dont_fragment(),
                    more_fragments: header.more_fragments(),
                    fragment_offset: usize::from(header.fragments_offset().value()) * 8,
                    ttl: header.ttl(),
                    protocol: slice.payload_ip_number().0,
                    checksum: header.header_checksum(),
                    src: header.source_addr(),
                    dst: header.destination_addr(),
                }));
                // A total length of 0 is what a kernel writes when it leaves the cutting to the card; believe the frame.
                let end = if total_len == 0 { self.frame_len } else { (offset + total_len).min(self.frame_len) };
                let start = (offset + header_len).min(end);
                self.payload = start..end;
            }
            LaxNetSlice::Ipv6(slice) => {
                let header = slice.header();
                let offset = offset_in(bytes, header.slice());
                let payload_len = usize::from(header.payload_length());
                let extensions = slice.extensions().slice().len();
                let start = offset + 40 + extensions;
                self.network = Some(Network::Ipv6(Ipv6 {
                    offset,
                    header_len: 40 + extensions,
                    payload_len,
                    dscp: header.traffic_class() >> 2,
                    ecn: header.traffic_class() & 3,
                    flow_label: header.flow_label().value(),
                    hop_limit: header.hop_limit(),
                    protocol: slice.payload().ip_number.0,
                    is_fragment: slice.is_payload_fragmented(),
                    src: header.source_addr(),
                    dst: header.destination_addr(),
                }));
                let end = (offset + 40 + payload_len).min(self.frame_len);
                self.payload = start.min(end)..end;
            }
            LaxNetSlice::Arp(slice) => {
                self.network = read_arp(slice, offset_in(bytes, slice.slice())).map(Network::Arp);
                self.payload = self.frame_len..self.frame_len;
            }
        }
    }

    fn read_transport(&mut self, transport: &TransportSlice<'_>) {
        let offset = self.payload.start;
        let end = self.payload.end;
        match transport {
            TransportSlice::Tcp(slice) => {
                let header_len = slice.header_slice().len();
                self.payload = (offset + header_len).min(end)..end;
                self.transport = Some(Transport::Tcp(Tcp {
                    offset,
                    header_len,
                    src_port: slice.source_port(),
                    dst_port: slice.destination_port(),
                    seq: SeqNum(slice.sequence_number()),
                    ack: SeqNum(slice.acknowledgment_number()),
                    flags: TcpFlags(slice.header_slice()[13]),
                    window: slice.window_size(),
                    checksum: slice.checksum(),
                    urgent: slice.urgent_pointer(),
                    options: TcpOptions::read(slice.options()),
                    payload_len: self.payload.len(),
                }));
            }
            TransportSlice::Udp(slice) => {
                let udp_end = (offset + usize::from(slice.length()).max(8)).min(end);
                self.payload = (offset + 8).min(udp_end)..udp_end;
                self.transport = Some(Transport::Udp(Udp {
                    offset,
                    src_port: slice.source_port(),
                    dst_port: slice.destination_port(),
                    length: slice.length(),
                    checksum: slice.checksum(),
                }));
            }
            TransportSlice::Icmpv4(slice) => {
                self.payload = (offset + 8).min(end)..end;
                self.transport = Some(Transport::Icmpv4(Icmp {
                    offset,
                    kind: slice.type_u8(),
                    code: slice.code_u8(),
                    checksum: slice.checksum(),
                    rest: slice.bytes5to8(),
                }));
            }
            TransportSlice::Icmpv6(slice) => {
                self.payload = (offset + 8).min(end)..end;
                self.transport = Some(Transport::Icmpv6(Icmp {
                    offset,
                    kind: slice.type_u8(),
                    code: slice.code_u8(),
                    checksum: slice.checksum(),
                    rest: slice.bytes5to8(),
                }));
            }
            TransportSlice::Igmp(_) => {}
        }
    }

    /// The TCP header, if there is one.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Some(Transport::Tcp(tcp)) => Some(tcp),
            Some(Transport::Udp(_) | Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => None,
        }
    }

    /// The UDP header, if there is one.
    pub fn udp(&self) -> Option<&Udp> {
        match &self.transport {
            Some(Transport::Udp(udp)) => Some(udp),
            Some(Transport::Tcp(_) | Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => None,
        }
    }

    /// Source and destination address of the network header; ARP's protocol addresses for ARP.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match &self.network {
            Some(Network::Ipv4(header)) => Some((header.src.into(), header.dst.into())),
            Some(Network::Ipv6(header)) => Some((header.src.into(), header.dst.into())),
            Some(Network::Arp(arp)) => Some((arp.sender_ip.into(), arp.target_ip.into())),
            None => None,
        }
    }

    /// Source and destination port of TCP or UDP.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.transport {
            Some(Transport::Tcp(tcp)) => Some((tcp.src_port, tcp.dst_port)),
            Some(Transport::Udp(udp)) => Some((udp.src_port, udp.dst_port)),
            Some(Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => None,
        }
    }

    /// Whether the network header is IPv4.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.network, Some(Network::Ipv4(_)))
    }

    /// The octets that the transport checksum covers: header and data.
    pub fn transport_range(&self) -> Option<Range<usize>> {
        let offset = match self.transport.as_ref()? {
            Transport::Tcp(tcp) => tcp.offset,
            Transport::Udp(udp) => udp.offset,
            Transport::Icmpv4(icmp) | Transport::Icmpv6(icmp) => icmp.offset,
        };
        Some(offset..self.payload.end)
    }
}

/// Octets of the link header of a medium.
pub const fn link_header_length(medium: Medium) -> usize {
    match medium {
        Medium::Ip => 0,
        Medium::Ethernet => ETHERNET_HEADER,
    }
}

/// Octets of all headers of a frame, up to the innermost payload.
pub fn header_length(medium: Medium, frame: &[u8]) -> usize {
    Dissection::of(medium, frame, frame.len()).payload.start
}

fn read_arp(slice: &ArpPacketSlice<'_>, offset: usize) -> Option<Arp> {
    Some(Arp {
        offset,
        operation: slice.operation().0,
        sender_mac: slice.sender_hw_addr().try_into().ok()?,
        sender_ip: <[u8; 4]>::try_from(slice.sender_protocol_addr()).ok()?.into(),
        target_mac: slice.target_hw_addr().try_into().ok()?,
        target_ip: <[u8; 4]>::try_from(slice.target_protocol_addr()).ok()?.into(),
    })
}

/// Where `part`, a subslice of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}
