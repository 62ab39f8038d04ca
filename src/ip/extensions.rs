//! The chain of IPv6 headers between the base header and the payload (RFC 8200 §4), judged link by link.
//!
//! ```text
//!   base header ─► hop-by-hop ─► destination ─► routing ─► fragment ─► … ─► TCP, UDP, ICMPv6
//!      ▲ octet 6     ▲ octet 40
//!      each "next header" octet says what follows it; an error points at the octet that is wrong
//! ```
//!
//! What does not live here: sending the error that a [`Refusal`] asks for (`errors`), joining fragments (`reassembly`).

use super::limits::{FRAGMENT_HEADER, IPV6_HEADER};
use crate::journal::DropReason;

/// Where the chain leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The protocol after the last header that was read.
    pub protocol: u8,
    /// Where its header begins, counted from the base header's first octet.
    pub upper: usize,
    /// The fragment header that ended the walk; `None` when there is none, or one over a whole packet (RFC 6946).
    pub fragment: Option<Fragment>,
}

/// A fragment header over a part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Where the fragment header begins.
    pub at: usize,
    /// Where the octet is that announces it.
    pub announced_at: usize,
    /// Where this part belongs, in octets.
    pub offset: usize,
    /// Whether others follow.
    pub more: bool,
    /// Whose part it is.
    pub identification: u32,
}

/// Why a chain is not followed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Dropped, and nobody is told.
    Silent(DropReason),
    /// Dropped, and the sender is told by a Parameter Problem (RFC 4443 §3.4).
    Problem {
        /// What kind of problem: 0 a wrong field, 1 an unknown next header, 2 an unknown option, 3 an incomplete chain.
        code: u8,
        /// The octet that is wrong, counted from the base header's first.
        pointer: usize,
        /// Whether the sender is told even when it addressed a group (RFC 8200 §4.2, action 10).
        even_of_group: bool,
        /// What the journal says.
        reason: DropReason,
    },
}

impl Refusal {
    pub(super) const fn problem(code: u8, pointer: usize, reason: DropReason) -> Refusal {
        Refusal::Problem { code, pointer, even_of_group: false, reason }
    }
}

/// Protocol numbers that the walk knows.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const NO_NEXT_HEADER: u8 = 59;
const DESTINATION: u8 = 60;

/// Whether a protocol has a header of its own beyond the chain that this host understands.
const fn is_upper(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 58)
}

/// Follows the chain of a packet that begins with its base header. The next header of the base header being an upper
/// layer's, this is a look at one octet.
///
/// # Errors
/// [`Refusal`] when the packet must be dropped.
pub(super) fn walk(packet: &[u8]) -> Result<Chain, Refusal> {
    let (mut announced_at, mut at) = (6, IPV6_HEADER);
    loop {
        let protocol = *packet.get(announced_at).ok_or(Refusal::Silent(DropReason::Malformed))?;
        let end = match protocol {
            upper if is_upper(upper) => return Ok(Chain { protocol, upper: at, fragment: None }),
            // RFC 8200 §4.1: only directly after the base header; elsewhere it is not recognized.
            HOP_BY_HOP if announced_at == 6 => options(packet, at)?,
            DESTINATION => options(packet, at)?,
            ROUTING => routing(packet, at)?,
            FRAGMENT => {
                if let Some(fragment) = fragment(packet, at, announced_at)? {
                    let protocol = packet.get(at).copied().unwrap_or(NO_NEXT_HEADER);
                    return Ok(Chain { protocol, upper: at + FRAGMENT_HEADER, fragment: Some(fragment) });
                }
                at + FRAGMENT_HEADER
            }
            NO_NEXT_HEADER => return Err(Refusal::Silent(DropReason::UnknownProtocol)),
            _ => return Err(Refusal::problem(1, announced_at, DropReason::UnknownProtocol)),
        };
        // The first octet of every extension header says what follows it.
        (announced_at, at) = (at, end);
    }
}

