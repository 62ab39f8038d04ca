//! A reset in the name of whom a segment was for: as if nobody listened there (RFC 9293 §3.10.7.1).

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::ip::Outgoing;
use crate::journal::{Reason, Why};
use crate::packet::TcpFlags;
use crate::packet::dissect::Tcp;

/// Hops of what the router says in another's name.
const HOPS: u8 = 64;

/// The reset that answers a segment from `src` to `dst`; `None` for a reset, which nothing answers.
pub(super) fn reset(src: IpAddr, dst: IpAddr, tcp: &Tcp) -> Option<Outgoing> {
    if tcp.flags.rst() {
        return None;
    }
    let (seq, ack, flags) = if tcp.flags.ack() {
        (tcp.ack.0, 0, TcpFlags::RST.0)
    } else {
        (0, (tcp.seq + tcp.sequence_len()).0, TcpFlags::RST.0 | TcpFlags::ACK.0)
    };
    let mut header: SmallVec<[u8; 60]> = SmallVec::new();
    header.extend_from_slice(&tcp.dst_port.to_be_bytes());
    header.extend_from_slice(&tcp.src_port.to_be_bytes());
    header.extend_from_slice(&seq.to_be_bytes());
    header.extend_from_slice(&ack.to_be_bytes());
    header.extend_from_slice(&[0x50, flags, 0, 0, 0, 0, 0, 0]);
    Some(Outgoing {
        src: dst,
        dst: src,
        protocol: 6,
        hops: HOPS,
        traffic_class: 0,
        dont_fragment: true,
        header,
        checksum_offset: Some(16),
        payload: SmallVec::new(),
        gso_size: None,
        why: Why::of(Reason::Reset),
    })
}
