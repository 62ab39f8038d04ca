//! What ICMP and ICMPv6 errors say about a packet that could not be delivered.

use std::fmt;

use serde::Serialize;

use super::dissect::{Icmp, Transport};

/// Why the network did not deliver a packet (RFC 792, RFC 1122 §3.2.2.1, RFC 4443 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryError {
    /// No route to the network.
    NetworkUnreachable,
    /// No way to the host.
    HostUnreachable,
    /// The host does not speak the protocol.
    ProtocolUnreachable,
    /// Nobody listens on the port.
    PortUnreachable,
    /// Longer than the next link takes, and not to be cut.
    TooBig {
        /// Octets that the next link takes; 0 when the router does not say (RFC 1191 §3).
        mtu: u32,
    },
    /// The source route failed.
    SourceRouteFailed,
    /// A filter forbids it.
    Prohibited,
    /// Its hops were used up.
    HopsExceeded,
    /// Its fragments did not all come in time.
    ReassemblyTimeExceeded,
    /// A header makes no sense to the receiver.
    ParameterProblem {
        /// The octet of the quoted packet that is wrong.
        pointer: u32,
    },
}

impl DeliveryError {
    /// What an ICMP message says; `None` when it is not about an undelivered packet. Source Quench says nothing any more
    /// (RFC 6633, RFC 9293 MUST-55).
    pub fn of(transport: &Transport) -> Option<DeliveryError> {
        match transport {
            Transport::Icmpv4(icmp) => DeliveryError::of_v4(icmp),
            Transport::Icmpv6(icmp) => DeliveryError::of_v6(icmp),
            Transport::Tcp(_) | Transport::Udp(_) => None,
        }
    }

    fn of_v4(icmp: &Icmp) -> Option<DeliveryError> {
        Some(match (icmp.kind, icmp.code) {
            (3, 0 | 6 | 11) => DeliveryError::NetworkUnreachable,
            (3, 1 | 7 | 8 | 12) => DeliveryError::HostUnreachable,
            (3, 2) => DeliveryError::ProtocolUnreachable,
            (3, 3) => DeliveryError::PortUnreachable,
            (3, 4) => DeliveryError::TooBig { mtu: u16::from_be_bytes([icmp.rest[2], icmp.rest[3]]).into() },
            (3, 5) => DeliveryError::SourceRouteFailed,
            (3, 9 | 10 | 13..=15) => DeliveryError::Prohibited,
            (11, 0) => DeliveryError::HopsExceeded,
            (11, 1) => DeliveryError::ReassemblyTimeExceeded,
            (12, _) => DeliveryError::ParameterProblem { pointer: icmp.rest[0].into() },
            _ => return None,
        })
    }

    fn of_v6(icmp: &Icmp) -> Option<DeliveryError> {
        let word = u32::from_be_bytes(icmp.rest);
        Some(match (icmp.kind, icmp.code) {
            (1, 0) => DeliveryError::NetworkUnreachable,
            (1, 1 | 5 | 6) => DeliveryError::Prohibited,
            (1, 2 | 3) => DeliveryError::HostUnreachable,
            (1, 4) => DeliveryError::PortUnreachable,
            (2, _) => DeliveryError::TooBig { mtu: word },
            (3, 0) => DeliveryError::HopsExceeded,
            (3, 1) => DeliveryError::ReassemblyTimeExceeded,
            (4, 1) => DeliveryError::ProtocolUnreachable,
            (4, _) => DeliveryError::ParameterProblem { pointer: word },
            _ => return None,
        })
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeliveryError::NetworkUnreachable => "no route to the network",
            DeliveryError::HostUnreachable => "the host cannot be reached",
            DeliveryError::ProtocolUnreachable => "the host does not speak this protocol",
            DeliveryError::PortUnreachable => "nobody listens on the port",
            DeliveryError::TooBig { mtu: 0 } => "too big for the path",
            DeliveryError::TooBig { mtu } => return write!(f, "too big for the path, which takes {mtu} octets"),
            DeliveryError::SourceRouteFailed => "the source route failed",
            DeliveryError::Prohibited => "forbidden by a filter on the way",
            DeliveryError::HopsExceeded => "its hops were used up on the way",
            DeliveryError::ReassemblyTimeExceeded => "its fragments did not all arrive in time",
            DeliveryError::ParameterProblem { pointer } => {
                return write!(f, "octet {pointer} of its header makes no sense to the receiver");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icmp(kind: u8, code: u8, rest: [u8; 4]) -> Icmp {
        Icmp { offset: 0, kind, code, checksum: 0, rest }
    }

    #[test]
    fn an_error_means_the_same_in_both_families() {
        let cases = [
            ((3, 3), (1, 4), DeliveryError::PortUnreachable),
            ((3, 0), (1, 0), DeliveryError::NetworkUnreachable),
            ((3, 1), (1, 3), DeliveryError::HostUnreachable),
            ((3, 13), (1, 1), DeliveryError::Prohibited),
            ((3, 2), (4, 1), DeliveryError::ProtocolUnreachable),
            ((3, 4), (2, 0), DeliveryError::TooBig { mtu: 1280 }),
            ((11, 0), (3, 0), DeliveryError::HopsExceeded),
            ((11, 1), (3, 1), DeliveryError::ReassemblyTimeExceeded),
        ];
        for ((kind4, code4), (kind6, code6), meaning) in cases {
            let rest = 1280_u32.to_be_bytes();
            assert_eq!(DeliveryError::of(&Transport::Icmpv4(icmp(kind4, code4, rest))), Some(meaning));
            assert_eq!(DeliveryError::of(&Transport::Icmpv6(icmp(kind6, code6, rest))), Some(meaning));
        }
    }

    #[test]
    fn echo_and_source_quench_are_no_errors() {
        for kind in [0, 8, 4, 13] {
            assert_eq!(DeliveryError::of(&Transport::Icmpv4(icmp(kind, 0, [0; 4]))), None, "ICMP type {kind}");
        }
        assert_eq!(DeliveryError::of(&Transport::Icmpv6(icmp(128, 0, [0; 4]))), None);
    }
}
