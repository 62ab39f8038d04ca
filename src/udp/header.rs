//! The header of a datagram (RFC 768).
//!
//! ```text
//!    0      7 8     15 16    23 24    31
//!   ├────────┴────────┼────────┴────────┤
//!   │   source port   │ destination port│
//!   ├─────────────────┼─────────────────┤
//!   │     length      │    checksum     │
//!   └─────────────────┴─────────────────┘
//! ```

use std::net::IpAddr;

/// Octets of the header.
pub const HEADER: usize = 8;
/// Where the checksum is in the header. It is always filled in: zero means "none", which IPv6 forbids (RFC 8200 §8.1) and
/// RFC 1122 §4.1.3.4 wants to be asked for.
pub const CHECKSUM_OFFSET: u16 = 6;

/// The header of a datagram with so many octets of payload, the checksum zero; `None` when they are too many for the
/// length field.
pub fn header(source: u16, destination: u16, payload: usize) -> Option<[u8; HEADER]> {
    let [a, b] = source.to_be_bytes();
    let [c, d] = destination.to_be_bytes();
    let [e, f] = u16::try_from(payload + HEADER).ok()?.to_be_bytes();
    Some([a, b, c, d, e, f, 0, 0])
}

/// Octets of the longest payload that one datagram can carry there: an IPv4 packet counts its own 20 octets in, an IPv6
/// packet does not, and that of a fragmented one is no longer either (RFC 791 §3.1, RFC 8200 §4.5).
pub fn longest_payload(destination: IpAddr) -> usize {
    let network = if destination.is_ipv4() { 20 } else { 0 };
    usize::from(u16::MAX) - network - HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_the_header_in_and_fits_its_field() {
        assert_eq!(header(0x0102, 0x0304, 5), Some([1, 2, 3, 4, 0, 13, 0, 0]));
        assert_eq!(header(1, 2, 65_527).map(|header| [header[4], header[5]]), Some([0xff, 0xff]));
        assert_eq!(header(1, 2, 65_528), None);
        assert_eq!(longest_payload([10, 0, 0, 1].into()), 65_507);
        assert_eq!(longest_payload(IpAddr::from([0_u16; 8])), 65_527);
    }
}
