//! The headers of each layer as plain values.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Tcp;

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
