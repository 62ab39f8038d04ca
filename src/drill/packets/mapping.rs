//! The numbers of one connection, in the script and on the wire.
//!
//! A script cannot know which initial sequence number the stack will choose, nor what its timestamp clock shows. So it has
//! numbers of its own, and here they become the stack's, and back:
//!
//! ```text
//!                     script                      wire
//!  SYN from us        absolute        ×           the same: the script chooses our initial number
//!  later, from us     relative to 0   + ISN       relative numbers count from our SYN, as in tcpdump
//!  SYN from the stack absolute        + (ISN wire − ISN script)
//!  later              relative to 0   + ISN of the stack
//!  TSval of the stack its own         + (first wire − first script); each pair is remembered,
//!  TSecr from us      a TSval that the stack sent in the script ► the one it sent on the wire
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::build::Route;
use crate::drill::language::script::{IcmpSpec, OptionSpec, OptionsSpec, Quoted, TcpSpec};
use crate::packet::SeqNum;

/// How far a connection has come, seen from the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its socket exists.
    New,
    /// Its socket listens.
    Listening,
    /// The script has sent it a first packet.
    PacketReceived,
    /// The stack has answered with SYN,ACK.
    SynAckSent,
    /// The script has acknowledged that.
    SynAckAcked,
    /// The application has called `connect`.
    Connecting,
    /// The script expects (or has seen) the stack's SYN.
    SynSent,
    /// The script has answered it.
    SynAcked,
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
}

/// Why an inbound packet has no place on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The script echoes a timestamp that the stack never sent.
    #[error("TS ecr {0} echoes no timestamp that the stack has sent in this script")]
    UnknownEcho(u32),
}

/// One connection (or one UDP or ICMP socket).
#[derive(Clone, Debug)]
pub struct Connection {
    /// The descriptor that the script knows it by, if any.
    pub script_fd: Option<i64>,
    /// What it speaks.
    pub protocol: Protocol,
    /// How far it has come.
    pub phase: Phase,
    /// The stack's end on the wire.
    pub local: Option<SocketAddr>,
    /// The script's end on the wire.
    pub remote: Option<SocketAddr>,
    /// The stack's initial sequence number in the script.
    pub script_iss: SeqNum,
    /// The stack's initial sequence number on the wire.
    pub wire_iss: SeqNum,
    /// The script's initial sequence number: the same in both.
    pub irs: SeqNum,
    /// Timestamps of the stack.
    pub timestamps: Timestamps,
    /// IPv6 flow labels of the stack: the script's and the wire's.
    pub flow_label: Option<(u32, u32)>,
}

impl Connection {
    /// A socket that nothing has happened to.
    pub fn new(protocol: Protocol) -> Connection {
        Connection {
            script_fd: None,
            protocol,
            phase: Phase::New,
            local: None,
            remote: None,
            script_iss: SeqNum(0),
            wire_iss: SeqNum(0),
            irs: SeqNum(0),
            timestamps: Timestamps::default(),
            flow_label: None,
        }
    }

    /// Whether a packet of these ends comes from the stack's end of this connection.
    pub fn sends(&self, route: Route) -> bool {
        match self.protocol {
            Protocol::Tcp | Protocol::Udp => (Some(route.from), Some(route.to)) == (self.local, self.remote),
            Protocol::Icmp => {
                let ips = (self.local.map(|end| end.ip()), self.remote.map(|end| end.ip()));
                (Some(route.from.ip()), Some(route.to.ip())) == ips
            }
        }
    }

    /// How a packet from the script travels to the stack; `None` while an end is unknown.
    pub fn inbound(&self) -> Option<Route> {
        Some(Route { from: self.remote?, to: self.local? })
    }

    /// Octets from script to wire in the stack's sequence space.
    fn local_shift(&self, is_syn: bool) -> u32 {
        if is_syn { self.wire_iss.offset_from(self.script_iss) } else { self.wire_iss.0 }
    }

    /// Octets from script to wire in the script's own sequence space.
    fn remote_shift(&self, is_syn: bool) -> u32 {
        if is_syn { 0 } else { self.irs.0 }
    }

    /// An inbound segment in the stack's numbers. `echo` says what an echo is that no timestamp was sent for.
    ///
    /// # Errors
    /// [`MappingError`] when the segment echoes what was never sent.
    pub fn to_wire(&self, tcp: &TcpSpec, echo: UnknownEcho) -> Result<TcpSpec, MappingError> {
        let is_syn = tcp.flags.syn();
        let local = self.local_shift(is_syn);
        let mut wire = tcp.clone();
        wire.seq = tcp.seq + self.remote_shift(is_syn);
        wire.end = tcp.end + self.remote_shift(is_syn);
        if tcp.flags.ack() {
            wire.ack = Some(tcp.ack.unwrap_or_default() + local);
        }
        let OptionsSpec::List(options) = &mut wire.options else { return Ok(wire) };
        shift_sack(options, local);
        for option in options {
            if let OptionSpec::Timestamps { ecr, .. } = option
                && tcp.flags.ack()
            {
                *ecr = self.timestamps.echo(*ecr, echo)?;
            }
        }
        Ok(wire)
    }

