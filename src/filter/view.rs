//! A packet as a filter sees it: its own layers and those that an ICMP error quotes.

use std::borrow::Cow;

use super::PacketSubject;
use super::field::{Field, Reader, Value, Values};
use super::http::Http;
use crate::packet::dissect::{Network, Tcp, Transport};
use crate::packet::dns::{self, Message};
use crate::packet::{Dissection, SeqNum};

/// The protocols whose presence a filter can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Every packet.
    Frame,
    /// An Ethernet header.
    Ethernet,
    /// An ARP message.
    Arp,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// TCP, even if its header is cut short.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmpv4,
    /// ICMPv6.
    Icmpv6,
    /// An HTTP/1 message that begins here.
    Http,
    /// A DNS message.
    Dns,
    /// Payload that nothing here reads.
    Data,
}

/// A packet, or the one it quotes.
#[derive(Clone, Copy)]
struct Part<'a> {
    dissection: &'a Dissection,
    bytes: &'a [u8],
    is_quoted: bool,
}

/// A TCP header with what lies around it.
pub(super) struct Segment<'a> {
    /// The header.
    pub(super) header: &'a Tcp,
    part: Part<'a>,
    subject: PacketSubject<'a>,
}

/// The values of `field` in the packet.
pub(super) fn values<'a>(field: &Field, subject: &PacketSubject<'a>) -> Values<'a> {
    if let Reader::Frame(read) = field.reader {
        return read(subject);
    }
    parts(subject).flat_map(|part| part.values(field, subject)).collect()
}

fn parts<'a>(subject: &PacketSubject<'a>) -> impl Iterator<Item = Part<'a>> {
    let whole = Part { dissection: subject.dissection, bytes: subject.bytes, is_quoted: false };
    let quoted = subject.dissection.quoted.as_deref().map(|dissection| Part {
        dissection,
        bytes: tail(subject.bytes, subject.dissection.payload.start),
        is_quoted: true,
    });
    std::iter::once(whole).chain(quoted)
}

fn tail(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or(&[])
}

impl<'a> Part<'a> {
    fn values(self, field: &Field, subject: &PacketSubject<'a>) -> Values<'a> {
        let transport = self.dissection.transport.as_ref();
        let network = self.dissection.network.as_ref();
        let values = match (&field.reader, network, transport) {
            (Reader::Frame(read), _, _) => Some(read(subject)),
            (Reader::Presence(protocol), _, _) => self.protocol(*protocol).map(|bytes| vec![Value::Bytes(bytes)]),
            (Reader::Ethernet(read), _, _) => self.dissection.ethernet.as_ref().map(read),
            (Reader::Arp(read), Some(Network::Arp(arp)), _) => Some(read(arp)),
            (Reader::Ipv4(read), Some(Network::Ipv4(header)), _) => Some(read(header)),
            (Reader::Ipv6(read), Some(Network::Ipv6(header)), _) => Some(read(header)),
            (Reader::Tcp(read), _, Some(Transport::Tcp(header))) => {
                Some(read(&Segment { header, part: self, subject: *subject }))
            }
            (Reader::TcpStart(read), _, _) => self.protocol(Protocol::Tcp).map(read),
            (Reader::TcpSequence, _, _) => self.relative_seq(subject),
            (Reader::Udp(read), _, Some(Transport::Udp(header))) => Some(read(header)),
            (Reader::UdpPayload, _, Some(Transport::Udp(_))) => {
                Some(self.payload()).filter(|payload| !payload.is_empty()).map(|payload| vec![Value::Bytes(payload)])
            }
            (Reader::Stream(protocol), _, _) => self.stream(*protocol, subject),
            (Reader::Icmpv4(read), _, Some(Transport::Icmpv4(message))) => Some(read(message)),
            (Reader::Icmpv6(read), _, Some(Transport::Icmpv6(message))) => Some(read(message)),
            (Reader::Http(read), _, _) => self.http().as_ref().map(read),
            (Reader::HttpHeader(name), _, _) => {
                self.http().map(|http| http.header(name).map(|value| Value::Text(Cow::Borrowed(value))).collect())
            }
            (Reader::Dns(read), _, _) => Some(self.dns().iter().flat_map(read).collect()),
            (Reader::DnsQuestion(read), _, _) => {
                Some(self.dns().iter().flat_map(|message| &message.questions).flat_map(read).collect())
            }
            (Reader::DnsRecord(read), _, _) => {
                Some(self.dns().iter().flat_map(|message| &message.records).flat_map(read).collect())
            }
            (Reader::Data(read), _, _) => self.data().map(read),
            (
                Reader::Arp(_)
                | Reader::Ipv4(_)
                | Reader::Ipv6(_)
                | Reader::Tcp(_)
                | Reader::Udp(_)
                | Reader::UdpPayload
                | Reader::Icmpv4(_)
                | Reader::Icmpv6(_),
                _,
                _,
            ) => None,
        };
        values.unwrap_or_default()
    }

    /// The octets of a protocol from its header to the end of its data, as far as they were captured; `None` when it is
    /// not there.
    fn protocol(self, protocol: Protocol) -> Option<&'a [u8]> {
        let network = self.dissection.network.as_ref();
        match protocol {
            Protocol::Frame => (!self.is_quoted).then_some(self.bytes),
            Protocol::Ethernet => self.dissection.ethernet.map(|_| self.bytes),
            Protocol::Arp => match network? {
                Network::Arp(arp) => Some(tail(self.bytes, arp.offset)),
                Network::Ipv4(_) | Network::Ipv6(_) => None,
            },
            Protocol::Ipv4 => match network? {
                Network::Ipv4(header) => Some(self.up_to_end_of_data(header.offset)),
                Network::Ipv6(_) | Network::Arp(_) => None,
            },
            Protocol::Ipv6 => match network? {
                Network::Ipv6(header) => Some(self.up_to_end_of_data(header.offset)),
                Network::Ipv4(_) | Network::Arp(_) => None,
            },
            Protocol::Tcp => self.transport(6),
            Protocol::Udp => self.transport(17),
            Protocol::Icmpv4 => self.transport(1).filter(|_| self.dissection.is_ipv4()),
            Protocol::Icmpv6 => self.transport(58).filter(|_| !self.dissection.is_ipv4()),
            Protocol::Http => self.http().map(|_| self.payload()),
            Protocol::Dns => (!self.dns().is_empty()).then(|| self.payload()),
            Protocol::Data => self.data(),
        }
    }

