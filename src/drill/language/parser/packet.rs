//! Packets: what is said of the IP header, and which transport follows.
//!
//! ```text
//! packet  = ("<" | ">") { prefix } [ "(" ip ")" | "[" ip "]" ] ( tcp | udp | icmp )
//! ip      = ecn | "tos" N | "flowlabel" N | "ttl" N, up to one tos or ecn and one flow label
//! ```

use crate::drill::language::error::ParseError;
use crate::drill::language::script::{Body, EcnSpec, PacketSpec, What};

use super::Parser;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the stack.
    In,
    /// From it.
    Out,
}

/// The words for the ECN field.
const ECN: [(&str, EcnSpec); 5] = [
    ("noecn", EcnSpec::NotEct),
    ("ect0", EcnSpec::Ect0),
    ("ect1", EcnSpec::Ect1),
    ("ect01", EcnSpec::EctAny),
    ("ce", EcnSpec::Ce),
];

/// What a script says of the IP header.
#[derive(Clone, Copy, Debug, Default)]
struct IpSpec {
    ecn: Option<EcnSpec>,
    ttl: Option<u8>,
    tos: Option<u8>,
    flow_label: Option<u32>,
}

impl Parser<'_> {
    pub(super) fn inject(&mut self) -> Result<What, ParseError> {
        self.symbol('<')?;
        self.packet(Direction::In).map(What::Inject)
    }

    pub(super) fn expect(&mut self) -> Result<What, ParseError> {
        self.symbol('>')?;
        self.packet(Direction::Out).map(What::Expect)
    }

    fn packet(&mut self, direction: Direction) -> Result<PacketSpec, ParseError> {
        self.prefixes()?;
        let first = self.next;
        let ip = self.optional_ip()?;
        if ip.ecn == Some(EcnSpec::EctAny) && direction == Direction::In {
            let help = "`ect01` is either of two values, which only a packet of the stack (`>`) can have";
            return Err(self.expected_since(first, "one value for the ECN field").with_help(help));
        }
        let body = if self.take_word("udp") {
            if ip.ecn.is_some() {
                return Err(self.expected_since(first, "no ECN field, which packetdrill takes for TCP and ICMP only"));
            }
            self.udp()?
        } else if self.take_word("icmp") {
            Body::Icmp(self.icmp()?)
        } else {
            Body::Tcp(self.tcp(direction)?)
        };
        let IpSpec { ecn, ttl, tos, flow_label } = ip;
        Ok(PacketSpec { ecn, ttl, tos, flow_label, body })
    }

    /// `[ect0]`, `(tos 0x10, flowlabel 0x3)`… or nothing.
    pub(super) fn skip_ip(&mut self) -> Result<(), ParseError> {
        self.optional_ip().map(drop)
    }

    fn optional_ip(&mut self) -> Result<IpSpec, ParseError> {
        let mut ip = IpSpec::default();
        let close = if self.take_symbol('(') {
            ')'
        } else if self.take_symbol('[') {
            ']'
        } else {
            return Ok(ip);
        };
        self.ip(&mut ip)?;
        let is_service = ip.tos.is_some() || ip.ecn.is_some();
        if is_service && self.take_symbol(',') {
            self.flow_label(&mut ip)?;
        }
        self.symbol(close)?;
        Ok(ip)
    }

    /// `hlim` and `class` are what the FreeBSD dialect calls the two octets in IPv6.
    fn ip(&mut self, ip: &mut IpSpec) -> Result<(), ParseError> {
        if let Some((word, ecn)) = ECN.iter().find(|(word, _)| self.is_word(word)) {
            self.keyword(word)?;
            ip.ecn = Some(*ecn);
        } else if self.take_word("tos") || self.take_word("class") {
            ip.tos = Some(self.number("the octet, such as `0x10`")?);
        } else if self.take_word("ttl") || self.take_word("hlim") {
            ip.ttl = Some(self.number("the number of hops")?);
        } else if self.is_word("flowlabel") {
            self.flow_label(ip)?;
        } else {
            return Err(self.expected("`noecn`, `ect0`, `ect1`, `ect01`, `ce`, `tos`, `ttl` or `flowlabel`"));
        }
        Ok(())
    }

    fn flow_label(&mut self, ip: &mut IpSpec) -> Result<(), ParseError> {
        self.keyword("flowlabel")?;
        let at = self.next;
        let label: u32 = self.number("the flow label")?;
        if label >= 1 << 20 {
            return Err(self.expected_at(at, "a flow label of 20 bits"));
        }
        ip.flow_label = Some(label);
        Ok(())
    }

    /// `udp [ports] (n)`, of which the word is taken.
    fn udp(&mut self) -> Result<Body, ParseError> {
        if self.ports()?.is_some() {
            self.unsupported("UDP ports in a packet");
        }
        self.symbol('(')?;
        let length: u16 = self.number("the octets of data")?;
        self.symbol(')')?;
        Ok(Body::Udp { length: u32::from(length) })
    }

    /// `sport > dport`, if that is what follows.
    pub(super) fn ports(&mut self) -> Result<Option<(u16, u16)>, ParseError> {
        if !self.is_symbol_ahead(1, '>') {
            return Ok(None);
        }
        let source = self.number("the source port")?;
        self.symbol('>')?;
        Ok(Some((source, self.number("the destination port")?)))
    }
}
