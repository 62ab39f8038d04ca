//! The figures of one run.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::capture::Record;
use crate::lab::run::Finished;
use crate::measure::{Ends, JournalStory, KernelStory, Meter, Reduction, StreamFigures, journal_stories};

/// What a TCP did in one lab. All connections count together where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// TCP connections.
    pub connections: u64,
    /// TCP segments sent by all nodes.
    pub packets: u64,
    /// Those with data that a link dropped.
    pub lost: u64,
    /// Those that carry data, SYN or FIN that were sent before.
    pub retransmissions: u64,
    /// Those with data that brought nothing new: sent again for nothing.
    pub spurious: u64,
    /// From when the first lost data was sent until it had arrived, in nanoseconds; `None` when none was lost, or it never
    /// arrived.
    #[serde(rename = "recovery_ns", serialize_with = "nanos")]
    pub recovery: Option<Duration>,
    /// What the first loss did to the congestion window; `None` when there was none, or the stack does not tell.
    pub window: Option<Window>,
    /// Whether the stack tells of its congestion window at all.
    pub tells_window: bool,
    /// Retransmission time-outs.
    pub timeouts: u64,
    /// Bits of data per second of the longest stream, from its first data sent to the last that arrived; `None` when all of
    /// it went at once.
    pub goodput: Option<u64>,
}

/// A congestion window in segments, around the first loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Right before it; `None` without any limit.
    pub before: Option<u32>,
    /// The least until it was repaired; `None` without any limit.
    pub after: Option<u32>,
}

impl Figures {
    /// Of a run, and of its kernels' connections where it had any.
    pub(super) fn of(finished: &Finished, kernels: &[KernelStory]) -> Figures {
        let recorder = &finished.recorder;
        let mut records: Vec<&Record> = recorder.nodes().flat_map(|vantage| recorder.records(vantage.node)).collect();
        // Each was sent before it arrived; nodes are merged by time.
        records.sort_by_key(|record| record.at);
        let mut meter = Meter::default();
        records.into_iter().for_each(|record| meter.packet(record));
        let stories = journal_stories(recorder.journal().entries());
        let streams: Vec<(&Ends, &StreamFigures)> = meter.streams().collect();
        let sum = |count: fn(&StreamFigures) -> u64| streams.iter().map(|(_, figures)| count(figures)).sum::<u64>();
        let first_hit = streams
            .iter()
            .filter(|(_, figures)| figures.first_lost.is_some())
            .min_by_key(|(_, figures)| figures.first_lost);
        let longest = streams.iter().max_by_key(|(_, figures)| figures.delivered);
        let is_both_ways = |(ends, _): &&(&Ends, &StreamFigures)| {
            let back = Ends { from: ends.to, to: ends.from };
            ends.from < ends.to || meter.stream(&back).is_none()
        };
        Figures {
            connections: streams.iter().filter(is_both_ways).count() as u64,
            packets: sum(|stream| stream.segments),
            lost: sum(|stream| stream.lost),
            retransmissions: sum(|stream| stream.retransmissions),
            spurious: sum(|stream| stream.duplicates),
            recovery: first_hit.and_then(|(_, figures)| figures.recovery()),
            window: match kernels {
                [] => told_window(stories.values(), first_hit.map_or(0, |(_, figures)| figures.longest_segment)),
                kernels => first_hit.and_then(|(ends, _)| kernel_window(kernels, ends)),
            },
            tells_window: !kernels.is_empty() || stories.values().any(JournalStory::tells_windows),
            timeouts: match kernels {
                [] => stories.values().map(JournalStory::timeouts).sum(),
                kernels => kernels.iter().map(KernelStory::timeouts).sum(),
            },
            goodput: longest.and_then(|(_, figures)| figures.goodput()),
        }
    }
}

/// The first reduction that a journal tells of, on any node.
fn told_window<'a>(stories: impl Iterator<Item = &'a JournalStory>, segment: u32) -> Option<Window> {
    let (_, Reduction { before, after }) =
        stories.filter_map(JournalStory::first_reduction).min_by_key(|(at, _)| *at)?;
    // A window without a limit is told as the largest number there is.
    let segments = |octets: u32| (octets != u32::MAX).then(|| octets.checked_div(segment)).flatten();
    Some(Window { before: segments(before), after: segments(after) })
}

fn kernel_window(kernels: &[KernelStory], hit: &Ends) -> Option<Window> {
    let story = kernels.iter().find(|story| story.local == hit.from && story.remote == hit.to)?;
    let Reduction { before, after } = story.window.first_reduction()?;
    Some(Window { before: Some(before), after: Some(after) })
}

fn nanos<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)).serialize(serializer)
}
