//! What a stack learnt and decided at a packet: timers, round-trip times, the congestion window, holes. In verbose ladders
//! it stands beside the rail of its node, under the packet that brought it about.
//!
//! What the arrow says already (the peer's window) and what belongs to no packet is left to `journal.jsonl`.

use super::super::programs::grouped;
use super::draw::{seconds, span_text};
use crate::journal::{CwndCause, Event, LossRule, NoLoss, PathMtuCause, Timer};
use crate::packet::SeqNum;
use crate::time::Instant;

/// Whether an event is told of here.
pub(in crate::report) fn is_told(event: &Event) -> bool {
    match event {
        Event::TimerSet { .. }
        | Event::TimerFired { .. }
        | Event::TimerStopped { .. }
        | Event::DuplicateAck { .. }
        | Event::RoundTrip { .. }
        | Event::CongestionWindow { .. }
        | Event::Hole { .. }
        | Event::PathMtu { .. }
        | Event::Lost { .. }
        | Event::NoLoss { .. } => true,
        Event::SendWindow { snd_wnd, .. } => *snd_wnd == 0,
        Event::PacketSent { .. }
        | Event::PacketArrived { .. }
        | Event::PacketDropped { .. }
        | Event::Impaired { .. }
        | Event::Forwarded { .. }
        | Event::Passage { .. }
        | Event::MappingMade { .. }
        | Event::MappingExpired { .. }
        | Event::State { .. }
        | Event::Retransmit { .. }
        | Event::Program { .. } => false,
    }
}

/// Whose stream a sequence number counts, seen from the node that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Stream {
    /// What it sends.
    Own,
    /// What its peer sends.
    Peers,
}

/// The event in a few words, or in several remarks that may be torn apart. `start` is the ladder's time 0; `relative` tells
/// the place of a sequence number in its stream.
pub(in crate::report) fn text(event: &Event, start: Instant, relative: impl Fn(SeqNum, Stream) -> u32) -> Vec<String> {
    let one = match event {
        Event::TimerSet { timer, due, .. } => format!("{} due {}", name(*timer), seconds(*due, start)),
        Event::TimerFired { timer, .. } => format!("{} fired", name(*timer)),
        Event::TimerStopped { timer, .. } => format!("{} stopped", name(*timer)),
        Event::DuplicateAck { count, .. } => format!("duplicate ACK no. {count}"),
        Event::RoundTrip { rtt, srtt, rto, .. } => {
            let times = format!("RTT {}, SRTT {}", span_text(*rtt), span_text(*srtt));
            return vec![times, format!("RTO {}", span_text(*rto))];
        }
        Event::CongestionWindow { cwnd, ssthresh, cause, .. } => {
            let threshold = match ssthresh {
                &u32::MAX => String::new(),
                ssthresh => format!(", ssthresh {}", octets(*ssthresh)),
            };
            format!("cwnd {}{threshold} ({})", octets(*cwnd), why(*cause))
        }
        Event::Hole { length: 0, .. } => "nothing is missing any more".to_owned(),
        Event::Hole { seq, length, .. } => {
            format!("{} octets missing from {}", grouped(u64::from(*length)), relative(*seq, Stream::Peers))
        }
        Event::PathMtu { mtu, cause, .. } => format!("path MTU {} ({})", grouped(u64::from(*mtu)), path(*cause)),
        Event::Lost { seq, length, rule, .. } => {
            let octets = grouped(u64::from(*length));
            return vec![
                format!("{octets} octets lost from {}", relative(*seq, Stream::Own)),
                lost_by(*rule).to_owned(),
            ];
        }
        Event::NoLoss { evidence, .. } => format!("no loss after all: {}", shown_by(*evidence)),
        Event::SendWindow { .. } => "the peer's window is closed".to_owned(),
        Event::PacketSent { .. }
        | Event::PacketArrived { .. }
        | Event::PacketDropped { .. }
        | Event::Impaired { .. }
        | Event::Forwarded { .. }
        | Event::Passage { .. }
        | Event::MappingMade { .. }
        | Event::MappingExpired { .. }
        | Event::State { .. }
        | Event::Retransmit { .. }
        | Event::Program { .. } => return Vec::new(),
    };
    vec![one]
}

fn octets(number: u32) -> String {
    if number == u32::MAX { "unlimited".to_owned() } else { grouped(u64::from(number)) }
}

fn name(timer: Timer) -> &'static str {
    match timer {
        Timer::Retransmission => "RTO timer",
        Timer::DelayedAck => "delayed-ACK timer",
        Timer::Persist => "persist timer",
        Timer::KeepAlive => "keep-alive timer",
        Timer::TimeWait => "TIME-WAIT timer",
        Timer::FinWait2 => "FIN-WAIT-2 timer",
        Timer::UserTimeout => "user time-out",
        Timer::Cork => "cork timer",
        Timer::TailProbe => "tail-probe timer",
        Timer::Reordering => "reordering timer",
        Timer::Pacing => "pacing timer",
        Timer::Neighbour => "neighbour timer",
        Timer::Reassembly => "reassembly timer",
        Timer::Unnamed => "a timer",
    }
}

fn why(cause: CwndCause) -> &'static str {
    match cause {
        CwndCause::Initial => "initial window",
        CwndCause::SlowStart => "slow start",
        CwndCause::CongestionAvoidance => "congestion avoidance",
        CwndCause::FastRecovery => "fast recovery",
        CwndCause::DuringRecovery => "during fast recovery",
        CwndCause::RecoveryDone => "recovery is over",
        CwndCause::Timeout => "time-out",
        CwndCause::TailLoss => "the probe has mended a loss",
        CwndCause::Marked => "congestion mark",
        CwndCause::Undo => "no loss after all",
        CwndCause::Idle => "was idle",
        CwndCause::SegmentSize => "longer segments",
        CwndCause::Model => "model of the path",
        CwndCause::ProbeRtt => "looks for the least round-trip time",
    }
}

fn path(cause: PathMtuCause) -> &'static str {
    match cause {
        PathMtuCause::Reported => "reported",
        PathMtuCause::Confirmed => "reported, and a time-out agrees",
        PathMtuCause::Remembered => "remembered",
        PathMtuCause::BlackHole => "long packets vanish",
        PathMtuCause::ProbeArrived => "a probe has arrived",
        PathMtuCause::ProbeLost => "a probe was lost",
        PathMtuCause::Aged => "the report is old",
    }
}

fn lost_by(rule: LossRule) -> &'static str {
    match rule {
        LossRule::DuplicateAcks => "three duplicate ACKs",
        LossRule::PartialAck => "the ACK stops there",
        LossRule::Sack => "SACK reports enough behind it",
        LossRule::Rack => "later ones have arrived",
        LossRule::Timer => "time-out",
        LossRule::PathMtu => "too long for the path",
        LossRule::Refused => "not taken with the SYN",
    }
}

fn shown_by(evidence: NoLoss) -> &'static str {
    match evidence {
        NoLoss::Timestamp => "the first copy was acknowledged",
        NoLoss::CameTwice => "all that went again came twice",
        NoLoss::FRto => "what did not go again was acknowledged",
    }
}