/// The octets of the extension header at `at`, which says how long it is (RFC 8200 §4.3, §4.4, §4.6).
fn header(packet: &[u8], at: usize) -> Result<&[u8], Refusal> {
    let length = packet.get(at + 1).map(|units| (usize::from(*units) + 1) * 8);
    length.and_then(|length| packet.get(at..at + length)).ok_or(Refusal::Silent(DropReason::Malformed))
}

/// Judges the options of a hop-by-hop or destination header; returns where the next header begins.
///
/// This host knows no option but padding, so the two upper bits of the type say what to do (RFC 8200 §4.2).
fn options(packet: &[u8], at: usize) -> Result<usize, Refusal> {
    let header = header(packet, at)?;
    let mut next = 2;
    while let Some(&kind) = header.get(next) {
        if kind == 0 {
            next += 1;
            continue;
        }
        let Some(&length) = header.get(next + 1) else { return Err(Refusal::Silent(DropReason::Malformed)) };
        let end = next + 2 + usize::from(length);
        if end > header.len() {
            return Err(Refusal::Silent(DropReason::Malformed));
        }
        match kind >> 6 {
            0 => {}
            1 => return Err(Refusal::Silent(DropReason::UnknownProtocol)),
            action => {
                return Err(Refusal::Problem {
                    code: 2,
                    pointer: at + next,
                    even_of_group: action == 2,
                    reason: DropReason::UnknownProtocol,
                });
            }
        }
        next = end;
    }
    Ok(at + header.len())
}

/// Judges a routing header; returns where the next header begins. No type is known here: with segments left the sender
/// is told, without the header is ignored (RFC 8200 §4.4; type 0 so too, RFC 5095 §3).
fn routing(packet: &[u8], at: usize) -> Result<usize, Refusal> {
    let header = header(packet, at)?;
    match header.get(3) {
        Some(0) => Ok(at + header.len()),
        Some(_) => Err(Refusal::problem(0, at + 2, DropReason::UnknownProtocol)),
        None => Err(Refusal::Silent(DropReason::Malformed)),
    }
}

/// Reads a fragment header; `None` when it stands over a whole packet (RFC 6946).
fn fragment(packet: &[u8], at: usize, announced_at: usize) -> Result<Option<Fragment>, Refusal> {
    let Some(&[_, _, high, low, a, b, c, d]) = packet.get(at..at + FRAGMENT_HEADER) else {
        return Err(Refusal::Silent(DropReason::Malformed));
    };
    let field = u16::from_be_bytes([high, low]);
    let (offset, more) = (usize::from(field & !7), field & 1 == 1);
    let identification = u32::from_be_bytes([a, b, c, d]);
    Ok((offset > 0 || more).then_some(Fragment { at, announced_at, offset, more, identification }))
}

