//! When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2).
//!
//! At once: what is out of order or came twice, what fills a gap, every second full segment, and the first segments of a
//! connection, so that the peer's slow start is not slowed down. Else an acknowledgment waits for data to ride on, at most
//! as long as configured (MUST-40). As Linux has it: *quick* acknowledgments at the start and after trouble, until the
//! connection turns out to be a conversation.

use std::time::Duration;

use crate::journal::Reason;
use crate::time::Instant;

/// Quick acknowledgments at the start of a connection at most.
const MOST_QUICK: u32 = 16;
/// Duplicate acknowledgments that may wait to be sent, each for one segment out of order.
const MOST_REPEATS: u16 = 1024;
/// Answers to segments that cannot be accepted come no faster (as Linux's tcp_invalid_ratelimit; RFC 5961 §7).
const ANSWER_SPACING: Duration = Duration::from_millis(500);

/// One connection's acknowledgments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acks {
    /// One is due now, for this reason.
    due: Option<Reason>,
    /// Duplicates that are due besides: each tells the peer of one more segment that has left the network.
    repeats: u16,
    /// Quick acknowledgments that are left.
    quick: u32,
    /// Data goes both ways: acknowledgments may wait for it.
    conversation: bool,
    /// When data arrived last; `None` before the first.
    last_arrival: Option<Instant>,
    /// Before that, no segment that cannot be accepted is answered again.
    next_answer: Instant,
    /// The longest segment that the peer has sent lately.
    rcv_mss: u32,
}

impl Acks {
    /// A connection whose peer was told to send at most `mss` octets a segment.
    pub(crate) fn new(mss: u16) -> Acks {
        Acks {
            due: None,
            repeats: 0,
            quick: 0,
            conversation: false,
            last_arrival: None,
            next_answer: Instant::ZERO,
            rcv_mss: u32::from(mss).min(536),
        }
    }

    /// The longest segment that the peer has sent, as far as is known.
    pub(crate) fn rcv_mss(&self) -> u32 {
        self.rcv_mss
    }

    /// When data arrived last; `None` before the first.
    pub(crate) fn last_arrival(&self) -> Option<Instant> {
        self.last_arrival
    }

    /// An acknowledgment is due at once. What is already due keeps its reason, unless the new one says more.
    pub(crate) fn demand(&mut self, reason: Reason) {
        if matches!(self.due, None | Some(Reason::Acknowledge | Reason::WindowUpdate)) {
            self.due = Some(reason);
        }
    }

    /// A duplicate acknowledgment is due for one more segment, and quick ones after it.
    pub(crate) fn demand_duplicate(&mut self) {
        self.quick = MOST_QUICK;
        self.conversation = false;
        match self.due {
            None => self.due = Some(Reason::DuplicateAck),
            Some(_) => self.repeats = (self.repeats + 1).min(MOST_REPEATS),
        }
    }

    /// Nothing is missing any more: one acknowledgment tells it all. The duplicates that still wait would only repeat that, and
    /// three of them say that something is lost.
    pub(crate) fn gap_is_filled(&mut self) {
        self.repeats = 0;
        self.due = self.due.filter(|reason| *reason != Reason::DuplicateAck);
    }

    /// Data of `length` octets has arrived, in segments of `piece`; at most `room` octets may be sent in a segment to us.
    pub(crate) fn data_arrived(&mut self, now: Instant, piece: u32, room: u32, rcv_wnd: u32) {
        if piece >= self.rcv_mss {
            self.rcv_mss = piece.min(room);
        }
        if self.last_arrival.is_none() {
            self.quicken(rcv_wnd);
        }
        self.last_arrival = Some(now);
    }

    /// A long silence has ended, or the user asks: acknowledge quickly again.
    pub(crate) fn quicken(&mut self, rcv_wnd: u32) {
        let worthwhile = (rcv_wnd / (2 * self.rcv_mss.max(1))).max(2);
        self.quick = self.quick.max(worthwhile.min(MOST_QUICK));
    }

    /// Forces or forbids quick acknowledgments.
    pub(crate) fn set_quick(&mut self, quick: bool) {
        self.conversation = !quick;
        self.quick = if quick { MOST_QUICK } else { 0 };
    }

    /// Data has left: soon after some arrived, it is a conversation.
    pub(crate) fn data_left(&mut self, now: Instant, patience: Duration) {
        if self.last_arrival.is_some_and(|arrival| now - arrival < patience) {
            self.conversation = true;
        }
    }

    /// The peer's first word is answered with data: it is a conversation.
    pub(crate) fn converse(&mut self) {
        self.conversation = true;
    }

