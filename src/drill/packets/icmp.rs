//! The names of ICMP types and codes (RFC 792, RFC 1122 §3.2.2, RFC 4443).

use std::net::IpAddr;

/// A type and its codes, by their names in scripts.
struct Kind {
    number: u8,
    name: &'static str,
    codes: &'static [(u8, &'static str)],
}

const fn kind(number: u8, name: &'static str, codes: &'static [(u8, &'static str)]) -> Kind {
    Kind { number, name, codes }
}

/// ICMP for IPv4.
const KINDS_V4: [Kind; 13] = [
    kind(0, "echo_reply", &[]),
    kind(
        3,
        "unreachable",
        &[
            (0, "net_unreachable"),
            (1, "host_unreachable"),
            (2, "protocol_unreachable"),
            (3, "port_unreachable"),
            (4, "frag_needed"),
            (5, "source_route_failed"),
            (6, "net_unknown"),
            (7, "host_unknown"),
            (8, "source_host_isolated"),
            (9, "net_prohibited"),
            (10, "host_prohibited"),
            (11, "net_unreachable_for_tos"),
            (12, "host_unreachable_for_tos"),
            (13, "packet_filtered"),
            (14, "precedence_violation"),
            (15, "precedence_cutoff"),
        ],
    ),
    kind(4, "source_quench", &[]),
    kind(5, "redirect", &[]),
    kind(8, "echo_request", &[]),
    kind(11, "time_exceeded", &[(0, "ttl_exceeded_in_transit"), (1, "frag_reass_exceeded")]),
    kind(12, "parameter_problem", &[]),
    kind(13, "timestamp_request", &[]),
    kind(14, "timestamp_reply", &[]),
    kind(15, "information_request", &[]),
    kind(16, "information_reply", &[]),
    kind(17, "address_mask_request", &[]),
    kind(18, "address_mask_reply", &[]),
];

/// ICMPv6.
const KINDS_V6: [Kind; 6] = [
    kind(
        1,
        "unreachable",
        &[
            (0, "net_unreachable"),
            (0, "no_route"),
            (1, "admin_prohibited"),
            (2, "not_neighbour"),
            (3, "address_unreachable"),
            (4, "port_unreachable"),
        ],
    ),
    kind(2, "packet_too_big", &[]),
    kind(3, "time_exceeded", &[(0, "exceeded_hop_limit"), (1, "exceeded_frag_time")]),
    kind(4, "parameter_problem", &[(0, "header_field"), (1, "unknown_next_header"), (2, "unknown_option")]),
    kind(128, "echo_request", &[]),
    kind(129, "echo_reply", &[]),
];

fn kinds(v6: bool) -> &'static [Kind] {
    if v6 { &KINDS_V6 } else { &KINDS_V4 }
}

/// Type and code on the wire, of the names or numbers (`type_3`, `code_1`, `3`) that a script writes. A code that is not
/// written is 0. `None`: no such name in this family.
pub fn numbers(v6: bool, name: &str, code: Option<&str>) -> Option<(u8, u8)> {
    let known = kinds(v6).iter().find(|kind| kind.name == name);
    let number = match known {
        Some(kind) => kind.number,
        None => name.strip_prefix("type_").unwrap_or(name).parse().ok()?,
    };
    let Some(code) = code else { return Some((number, 0)) };
    let named = known.and_then(|kind| kind.codes.iter().find(|(_, name)| *name == code));
    let code = match named {
        Some((code, _)) => *code,
        None => code.strip_prefix("code_").unwrap_or(code).parse().ok()?,
    };
    Some((number, code))
}

/// The names of a type and its code; numbers where there is no name.
pub fn names(v6: bool, number: u8, code: u8) -> (String, Option<String>) {
    match kinds(v6).iter().find(|kind| kind.number == number) {
        Some(kind) => {
            let named = kind.codes.iter().find(|(known, _)| *known == code).map(|(_, name)| (*name).to_owned());
            let code = named.or_else(|| (code != 0).then(|| format!("code_{code}")));
            (kind.name.to_owned(), code)
        }
        None => (format!("type_{number}"), (code != 0).then(|| format!("code_{code}"))),
    }
}

/// Whether `mtu n` has a place in this message.
pub fn has_mtu(v6: bool, number: u8, code: u8) -> bool {
    if v6 { number == 2 } else { (number, code) == (3, 4) }
}

/// The number of ICMP in an IP header of this family.
pub fn protocol(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 58,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree_in_both_families() {
        for (v6, name, code, wire) in [
            (false, "unreachable", Some("frag_needed"), Some((3, 4))),
            (false, "unreachable", None, Some((3, 0))),
            (false, "type_3", Some("code_9"), Some((3, 9))),
            (true, "unreachable", Some("port_unreachable"), Some((1, 4))),
            (true, "packet_too_big", None, Some((2, 0))),
            (true, "source_quench", None, None),
            (false, "unreachable", Some("no_such_code"), None),
            (false, "type_300", None, None),
        ] {
            assert_eq!(numbers(v6, name, code), wire, "{v6} {name} {code:?}");
        }
        for v6 in [false, true] {
            for kind in kinds(v6) {
                for code in 0..=16 {
                    let (name, code_name) = names(v6, kind.number, code);
                    assert_eq!(numbers(v6, &name, code_name.as_deref()), Some((kind.number, code)), "{name} {code}");
                }
            }
        }
    }
}
