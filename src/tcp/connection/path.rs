//! The path says how long a packet may be: a report has come, octets have arrived or timed out, a probe is due.
//!
//! What is believed stands in [`path`](crate::tcp::path); here it is acted on. When the path is narrower than was thought,
//! what is in flight and too long is cut anew and sent again at once. Nothing of it was lost to congestion, and so the
//! congestion window stays as it is: in segments, as Linux counts, which are fewer octets now (RFC 1191 §6.4, RFC 8201
//! §5.4).

use super::{Connection, Context};
use crate::journal::{CwndCause, DropReason, Event, PathMtuCause, Reason, Recovery, TcpState, Timer, Why};
use crate::tcp::congestion::{SegmentSize, Window};
use crate::tcp::flight::DUPLICATE_THRESHOLD;
use crate::tcp::options;
use crate::tcp::path::{Report, Suspicion, Verdict};
use crate::tcp::segment::Segment;

/// Octets of options that a TCP header holds at most.
const MOST_OPTIONS: u32 = 40;
/// Segments of the congestion window without which nothing is probed: too few others would follow a probe to tell of its
/// loss (as Linux).
const LEAST_WINDOW: u32 = 11;

impl Connection {
    /// The network says that the segment which holds `position`, one in flight, was too long for a link of `mtu` octets.
    pub(super) fn packet_was_too_long(&mut self, cx: &mut Context<'_>, position: u64, mtu: u32) {
        let Some(octets) = self.flight.at(position).map(|sent| self.octets_of(&sent.range)) else {
            return self.drop_segment(cx, DropReason::ForgedIcmp);
        };
        // The data that went with a SYN was in the SYN's packet.
        let octets = if self.state() == TcpState::SynSent { self.early_octets() } else { octets };
        let length = self.path.headers() + MOST_OPTIONS + octets;
        match self.path.reported(&Report { mtu, position, length }, &self.config.path, cx.now) {
            Verdict::Narrower => {
                self.share_path(cx);
                self.cut_anew(cx, PathMtuCause::Reported);
            }
            Verdict::ProbeRefused => {
                if let Some(search) = self.path.search() {
                    search.cap(mtu);
                }
                self.cut_anew(cx, PathMtuCause::ProbeLost);
            }
            Verdict::Doubted => self.drop_segment(cx, DropReason::DoubtedReport),
            Verdict::Nothing => self.drop_segment(cx, DropReason::UnheededReport),
            Verdict::Impossible => self.drop_segment(cx, DropReason::ForgedIcmp),
        }
    }

    /// Our own network layer remembers that the path takes no more than `mtu` octets.
    pub(crate) fn path_takes(&mut self, cx: &mut Context<'_>, mtu: usize) {
        let mtu = u32::try_from(mtu).unwrap_or(u32::MAX);
        if self.path.narrow(mtu, &self.config.path, cx.now) {
            self.cut_anew(cx, PathMtuCause::Remembered);
        }
    }

    /// From now on packets may be cut on their way, and over IPv6, where nobody does, are as every link takes them.
    pub(super) fn stop_asking_the_path(&mut self, cx: &mut Context<'_>) {
        if self.path.stop_asking() {
            self.cut_anew(cx, PathMtuCause::Remembered);
        }
    }

    /// Whether routers may cut its packets.
    pub(crate) fn may_be_cut(&self) -> bool {
        self.path.may_be_cut(&self.config.path)
    }

    /// The retransmission timer has fired, and everything in flight is thought lost. Was it too long?
    pub(super) fn path_timed_out(&mut self, cx: &mut Context<'_>) {
        let Some(range) = self.flight.first().map(|sent| sent.range.clone()) else { return };
        let oldest = (range.start, self.packet_of(self.octets_of(&range)));
        match self.path.timed_out(oldest, self.retries, &self.config.path, cx.now) {
            Some(Suspicion::Report) => {
                self.share_path(cx);
                self.cut_anew(cx, PathMtuCause::Confirmed);
            }
            Some(Suspicion::Silence) => self.cut_anew(cx, PathMtuCause::BlackHole),
            None => {}
        }
    }

    /// SND.UNA has moved, and shows how long the packets were that have arrived.
    pub(super) fn path_carried(&mut self, cx: &mut Context<'_>) {
        let before = self.path.mtu();
        if self.path.acknowledged(self.snd_una).is_some() {
            self.segments_grow(cx, before, PathMtuCause::ProbeArrived);
        }
    }

    /// `octets` of data have left, in packets of at most `piece` octets of data each.
    pub(super) fn path_is_tried(&mut self, start: u64, octets: u32, piece: u32) {
        let octets = octets.min(piece);
        if octets > 0 && !self.may_be_cut() {
            self.path.sent(start + u64::from(octets), self.packet_of(octets));
        }
    }

    /// Whether what was just found lost is a probe and nothing besides.
    pub(super) fn only_the_probe_is_lost(&mut self) -> bool {
        self.flight.lost_to_congestion() == 1 && self.probe_is_lost()
    }

    /// A lost probe says nothing of congestion: no window falls, and its octets go again in shorter segments
    /// (RFC 4821 §7.6.2).
    pub(super) fn spare_the_window(&mut self, cx: &mut Context<'_>) {
        self.recovery.spare(&self.flight);
        self.give_the_probe_up(cx);
    }