    /// The octets from `start` to the end of the innermost payload: without padding of the link.
    fn up_to_end_of_data(self, start: usize) -> &'a [u8] {
        let end = self.dissection.payload.end.min(self.bytes.len());
        self.bytes.get(start..end).unwrap_or(&[])
    }

    fn payload(self) -> &'a [u8] {
        self.up_to_end_of_data(self.dissection.payload.start)
    }

    /// The octets of the transport protocol with this number. Its header may be cut short, but something must be there.
    fn transport(self, number: u8) -> Option<&'a [u8]> {
        if self.protocol_number()? != number {
            return None;
        }
        let start = self.dissection.transport_range().map_or(self.dissection.payload.start, |range| range.start);
        Some(self.up_to_end_of_data(start)).filter(|bytes| !bytes.is_empty())
    }

    /// What the network header says comes next; `None` in fragments: Wireshark opens none before it has all of them.
    fn protocol_number(self) -> Option<u8> {
        match self.dissection.network.as_ref()? {
            Network::Ipv4(header) => (header.fragment_offset == 0 && !header.more_fragments).then_some(header.protocol),
            Network::Ipv6(header) => (!header.is_fragment).then_some(header.protocol),
            Network::Arp(_) => None,
        }
    }

    fn stream(self, protocol: Protocol, subject: &PacketSubject<'a>) -> Option<Values<'a>> {
        let has_stream = match self.dissection.transport.as_ref()? {
            Transport::Tcp(_) => protocol == Protocol::Tcp,
            Transport::Udp(_) => protocol == Protocol::Udp,
            Transport::Icmpv4(_) | Transport::Icmpv6(_) => false,
        };
        let number = subject.stream.filter(|_| has_stream)?;
        Some(vec![Value::Number(number.into())])
    }

    /// The relative sequence number. That of a quoted segment stays as it is, and is there even if no more than the eight
    /// octets that RFC 792 asks for were quoted.
    fn relative_seq(self, subject: &PacketSubject<'a>) -> Option<Values<'a>> {
        let seq = if self.is_quoted {
            let bytes = self.protocol(Protocol::Tcp)?.get(4..8)?;
            u32::from_be_bytes(bytes.try_into().ok()?)
        } else {
            subject.relative?.seq(self.dissection.tcp()?)
        };
        Some(vec![Value::Number(seq.into())])
    }

    fn http(self) -> Option<Http<'a>> {
        self.dissection.tcp()?;
        Http::read(self.payload())
    }

    fn dns(self) -> Vec<Message> {
        dns::messages(self.dissection, self.payload())
    }

    fn data(self) -> Option<&'a [u8]> {
        let is_opaque = match (&self.dissection.network, &self.dissection.transport) {
            (_, Some(Transport::Tcp(_))) => self.http().is_none() && !dns::is_port(self.dissection),
            (_, Some(Transport::Udp(_))) => !dns::is_port(self.dissection),
            (_, Some(Transport::Icmpv4(message))) => matches!(message.kind, 0 | 8),
            (_, Some(Transport::Icmpv6(message))) => matches!(message.kind, 128 | 129),
            (Some(Network::Arp(_)), None) => false,
            (Some(Network::Ipv4(_) | Network::Ipv6(_)), None) => {
                // A known protocol without a header that could be read is malformed, not data.
                !self.protocol_number().is_some_and(|number| matches!(number, 1 | 6 | 17 | 58))
            }
            (None, None) => self.dissection.ethernet.is_some() && self.dissection.malformed.is_none(),
        };
        Some(self.payload()).filter(|payload| is_opaque && !payload.is_empty())
    }
}

