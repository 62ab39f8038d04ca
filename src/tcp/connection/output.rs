//! Output is due: the next segment, and why it exists (RFC 9293 §3.7, §3.8).
//!
//! In this order: the SYN of a handshake; what is thought lost; probes; new data and the FIN behind it; last, an
//! acknowledgment that found nothing to ride on.
//!
//! PSH asks the peer to hand over what it has (RFC 9293 §3.9.1, MUST-60, MUST-61). As Linux does, it is set
//!
//! - on the octet that was last when the application had said all it would say for now: the end of what a `send` without
//!   "more follows" left in the queue. More data behind it takes the mark along while it is unsent. The mark belongs to
//!   that octet: whenever it is sent again, it carries PSH again;
//! - there, too, although more is to follow, once more than half of the greatest window was queued since the last mark:
//!   who gives much in small pieces must not leave the peer without one for a whole window; and who gives more than a
//!   window in one piece, neither: such a piece has marks inside;
//! - on the last of several segments that leave together, whatever they hold: a peer that merges segments hands them over
//!   at PSH, and need not wait to see whether more come. This one is not kept; a lone segment sent again goes without.

use std::num::NonZeroU16;
use std::time::Duration;

use super::{Connection, Context, Fin};
use crate::journal::{CwndCause, Reason, Recovery, TcpState, Timer, Why};
use crate::packet::TcpFlags;
use crate::tcp::congestion::Window;
use crate::tcp::segment::Segment;
use crate::tcp::{options, pacing};

/// Octets of data in the largest super-segment: headers and data fit into IPv4's 65,535.
const LARGEST_BURST: u32 = 65_535 - 60 - 60;
/// How long a corked segment may wait to become full (as Linux: 200 ms).
const CORK: Duration = Duration::from_millis(200);
/// ECN-capable transport, code point ECT(0) (RFC 3168 §5).
const ECT_0: u8 = 2;

impl Connection {
    /// The next segment that is due; `None` when nothing is.
    pub(crate) fn output(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        if self.closed.is_some() {
            return None;
        }
        if matches!(self.state(), TcpState::SynSent | TcpState::SynReceived) {
            if let Some(reason) = self.due.take() {
                return Some(self.handshake_segment(cx, reason));
            }
            if self.is_open_early()
                && let Some(found) = self.new_segment(cx)
            {
                return Some(found);
            }
        } else if self.state.may_transmit() {
            let found = (self.probe_tail(cx).or_else(|| self.resend(cx)))
                .or_else(|| self.probe(cx))
                .or_else(|| self.probe_path(cx))
                .or_else(|| self.new_segment(cx))
                .or_else(|| self.resend_untested(cx));
            if found.is_some() {
                return found;
            }
        } else if let Some(reason) = self.due.take() {
            return Some(self.probe_segment(cx, reason));
        }
        let reason = self.acks.take()?;
        let segment = self.bare_ack(cx);
        Some((segment, Why::of(reason)))
    }

    /// A probe that a timer has asked for.
    fn probe(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        let reason = self.due.take()?;
        Some(self.probe_segment(cx, reason))
    }

    /// An empty segment with a number that was acknowledged long ago: whoever gets it must answer (RFC 9293 §3.8.4; for a
    /// closed window Linux probes so, too, and sends no octet that the peer has no room for).
    fn probe_segment(&mut self, cx: &mut Context<'_>, reason: Reason) -> (Segment, Why) {
        let mut segment = self.bare_ack(cx);
        segment.seq = self.seq(self.snd_una.saturating_sub(1));
        (segment, Why::of(reason))
    }

