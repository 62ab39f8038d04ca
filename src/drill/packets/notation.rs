//! A packet in the script's own words: `P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 100 ecr 0>`.
//!
//! It comes in pieces, each with the field that it tells of, so that a report can lay an expected and an actual packet under
//! each other and mark what differs.

use std::fmt::Write as _;

use super::compare::Field;
use crate::drill::language::script::{Body, EcnSpec, IcmpSpec, OptionSpec, OptionsSpec, PacketSpec, Quoted, TcpSpec};
use crate::packet::TcpFlags;

/// A piece of a packet's notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it tells of.
    pub field: Field,
    /// Its text, without spaces around it.
    pub text: String,
}

/// The packet, piece by piece.
pub fn pieces(packet: &PacketSpec) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut put = |field: Field, text: String| pieces.push(Piece { field, text });
    if let Some(ecn) = packet.ecn {
        put(Field::Ecn, format!("[{}]", ecn_name(ecn)));
    }
    if let Some(tos) = packet.tos {
        put(Field::TrafficClass, format!("[tos {tos:#04x}]"));
    }
    if let Some(ttl) = packet.ttl {
        put(Field::TimeToLive, format!("[ttl {ttl}]"));
    }
    if let Some(label) = packet.flow_label {
        put(Field::FlowLabel, format!("[flowlabel {label:#x}]"));
    }
    match &packet.body {
        Body::Tcp(tcp) => tcp_pieces(tcp, &mut put),
        Body::Udp { length } => {
            put(Field::Protocol, "udp".to_owned());
            put(Field::Length, format!("({length})"));
        }
        Body::Icmp(icmp) => icmp_pieces(icmp, &mut put),
    }
    pieces
}

/// The packet in one line.
pub fn line(packet: &PacketSpec) -> String {
    pieces(packet).into_iter().map(|piece| piece.text).collect::<Vec<_>>().join(" ")
}

fn tcp_pieces(tcp: &TcpSpec, put: &mut impl FnMut(Field, String)) {
    if let Some((source, destination)) = tcp.sport_dport {
        put(Field::Ports, format!("{source} > {destination}"));
    }
    put(Field::Flags, flags(tcp.flags));
    put(Field::Sequence, format!("{}:{}({})", tcp.seq, tcp.end, tcp.length));
    if let Some(ack) = tcp.ack {
        put(Field::Acknowledgment, format!("ack {ack}"));
    }
    if let Some(window) = tcp.window {
        put(Field::Window, format!("win {window}"));
    }
    if let Some(urgent) = tcp.urgent {
        put(Field::Urgent, format!("urg {urgent}"));
    }
    match &tcp.options {
        OptionsSpec::Absent => {}
        OptionsSpec::Any => put(Field::Options, "<...>".to_owned()),
        OptionsSpec::List(options) if options.is_empty() => {}
        OptionsSpec::List(options) => put(Field::Options, format!("<{}>", self::options(options))),
    }
}

fn icmp_pieces(icmp: &IcmpSpec, put: &mut impl FnMut(Field, String)) {
    put(Field::Protocol, "icmp".to_owned());
    let code = icmp.code.as_ref().map_or(String::new(), |code| format!(" {code}"));
    put(Field::IcmpType, format!("{}{code}", icmp.kind));
    if let Some(mtu) = icmp.mtu {
        put(Field::IcmpMtu, format!("mtu {mtu}"));
    }
    match icmp.quoted {
        Some(Quoted::Tcp { seq, length }) => {
            put(Field::Quotation, format!("[{seq}:{}({length})]", seq + length));
        }
        Some(Quoted::Udp { length }) => put(Field::Quotation, format!("[udp ({length})]")),
        None => {}
    }
}

/// Control bits as scripts write them: `S.`, `FP.`; `-` when no bit is set.
pub fn flags(flags: TcpFlags) -> String {
    const LETTERS: [(TcpFlags, char); 8] = [
        (TcpFlags::SYN, 'S'),
        (TcpFlags::FIN, 'F'),
        (TcpFlags::RST, 'R'),
        (TcpFlags::PSH, 'P'),
        (TcpFlags::ECE, 'E'),
        (TcpFlags::CWR, 'W'),
        (TcpFlags::URG, 'U'),
        (TcpFlags::ACK, '.'),
    ];
    let letters: String = LETTERS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| *letter).collect();
    if letters.is_empty() { "-".to_owned() } else { letters }
}

/// Options as scripts write them, without the angle brackets.
pub fn options(options: &[OptionSpec]) -> String {
    options.iter().map(option).collect::<Vec<_>>().join(",")
}

/// One option.
pub fn option(option: &OptionSpec) -> String {
    match option {
        OptionSpec::EndOfList => "eol".to_owned(),
        OptionSpec::Nop => "nop".to_owned(),
        OptionSpec::Mss(mss) => format!("mss {mss}"),
        OptionSpec::WindowScale(shift) => format!("wscale {shift}"),
        OptionSpec::SackPermitted => "sackOK".to_owned(),
        OptionSpec::Sack(blocks) => {
            blocks.iter().fold("sack".to_owned(), |text, (left, right)| format!("{text} {left}:{right}"))
        }
        OptionSpec::Timestamps { val, ecr } => format!("TS val {val} ecr {ecr}"),
        OptionSpec::FastOpen { cookie, experimental } => {
            let name = if *experimental { "FOEXP" } else { "FO" };
            format!("{name} {}", hex(cookie)).trim_end().to_owned()
        }
        OptionSpec::Md5(digest) => format!("md5 {}", hex(digest)).trim_end().to_owned(),
        OptionSpec::Other { kind, body } => format!("unknown {kind}/{}", hex(body)),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// An ECN field as scripts write it, without the brackets.
pub fn ecn_name(ecn: EcnSpec) -> &'static str {
    match ecn {
        EcnSpec::NotEct => "noecn",
        EcnSpec::Ect1 => "ect1",
        EcnSpec::Ect0 => "ect0",
        EcnSpec::EctAny => "ect01",
        EcnSpec::Ce => "ce",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::SeqNum;

    #[test]
    fn a_segment_reads_as_scripts_write_it() {
        let tcp = TcpSpec {
            flags: TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0),
            unknown_flags: false,
            seq: SeqNum(1),
            end: SeqNum(1001),
            length: 1000,
            ack: Some(SeqNum(7)),
            window: Some(257),
            urgent: None,
            options: OptionsSpec::List(vec![
                OptionSpec::Nop,
                OptionSpec::Timestamps { val: 100, ecr: 0 },
                OptionSpec::Sack(vec![(SeqNum(1), SeqNum(2)), (SeqNum(5), SeqNum(6))]),
                OptionSpec::FastOpen { cookie: vec![1, 0xab], experimental: true },
            ]),
            sport_dport: None,
        };
        let packet =
            PacketSpec { ecn: Some(EcnSpec::Ect0), ttl: None, tos: None, flow_label: None, body: Body::Tcp(tcp) };
        assert_eq!(
            line(&packet),
            "[ect0] P. 1:1001(1000) ack 7 win 257 <nop,TS val 100 ecr 0,sack 1:2 5:6,FOEXP 01ab>"
        );
    }

    #[test]
    fn flags_stand_in_the_order_that_scripts_use() {
        for (bits, text) in [(0x12, "S."), (0xc2, "SEW"), (0x52, "SE."), (0x19, "FP."), (0x14, "R."), (0, "-")] {
            assert_eq!(flags(TcpFlags(bits)), text);
        }
    }
}
