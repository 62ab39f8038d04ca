//! Packets on their way: ordered by arrival, some of them held back.
//!
//! ```text
//!   line       by (time, order), as they come: ordinary packets, which keep their order
//!   late       a heap by (time, order): those that others overtake
//!   held       a line by time limit:    leaves at its limit …
//!   by_count   a heap by passes:        … or when enough others are scheduled, whichever comes first
//! ```
//!
//! Only ordinary packets count as passing a held one: a packet that a rule delays, and one that was itself held, do
//! not.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::HOLD_LIMIT;
use crate::packet::Packet;
use crate::time::Instant;

/// Every packet between the two ends of a pipe.
#[derive(Default)]
pub(super) struct Flight {
    line: VecDeque<Arrival>,
    late: BinaryHeap<Reverse<Arrival>>,
    /// By limit and by order at once, since held packets keep the order of their normal arrivals.
    held: VecDeque<Held>,
    /// (passes at which to go on, order of the held packet); may name packets that have gone at their limit.
    by_count: BinaryHeap<Reverse<(u64, u64)>>,
    passes: u64,
    orders: u64,
    last_arrival: Instant,
}

struct Arrival {
    at: Instant,
    order: u64,
    packet: Packet,
}

struct Held {
    limit: Instant,
    order: u64,
    /// `None` once it has gone on because enough others passed.
    packet: Option<Packet>,
}

impl Flight {
    /// The moment at which an ordinary packet arrives that would arrive at `at`: never before the one ahead of it.
    pub(super) fn keep_order(&mut self, at: Instant) -> Instant {
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }

    /// Schedules an ordinary packet, and behind it the held ones that have now been passed by enough others.
    pub(super) fn carry(&mut self, at: Instant, packet: Packet) {
        let order = self.next_order();
        self.schedule(Arrival { at, order, packet });
        self.passes += 1;
        while let Some(Reverse((passes, order))) = self.by_count.peek().copied()
            && passes <= self.passes
        {
            self.by_count.pop();
            self.go_on(at, order);
        }
        self.forget_gone();
    }

    /// Schedules a packet out of order: it passes nobody.
    pub(super) fn carry_late(&mut self, at: Instant, packet: Packet) {
        let order = self.next_order();
        self.late.push(Reverse(Arrival { at, order, packet }));
    }

    /// Holds a packet back that would arrive at `normal`, until `packets` others have passed or [`HOLD_LIMIT`] is over.
    pub(super) fn hold(&mut self, normal: Instant, packet: Packet, packets: u32) {
        let order = self.next_order();
        self.held.push_back(Held { limit: normal + HOLD_LIMIT, order, packet: Some(packet) });
        self.by_count.push(Reverse((self.passes + u64::from(packets), order)));
    }

    /// The next packet that arrives at or before `now`.
    pub(super) fn deliver(&mut self, now: Instant) -> Option<Packet> {
        let line = self.line.front().map(|arrival| (arrival.at, arrival.order));
        let late = self.late.peek().map(|Reverse(arrival)| (arrival.at, arrival.order));
        let limit = self.held.front().map(|held| (held.limit, held.order));
        let next = [line, late, limit].into_iter().flatten().min()?;
        if next.0 > now {
            return None;
        }
        if Some(next) == line {
            return self.line.pop_front().map(|arrival| arrival.packet);
        }
        if Some(next) == late {
            return self.late.pop().map(|Reverse(arrival)| arrival.packet);
        }
        let packet = self.held.pop_front().and_then(|held| held.packet);
        self.forget_gone();
        packet
    }

    /// When [`Flight::deliver`] has something next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let line = self.line.front().map(|arrival| arrival.at);
        let late = self.late.peek().map(|Reverse(arrival)| arrival.at);
        [line, late, self.held.front().map(|held| held.limit)].into_iter().flatten().min()
    }

    /// At the end of the line, unless it would stand before somebody there.
    fn schedule(&mut self, arrival: Arrival) {
        if self.line.back().is_some_and(|last| *last > arrival) {
            self.late.push(Reverse(arrival));
        } else {
            self.line.push_back(arrival);
        }
    }

    /// Schedules the held packet of `order` behind the one that arrives at `at`, unless its limit comes first.
    fn go_on(&mut self, at: Instant, order: u64) {
        let index = self.held.partition_point(|held| held.order < order);
        let Some(held) = self.held.get_mut(index).filter(|held| held.order == order && at < held.limit) else {
            return;
        };
        if let Some(packet) = held.packet.take() {
            let order = self.next_order();
            self.schedule(Arrival { at, order, packet });
        }
    }

    /// Keeps the front of `held` a packet that is still held, and `by_count` free of too many that are not.
    fn forget_gone(&mut self) {
        while self.held.front().is_some_and(|held| held.packet.is_none()) {
            self.held.pop_front();
        }
        if self.by_count.len() > 2 * self.held.len() + 16 {
            let oldest = self.held.front().map_or(u64::MAX, |held| held.order);
            self.by_count.retain(|Reverse((_, order))| *order >= oldest);
        }
    }

    fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Arrival) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Arrival) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Arrival) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Arrival {}