impl<'a> Segment<'a> {
    /// Octets of data (`tcp.len`); Wireshark does not count those of a quoted segment.
    pub(super) fn length(&self) -> Option<u32> {
        (!self.part.is_quoted).then_some(self.header.payload_len as u32)
    }

    /// The sequence number as it stands there; Wireshark has it under `tcp.seq` for a quoted segment.
    pub(super) fn raw_seq(&self) -> Option<u32> {
        (!self.part.is_quoted).then_some(self.header.seq.0)
    }

    /// Relative acknowledgment number; that of a quoted segment stays as it is.
    pub(super) fn relative_ack(&self) -> Option<u32> {
        if self.part.is_quoted {
            return Some(self.header.ack.0);
        }
        self.subject.relative.map(|relative| relative.ack(self.header))
    }

    /// The relative sequence number that follows this segment's last octet, SYN and FIN counted; Wireshark has none for a
    /// quoted segment.
    pub(super) fn relative_next(&self) -> Option<u32> {
        let relative = self.subject.relative.filter(|_| !self.part.is_quoted)?;
        Some(relative.seq(self.header).wrapping_add(self.header.sequence_len()))
    }

    /// Every option, as octets.
    pub(super) fn options(&self) -> Values<'a> {
        let start = self.header.offset + 20;
        let end = (self.header.offset + self.header.header_len).min(self.part.bytes.len());
        let options = self.part.bytes.get(start..end).filter(|options| !options.is_empty());
        options.map(Value::Bytes).into_iter().collect()
    }

    /// One edge of each SACK block, relative like an acknowledgment number.
    pub(super) fn sack_edges(&self, edge: fn((SeqNum, SeqNum)) -> SeqNum) -> Values<'a> {
        let base = match self.subject.relative {
            _ if self.part.is_quoted => SeqNum(0),
            Some(relative) => relative.isn_receiver.unwrap_or(SeqNum(0)),
            None => return Values::new(),
        };
        self.header.options.sack.iter().map(|block| Value::Number(edge(*block).offset_from(base).into())).collect()
    }

    /// The twelve bits after the data offset: the reserved ones, then the control bits.
    pub(super) fn flags(&self) -> u16 {
        let high = self.part.bytes.get(self.header.offset + 12).map_or(0, |byte| byte & 0x0f);
        u16::from_be_bytes([high, self.header.flags.0])
    }

    /// The data, if there is any and it was captured.
    pub(super) fn payload(&self) -> Option<&'a [u8]> {
        Some(self.part.payload()).filter(|payload| !payload.is_empty())
    }

    /// The octets of the SACK-permitted option.
    pub(super) fn sack_permitted(&self) -> Values<'a> {
        self.option(4)
    }

    /// The octets of the SACK option.
    pub(super) fn sack(&self) -> Values<'a> {
        self.option(5)
    }

    /// How many SACK blocks there are.
    pub(super) fn sack_count(&self) -> Values<'a> {
        let blocks = self.header.options.sack.len() as u64;
        Some(Value::Number(blocks)).filter(|_| blocks > 0).into_iter().collect()
    }

    fn option(&self, wanted: u8) -> Values<'a> {
        let start = self.header.offset + 20;
        let end = (self.header.offset + self.header.header_len).min(self.part.bytes.len());
        let mut bytes = self.part.bytes.get(start..end).unwrap_or(&[]);
        while let [kind, rest @ ..] = bytes {
            let length = match (kind, rest) {
                (0, _) => break,
                (1, _) => 1,
                (_, [length, ..]) if *length >= 2 => usize::from(*length),
                _ => break,
            };
            let Some(option) = bytes.get(..length) else { break };
            if *kind == wanted {
                return vec![Value::Bytes(option)];
            }
            bytes = &bytes[length..];
        }
        Values::new()
    }
}
