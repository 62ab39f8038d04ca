//! What a frame still says that ends within its transport header: `tcpdump -s 50` keeps 16 of TCP's 20 octets.
//!
//! [`Dissection`] has no transport header then. Here is read as far as the octets go; nothing is guessed.

use super::{Fields, Layer, endpoints};
use crate::packet::dissect::{Network, Tcp, TcpFlags, TcpOptions, Transport};
use crate::packet::{Dissection, SeqNum};

/// Octets of a TCP header up to and with its control bits.
const TO_FLAGS: usize = 14;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The TCP header of a frame that ends within it, if it reaches to the control bits. What is missing of it is 0.
pub fn cut_tcp(dissection: &Dissection, frame: &[u8]) -> Option<Tcp> {
    let octets = octets_of(TCP, dissection, frame)?;
    let claims_enough = *octets.get(12)? >> 4 >= 5;
    (octets.len() >= TO_FLAGS && claims_enough).then(|| read(octets, dissection))
}

/// The header as far as it goes, and zeros behind that.
fn read(octets: &[u8], dissection: &Dissection) -> Tcp {
    let header_len = octets.get(12).map_or(0, |words| usize::from(*words >> 4) * 4).max(20);
    let at = |index: usize| octets.get(index).copied().unwrap_or_default();
    let number = |index: usize| u16::from_be_bytes([at(index), at(index + 1)]);
    let word = |index: usize| SeqNum(u32::from(number(index)) << 16 | u32::from(number(index + 2)));
    Tcp {
        offset: dissection.payload.start,
        header_len,
        src_port: number(0),
        dst_port: number(2),
        seq: word(4),
        ack: word(8),
        flags: TcpFlags(at(13)),
        window: number(14),
        checksum: number(16),
        urgent: number(18),
        options: TcpOptions::read(octets.get(20..octets.len().min(header_len)).unwrap_or_default()),
        payload_len: dissection.payload.len().saturating_sub(header_len),
    }
}

/// A frame that ends within its transport header in a few words, as many as its octets allow: `TCP 40000→80 seq=7`.
pub fn cut_summary(dissection: &Dissection, frame: &[u8]) -> Option<String> {
    let (name, octets) = match octets_of(TCP, dissection, frame) {
        Some(octets) => ("TCP", octets),
        None => ("UDP", octets_of(UDP, dissection, frame)?),
    };
    let number = |at: usize, len: usize| {
        octets
            .get(at..at + len)
            .map(|octets| octets.iter().fold(0_u32, |number, octet| number << 8 | u32::from(*octet)))
    };
    let (src, dst) = number(0, 2).zip(number(2, 2))?;
    let seq = number(4, 4).filter(|_| name == "TCP").map(|seq| format!(" seq={seq}")).unwrap_or_default();
    Some(format!("{name} {src}→{dst}{seq}"))
}

/// The layer of a TCP header that the frame ends within: the fields that are there as a whole.
pub(super) fn layer(dissection: &Dissection, frame: &[u8]) -> Option<Layer> {
    let octets = octets_of(TCP, dissection, frame)?;
    let told = cut_tcp(dissection, frame);
    // Without control bits nobody knows whether the acknowledgment number counts.
    let tcp = told.clone().unwrap_or_else(|| Tcp { flags: TcpFlags::ACK, ..read(octets, dissection) });
    let mut padded = frame.to_vec();
    padded.resize(frame.len().max(tcp.offset + tcp.header_len), 0);
    let mut layer = super::tcp::layer(&tcp, dissection, &padded);
    layer.fields.retain(|field| field.range.end <= frame.len());
    layer.range.end = frame.len();
    layer.summary = match told {
        Some(tcp) => {
            let ack = if tcp.flags.ack() { format!(" ack={}", tcp.ack) } else { String::new() };
            let (flags, seq, len) = (tcp.flags, tcp.seq, tcp.payload_len);
            let with_ports = Dissection { transport: Some(Transport::Tcp(tcp)), ..dissection.clone() };
            format!("{} TCP {flags} seq={seq}{ack} len={len}", endpoints(&with_ports))
        }
        None => format!("{} {}", endpoints(dissection), cut_summary(dissection, frame).unwrap_or("TCP".to_owned())),
    };
    Some(layer)
}

/// The layer that says where a frame stops, and why.
pub(super) fn stop(dissection: &Dissection, frame: &[u8], from: usize) -> Option<Layer> {
    let stopped = stopped(dissection, frame.len())?;
    let start = from.min(frame.len());
    let mut fields = Fields::new(frame, start);
    let rest = frame.len() - start;
    if rest > 0 {
        fields.add("Octets", 0..rest, None, super::hex(fields.octets(0..rest)));
    }
    let (name, summary) = match stopped.strip_prefix("cut: ") {
        Some(_) => ("Cut", stopped),
        None => ("Malformed", format!("reading stopped: {stopped}")),
    };
    Some(fields.into_layer(name, summary, rest))
}

/// Why reading stopped before the last header, in a short phrase: `cut: 50 of 74 octets captured`. `None` when it did
/// not. `captured`: octets of the frame that are there.
pub fn stopped(dissection: &Dissection, captured: usize) -> Option<String> {
    let error = dissection.malformed.as_deref()?;
    if captured < dissection.frame_len {
        return Some(format!("cut: {captured} of {} octets captured", dissection.frame_len));
    }
    // The reading library names in quotes what it wanted to read, and then gives lengths that help nobody.
    let what = error.split('\'').nth(1).or_else(|| error.split(": ").next()).unwrap_or("packet");
    let what: String = what.chars().take(40).collect();
    let is_short = error.contains("Not enough data");
    Some(if is_short { format!("too short for its {what}") } else { format!("not a legal {what}") })
}

/// What is there of a transport header that the reader had to leave out.
fn octets_of<'a>(protocol: u8, dissection: &Dissection, frame: &'a [u8]) -> Option<&'a [u8]> {
    let carried = match dissection.network.as_ref()? {
        Network::Ipv4(ip) if ip.fragment_offset > 0 || ip.more_fragments => return None,
        Network::Ipv6(ip) if ip.is_fragment => return None,
        Network::Ipv4(ip) => ip.protocol,
        Network::Ipv6(ip) => ip.protocol,
        Network::Arp(_) => return None,
    };
    let is_cut = carried == protocol && dissection.transport.is_none() && frame.len() < dissection.frame_len;
    frame.get(dissection.payload.start..frame.len().min(dissection.payload.end)).filter(|_| is_cut)
}