    /// New data, as much as the windows, the burst and good manners allow; FIN behind the last of it.
    fn new_segment(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        if self.snd_nxt == 0 {
            return None;
        }
        let unsent = self.data_end().saturating_sub(self.snd_nxt);
        if unsent == 0 && (self.fin != Fin::Queued || !self.state.may_transmit()) {
            if self.in_network() < self.cwnd.cwnd && !self.flight.waits() {
                self.flight.application_limited();
            }
            return None;
        }
        if self.window_room() > 0 {
            self.restart_after_idle(cx);
        }
        let options = self.usual_options(cx.now, 0);
        let mss = self.room_beside(options::length(&options));
        let length = self.burst(cx, unsent, mss)?;
        let takes_all = u64::from(length) == unsent;
        let window_left = self.window_room().saturating_sub(u64::from(length));
        let fin = self.fin == Fin::Queued && takes_all && window_left > 0 && self.state.may_transmit();
        if length == 0 && !fin {
            return None;
        }
        let (length, burst_ends) = self.piece(length, mss);
        let fin = fin && self.snd_nxt + u64::from(length) == self.data_end();
        Some(self.depart(cx, length, mss, (burst_ends, fin)))
    }

    /// Builds the segment of `length` octets at SND.NXT and puts it in flight.
    pub(super) fn depart(
        &mut self,
        cx: &mut Context<'_>,
        length: u32,
        mss: u32,
        (burst_ends, fin): (bool, bool),
    ) -> (Segment, Why) {
        let start = self.snd_nxt;
        let payload = self.send.slice(start - 1..start - 1 + u64::from(length));
        let is_marked = self.marks.within(start + 1..start + 1 + u64::from(length));
        let push = length > 0 && (is_marked || burst_ends);
        let mut segment = self.data_segment(cx, start, (payload, length.min(mss)), push);
        if fin {
            segment.flags.0 |= TcpFlags::FIN.0;
            self.fin = Fin::Sent;
        }
        if length > mss {
            segment.gso_size = u16::try_from(mss).ok().and_then(NonZeroU16::new);
        }
        if self.terms.agreed.ecn && length > 0 {
            segment.ecn = ECT_0;
            if std::mem::take(&mut self.ecn.reduced) {
                segment.flags.0 |= TcpFlags::CWR.0;
            }
        }
        self.put_in_flight(cx, start, length, mss, fin);
        if let Some(patience) = self.config.delayed_ack.filter(|_| length > 0) {
            self.acks.data_left(cx.now, patience);
        }
        let reason = match (length, fin) {
            (0, _) => Reason::Close,
            (_, true) => Reason::LastData,
            (_, false) if self.recovery.holds_retransmissions() => Reason::TestTimeout,
            (_, false) if self.is_limited_transmit() => Reason::LimitedTransmit,
            (_, false) => Reason::NewData,
        };
        (segment, Why::of(reason))
    }

    /// Whether what leaves is more than the window, and only because duplicate acknowledgments tell that others have left the
    /// network (RFC 3042).
    fn is_limited_transmit(&self) -> bool {
        self.recovery.name() == Recovery::Disorder && self.flight.unacked() > self.cwnd.cwnd
    }

    fn put_in_flight(&mut self, cx: &mut Context<'_>, start: u64, length: u32, mss: u32, fin: bool) {
        let end = start + u64::from(length) + u64::from(fin);
        let data_end = start + u64::from(length);
        if self.flight.is_empty() && start > 1 {
            self.congestion.restarted(cx.now, cx.now - self.last_sent);
        }
        self.keep_pace(cx, length);
        let mut from = start;
        while from < end {
            let to = if from + u64::from(mss) < data_end { from + u64::from(mss) } else { end };
            let (push, ends_burst) =
                (self.marks.within(from + 1..to.min(data_end) + 1), to == end && to - start > mss.into());
            self.flight.push(from..to, cx.now, push, ends_burst);
            self.recovery.sent(1, None);
            from = to;
        }
        if !length.is_multiple_of(mss) {
            self.small_end = data_end;
        }
        self.path_is_tried(start, length, mss);
        self.snd_nxt = end;
        self.marks.sent(data_end);
        self.window_override = false;
        self.last_sent = cx.now;
        self.disarm(cx, Timer::Cork);
        self.disarm(cx, Timer::Persist);
        if self.timers.due(Timer::Retransmission).is_none() {
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
        }
        self.settle_patience(cx, false);
        self.plan_probe(cx);
        let limited = self.in_network() >= self.cwnd.cwnd && self.data_end() > self.snd_nxt;
        self.usage.sent(limited, self.flight.unacked(), self.snd_una, self.snd_nxt);
    }

