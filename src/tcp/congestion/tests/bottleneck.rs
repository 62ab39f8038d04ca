//! Senders with endless data, or as much as a test gives them, over one bottleneck:
//!
//! ```text
//!   flow 0 ─┐            ┌───────────────┐
//!   flow 1 ─┼─ lost? ──► │ queue, rate   │ ── delay ──► acknowledged one by one
//!   flow 2 ─┘            └───────────────┘
//! ```
//!
//! A connection without its words: no sequence numbers, no retransmissions. A segment is lost when three later ones are
//! delivered; recovery waits until the network has emptied to the threshold (RFC 6675) and lasts one flight.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use crate::rng::{Probability, Rng};
use crate::tcp::congestion::{Acknowledged, CongestionControl, Phase, Usage, Window};
use crate::tcp::delivery_rate::{DeliveryRate, Stamp};
use crate::tcp::pacing::{self, Pacer};
use crate::time::Instant;

/// Octets of a segment.
pub(super) const MSS: u32 = 1000;

/// A path: its rate in segments each second, its round-trip time without a queue, and the queue's length in segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) rate: u64,
    pub(super) rtt: Duration,
    pub(super) queue: usize,
    pub(super) loss: Probability,
}

impl Path {
    pub(super) fn new(rate: u64, rtt_millis: u64, queue: usize) -> Path {
        Path { rate, rtt: Duration::from_millis(rtt_millis), queue, loss: Probability::NEVER }
    }

    /// Segments that fill the path without a queue.
    pub(super) fn bdp(&self) -> u64 {
        self.rate * self.rtt.as_millis() as u64 / 1000
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Arrival { id: u64, sent: Instant },
    Pace,
    TimeOut { id: u64 },
}

/// A sender.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) algorithm: Box<dyn CongestionControl>,
    pub(super) window: Window,
    pub(super) phase: Phase,
    /// Segments that it may still send; `None` for any number.
    pub(super) supply: Option<u64>,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) srtt: Option<Duration>,
    pub(super) min_rtt: Option<Duration>,
    outstanding: BTreeMap<u64, Stamp>,
    next: u64,
    recovered_at: u64,
    usage: Usage,
    rate: DeliveryRate,
    pacer: Pacer,
    quantum_left: u64,
    idle_since: Option<Instant>,
}

/// Everything.
pub(super) struct Network {
    pub(super) path: Path,
    pub(super) flows: Vec<Flow>,
    pub(super) now: Instant,
    /// Segments that found the queue full.
    pub(super) overflows: u64,
    /// The longest queue so far.
    pub(super) longest_queue: usize,
    queue: VecDeque<Instant>,
    events: BinaryHeap<Reverse<(Instant, u64, usize, Happens)>>,
    order: u64,
    rng: Rng,
}

