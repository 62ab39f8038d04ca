//! A segment is put together: what every one says of the other direction, and the options that fit beside its data
//! (RFC 9293 §3.1, RFC 7323 §3, RFC 2018 §3).

use super::{Connection, Context};
use crate::journal::Timer;
use crate::packet::TcpFlags;
use crate::packet::dissect::TcpOptions;
use crate::tcp::options;
use crate::tcp::reassembly::Blocks;
use crate::tcp::segment::{Payload, Segment};
use crate::time::Instant;

impl Connection {
    /// A segment with these octets at `position`, acknowledging what has arrived. Its packets have `piece` octets of data
    /// at most.
    pub(super) fn data_segment(
        &mut self,
        cx: &mut Context<'_>,
        position: u64,
        (payload, piece): (Payload, u32),
        push: bool,
    ) -> Segment {
        let mut segment = self.acknowledgment(cx, piece);
        segment.seq = self.seq(position);
        segment.payload = payload;
        if push {
            segment.flags.0 |= TcpFlags::PSH.0;
        }
        if let Some(end) = self.snd_up.filter(|end| *end > position) {
            // MUST-31: the pointer reaches as far as 16 bits do; later segments carry it on.
            segment.flags.0 |= TcpFlags::URG.0;
            segment.urgent = u16::try_from(end - position).unwrap_or(u16::MAX);
        }
        self.acks.rode();
        segment
    }

    /// An acknowledgment and nothing else.
    pub(super) fn bare_ack(&mut self, cx: &mut Context<'_>) -> Segment {
        self.acknowledgment(cx, 0)
    }

    /// What every segment says of the other direction, with options that leave room for `piece` octets of data.
    fn acknowledgment(&mut self, cx: &mut Context<'_>, piece: u32) -> Segment {
        let options = self.usual_options(cx.now, piece);
        if !options.sack.is_empty() {
            self.receive.reported();
        }
        let rcv_nxt = self.rcv_nxt();
        let rcv_mss = self.acks.rcv_mss();
        let window = self.window.announce(self.receive.next(), self.receive.unread(), rcv_mss, true);
        let echo = if self.ecn.echo { TcpFlags::ECE.0 } else { 0 };
        self.last_ack_sent = rcv_nxt;
        self.disarm(cx, Timer::DelayedAck);
        Segment {
            seq: self.seq(self.snd_nxt),
            ack: rcv_nxt,
            flags: TcpFlags(TcpFlags::ACK.0 | echo),
            window,
            options,
            ..Segment::default()
        }
    }

    /// Timestamps, and as many of the ranges that wait beyond a gap as fit beside `piece` octets of data: what goes again
    /// was cut when perhaps none waited.
    pub(super) fn usual_options(&self, now: Instant, piece: u32) -> TcpOptions {
        let agreed = self.terms.agreed;
        let timestamps = agreed.timestamps.then(|| (self.timestamp(now), self.peer_clock.ts_recent));
        let mut options = TcpOptions { timestamps, ..TcpOptions::default() };
        if agreed.sack {
            let room = self.room_beside(options::length(&options)).saturating_sub(piece);
            let first = self.irs + 1;
            let most = options::sack_blocks(room, agreed.timestamps);
            let mut blocks = self.receive.report(most);
            self.report_fin(&mut blocks, most);
            options.sack = blocks.iter().map(|range| (first + range.start as u32, first + range.end as u32)).collect();
        }
        options
    }

    /// A FIN beyond a gap takes a number, and is reported like an octet (RFC 2018 §3): else a sender that has lost what stands
    /// before it would hear nothing of what it has sent behind.
    fn report_fin(&self, blocks: &mut Blocks, most: usize) {
        let Some(fin) = self.fin_at.filter(|fin| !self.fin_received && *fin > self.receive.next()) else { return };
        if let Some(block) = blocks.iter_mut().find(|block| block.end == fin) {
            block.end = fin + 1;
        } else if blocks.len() < most {
            blocks.insert(0, fin..fin + 1);
        }
    }

    /// A reset that ends the connection from our side (RFC 9293 §3.10.5).
    pub(super) fn reset_segment(&mut self, cx: &mut Context<'_>) -> Segment {
        let mut segment = self.bare_ack(cx);
        segment.options.sack.clear();
        segment.flags = TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0);
        segment.window = 0;
        segment
    }
}
