//! TCP's maximum segment size, lowered in SYNs that pass: for hosts behind a link narrower than their own whose senders
//! would never learn so, since ICMP is filtered on the way.

use super::super::MssClamp;
use super::flow::Layout;
use super::rewrite::patch_tcp;
use crate::journal::Passage;
use crate::packet::Packet;
use crate::packet::dissect::Tcp;

/// Octets of a TCP header without options; MSS counts none of those (RFC 9293 §3.7.1, RFC 6691).
const TCP_HEADER: usize = 20;

/// Lowers what a SYN announces to what the clamp allows between links of these MTUs; tells what it did. A SYN that
/// announces nothing is left as it is.
pub(super) fn clamp(packet: &mut Packet, layout: &Layout, tcp: &Tcp, to: MssClamp, mtu: usize) -> Option<Passage> {
    let announced = tcp.options.mss.filter(|_| tcp.flags.syn())?;
    let network = if layout.is_v4 { 20 } else { 40 };
    let most = match to {
        MssClamp::To(most) => most,
        MssClamp::ToMtu => u16::try_from(mtu.saturating_sub(network + TCP_HEADER)).unwrap_or(u16::MAX),
    };
    if announced <= most {
        return None;
    }
    let options = packet.headers().get(tcp.offset + TCP_HEADER..tcp.offset + tcp.header_len)?;
    let at = tcp.offset + TCP_HEADER + value_of_mss(options)?;
    patch_tcp(packet, tcp.offset, at, &most.to_be_bytes());
    Some(Passage::MssClamped { announced, mss: most })
}

/// Where the value of the last MSS option is: the one that a reader believes.
fn value_of_mss(options: &[u8]) -> Option<usize> {
    let (mut at, mut found) = (0, None);
    while let Some(kind) = options.get(at) {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => usize::from(*options.get(at + 1)?),
        };
        if (*kind == 2 && length == 4) && at + 4 <= options.len() {
            found = Some(at + 2);
        } else if *kind > 1 && length < 2 {
            break;
        }
        at += length;
    }
    found
}
