//! ICMP messages: `icmp unreachable frag_needed mtu 1200 [1:1461(1460)]`.

use crate::drill::language::error::ParseError;
use crate::drill::language::script::{IcmpSpec, Quoted};

use super::Parser;

/// The types that packetdrill knows, of both families.
const KINDS: [&str; 14] = [
    "echo_reply",
    "unreachable",
    "source_quench",
    "redirect",
    "echo_request",
    "time_exceeded",
    "parameter_problem",
    "timestamp_request",
    "timestamp_reply",
    "information_request",
    "information_reply",
    "address_mask_request",
    "address_mask_reply",
    "packet_too_big",
];

/// The codes that packetdrill knows, of both families, and two of the FreeBSD dialect at the end.
const CODES: [&str; 27] = [
    "net_unreachable",
    "host_unreachable",
    "protocol_unreachable",
    "port_unreachable",
    "frag_needed",
    "source_route_failed",
    "net_unknown",
    "host_unknown",
    "source_host_isolated",
    "net_prohibited",
    "host_prohibited",
    "net_unreachable_for_tos",
    "host_unreachable_for_tos",
    "packet_filtered",
    "precedence_violation",
    "precedence_cutoff",
    "no_route",
    "admin_prohibited",
    "not_neighbour",
    "address_unreachable",
    "exceeded_hop_limit",
    "exceeded_frag_time",
    "header_field",
    "unknown_next_header",
    "unknown_option",
    "ttl_exceeded_in_transit",
    "frag_reass_exceeded",
];

impl Parser<'_> {
    /// Everything behind the word `icmp`.
    pub(super) fn icmp(&mut self) -> Result<IcmpSpec, ParseError> {
        const KIND: &str = "the type of ICMP message, such as `unreachable`, `packet_too_big` or `type_3`";
        let at = self.next;
        let kind = self.word(KIND)?;
        if !KINDS.contains(&kind.as_str()) && !is_numbered(&kind, "type_") {
            return Err(self.expected_at(at, KIND));
        }
        let code = self.icmp_code()?;
        let mtu = if self.take_word("mtu") { Some(self.number("the MTU")?) } else { None };
        if self.take_word("id") {
            self.number::<u16>("the identifier")?;
            self.unsupported("the identifier of an ICMP echo");
        }
        let quoted = if self.take_symbol('[') { self.quoted_packet()? } else { None };
        Ok(IcmpSpec { kind, code, mtu, quoted })
    }

    fn icmp_code(&mut self) -> Result<Option<String>, ParseError> {
        const CODE: &str =
            "the code of the ICMP message, such as `host_unreachable` or `code_1`, `mtu n` or `[a:b(n)]`";
        let is_code = !self.is_word("mtu") && !self.is_word("id");
        let at = self.next;
        let Some(code) = self.word(CODE).ok().filter(|_| is_code) else {
            self.next = at;
            return Ok(None);
        };
        if !CODES.contains(&code.as_str()) && !is_numbered(&code, "code_") {
            let help = format!("if `{code}` stands for a code, say which, as by -D {code}=host_unreachable");
            return Err(self.expected_at(at, CODE).with_help(help));
        }
        Ok(Some(code))
    }

    /// What the message is about, behind the `[`.
    fn quoted_packet(&mut self) -> Result<Option<Quoted>, ParseError> {
        let quoted = if self.take_word("udp") {
            Some(Quoted::Udp { length: self.octets_in_brackets()? })
        } else if self.take_word("raw") {
            self.octets_in_brackets()?;
            self.unsupported("an ICMP message that quotes no packet (`raw`)");
            None
        } else {
            let (seq, _, length) = self.sequence()?;
            self.udp_around()?;
            Some(Quoted::Tcp { seq, length })
        };
        self.symbol(']')?;
        Ok(quoted)
    }

    pub(super) fn octets_in_brackets(&mut self) -> Result<u32, ParseError> {
        self.symbol('(')?;
        let length = self.number("the octets of data")?;
        self.symbol(')')?;
        Ok(length)
    }
}

/// Whether `name` is `prefix` and the number of an octet.
fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|number| number.parse::<u8>().is_ok())
}