    /// An inbound ICMP message, what it quotes in the stack's numbers.
    pub fn icmp_to_wire(&self, icmp: &IcmpSpec) -> IcmpSpec {
        let mut wire = icmp.clone();
        if self.protocol == Protocol::Tcp && icmp.quoted.is_none() {
            // About its first segment, where a script does not say which.
            wire.quoted = Some(Quoted::Tcp { seq: SeqNum(0), length: 0 });
        }
        if let Some(Quoted::Tcp { seq, .. }) = &mut wire.quoted {
            *seq += self.local_shift(false);
        }
        wire
    }

    /// An outbound segment in the script's numbers, its timestamps still the wire's: [`Connection::learn_timestamps`].
    pub fn to_script(&self, tcp: &TcpSpec) -> TcpSpec {
        let is_syn = tcp.flags.syn();
        let (local, remote) = (self.local_shift(is_syn), self.remote_shift(is_syn));
        let mut script = tcp.clone();
        script.seq = tcp.seq - local;
        script.end = tcp.end - local;
        if tcp.flags.ack() {
            script.ack = tcp.ack.map(|ack| ack - remote);
        }
        if let OptionsSpec::List(options) = &mut script.options {
            shift_sack(options, 0u32.wrapping_sub(remote));
        }
        script
    }

    /// Lays the timestamps of an expected segment beside those of the actual one, remembers the pair, and writes the actual
    /// TSval in the script's numbers. Does nothing where one of them has none.
    pub fn learn_timestamps(&mut self, expected: &TcpSpec, actual: &mut TcpSpec) {
        let (Some((script_val, _)), Some((wire_val, _))) = (timestamps(expected), timestamps(actual)) else {
            return;
        };
        let shown = self.timestamps.learn(script_val, wire_val);
        let OptionsSpec::List(options) = &mut actual.options else { return };
        for option in options {
            if let OptionSpec::Timestamps { val, .. } = option {
                *val = shown;
            }
        }
    }

    /// Writes the TSval of an outbound segment in the script's numbers, as far as they are known. Only for showing.
    pub fn show_timestamps(&self, tcp: &mut TcpSpec) {
        let OptionsSpec::List(options) = &mut tcp.options else { return };
        for option in options {
            if let OptionSpec::Timestamps { val, .. } = option {
                *val = self.timestamps.in_script_numbers(*val);
            }
        }
    }

    /// Where the data of a segment in the script's numbers stands in its stream, counted from 0. `None`: before the
    /// stream's first octet, as in a keep-alive probe.
    pub fn position(tcp: &TcpSpec) -> Option<u64> {
        if tcp.flags.syn() {
            return Some(0);
        }
        let position = tcp.seq.0.wrapping_sub(1);
        (position < 1 << 31).then_some(u64::from(position))
    }
}

/// TSval and TSecr of a segment.
fn timestamps(tcp: &TcpSpec) -> Option<(u32, u32)> {
    let OptionsSpec::List(options) = &tcp.options else { return None };
    options.iter().rev().find_map(|option| match option {
        OptionSpec::Timestamps { val, ecr } => Some((*val, *ecr)),
        _ => None,
    })
}

fn shift_sack(options: &mut [OptionSpec], by: u32) {
    for option in options {
        if let OptionSpec::Sack(blocks) = option {
            for (left, right) in blocks {
                *left += by;
                *right += by;
            }
        }
    }
}

/// What becomes of a TSecr that no timestamp of the stack explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownEcho {
    /// The script is wrong.
    Refused,
    /// As far from the first timestamp as in the script (`--tcp_ts_ecr_scaled`).
    Scaled,
}

/// The stack's timestamp clock, in the script and on the wire.
#[derive(Clone, Debug, Default)]
pub struct Timestamps {
    /// Each TSval of the script, with the latest one of the wire that stood for it.
    seen: BTreeMap<u32, u32>,
    /// The first pair.
    first: Option<(u32, u32)>,
}

impl Timestamps {
    /// Remembers a pair; returns what the wire's value is in the script's numbers.
    fn learn(&mut self, script: u32, wire: u32) -> u32 {
        self.seen.insert(script, wire);
        self.first.get_or_insert((script, wire));
        self.in_script_numbers(wire)
    }

    fn in_script_numbers(&self, wire: u32) -> u32 {
        self.first.map_or(wire, |(first_script, first_wire)| first_script.wrapping_add(wire.wrapping_sub(first_wire)))
    }

    /// What to echo on the wire for `ecr` of the script.
    fn echo(&self, ecr: u32, unknown: UnknownEcho) -> Result<u32, MappingError> {
        if let Some(wire) = self.seen.get(&ecr) {
            return Ok(*wire);
        }
        match (unknown, self.first) {
            (UnknownEcho::Scaled, Some((script, wire))) => Ok(ecr.wrapping_sub(script).wrapping_add(wire)),
            (UnknownEcho::Scaled, None) | (UnknownEcho::Refused, _) => Err(MappingError::UnknownEcho(ecr)),
        }
    }
}

#[cfg(test)]
mod tests;
