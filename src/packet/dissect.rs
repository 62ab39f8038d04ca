//! What a packet's headers say, as plain values.
//!
//! `etherparse` reads the bytes; this room turns its borrowed slices into one owned value that filters, checks, links and
//! ladders share. Reading is *lax*: a frame cut short by a capture, or one that lies about its lengths, yields the layers
//! that could be read and a [`Dissection::malformed`] note, never an error and never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use etherparse::{ArpPacketSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};
use smallvec::SmallVec;

use super::{Medium, SeqNum};

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

/// An Ethernet II header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Destination MAC address.
    pub dst: [u8; 6],
    /// Source MAC address.
    pub src: [u8; 6],
    /// EtherType of what follows.
    pub ether_type: u16,
}

/// A network header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Internet Protocol version 4 (RFC 791).
    Ipv4(Ipv4),
    /// Internet Protocol version 6 (RFC 8200).
    Ipv6(Ipv6),
    /// Address Resolution Protocol (RFC 826).
    Arp(Arp),
}

/// An IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Where the header begins.
    pub offset: usize,
    /// Octets of the header, options included.
    pub header_len: usize,
    /// Octets of header and payload, as the header says.
    pub total_len: usize,
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
    /// Explicit congestion notification, 2 bits (RFC 3168).
    pub ecn: u8,
    /// Identification, for reassembly.
    pub identification: u16,
    /// Don't Fragment.
    pub dont_fragment: bool,
    /// More Fragments.
    pub more_fragments: bool,
    /// Where this fragment belongs, in octets.
    pub fragment_offset: usize,
    /// Time to live, in hops.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Header checksum as it stands there.
    pub checksum: u16,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
}

/// An IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Where the header begins.
    pub offset: usize,
    /// Octets of the base header and all extension headers that were read.
    pub header_len: usize,
    /// Octets after the base header, as the header says.
    pub payload_len: usize,
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
    /// Explicit congestion notification, 2 bits (RFC 3168).
    pub ecn: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Hop limit.
    pub hop_limit: u8,
    /// Protocol after the last extension header.
    pub protocol: u8,
    /// Whether a fragment header says that this is not the whole payload.
    pub is_fragment: bool,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Where the message begins.
    pub offset: usize,
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender hardware address.
    pub sender_mac: [u8; 6],
    /// Sender protocol address.
    pub sender_ip: Ipv4Addr,
    /// Target hardware address.
    pub target_mac: [u8; 6],
    /// Target protocol address.
    pub target_ip: Ipv4Addr,
}

/// A transport header.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// Transmission Control Protocol (RFC 9293).
    Tcp(Tcp),
    /// User Datagram Protocol (RFC 768).
    Udp(Udp),
    /// Internet Control Message Protocol (RFC 792).
    Icmpv4(Icmp),
    /// Internet Control Message Protocol for IPv6 (RFC 4443).
    Icmpv6(Icmp),
}

impl Transport {
    /// Whether it is an ICMP message that reports an error and quotes the packet it is about (RFC 792, RFC 4443 §2.1).
    pub fn is_icmp_error(&self) -> bool {
        match self {
            Transport::Icmpv4(icmp) => matches!(icmp.kind, 3 | 4 | 5 | 11 | 12),
            Transport::Icmpv6(icmp) => icmp.kind < 128,
            Transport::Tcp(_) | Transport::Udp(_) => false,
        }
    }
}

/// A TCP header (RFC 9293 §3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Tcp {
    /// Where the header begins.
    pub offset: usize,
    /// Octets of the header, options included.
    pub header_len: usize,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first octet of data, or of the SYN.
    pub seq: SeqNum,
    /// Acknowledgment number; meaningful with the ACK flag.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: TcpFlags,
    /// Window field, not scaled.
    pub window: u16,
    /// Checksum as it stands there.
    pub checksum: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// The options that could be read.
    pub options: TcpOptions,
    /// Octets of data, as the network header implies.
    pub payload_len: usize,
}

impl Tcp {
    /// Octets of sequence space the segment takes: data, SYN and FIN (RFC 9293 §3.4, SEG.LEN).
    pub fn sequence_len(&self) -> u32 {
        self.payload_len as u32 + u32::from(self.flags.syn()) + u32::from(self.flags.fin())
    }
}

/// TCP's control bits, in the order of the header's byte: CWR ECE URG ACK PSH RST SYN FIN.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// SYN.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// RST.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// PSH.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// ACK.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// URG.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// ECN echo.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    const NAMES: [(TcpFlags, &str); 8] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
    ];

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// FIN is set.
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// SYN is set.
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// RST is set.
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// PSH is set.
    pub const fn psh(self) -> bool {
        self.contains(Self::PSH)
    }

    /// ACK is set.
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }

    /// URG is set.
    pub const fn urg(self) -> bool {
        self.contains(Self::URG)
    }
}

/// `SYN,ACK`; `-` when no bit is set.
impl std::fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: SmallVec<[&str; 8]> =
            Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| *name).collect();
        f.pad(&if names.is_empty() { "-".to_owned() } else { names.join(",") })
    }
}

impl std::fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The options of a TCP header (RFC 9293 §3.2, RFC 7323, RFC 2018).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size, kind 2.
    pub mss: Option<u16>,
    /// Window scale shift, kind 3.
    pub window_scale: Option<u8>,
    /// SACK permitted, kind 4.
    pub sack_permitted: bool,
    /// SACK blocks (left edge, right edge), kind 5.
    pub sack: SmallVec<[(SeqNum, SeqNum); 4]>,
    /// Timestamps TSval and TSecr, kind 8.
    pub timestamps: Option<(u32, u32)>,
}

impl TcpOptions {
    /// Reads the option bytes of a header.
    ///
    /// Unknown kinds are skipped by their length (RFC 9293 MUST-6); an illegal length ends the reading with what was
    /// found so far (MUST-7), and so does the end-of-list option.
    pub fn read(mut bytes: &[u8]) -> TcpOptions {
        let mut options = TcpOptions::default();
        while let Some((&kind, rest)) = bytes.split_first() {
            match kind {
                0 => break,
                1 => {
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len >= 2) else {
                break;
            };
            let Some(body) = bytes.get(2..len) else { break };
            options.read_one(kind, body);
            bytes = &bytes[len..];
        }
        options
    }

    fn read_one(&mut self, kind: u8, body: &[u8]) {
        let word =
            |at: usize| body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        match (kind, body) {
            (2, [high, low]) => self.mss = Some(u16::from_be_bytes([*high, *low])),
            (3, [shift]) => self.window_scale = Some(*shift),
            (4, []) => self.sack_permitted = true,
            (5, blocks) if blocks.len() % 8 == 0 => {
                self.sack = (0..blocks.len()).step_by(8).map(|at| (SeqNum(word(at)), SeqNum(word(at + 4)))).collect();
            }
            (8, body) if body.len() == 8 => self.timestamps = Some((word(0), word(4))),
            _ => {}
        }
    }
}

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Where the header begins.
    pub offset: usize,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Octets of header and data, as the header says.
    pub length: u16,
    /// Checksum as it stands there; 0 over IPv4 means none.
    pub checksum: u16,
}

/// The first eight octets of an ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Where the message begins.
    pub offset: usize,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Checksum as it stands there.
    pub checksum: u16,
    /// The second word, whose meaning the type gives: identifier and sequence, next-hop MTU, pointer.
    pub rest: [u8; 4],
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
