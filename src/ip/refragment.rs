//! An IPv4 packet on its way, too long for the next link, cut into fragments (RFC 791 §3.2, RFC 1812 §5.2.6).
//!
//! Unlike what this host cuts of its own, it may have options, and may be a fragment already.

use bytes::Bytes;

use super::fragment::write_header_checksum;
use super::limits::IPV4_HEADER;
use crate::packet::dissect::Network;
use crate::packet::{Checksum, Packet, checksum};

const MORE_FRAGMENTS: u16 = 0x2000;
/// Don't Fragment and the bit that is reserved.
const OTHER_FLAGS: u16 = 0xc000;

/// Cuts `packet` into fragments of at most `mtu` octets; `None` when it is no IPv4 packet that could be cut so. All have the
/// packet's id.
pub fn refragment(mut packet: Packet, mtu: usize) -> Option<Vec<Packet>> {
    if packet.checksum() != Checksum::Full {
        checksum::complete(&mut packet);
    }
    let Some(Network::Ipv4(header)) = packet.dissect().network else { return None };
    let whole = packet.to_bytes();
    let link = &whole[..header.offset];
    let first = whole.get(header.offset..header.offset + header.header_len)?;
    let later = later_header(first);
    let data = whole.slice(header.offset + header.header_len..(header.offset + header.total_len).min(whole.len()));
    // RFC 791: the room behind the longest header, in units of eight octets.
    let each = mtu.checked_sub(header.header_len)? & !7;
    if each == 0 {
        return None;
    }
    let mut pieces = Vec::with_capacity(data.len().div_ceil(each));
    let mut at = 0;
    while at < data.len() {
        let length = each.min(data.len() - at);
        let more = header.more_fragments || at + length < data.len();
        let own = if at == 0 { first } else { &later };
        pieces.push(piece(&packet, link, own, data.slice(at..at + length), header.fragment_offset + at, more));
        at += length;
    }
    Some(pieces)
}

fn piece(packet: &Packet, link: &[u8], header: &[u8], data: Bytes, offset: usize, more: bool) -> Packet {
    let mut header = header.to_vec();
    let total = (header.len() + data.len()) as u16;
    header[2..4].copy_from_slice(&total.to_be_bytes());
    let flags = u16::from_be_bytes([header[6], header[7]]) & OTHER_FLAGS;
    let field = flags | (offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
    header[6..8].copy_from_slice(&field.to_be_bytes());
    write_header_checksum(&mut header);
    let mut piece = Packet::new(packet.medium(), &[link, &header].concat());
    piece.id = packet.id;
    piece.push_payload(data);
    piece
}

/// The header of the fragments after the first: only the options whose copied flag is set, padded (RFC 791 §3.1).
fn later_header(first: &[u8]) -> Vec<u8> {
    let mut header = first[..IPV4_HEADER].to_vec();
    let mut options = &first[IPV4_HEADER..];
    while let Some((&kind, rest)) = options.split_first() {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => rest.first().map_or(0, |length| usize::from(*length)),
        };
        if length == 0 || length > options.len() || (kind > 1 && length < 2) {
            break;
        }
        if kind & 0x80 != 0 {
            header.extend_from_slice(&options[..length]);
        }
        options = &options[length..];
    }
    header.resize(header.len().next_multiple_of(4), 0);
    header[0] = 0x40 | (header.len() / 4) as u8;
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Medium, PacketId};

    fn packet(options: &[u8], data: usize, offset: u16) -> Packet {
        let mut header = vec![0x45 + (options.len() / 4) as u8, 0, 0, 0, 0, 9];
        header.extend_from_slice(&offset.to_be_bytes());
        header.extend_from_slice(&[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 1, 1]);
        header.extend_from_slice(options);
        let total = (header.len() + data) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        write_header_checksum(&mut header);
        header.extend((0..data).map(|octet| octet as u8));
        let mut packet = Packet::from_wire(Medium::Ip, header.into());
        packet.id = PacketId(7);
        packet
    }

    fn told(pieces: &[Packet]) -> Vec<(usize, usize, usize, bool)> {
        let read = |piece: &Packet| {
            assert!(checksum::verify(Medium::Ip, &piece.to_bytes()).network);
            let Some(Network::Ipv4(header)) = piece.dissect().network else { panic!("IPv4 stays IPv4") };
            assert_eq!((header.total_len, piece.id), (piece.len(), PacketId(7)));
            (header.header_len, header.fragment_offset, header.total_len - header.header_len, header.more_fragments)
        };
        pieces.iter().map(read).collect()
    }

    #[test]
    fn a_packet_is_cut_at_multiples_of_eight() {
        let pieces = refragment(packet(&[], 100, 0), 68).expect("it can be cut");
        assert_eq!(told(&pieces), [(20, 0, 48, true), (20, 48, 48, true), (20, 96, 4, false)]);
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_bytes()[20..].to_vec()).collect();
        assert_eq!(joined, (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn a_fragment_that_is_cut_again_keeps_its_place() {
        // At 80 octets, with others behind it.
        let pieces = refragment(packet(&[], 64, 0x2000 | 10), 52).expect("it can be cut");
        assert_eq!(told(&pieces), [(20, 80, 32, true), (20, 112, 32, true)]);
    }

    #[test]
    fn later_fragments_have_the_options_that_are_to_be_copied() {
        // Record route, not copied; then stream id (136), copied.
        let options = [7, 7, 4, 0, 0, 0, 0, 136, 4, 1, 2, 0];
        let pieces = refragment(packet(&options, 40, 0), 64).expect("it can be cut");
        assert_eq!(told(&pieces), [(32, 0, 32, true), (24, 32, 8, false)]);
        assert_eq!(pieces[1].to_bytes()[20..24], [136, 4, 1, 2]);
    }

    #[test]
    fn a_link_too_narrow_for_eight_octets_takes_nothing() {
        assert!(refragment(packet(&[], 40, 0), 27).is_none());
    }
}