impl Flow {
    pub(super) fn new(algorithm: impl CongestionControl + 'static) -> Flow {
        Flow {
            algorithm: Box::new(algorithm),
            window: Window { cwnd: 10, ssthresh: u32::MAX },
            phase: Phase::Open,
            supply: None,
            delivered: 0,
            lost: 0,
            srtt: None,
            min_rtt: None,
            outstanding: BTreeMap::new(),
            next: 0,
            recovered_at: 0,
            usage: Usage::default(),
            rate: DeliveryRate::default(),
            pacer: Pacer::default(),
            quantum_left: 0,
            idle_since: None,
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.outstanding.len() as u32
    }

    fn snd_una(&self) -> u64 {
        self.outstanding.keys().next().copied().unwrap_or(self.next)
    }

    fn time(&mut self, rtt: Duration) {
        self.min_rtt = Some(self.min_rtt.map_or(rtt, |least| least.min(rtt)));
        self.srtt = Some(self.srtt.map_or(rtt, |srtt| (srtt * 7 + rtt) / 8));
    }

    /// Segment `id` has arrived, and its acknowledgment has come back.
    fn arrives(&mut self, now: Instant, id: u64, sent: Instant) {
        let in_flight_before = self.in_flight();
        let Some(stamp) = self.outstanding.remove(&id) else { return };
        self.delivered += 1;
        self.time(now - sent);
        self.rate.delivered(&stamp, id, now);
        let behind: Vec<u64> = self.outstanding.range(..id.saturating_sub(2)).map(|(id, _)| *id).collect();
        self.lose(&behind);
        let mut acknowledged = self.acknowledged(now, in_flight_before, behind.len() as u32);
        acknowledged.delivered = 1;
        acknowledged.rtt = Some(now - sent);
        acknowledged.rate = self.rate.sample(now, self.min_rtt);
        let ended = self.phase != Phase::Open && self.snd_una() >= self.recovered_at;
        if ended {
            self.change(Phase::Open);
        } else if !behind.is_empty() && self.phase == Phase::Open {
            self.reduce(Phase::Recovery, in_flight_before);
        }
        acknowledged.phase = self.phase;
        let slow_start = self.window.in_slow_start();
        let may_grow = self.phase != Phase::Recovery && !ended && self.usage.may_grow(self.window.cwnd, slow_start);
        if self.algorithm.governs() || may_grow {
            self.algorithm.acknowledged(&mut self.window, &acknowledged);
        }
        if self.in_flight() == 0 {
            self.idle_since = Some(now);
        }
    }

    fn acknowledged(&self, now: Instant, in_flight_before: u32, lost: u32) -> Acknowledged {
        Acknowledged {
            now,
            lost,
            in_flight_before,
            in_flight: self.in_flight(),
            srtt: self.srtt,
            min_rtt: self.min_rtt,
            snd_una: self.snd_una(),
            snd_nxt: self.next,
            mss: MSS,
            ..Acknowledged::default()
        }
    }

    fn lose(&mut self, ids: &[u64]) {
        for id in ids {
            self.outstanding.remove(id);
        }
        self.lost += ids.len() as u64;
        self.rate.lost(ids.len() as u32);
        self.supply = self.supply.map(|left| left + ids.len() as u64);
    }

    fn reduce(&mut self, phase: Phase, in_flight: u32) {
        if self.phase != Phase::Loss {
            let ssthresh = self.algorithm.threshold_after_loss(&self.window, in_flight);
            if !self.algorithm.governs() {
                self.window.ssthresh = ssthresh;
                self.window.cwnd = if phase == Phase::Loss { 1 } else { ssthresh };
            }
        }
        self.recovered_at = self.next;
        self.change(phase);
    }

    fn change(&mut self, phase: Phase) {
        let in_flight = self.in_flight();
        self.phase = phase;
        self.algorithm.enter(phase, &mut self.window, in_flight);
    }

    fn times_out(&mut self, id: u64) {
        if !self.outstanding.contains_key(&id) {
            return;
        }
        let in_flight = self.in_flight();
        let all: Vec<u64> = self.outstanding.keys().copied().collect();
        self.lose(&all);
        self.reduce(Phase::Loss, in_flight);
    }

    /// The next segment that may go now; else, when pacing alone holds it back, the time when it may.
    fn send(&mut self, now: Instant) -> Result<(u64, Instant), Option<Instant>> {
        let in_flight = self.in_flight();
        if self.supply == Some(0) {
            if in_flight < self.window.cwnd {
                self.rate.application_limited(in_flight);
            }
            self.usage.sent(false, in_flight, self.snd_una(), self.next);
            return Err(None);
        }
        if in_flight >= self.window.cwnd {
            self.usage.sent(true, in_flight, self.snd_una(), self.next);
            return Err(None);
        }
        if let Some(since) = self.idle_since.take() {
            self.algorithm.restarted(now, now - since);
        }
        if let Some(rate) = self.algorithm.pacing_rate() {
            if self.quantum_left == 0 {
                if self.pacer.due() > now {
                    return Err(Some(self.pacer.due()));
                }
                self.quantum_left = pacing::quantum(rate, MSS);
            }
            self.quantum_left = self.quantum_left.saturating_sub(MSS.into());
            self.pacer.departed(now, MSS.into(), rate);
        }
        let id = self.next;
        self.next += 1;
        self.supply = self.supply.map(|left| left - 1);
        let stamp = self.rate.sent(now, in_flight + 1);
        self.outstanding.insert(id, stamp);
        let patience = self.srtt.map_or(Duration::from_secs(1), |srtt| srtt * 2 + Duration::from_millis(200));
        Ok((id, now + patience))
    }
}

impl Network {
    pub(super) fn new(path: Path, flows: Vec<Flow>) -> Network {
        Network {
            path,
            flows,
            now: Instant::ZERO,
            overflows: 0,
            longest_queue: 0,
            queue: VecDeque::new(),
            events: BinaryHeap::new(),
            order: 0,
            rng: Rng::new(1),
        }
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, span: Duration) {
        self.run_watched(span, |_| {});
    }