    /// A probe that was lost together with others goes again in pieces, like anything that is too long.
    pub(super) fn mind_the_probe(&mut self, cx: &mut Context<'_>) {
        if self.probe_is_lost() {
            self.give_the_probe_up(cx);
        }
    }

    /// Something was too long when it is what all else waits for; in the midst of other losses it may have been one of them
    /// (RFC 4821 §7.6.4).
    fn give_the_probe_up(&mut self, cx: &mut Context<'_>) {
        let snd_una = self.snd_una;
        if let Some(search) = self.path.search().filter(|search| search.probe_start() == Some(snd_una)) {
            search.probe_failed();
        }
        self.cut_anew(cx, PathMtuCause::ProbeLost);
    }

    fn probe_is_lost(&mut self) -> bool {
        let probe = self.path.search().and_then(|search| search.probe_start());
        probe.and_then(|start| self.flight.at(start)).is_some_and(|sent| sent.lost.is_some())
    }

    /// A probe, if one is due: new data in a longer segment than the others, which follow it (RFC 4821 §10.1).
    pub(super) fn probe_path(&mut self, cx: &mut Context<'_>) -> Option<(Segment, Why)> {
        let before = self.path.mtu();
        if self.path.age(cx.now) {
            self.segments_grow(cx, before, PathMtuCause::Aged);
        }
        if self.path.search()?.probe_start().is_some() || self.snd_una == 0 {
            return None;
        }
        self.restart_after_idle(cx);
        let in_network = self.in_network();
        let is_calm = self.recovery.name() == Recovery::Open && self.burst_left == 0 && !self.may_be_cut();
        if !is_calm || self.cwnd.cwnd < LEAST_WINDOW.max(in_network.saturating_add(2)) {
            return None;
        }
        if self.is_held_by_pace(cx) {
            return None;
        }
        let options = self.usual_options(cx.now, 0);
        let beside = options::length(&options);
        let around = self.path.headers() + u32::from(beside);
        let most = self.terms.peer_mss.min(self.config.max_segment.unwrap_or(u16::MAX));
        let most = self.path.headers() + u32::from(most);
        let length = self.path.probe_length(most, &self.config.path, cx.now)?;
        let octets = length.checked_sub(around).filter(|octets| *octets > 0)?;
        // As many must follow as say by their acknowledgments that it was lost.
        let needed = u64::from(octets) + u64::from((DUPLICATE_THRESHOLD + 1) * self.room_beside(beside));
        if self.data_end().saturating_sub(self.snd_nxt) < needed || self.window_room() < needed {
            return None;
        }
        let start = self.snd_nxt;
        let (segment, _) = self.depart(cx, octets, octets, (false, false));
        self.path.search()?.probe_left(start..start + u64::from(octets), length);
        Some((segment, Why::of(Reason::PathProbe)))
    }

    /// Segments are shorter from now on.
    fn cut_anew(&mut self, cx: &mut Context<'_>, cause: PathMtuCause) {
        cx.tell(Event::PathMtu { socket: cx.socket, mtu: self.path.mtu(), cause });
        self.burst_left = 0;
        if self.state() == TcpState::SynSent {
            // The SYN was lost with its data, and goes again without (RFC 7413 §4.2.1). How long the pieces of that may be the
            // answer says.
            if self.has_sent_early() && self.early_octets() + MOST_OPTIONS > self.path.room().into() {
                self.due = Some(Reason::RetransmitForPathMtu);
            }
            return self.path.cut();
        }
        let was_too_long = self.flight.cut(self.snd_mss().into(), self.data_end());
        self.tell_losses(cx);
        self.path.cut();
        if was_too_long && !self.force_resend {
            // They leave only now: what has run of the time-out was spent on what could not arrive.
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
        }
    }

    /// Segments are longer from now on. The windows are counted in segments and stay as many octets (RFC 4821 §7.6.1).
    fn segments_grow(&mut self, cx: &mut Context<'_>, before: u32, cause: PathMtuCause) {
        let now = self.path.mtu();
        cx.tell(Event::PathMtu { socket: cx.socket, mtu: now, cause });
        if now > before {
            let size = SegmentSize { before, now };
            self.congestion.resized(&size);
            self.recovery.resized(&size);
            let Window { cwnd, ssthresh } = self.cwnd;
            let window = Window { cwnd: size.scaled(cwnd).max(1), ssthresh: size.scaled(ssthresh).max(2) };
            self.set_cwnd(cx, window, CwndCause::SegmentSize);
        }
    }

    /// Others on this host send there, too.
    fn share_path(&self, cx: &mut Context<'_>) {
        cx.told.paths.push((self.ends.remote.ip(), self.path.known() as usize));
    }

    /// Octets of data among these positions: a FIN takes a number and no room.
    pub(super) fn octets_of(&self, range: &std::ops::Range<u64>) -> u32 {
        range.end.min(self.data_end()).saturating_sub(range.start) as u32
    }

    /// Octets of the packet of a segment with these many octets of data and the options of every segment.
    fn packet_of(&self, octets: u32) -> u32 {
        let stamps = if self.terms.agreed.timestamps { options::TIMESTAMPS_LEN } else { 0 };
        self.path.headers() + u32::from(stamps) + octets
    }
}
