//! TCP and its options.

use super::{Fields, Layer, endpoints, hex, is_set, transport_checksum};
use crate::packet::Dissection;
use crate::packet::dissect::{Tcp, TcpFlags};

/// The control bits in wire order, with what they say (RFC 9293 §3.1, RFC 3168 §6.1).
const CONTROL_BITS: [(&str, TcpFlags, &str); 8] = [
    ("Congestion Window Reduced", TcpFlags::CWR, "tcp.flags.cwr"),
    ("ECN-Echo", TcpFlags::ECE, "tcp.flags.ece"),
    ("Urgent", TcpFlags::URG, "tcp.flags.urg"),
    ("Acknowledgment", TcpFlags::ACK, "tcp.flags.ack"),
    ("Push", TcpFlags::PSH, "tcp.flags.push"),
    ("Reset", TcpFlags::RST, "tcp.flags.reset"),
    ("Synchronize", TcpFlags::SYN, "tcp.flags.syn"),
    ("Finish", TcpFlags::FIN, "tcp.flags.fin"),
];

/// The TCP header's layer.
pub(super) fn layer(tcp: &Tcp, dissection: &Dissection, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, tcp.offset);
    fields.add("Source Port", 0..2, Some("tcp.srcport"), tcp.src_port.to_string());
    fields.add("Destination Port", 2..4, Some("tcp.dstport"), tcp.dst_port.to_string());
    fields.add("Sequence Number", 4..8, Some("tcp.seq_raw"), tcp.seq.to_string());
    let unused = if tcp.flags.ack() || tcp.ack.0 == 0 { "" } else { " (not used: the ACK bit is not set)" };
    fields.add("Acknowledgment Number", 8..12, Some("tcp.ack_raw"), format!("{}{unused}", tcp.ack));
    let words = tcp.header_len / 4;
    fields.add("Data Offset", 12..13, Some("tcp.hdr_len"), format!("{} octets ({words} words)", tcp.header_len));
    let reserved = fields.number(12..13) & 0x0f;
    fields.add("Reserved", 12..13, Some("tcp.flags.res"), reserved.to_string());
    fields.add(
        "Control Bits",
        12..14,
        Some("tcp.flags"),
        format!("0x{:03x} ({})", fields.number(12..14) & 0xfff, tcp.flags),
    );
    for (name, bit, filter) in CONTROL_BITS {
        fields.add(name, 13..14, Some(filter), is_set(tcp.flags.contains(bit)));
    }
    let window = if tcp.flags.syn() { "not scaled" } else { "before scaling" };
    fields.add("Window", 14..16, Some("tcp.window_size_value"), format!("{} ({window})", tcp.window));
    let checksum = transport_checksum(tcp.checksum, 16, dissection, frame);
    fields.add("Checksum", 16..18, Some("tcp.checksum"), checksum);
    let unused = if tcp.flags.urg() || tcp.urgent == 0 { "" } else { " (not used: the URG bit is not set)" };
    fields.add("Urgent Pointer", 18..20, Some("tcp.urgent_pointer"), format!("{}{unused}", tcp.urgent));
    options(tcp.header_len, &mut fields);
    let ack = if tcp.flags.ack() { format!(" ack={}", tcp.ack) } else { String::new() };
    let summary = format!(
        "{} TCP {} seq={}{ack} win={} len={}",
        endpoints(dissection),
        tcp.flags,
        tcp.seq,
        tcp.window,
        tcp.payload_len
    );
    fields.into_layer("TCP", summary, tcp.header_len)
}

/// Each option with its meaning (RFC 9293 §3.2). An impossible length ends the reading: nothing after it can be trusted.
fn options(header_len: usize, fields: &mut Fields<'_>) {
    let mut at = 20;
    while at < header_len {
        let kind = fields.number(at..at + 1) as u8;
        match kind {
            0 => {
                let padding = header_len - at - 1;
                let rest = if padding > 0 { format!("; octets of padding: {padding}") } else { String::new() };
                return fields.add(
                    "Option: End of Option List",
                    at..header_len,
                    None,
                    format!("ends the options{rest}"),
                );
            }
            1 => {
                fields.add("Option: No-Operation", at..at + 1, None, "fills up to a word");
                at += 1;
                continue;
            }
            _ => {}
        }
        let length = fields.number(at + 1..at + 2) as usize;
        if length < 2 || at + length > header_len {
            let octets = hex(fields.octets(at..header_len));
            let value = format!("kind {kind} claims {length} octets, which is impossible: {octets}");
            return fields.add("Option: malformed", at..header_len, None, value);
        }
        let (name, filter, value) = option(kind, fields.octets(at + 2..at + length));
        fields.add(name, at..at + length, filter, value);
        at += length;
    }
}

/// Name, filter and meaning of one option.
fn option(kind: u8, body: &[u8]) -> (&'static str, Option<&'static str>, String) {
    let word = |at: usize| body.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
    match (kind, body) {
        (2, [high, low]) => {
            let size = u16::from_be_bytes([*high, *low]);
            ("Option: Maximum Segment Size", Some("tcp.options.mss_val"), format!("{size} octets"))
        }
        (3, [shift]) => {
            // A shift above 14 counts as 14 (RFC 7323 §2.3).
            let factor = 1_u32 << (*shift).min(14);
            (
                "Option: Window Scale",
                Some("tcp.options.wscale.shift"),
                format!("{shift} (windows count {factor} times)"),
            )
        }
        (4, []) => ("Option: SACK Permitted", Some("tcp.options.sack_perm"), "may be sent to me".to_owned()),
        (5, blocks) if !blocks.is_empty() && blocks.len() % 8 == 0 => {
            let blocks: Vec<String> =
                (0..blocks.len()).step_by(8).map(|at| format!("{}..{}", word(at), word(at + 4))).collect();
            ("Option: SACK", Some("tcp.options.sack"), format!("also arrived: {}", blocks.join(", ")))
        }
        (8, body) if body.len() == 8 => {
            let value = format!("TSval {}, TSecr {}", word(0), word(4));
            ("Option: Timestamps", Some("tcp.options.timestamp.tsval"), value)
        }
        (34, []) => ("Option: Fast Open", Some("tcp.options.tfo"), "a cookie is asked for".to_owned()),
        (34, cookie) => ("Option: Fast Open", Some("tcp.options.tfo"), format!("cookie {}", hex(cookie))),
        (2..=5 | 8, body) => {
            let value =
                format!("kind {kind} with a body of {} octets, which is not its length: {}", body.len(), hex(body));
            ("Option: malformed", None, value)
        }
        (_, body) => ("Option: unknown", Some("tcp.option_kind"), format!("kind {kind}: {}", hex(body))),
    }
}