    /// Lets so much time pass and looks after each event.
    pub(super) fn run_watched(&mut self, span: Duration, mut watch: impl FnMut(&Network)) {
        let end = self.now + span;
        (0..self.flows.len()).for_each(|flow| self.transmit(flow));
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, flow, happens))) = self.events.pop() else { break };
            self.now = at;
            match happens {
                Happens::Arrival { id, sent } => self.flows[flow].arrives(at, id, sent),
                Happens::TimeOut { id } => self.flows[flow].times_out(id),
                Happens::Pace => {}
            }
            self.transmit(flow);
            watch(self);
        }
        self.now = end;
    }

    /// Segments delivered by each flow in the next `span`.
    pub(super) fn measure(&mut self, span: Duration) -> Vec<u64> {
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.delivered).collect();
        self.run(span);
        self.flows.iter().zip(before).map(|(flow, before)| flow.delivered - before).collect()
    }

    /// Percents of the bottleneck's rate that are delivered in the next `span`.
    pub(super) fn utilisation(&mut self, span: Duration) -> u64 {
        self.measure(span).iter().sum::<u64>() * 100 * 1000 / (self.path.rate * span.as_millis() as u64)
    }

    fn at(&mut self, time: Instant, flow: usize, happens: Happens) {
        self.order += 1;
        self.events.push(Reverse((time, self.order, flow, happens)));
    }

    fn transmit(&mut self, flow: usize) {
        loop {
            match self.flows[flow].send(self.now) {
                Ok((id, gives_up)) => {
                    self.at(gives_up, flow, Happens::TimeOut { id });
                    self.carry(flow, id);
                }
                Err(paced) => {
                    if let Some(due) = paced {
                        self.at(due, flow, Happens::Pace);
                    }
                    return;
                }
            }
        }
    }

    fn carry(&mut self, flow: usize, id: u64) {
        while self.queue.front().is_some_and(|leaves| *leaves <= self.now) {
            self.queue.pop_front();
        }
        // The segment that is on the wire is not in the queue.
        if self.queue.len() > self.path.queue {
            self.overflows += 1;
            return;
        }
        if self.rng.chance(self.path.loss) {
            return;
        }
        let begins = self.queue.back().copied().unwrap_or(self.now).max(self.now);
        let leaves = begins + Duration::from_nanos(1_000_000_000 / self.path.rate);
        self.queue.push_back(leaves);
        self.longest_queue = self.longest_queue.max(self.queue.len());
        self.at(leaves + self.path.rtt, flow, Happens::Arrival { id, sent: self.now });
    }
}

/// Jain's index of fairness in percent: 100 when all are alike.
pub(super) fn fairness(shares: &[u64]) -> u64 {
    let sum: u64 = shares.iter().sum();
    let squares: u64 = shares.iter().map(|share| share * share).sum();
    sum * sum * 100 / (squares * shares.len() as u64).max(1)
}
