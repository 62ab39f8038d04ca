//! Where on the path a capture was made: how long a packet takes from here to either end and back.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::End;
use super::gather::Segment;
use super::positions::Unrolled;
use crate::time::Instant;

/// The shortest round trip from here to each end; `None` where nothing tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Path {
    /// To the client and back.
    pub to_client: Option<Duration>,
    /// To the server and back.
    pub to_server: Option<Duration>,
}

impl Path {
    /// To this end and back.
    pub fn to(&self, end: End) -> Option<Duration> {
        match end {
            End::Client => self.to_client,
            End::Server => self.to_server,
        }
    }

    /// From one end to the other and back; `None` unless both are known.
    pub fn whole(&self) -> Option<Duration> {
        Some(self.to_client? + self.to_server?)
    }

    /// Whether it was made at this end, or close to it: at most a quarter of the way.
    pub fn is_near(&self, end: End) -> bool {
        match (self.to(end), self.to(end.other())) {
            (Some(near), Some(far)) => near * 3 <= far,
            (None, _) | (_, None) => false,
        }
    }
}

/// Round trips that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoundTrips {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub least: Option<Duration>,
    /// The longest.
    pub most: Option<Duration>,
    /// The smoothed one at the end (RFC 6298 §2).
    pub smoothed: Option<Duration>,
    /// How far they lie from that.
    #[serde(skip)]
    pub(super) variance: Duration,
}

impl RoundTrips {
    /// Takes one more.
    pub(super) fn add(&mut self, sample: Duration) {
        self.count += 1;
        self.least = Some(self.least.map_or(sample, |least| least.min(sample)));
        self.most = Some(self.most.map_or(sample, |most| most.max(sample)));
        (self.smoothed, self.variance) = match self.smoothed {
            None => (Some(sample), sample / 2),
            Some(smoothed) => {
                let away = smoothed.abs_diff(sample);
                (Some((smoothed * 7 + sample) / 8), (self.variance * 3 + away) / 4)
            }
        };
    }
}

/// The shortest of what is known.
fn least(spans: impl IntoIterator<Item = Option<Duration>>) -> Option<Duration> {
    spans.into_iter().flatten().min()
}

/// Measures it by handshake, data and time stamps, whichever is shortest: what waits on the way makes round trips longer, and
/// nothing makes them shorter.
pub(super) fn measure(segments: &[Segment]) -> Path {
    let of = |end: End| least([answered(segments, end), echoed(segments, end)]);
    Path { to_client: of(End::Client), to_server: of(End::Server) }
}

/// From something that takes sequence numbers and passed here once, on its way to `end`, to its acknowledgment.
fn answered(segments: &[Segment], end: End) -> Option<Duration> {
    let first = segments.iter().find(|segment| segment.from != end)?;
    let mut unrolled = Unrolled::from(first.tcp.seq);
    // By the place where they end: when they passed, and whether only once.
    let mut sent: HashMap<i64, (Instant, bool)> = HashMap::new();
    let mut shortest = None;
    let mut highest = i64::MIN;
    for segment in segments {
        if segment.from != end {
            let length = segment.tcp.sequence_len();
            if length > 0 {
                let to = segment.tcp.seq + length;
                unrolled.advance(to);
                let place = unrolled.place(to);
                let is_once = place > highest;
                highest = highest.max(place);
                sent.entry(place).and_modify(|(_, once)| *once = false).or_insert((segment.at, is_once));
            }
        } else if segment.tcp.flags.ack()
            && let Some((at, true)) = sent.remove(&unrolled.place(segment.tcp.ack))
        {
            shortest = least([shortest, Some(segment.at - at)]);
        }
    }
    shortest
}

/// From the first packet with a time stamp, on its way to `end`, to the first that echoes it.
fn echoed(segments: &[Segment], end: End) -> Option<Duration> {
    let mut sent: HashMap<u32, Instant> = HashMap::new();
    let mut shortest = None;
    for segment in segments {
        let Some((value, echo)) = segment.tcp.options.timestamps else { continue };
        if segment.from != end {
            sent.entry(value).or_insert(segment.at);
        } else if let (true, Some(at)) = (segment.tcp.flags.ack(), sent.get(&echo)) {
            shortest = least([shortest, Some(segment.at - *at)]);
        }
    }
    shortest
}
