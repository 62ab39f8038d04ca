//! What an onlooker finds out about packets by themselves: which packet an ICMP error answers, and whether checksums
//! hold. Only for a stranger's capture: where there is a journal, it knows better.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Side;
use super::note::Note;
use crate::capture::Record;
use crate::packet::Dissection;
use crate::packet::checksum::{self, Sum};
use crate::packet::dissect::{Network, Transport};

/// What an ICMP error surely quotes of a packet: its addresses and the first octets behind its network header
/// (RFC 792: eight).
type Quotation = (IpAddr, IpAddr, u16, Vec<u8>);

/// Remembers the packets that an error may answer.
#[derive(Default)]
pub(super) struct Onlooker {
    sent: HashMap<Quotation, (u64, Side)>,
    /// It was said once that checksums are not filled in.
    offload_told: bool,
}

impl Onlooker {
    /// The packet that an error quotes, if it was seen: its number, and the side that its sender stood on.
    pub(super) fn answered(&self, dissection: &Dissection, bytes: &[u8]) -> Option<(u64, Side)> {
        let quoted = dissection.quoted.as_deref()?;
        let quotation = quotation(quoted, bytes.get(dissection.payload.start..)?)?;
        self.sent.get(&quotation).copied()
    }

    pub(super) fn remember(&mut self, dissection: &Dissection, bytes: &[u8], number: u64, side: Side) {
        if let Some(quotation) = quotation(dissection, bytes) {
            self.sent.insert(quotation, (number, side));
        }
    }

    /// What is wrong with the checksums of a packet that is there as a whole.
    pub(super) fn checksums(&mut self, record: &Record, dissection: &Dissection) -> Option<Note> {
        if record.bytes.len() < record.wire_len || dissection.malformed.is_some() {
            return None;
        }
        let verdict = checksum::verify(record.medium, &record.bytes);
        if verdict.is_good() {
            return None;
        }
        let transport_is_left_out = verdict.transport || is_partial(dissection);
        let network_is_left_out =
            verdict.network || matches!(dissection.network, Some(Network::Ipv4(ip)) if ip.checksum == 0);
        if transport_is_left_out && network_is_left_out {
            // True of every packet that its own host captured, so once is enough.
            let first = !std::mem::replace(&mut self.offload_told, true);
            return first.then(|| Note::plain("checksum not filled in (offload?)"));
        }
        let name = match &dissection.transport {
            _ if !verdict.network && !network_is_left_out => "IPv4 header",
            Some(Transport::Tcp(_)) => "TCP",
            Some(Transport::Udp(_)) => "UDP",
            Some(Transport::Icmpv4(_)) => "ICMP",
            Some(Transport::Icmpv6(_)) => "ICMPv6",
            None => "transport",
        };
        Some(Note::lost(format!("bad {name} checksum")))
    }
}

/// The key of a packet, or of what is quoted of it.
fn quotation(dissection: &Dissection, bytes: &[u8]) -> Option<Quotation> {
    let (src, dst) = dissection.addresses()?;
    let (start, identification) = match dissection.network.as_ref()? {
        Network::Ipv4(ip) => (ip.offset + ip.header_len, ip.identification),
        Network::Ipv6(ip) => (ip.offset + ip.header_len, 0),
        Network::Arp(_) => return None,
    };
    // A checksum that the card fills in on the way differs between the packet and its quotation.
    let octets = match &dissection.transport {
        Some(Transport::Udp(_)) => 6,
        Some(Transport::Icmpv4(_) | Transport::Icmpv6(_) | Transport::Tcp(_)) | None => 8,
    };
    Some((src, dst, identification, bytes.get(start..start + octets)?.to_vec()))
}

/// Whether the checksum is only the sum of the pseudo-header, which a kernel leaves there for the card to go on from.
fn is_partial(dissection: &Dissection) -> bool {
    let (protocol, stored) = match &dissection.transport {
        Some(Transport::Tcp(tcp)) => (6, tcp.checksum),
        Some(Transport::Udp(udp)) => (17, udp.checksum),
        Some(Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => return false,
    };
    let Some(((src, dst), range)) = dissection.addresses().zip(dissection.transport_range()) else {
        return false;
    };
    stored == Sum::new().add_pseudo_header(src, dst, protocol, range.len() as u32).fold()
}