    /// Whether data in order is to be acknowledged at once, with `pending` octets not yet acknowledged; `may_be_quick` lets
    /// quick acknowledgments count.
    pub(crate) fn is_prompt(&self, pending: u32, may_be_quick: bool) -> bool {
        pending > self.rcv_mss || (may_be_quick && self.quick > 0 && !self.conversation)
    }

    /// Whether data goes both ways.
    pub(crate) fn is_conversation(&self) -> bool {
        self.conversation
    }

    /// The peer's data waited for a ride in vain: it is no conversation after all.
    pub(crate) fn waited_in_vain(&mut self) {
        self.conversation = false;
    }

    /// Whether a segment that cannot be accepted may be answered now: not too often (RFC 5961 §7).
    pub(crate) fn may_answer(&mut self, now: Instant) -> bool {
        let may = now >= self.next_answer;
        if may {
            self.next_answer = now + ANSWER_SPACING;
        }
        may
    }

    /// Whether one is due.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// Takes the next acknowledgment that is due. The duplicates besides it follow, one each.
    pub(crate) fn take(&mut self) -> Option<Reason> {
        let reason = self.due.take()?;
        if self.repeats > 0 {
            self.repeats -= 1;
            self.due = Some(Reason::DuplicateAck);
        }
        self.quick = self.quick.saturating_sub(1);
        Some(reason)
    }

    /// A segment with data has carried the acknowledgment. Duplicates still go: the peer counts only those without data.
    pub(crate) fn rode(&mut self) {
        if !matches!(self.due, Some(Reason::DuplicateAck)) {
            self.due = None;
        }
        self.quick = self.quick.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1460;
    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::ZERO + MS * millis as u32
    }

    fn arrived() -> Acks {
        let mut acks = Acks::new(1460);
        acks.data_arrived(at(0), MSS, MSS, 65_535);
        acks
    }

    #[test]
    fn the_first_segments_are_acknowledged_quickly() {
        let mut acks = arrived();
        let prompt = (0..100).filter(|_| {
            let prompt = acks.is_prompt(MSS, true);
            acks.demand(Reason::Acknowledge);
            acks.take();
            prompt
        });
        assert_eq!(prompt.count() as u32, MOST_QUICK);
    }

    #[test]
    fn later_every_second_full_segment() {
        let mut acks = arrived();
        acks.set_quick(false);
        assert!(!acks.is_prompt(MSS, true) && acks.is_prompt(MSS + 1, true));
    }

    #[test]
    fn a_conversation_waits_for_data_to_ride_on() {
        let mut acks = arrived();
        acks.data_left(at(39), 40 * MS);
        assert!(!acks.is_prompt(100, true));
        acks.waited_in_vain();
        assert!(acks.is_prompt(100, true));
        let mut late = arrived();
        late.data_left(at(40), 40 * MS);
        assert!(late.is_prompt(100, true));
    }

    #[test]
    fn each_segment_out_of_order_draws_a_duplicate_of_its_own() {
        let mut acks = arrived();
        (0..3).for_each(|_| acks.demand_duplicate());
        let sent: Vec<_> = std::iter::from_fn(|| acks.take()).collect();
        assert_eq!(sent, [Reason::DuplicateAck; 3]);
    }

    #[test]
    fn answers_to_what_cannot_be_accepted_are_spaced() {
        let mut acks = arrived();
        let answered: Vec<u64> = (0..2000).step_by(100).filter(|millis| acks.may_answer(at(*millis))).collect();
        assert_eq!(answered, [0, 500, 1000, 1500]);
    }

    #[test]
    fn the_longest_segment_lately_counts_within_what_the_peer_may_send() {
        let mut acks = Acks::new(1460);
        assert_eq!((acks.rcv_mss(), Acks::new(100).rcv_mss()), (536, 100));
        for (piece, rcv_mss) in [(535, 536), (1000, 1000), (999, 1000), (9000, MSS)] {
            acks.data_arrived(at(0), piece, MSS, 65_535);
            assert_eq!(acks.rcv_mss(), rcv_mss, "{piece}");
        }
    }

    #[test]
    fn as_many_are_quick_as_half_the_window_has_segments_between_two_and_sixteen() {
        for (rcv_wnd, quick) in [(0, 2), (2 * 2 * MSS, 2), (2 * 3 * MSS - 1, 2), (2 * 3 * MSS, 3), (65_535, 16)] {
            let mut acks = Acks::new(1460);
            acks.data_arrived(at(0), MSS, MSS, rcv_wnd);
            assert_eq!(acks.quick, quick, "{rcv_wnd}");
        }
    }
}
