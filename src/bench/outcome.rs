//! The figures of a trial.

use std::time::Duration;

use serde::Serialize;

use super::ledger::Counts;
use super::play::{End, address, node};
use super::{Load, Sender, Trial};
use crate::measure::{KernelStory, Reduction, StreamFigures, rate};
use crate::time::Instant;

/// What came of one flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowOutcome {
    /// `native`, `smoltcp` or `linux`.
    pub stack: String,
    /// The congestion control: of a kernel, the one that it really had.
    pub congestion: String,
    /// Its packets.
    pub figures: StreamFigures,
    /// Bits of data per second that arrived, from its first data to the end of the trial or of its data.
    pub goodput: u64,
    /// Retransmission time-outs.
    pub timeouts: Option<u64>,
    /// What the first loss did to the congestion window, in segments; `None` without a loss, and for a stack that does not
    /// tell of its window.
    pub window: Option<Reduction>,
}

impl FlowOutcome {
    /// How many of a thousand segments were sent again.
    pub fn retransmitted_permille(&self) -> u64 {
        (self.figures.retransmissions * 1_000).checked_div(self.figures.data_segments).unwrap_or(0)
    }

    /// From the SYN until all data had arrived.
    pub fn completion(&self) -> Option<Duration> {
        Some(self.figures.last_delivered? - self.figures.began?)
    }
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The flows, in their order.
    pub flows: Vec<FlowOutcome>,
    /// When it ended.
    pub ended: Instant,
}

impl Outcome {
    pub(super) fn of(trial: &Trial, counts: &Counts, kernels: &[KernelStory], ended: Instant) -> Outcome {
        let flow = |(index, flow): (usize, &super::Flow)| {
            let (from, to) = (address(index, End::Sender), address(index, End::Receiver));
            let figures = counts
                .meter
                .streams()
                .find(|(ends, _)| ends.from.ip() == from && ends.to.ip() == to)
                .map(|(_, figures)| *figures)
                .unwrap_or_default();
            let story = counts.stories.get(&node(index, End::Sender));
            let kernel = kernels.iter().find(|story| story.local.ip() == from);
            let segments = |octets: u32| octets.checked_div(figures.longest_segment).unwrap_or(0);
            let told = || {
                let (_, window) = story?.first_reduction()?;
                Some(Reduction { before: segments(window.before), after: segments(window.after) })
            };
            let (stack, asked) = match &flow.sender {
                Sender::Stack(kind, congestion) => (kind.to_string(), name_of(congestion)),
                Sender::Linux(name) => ("linux".to_owned(), name.clone()),
            };
            FlowOutcome {
                stack,
                congestion: kernel.map_or(asked, |kernel| kernel.congestion.clone()),
                figures,
                goodput: goodput(&figures, trial.load),
                timeouts: kernel.map(KernelStory::timeouts).or_else(|| story.map(|story| story.timeouts())),
                window: kernel.map_or_else(told, |kernel| kernel.window.first_reduction()),
            }
        };
        Outcome { flows: trial.flows.iter().enumerate().map(flow).collect(), ended }
    }

    /// Bits per second of all flows together.
    pub fn goodput(&self) -> u64 {
        self.flows.iter().map(|flow| flow.goodput).sum()
    }

    /// Jain's index of fairness in thousandths: 1000 when all flows got the same, 1000 / n when one of n got all (Jain, Chiu
    /// and Hawe 1984). `None` when nobody got anything.
    pub fn jain_permille(&self) -> Option<u64> {
        let sum: u128 = self.flows.iter().map(|flow| u128::from(flow.goodput)).sum();
        let squares: u128 = self.flows.iter().map(|flow| u128::from(flow.goodput).pow(2)).sum();
        let index = (sum * sum * 1_000).checked_div(squares * self.flows.len() as u128)?;
        u64::try_from(index).ok()
    }

    /// Each flow's part of all goodput, in thousandths.
    pub fn shares_permille(&self) -> Vec<u64> {
        let all = self.goodput();
        self.flows.iter().map(|flow| (flow.goodput * 1_000).checked_div(all).unwrap_or(0)).collect()
    }
}

/// A congestion control's name, as lab files have it.
fn name_of(congestion: &crate::stack::Congestion) -> String {
    let name = serde_json::to_value(congestion).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn goodput(figures: &StreamFigures, load: Load) -> u64 {
    let measured = match load {
        Load::Octets(_) => figures.goodput(),
        Load::For(span) => figures.first_sent.and_then(|first| rate(figures.delivered, (Instant::ZERO + span) - first)),
    };
    measured.unwrap_or(0)
}
