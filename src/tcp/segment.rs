//! A segment as plain values, and its header as bytes.
//!
//! ```text
//!   ports │ seq │ ack │ offset, flags, window │ checksum, urgent │ options, padded to 32 bits │ data
//!     4   │  4  │  4  │          4            │        4         │          0 to 40           │
//! ```
//!
//! RFC 9293 §3.1. The checksum field stays zero here: its pseudo-header belongs to IP.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use bytes::Bytes;
use smallvec::SmallVec;

use super::options;
use crate::packet::dissect::TcpOptions;
use crate::packet::{SeqNum, TcpFlags};

/// Data of a segment, in order.
pub type Payload = SmallVec<[Bytes; 2]>;
/// A TCP header as bytes.
pub type Header = SmallVec<[u8; 60]>;

/// Where the checksum stands in a TCP header.
pub const CHECKSUM_OFFSET: u16 = 16;

/// The two ends of a connection, seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// A segment, coming in or going out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// SEG.SEQ: the first octet's number, or the SYN's.
    pub seq: SeqNum,
    /// SEG.ACK: meaningful with the ACK flag.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: TcpFlags,
    /// SEG.WND, not scaled.
    pub window: u16,
    /// SEG.UP: meaningful with the URG flag.
    pub urgent: u16,
    /// The options.
    pub options: TcpOptions,
    /// The data.
    pub payload: Payload,
    /// Octets of each piece when this is a super-segment.
    pub gso_size: Option<NonZeroU16>,
    /// The ECN field of its IP header (RFC 3168 §5): 0 not capable, 2 ECT(0), 3 congestion experienced.
    pub ecn: u8,
}

impl Segment {
    /// Octets of data.
    pub fn len(&self) -> u32 {
        self.payload.iter().map(|chunk| chunk.len() as u32).sum()
    }

    /// SEG.LEN: data, SYN and FIN (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> u32 {
        self.len() + u32::from(self.flags.syn()) + u32::from(self.flags.fin())
    }

    /// The sequence number after the last that it takes.
    pub fn end(&self) -> SeqNum {
        self.seq + self.sequence_len()
    }

    /// Whether it carries no data.
    pub fn is_empty(&self) -> bool {
        self.payload.iter().all(Bytes::is_empty)
    }

    /// Cuts `octets` of data off the front; the sequence number and the urgent pointer move with them. A SYN counts first.
    pub fn trim_front(&mut self, mut octets: u32) {
        if octets > 0 && self.flags.syn() {
            self.flags.0 &= !TcpFlags::SYN.0;
            self.advance(1);
            octets -= 1;
        }
        while octets > 0 && !self.payload.is_empty() {
            let first = &mut self.payload[0];
            let cut = first.len().min(octets as usize);
            drop(first.split_to(cut));
            if first.is_empty() {
                self.payload.remove(0);
            }
            octets -= cut as u32;
            self.advance(cut as u32);
        }
    }

    /// Begins so much later; what the urgent pointer points at stays where it is.
    fn advance(&mut self, octets: u32) {
        self.seq += octets;
        self.urgent = u32::from(self.urgent).saturating_sub(octets) as u16;
    }

    /// Keeps only the first `octets` of data; what is cut takes the FIN with it.
    pub fn truncate(&mut self, octets: u32) {
        if octets >= self.len() {
            return;
        }
        self.flags.0 &= !TcpFlags::FIN.0;
        let mut room = octets as usize;
        self.payload.retain(|chunk| {
            chunk.truncate(room);
            room -= chunk.len();
            !chunk.is_empty()
        });
    }

    /// The header between these ends, its checksum field zero.
    pub fn header(&self, ends: &Ends) -> Header {
        let mut header = Header::new();
        header.extend_from_slice(&ends.local.port().to_be_bytes());
        header.extend_from_slice(&ends.remote.port().to_be_bytes());
        header.extend_from_slice(&self.seq.0.to_be_bytes());
        let ack = if self.flags.ack() { self.ack } else { SeqNum(0) };
        header.extend_from_slice(&ack.0.to_be_bytes());
        header.extend_from_slice(&[0, self.flags.0]);
        header.extend_from_slice(&self.window.to_be_bytes());
        header.extend_from_slice(&[0, 0]);
        header.extend_from_slice(&self.urgent.to_be_bytes());
        options::write(&self.options, &mut header);
        header[12] = ((header.len() / 4) << 4) as u8;
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn segment() -> Segment {
        Segment {
            seq: SeqNum(u32::MAX),
            flags: TcpFlags(TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::ACK.0),
            payload: smallvec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")],
            ..Segment::default()
        }
    }

    fn data(segment: &Segment) -> Vec<u8> {
        segment.payload.concat()
    }

    #[test]
    fn the_front_is_cut_syn_first_and_the_number_follows() {
        let mut cut = segment();
        cut.trim_front(5);
        assert_eq!((data(&cut), cut.seq, cut.flags.syn()), (b"e".to_vec(), SeqNum(4), false));
        assert_eq!(cut.end(), segment().end());
    }

    #[test]
    fn cutting_nothing_changes_nothing() {
        let mut cut = segment();
        cut.trim_front(0);
        assert_eq!(cut, segment());
    }

    #[test]
    fn the_urgent_pointer_stays_where_it_points() {
        for (urgent, left) in [(4, 1), (3, 0), (1, 0)] {
            let mut cut = Segment { urgent, ..segment() };
            cut.trim_front(3);
            assert_eq!((data(&cut), cut.urgent), (b"cde".to_vec(), left));
        }
    }

    #[test]
    fn what_is_cut_off_the_end_takes_the_fin_with_it() {
        for octets in 0..5 {
            let mut cut = segment();
            cut.truncate(octets);
            assert_eq!((data(&cut), cut.flags.fin()), (b"abcde"[..octets as usize].to_vec(), false));
        }
        let mut whole = segment();
        whole.truncate(5);
        assert_eq!(whole, segment());
    }

    #[test]
    fn a_header_is_laid_out_as_rfc_9293_section_3_1_says() {
        let ends = |address: &str| address.parse().expect("an address");
        let ends = Ends { local: ends("10.0.0.1:80"), remote: ends("10.0.0.2:4000") };
        let options = TcpOptions { mss: Some(1460), ..TcpOptions::default() };
        let flags = TcpFlags::SYN;
        let syn =
            Segment { seq: SeqNum(1), ack: SeqNum(2), flags, window: 3, urgent: 4, options, ..Segment::default() };
        let header = [0, 80, 15, 160, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0, 3, 0, 0, 0, 4, 2, 4, 5, 180];
        assert_eq!(syn.header(&ends)[..], header);
        let ack = Segment { flags: TcpFlags::ACK, options: TcpOptions::default(), ..syn };
        assert_eq!(ack.header(&ends)[8..], [0, 0, 0, 2, 0x50, 16, 0, 3, 0, 0, 0, 4]);
    }
}