    /// Octets of new data that may go now, `None` when none may and there is no FIN that could.
    fn burst(&mut self, cx: &mut Context<'_>, unsent: u64, mss: u32) -> Option<u32> {
        if self.burst_left > 0 && u64::from(self.burst_left) <= self.window_room() {
            return Some(self.burst_left);
        }
        self.burst_left = 0;
        let segments = self.cwnd.cwnd.saturating_sub(self.in_network());
        if segments == 0 {
            self.usage.sent(unsent > 0, self.flight.unacked(), self.snd_una, self.snd_nxt);
            return None;
        }
        let room = self.window_room();
        if unsent == 0 {
            // Only a FIN; it needs a number in the window, too.
            if room == 0 {
                self.wait_for_window(cx);
            }
            return (room > 0).then_some(0);
        }
        if self.is_held_by_pace(cx) {
            return None;
        }
        // At least two bursts share a window, so that acknowledgments of one come while the other is on its way (as Linux).
        let segments = segments.min((self.cwnd.cwnd / 2).max(1)).min(self.burst_segments(mss));
        let most = u64::from(segments) * u64::from(mss);
        // A burst ends where PSH stands, and with a whole segment.
        let marked = self.marks.until_inside(self.snd_nxt).unwrap_or(most).next_multiple_of(mss.into());
        let length = unsent.min(room).min(most).min(marked);
        let full = length - length % u64::from(mss);
        let partial = length % u64::from(mss);
        let length = if partial == 0 || self.may_send_partial(cx, length, unsent, room) { length } else { full };
        if length == 0 {
            self.wait_for_window(cx);
            return None;
        }
        u32::try_from(length).ok()
    }

    /// Whether a segment that is not full may end this burst: Nagle's algorithm and its kin (RFC 9293 §3.7.4, §3.8.6.2.1).
    fn may_send_partial(&mut self, cx: &mut Context<'_>, length: u64, unsent: u64, room: u64) -> bool {
        if length < unsent {
            // It is the peer's window that cuts it short. Worth sending only when it is a good part of any window that the
            // peer ever had (SWS avoidance, MUST-38), and nothing is in flight that could open it.
            let worthwhile = self.window_override || room >= u64::from(self.max_snd_wnd / 2).max(1);
            return length == room && worthwhile && self.flight.is_empty();
        }
        // What tests a time-out must not wait (RFC 5682 §2.1, step 2.b).
        if self.fin == Fin::Queued || self.recovery.holds_retransmissions() {
            return true;
        }
        if (self.config.cork || self.more_follows) && self.uncorked_to < self.data_end() {
            if self.timers.due(Timer::Cork).is_none() {
                self.arm(cx, Timer::Cork, cx.now + CORK);
            }
            return false;
        }
        // Minshall's variant, as in Linux: one small segment may be in flight, not two.
        self.config.no_delay || self.small_end <= self.snd_una
    }