/// Whether the first fragment of a packet holds every header up to and with that of the upper layer (RFC 8200 §4.5).
pub(super) fn first_fragment_is_complete(packet: &[u8], fragment: &Fragment) -> bool {
    let (mut announced_at, mut at) = (fragment.at, fragment.at + FRAGMENT_HEADER);
    while let Some(protocol) = packet.get(announced_at) {
        let needed = match *protocol {
            6 => 20,
            17 => 8,
            58 => 4,
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let Ok(header) = header(packet, at) else { return false };
                (announced_at, at) = (at, at + header.len());
                continue;
            }
            // What is unknown is judged when the packet is whole.
            _ => 0,
        };
        return packet.len() >= at + needed;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A base header and what follows it.
    fn packet(next: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, rest.len() as u8, next, 64];
        packet.resize(IPV6_HEADER, 0);
        packet.extend_from_slice(rest);
        packet
    }

    /// CONFORMANCE 39, RFC 8200 §4.2.
    #[test]
    fn unknown_options_are_treated_as_their_upper_bits_say() {
        for header in [HOP_BY_HOP, DESTINATION] {
            let with = |kind: u8| walk(&packet(header, &[17, 0, 1, 0, kind, 2, 0, 0]));
            assert_eq!(with(0x1e), Ok(Chain { protocol: 17, upper: 48, fragment: None }));
            assert_eq!(with(0x5e), Err(Refusal::Silent(DropReason::UnknownProtocol)));
            let told = |even_of_group| {
                let reason = DropReason::UnknownProtocol;
                Err(Refusal::Problem { code: 2, pointer: 44, even_of_group, reason })
            };
            assert_eq!((with(0x9e), with(0xde)), (told(true), told(false)));
        }
    }

    /// CONFORMANCE 35, RFC 4443 §3.4.
    #[test]
    fn an_unknown_next_header_is_pointed_at() {
        let unknown = |pointer| Err(Refusal::problem(1, pointer, DropReason::UnknownProtocol));
        let padding = [1, 4, 0, 0, 0, 0];
        let destination = |next: u8| [&[next, 0][..], &padding].concat();
        assert_eq!(walk(&packet(253, &[])), unknown(6));
        assert_eq!(walk(&packet(60, &destination(253))), unknown(40));
        assert_eq!(walk(&packet(0, &[destination(60), destination(253)].concat())), unknown(48));
        assert_eq!(walk(&packet(44, &[[253, 0, 0, 0, 0, 0, 0, 1]].concat())), unknown(40), "an atomic fragment");
        // Hop-by-hop options anywhere but in front are not recognized.
        assert_eq!(walk(&packet(60, &[destination(0), destination(6)].concat())), unknown(40));
        assert_eq!(walk(&packet(59, &[])), Err(Refusal::Silent(DropReason::UnknownProtocol)));
    }

    /// RFC 8200 §4.4.
    #[test]
    fn a_routing_header_is_ignored_unless_segments_are_left() {
        let with = |left: u8| walk(&packet(43, &[6, 0, 0, left, 0, 0, 0, 0]));
        assert_eq!(with(0), Ok(Chain { protocol: 6, upper: 48, fragment: None }));
        assert_eq!(with(1), Err(Refusal::problem(0, 42, DropReason::UnknownProtocol)));
    }

    /// RFC 6946.
    #[test]
    fn a_fragment_header_over_a_whole_packet_is_only_a_header() {
        let with = |field: [u8; 2]| walk(&packet(44, &[17, 9, field[0], field[1], 0, 0, 0, 7]));
        assert_eq!(with([0, 0]), Ok(Chain { protocol: 17, upper: 48, fragment: None }));
        let part = Fragment { at: 40, announced_at: 6, offset: 8, more: true, identification: 7 };
        assert_eq!(with([0, 9]), Ok(Chain { protocol: 17, upper: 48, fragment: Some(part) }));
        // Behind an atomic fragment header, whose second octet is reserved, the chain goes on.
        let on = packet(44, &[60, 9, 0, 0, 0, 0, 0, 7, 17, 0, 1, 4, 0, 0, 0, 0, 253]);
        assert_eq!(walk(&on), Ok(Chain { protocol: 17, upper: 56, fragment: None }));
    }

    #[test]
    fn a_first_fragment_must_hold_the_whole_chain() {
        let complete = |next: u8, rest: &[u8]| {
            let bytes = packet(44, &[&[next, 0, 0, 1, 0, 0, 0, 7], rest].concat());
            let chain = walk(&bytes).expect("a fragment");
            first_fragment_is_complete(&bytes, &chain.fragment.expect("a fragment"))
        };
        assert!(complete(17, &[0; 8]) && !complete(17, &[0; 7]) && !complete(6, &[0; 19]));
        assert!(complete(60, &[17, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(!complete(60, &[17, 1, 1, 4, 0, 0, 0, 0]) && !complete(60, &[17, 0, 1, 4, 0, 0, 0, 0, 1]));
    }

    proptest! {
        #[test]
        fn no_chain_makes_the_walk_panic_or_leave_the_packet(
            next in prop::sample::select(vec![0_u8, 6, 17, 43, 44, 58, 59, 60, 253]),
            rest in prop::collection::vec(prop_oneof![Just(0_u8), Just(60), Just(44), Just(43), any::<u8>()], 0..80),
        ) {
            let bytes = packet(next, &rest);
            if let Ok(chain) = walk(&bytes) {
                prop_assert!(chain.upper <= bytes.len());
                if let Some(fragment) = &chain.fragment {
                    first_fragment_is_complete(&bytes, fragment);
                }
            }
        }
    }
}
