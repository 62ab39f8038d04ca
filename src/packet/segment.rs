//! Cutting a super-segment into packets that fit a wire.
//!
//! What a network card does with TSO, done in software at the edge (the "law of the edge"): labs, captures and plain
//! devices get pieces no longer than the MTU with full checksums; only a device that cuts by itself gets the whole.

use bytes::{Buf, Bytes};

use super::checksum::{self, Sum, sum_chunks};
use super::dissect::TcpFlags;
use super::dissect::{Network, Transport};
use super::{Checksum, Packet};

/// Cuts a TCP super-segment into its pieces, in order, each with full checksums; an ordinary packet comes back alone, its
/// checksum completed.
///
/// Sequence numbers advance by the pieces' lengths, IPv4 identifications count up, FIN and PSH stay on the last piece,
/// CWR on the first (as Linux's `tcp_gso_segment` does).
pub fn cut(mut packet: Packet, pieces: &mut Vec<Packet>) {
    let Some(size) = packet.gso_size().map(|size| usize::from(size.get())) else {
        checksum::complete(&mut packet);
        return pieces.push(packet);
    };
    let dissection = packet.dissect();
    let (Some(network), Some(Transport::Tcp(tcp))) = (dissection.network, dissection.transport) else {
        packet.set_gso_size(None);
        checksum::complete(&mut packet);
        return pieces.push(packet);
    };
    let total = packet.payload_len();
    let mut rest = Octets { chunks: packet.payload().to_vec() };
    let count = total.div_ceil(size).max(1);
    for index in 0..count {
        let mut piece = Packet::new(packet.medium(), packet.headers());
        piece.id = packet.id;
        rest.move_to(&mut piece, size);
        let headers = piece.headers_mut();
        let seq = tcp.seq + (index * size) as u32;
        headers[tcp.offset + 4..tcp.offset + 8].copy_from_slice(&seq.0.to_be_bytes());
        if index + 1 < count {
            headers[tcp.offset + 13] &= !(TcpFlags::FIN.0 | TcpFlags::PSH.0);
        }
        if index > 0 {
            headers[tcp.offset + 13] &= !TcpFlags::CWR.0;
        }
        fix_network(&mut piece, &network, index);
        fix_transport(&mut piece, &network, tcp.offset);
        pieces.push(piece);
    }
}

/// Writes the piece's own length, identification and header checksum into its network header.
fn fix_network(piece: &mut Packet, network: &Network, index: usize) {
    let wire_len = piece.len();
    let headers = piece.headers_mut();
    match network {
        Network::Ipv4(ip) => {
            let header = &mut headers[ip.offset..ip.offset + ip.header_len];
            header[2..4].copy_from_slice(&((wire_len - ip.offset) as u16).to_be_bytes());
            header[4..6].copy_from_slice(&ip.identification.wrapping_add(index as u16).to_be_bytes());
            header[10..12].fill(0);
            let sum = Sum::new().add_bytes(header).complement();
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        Network::Ipv6(ip) => {
            let payload_len = (wire_len - ip.offset - 40) as u16;
            headers[ip.offset + 4..ip.offset + 6].copy_from_slice(&payload_len.to_be_bytes());
        }
        Network::Arp(_) => {}
    }
}

fn fix_transport(piece: &mut Packet, network: &Network, offset: usize) {
    let length = (piece.len() - offset) as u32;
    let pseudo = match network {
        Network::Ipv4(ip) => Sum::new().add_pseudo_header(ip.src.into(), ip.dst.into(), 6, length),
        Network::Ipv6(ip) => Sum::new().add_pseudo_header(ip.src.into(), ip.dst.into(), 6, length),
        Network::Arp(_) => Sum::new(),
    };
    piece.headers_mut()[offset + 16..offset + 18].fill(0);
    let chunks = std::iter::once(&piece.headers()[offset..]).chain(piece.payload().iter().map(|chunk| &chunk[..]));
    let sum = sum_chunks(pseudo, chunks).complement();
    piece.headers_mut()[offset + 16..offset + 18].copy_from_slice(&sum.to_be_bytes());
    piece.set_checksum(Checksum::Full);
}

/// Payload that is still to be dealt out, front first.
struct Octets {
    chunks: Vec<Bytes>,
}

impl Octets {
    fn move_to(&mut self, piece: &mut Packet, mut octets: usize) {
        while octets > 0 && !self.chunks.is_empty() {
            let first = &mut self.chunks[0];
            let taken = first.len().min(octets);
            piece.push_payload(first.slice(..taken));
            first.advance(taken);
            octets -= taken;
            if first.is_empty() {
                self.chunks.remove(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::packet::{Medium, checksum::verify};

    fn super_segment(payload: usize, gso_size: u16) -> (Packet, Bytes) {
        let mut headers = Vec::new();
        etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(4000, 80, 0xffff_ff00, 1000)
            .ack(7)
            .fin()
            .psh()
            .write(&mut headers, &[])
            .expect("a header fits a vector");
        let data: Bytes = (0..payload).map(|index| index as u8).collect();
        let mut packet = Packet::new(Medium::Ip, &headers);
        let third = payload / 3;
        packet.push_payload(data.slice(..third));
        packet.push_payload(data.slice(third..));
        packet.set_gso_size(NonZeroU16::new(gso_size));
        packet.set_checksum(Checksum::Partial { start: 20, offset: 16 });
        (packet, data)
    }

    #[test]
    fn pieces_are_in_order_whole_and_have_good_checksums() {
        let (packet, data) = super_segment(10_001, 1460);
        let mut pieces = Vec::new();
        cut(packet, &mut pieces);
        assert_eq!(pieces.len(), 7);
        let mut joined = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let wire = piece.to_bytes();
            assert!(verify(Medium::Ip, &wire).is_good(), "piece {index}");
            assert!(piece.network_len() <= 1500);
            let dissection = piece.dissect();
            let tcp = dissection.tcp().expect("each piece is TCP");
            assert_eq!(tcp.seq.offset_from(crate::packet::SeqNum(0xffff_ff00)) as usize, joined.len());
            assert_eq!(tcp.flags.fin(), index == 6);
            joined.extend_from_slice(&wire[40..]);
        }
        assert_eq!(joined, data);
    }

    #[test]
    fn an_ordinary_packet_only_gets_its_checksum_completed() {
        let (mut packet, _) = super_segment(100, 1);
        packet.set_gso_size(None);
        // What a partial checksum means: the field holds the folded pseudo-header sum.
        let pseudo = Sum::new().add_pseudo_header([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 6, 120).fold();
        packet.headers_mut()[36..38].copy_from_slice(&pseudo.to_be_bytes());
        packet.headers_mut()[2..4].copy_from_slice(&140_u16.to_be_bytes());
        packet.headers_mut()[10..12].fill(0);
        let ip = Sum::new().add_bytes(&packet.headers()[..20]).complement();
        packet.headers_mut()[10..12].copy_from_slice(&ip.to_be_bytes());
        let mut pieces = Vec::new();
        cut(packet, &mut pieces);
        assert_eq!(pieces.len(), 1);
        assert!(verify(Medium::Ip, &pieces[0].to_bytes()).is_good());
    }
}