    /// Nothing may go because of the peer's window, and nothing is in flight that would bring news of it: probe in a while
    /// (RFC 9293 §3.8.6.1, MUST-36).
    fn wait_for_window(&mut self, cx: &mut Context<'_>) {
        if self.is_held_by_window() && self.timers.due(Timer::Persist).is_none() {
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Persist, cx.now + rto);
            self.settle_patience(cx, false);
        }
    }

    /// Whether it is too early for the next segment at the pace of congestion control; then a timer runs until it is time.
    pub(super) fn is_held_by_pace(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.pacer.due();
        let is_held = self.congestion.pacing_rate().is_some() && due > cx.now;
        if is_held {
            self.arm(cx, Timer::Pacing, due);
        }
        is_held
    }

    /// `octets` leave; what follows keeps the pace.
    pub(super) fn keep_pace(&mut self, cx: &Context<'_>, octets: u32) {
        if let Some(rate) = self.congestion.pacing_rate() {
            self.pacer.departed(cx.now, octets.into(), rate);
        }
    }

    /// Octets that the peer's window leaves beyond SND.NXT.
    pub(super) fn window_room(&self) -> u64 {
        // What a SYN offers counts from the first octet of data.
        (self.snd_una.max(1) + u64::from(self.snd_wnd)).saturating_sub(self.snd_nxt)
    }

    /// The least room in the peer's window that is worth a segment.
    pub(super) fn smallest_worthwhile(&self) -> u64 {
        let unsent = self.data_end().saturating_sub(self.snd_nxt).max(1);
        unsent.min(u64::from(self.snd_mss())).min(u64::from(self.max_snd_wnd / 2).max(1))
    }

    /// Segments that may leave in one burst: as many as the path takes in about a millisecond, so that a slow path gets
    /// small bursts, and the acknowledgments' rhythm stays (Linux's automatic sizing of super-segments).
    fn burst_segments(&self, mss: u32) -> u32 {
        let most = (LARGEST_BURST / mss).max(1);
        if let Some(rate) = self.congestion.pacing_rate() {
            return u32::try_from(pacing::quantum(rate, mss) / u64::from(mss)).unwrap_or(most).clamp(1, most);
        }
        let Some(srtt) = self.round_trip.srtt().filter(|srtt| !srtt.is_zero()) else { return most };
        let percent = if self.cwnd.cwnd < self.cwnd.ssthresh / 2 { 200 } else { 120 };
        let window = u128::from(self.cwnd.cwnd.max(self.flight.unacked())) * u128::from(mss);
        let each_second = window * percent / 100 * 1_000_000_000 / srtt.as_nanos();
        // On paths of less than a few milliseconds bursts may be longer: there is no queue on the way to fear.
        let shift = self.round_trip.least().map_or(0, |least| least.as_micros() >> 9);
        let near = if shift < 32 { 65_536_u128 >> shift } else { 0 };
        let octets = (each_second / 1024 + near).min(LARGEST_BURST.into());
        u32::try_from(octets / u128::from(mss)).unwrap_or(most).clamp(self.config.least_burst.max(1).min(most), most)
    }

    /// What of a burst leaves in one segment, and whether that ends a burst of several: all of it as a super-segment, or
    /// else one piece after the other.
    fn piece(&mut self, length: u32, mss: u32) -> (u32, bool) {
        if self.config.super_segments || length <= mss {
            let ends = length > mss || self.burst_left > 0;
            self.burst_left = 0;
            return (length, ends);
        }
        self.burst_left = length - mss;
        (mss, false)
    }

    /// After an idle time the window is stale: it halves for each time-out that has passed, down to the initial one
    /// (RFC 5681 §4.1, RFC 2861).
    pub(super) fn restart_after_idle(&mut self, cx: &mut Context<'_>) {
        let rto = self.round_trip.rto(0).duration();
        let idle = cx.now - self.last_sent;
        let is_own_affair = self.congestion.governs();
        if !self.config.slow_start_after_idle || is_own_affair || !self.flight.is_empty() || idle <= rto {
            return;
        }
        let halvings = (idle.as_nanos() / rto.as_nanos().max(1)).min(31) as u32;
        let least = self.config.initial_window.min(self.cwnd.cwnd);
        let cwnd = (self.cwnd.cwnd >> halvings).max(least);
        let ssthresh = self.cwnd.ssthresh.max(self.cwnd.cwnd / 4 * 3);
        let ssthresh = if self.cwnd.ssthresh == u32::MAX { u32::MAX } else { ssthresh };
        self.set_cwnd(cx, Window { cwnd, ssthresh }, CwndCause::Idle);
    }
}
