//! What was sent before goes again, and the end of a flight is probed: RFC 5681 §3.2, RFC 6675 §5, RFC 8985 §7.3,
//! RFC 5682 §2.1. Which octets those are `recovery` has said; here is why each leaves, and when it may.

use std::ops::Range;

use super::{Connection, Context, Fin};
use crate::journal::{Event, LossRule, Reason, Timer, Why};
use crate::packet::{PacketId, TcpFlags};
use crate::tcp::options;
use crate::tcp::segment::Segment;

impl Connection {
    /// The first segment that is thought lost, if the network has room for it.
    pub(super) fn resend(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        if self.recovery.holds_retransmissions() || (!self.force_resend && self.in_network() >= self.cwnd.cwnd) {
            return None;
        }
        self.mind_the_probe(cx);
        if self.flight.next_lost().is_some() && !self.force_resend && self.is_held_by_pace(cx) {
            return None;
        }
        let lost = self.flight.next_lost()?;
        let (range, push, nth, rule) = (lost.range.clone(), lost.push, lost.transmissions, lost.lost);
        let window_end = self.snd_una + u64::from(self.snd_wnd);
        if range.start >= window_end && range.start != self.snd_una {
            return None;
        }
        let by_timer = std::mem::take(&mut self.force_resend) && self.retries > 0;
        let reason = match rule {
            _ if by_timer => {
                let rto = self.round_trip.rto(self.backoff.saturating_sub(1)).duration();
                Reason::RetransmitByTimer { nth: nth.into(), rto }
            }
            Some(LossRule::DuplicateAcks) => Reason::RetransmitByDuplicateAcks,
            Some(LossRule::PartialAck) => Reason::RetransmitByPartialAck,
            Some(LossRule::Sack) => Reason::RetransmitBySack,
            Some(LossRule::Rack) => Reason::RetransmitByRack,
            Some(LossRule::PathMtu) => Reason::RetransmitForPathMtu,
            Some(LossRule::Refused) => Reason::RetransmitRefused,
            Some(LossRule::Timer) | None => Reason::RetransmitAfterTimer,
        };
        let segment = self.segment_again(cx, range, push);
        if self.timers.due(Timer::Retransmission).is_none() || by_timer {
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
        }
        Some((segment, Why::over(reason, self.ends.remote.is_ipv6())))
    }

    /// What was held back for new data that was to test a time-out, when none of that may go (RFC 5682 §2.1, step 2.b).
    pub(super) fn resend_untested(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        let may_test = !self.recovery.holds_retransmissions() || self.is_held_by_pace(cx);
        if may_test || !self.recovery.cannot_test(self.snd_nxt) {
            return None;
        }
        self.resend(cx)
    }

    /// The segment of `range` once more.
    fn segment_again(&mut self, cx: &mut Context<'_>, range: Range<u64>, push: bool) -> Segment {
        let fin = range.end == self.snd_nxt && self.fin == Fin::Sent;
        let push = push || self.flight.ends_burst_again(&range);
        let payload = self.send.slice(range.start - 1..range.end - 1);
        let length = payload.iter().map(|chunk| chunk.len() as u32).sum();
        let mut segment = self.data_segment(cx, range.start, (payload, length), push);
        if fin {
            segment.flags.0 |= TcpFlags::FIN.0;
        }
        self.note_resent(cx, range.start, length);
        self.keep_pace(cx, length);
        segment
    }

    /// A probe of the flight's end (RFC 8985 §7.3): new data if there is any and the peer has room for it, whatever the
    /// congestion window says; else the last segment again.
    pub(super) fn probe_tail(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        if !std::mem::take(&mut self.probe_due) {
            return None;
        }
        let unsent = self.data_end().saturating_sub(self.snd_nxt);
        let mss = self.room_beside(options::length(&self.usual_options(cx.now, 0)));
        let length = unsent.min(mss.into());
        let (segment, reason) = if length > 0 && length <= self.window_room() && self.burst_left == 0 {
            let fin = self.fin == Fin::Queued && length == unsent && length < self.window_room();
            let (segment, _) = self.depart(cx, length as u32, mss, (false, fin));
            (segment, Reason::TailLossProbeWithNewData)
        } else {
            let last = self.flight.last()?;
            let (range, push) = (last.range.clone(), last.push);
            if self.octets_of(&range) > self.snd_mss() {
                // It asks how wide the path is, and must not go twice at that length.
                return None;
            }
            (self.segment_again(cx, range, push), Reason::TailLossProbe)
        };
        self.recovery.probed(self.snd_nxt, reason == Reason::TailLossProbe);
        self.disarm(cx, Timer::TailProbe);
        Some((segment, Why::of(reason)))
    }

    /// Tells that the segment at `position` goes again.
    pub(super) fn note_resent(&mut self, cx: &mut Context<'_>, position: u64, length: u32) {
        self.flight.resend(position, cx.now);
        let timestamp = self.timestamp(cx.now);
        self.recovery.sent(1, Some(timestamp));
        let seq = self.seq(position);
        // The packet has no name before it is on its link; the network fills it in.
        cx.tell(Event::Retransmit { socket: cx.socket, packet: PacketId::default(), seq, length });
    }
}
